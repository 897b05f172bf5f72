"""Reverse mode: one walk back over the ops of a block, which hands the cotangents of results on to operands.

A rule of `gradients/` says what an op makes of them; ops with bodies, whose rules differentiate once more, are
given the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, Operation, OpResult, Region, SSAValue

from ...dialects.hl.autodiff import GradientOp, StopGradientOp, VariableOp
from ...dialects.hl.base import HLOp, attributes_of
from ...dialects.hl.builder import IRBuilder
from ...dialects.hl.regions import CheckpointOp, CustomGradientOp, copy_body
from ...dialects.locations import gradient_of
from ...dialects.types import spec_of
from ..pass_base import check_types, fail, fail_if_dynamic, parent_block, replace, walk
from .engine import Engine
from .gradients import BODIES, GRADIENTS, NO_GRADIENT, REFUSED, OpCall
from .gradients.body import static_spec


def erase_markers(function: FuncOp) -> None:
    """Removes what only matters while derivatives are taken; bodies that were marked stand where the op was."""
    _erase_markers(function.body)


def _erase_markers(region: Region) -> None:
    for op in walk(region):
        if isinstance(op, VariableOp | StopGradientOp):
            replace(op, [op.x])
        elif isinstance(op, CustomGradientOp):
            replace(op, op.values)
        elif isinstance(op, CheckpointOp):
            _erase_markers(op.body)
            replace(op, copy_body(op, op.xs, parent_block(op), op))


def expand_gradients(engine: Engine, function: FuncOp) -> None:
    """Replaces each `hl.gradient` of a function, inner ones first."""
    for op in walk(function.body):
        if not isinstance(op, GradientOp):
            continue
        block = parent_block(op)
        for value in op.operands:
            if value.owner is not block and not (isinstance(value, OpResult) and value.op.parent is block):
                fail(op, f"{op.name} in a region: expected values of the same block, got one from outside")
        builder = IRBuilder(block, op, op.location)
        one = builder.constant(1.0, *spec_of(op.y.type))
        cotangents = reverse(engine, builder, {op.y: one}, op.xs)
        builder.location = op.location
        gradients = [
            found if found is not None else builder.constant(0.0, *static_spec(op, x))
            for x, found in zip(op.xs, cotangents, strict=True)
        ]
        check_types(op, "hl.gradient: the derivative", gradients)
        replace(op, gradients)


def reverse(
    engine: Engine, builder: IRBuilder, seeds: Mapping[SSAValue, SSAValue], wrt: Sequence[SSAValue]
) -> list[SSAValue | None]:
    """The cotangents of `wrt`, given those of some results; None where these do not depend on it.

    Everything is inserted at the builder's anchor, which stands behind the seeded values in the same block. Each
    forward op is visited once; sums are made where a value is used more than once.
    """
    active = _active(builder.block, list(seeds), wrt)
    cotangents: dict[SSAValue, SSAValue] = dict(seeds)
    remaining = {op for op in active if isinstance(op, Operation)}
    op = builder.anchor.prev_op if builder.anchor is not None else builder.block.last_op
    while remaining and op is not None:
        previous = op.prev_op
        if op in remaining:
            remaining.remove(op)
            try:
                _visit(engine, builder, op, active, cotangents)
            except ValueError as error:
                fail_if_dynamic(op, f"{op.name}: its gradient", error)
        op = previous
    return [cotangents.get(x) for x in wrt]


def _active(block: Block, results: Sequence[SSAValue], wrt: Sequence[SSAValue]) -> set[SSAValue | Operation]:
    """Values, and ops of the block that make them, which depend on `wrt` and on which `results` depend."""
    active: set[SSAValue | Operation] = set(wrt)
    for op in _slice(block, results):
        if (type(op) in NO_GRADIENT and type(op) not in REFUSED) or not any(v in active for v in _inputs(op)):
            continue
        differentiable = [r for r in op.results if _is_float(r)]
        if differentiable:
            active.add(op)
            active.update(differentiable)
    return active


def _slice(block: Block, results: Sequence[SSAValue]) -> list[Operation]:
    """The ops of a block that results depend on, operands before users."""
    order: list[Operation] = []
    seen: set[Operation] = set()
    stack: list[tuple[Operation | None, bool]] = [(_owner(v, block), False) for v in reversed(results)]
    while stack:
        op, done = stack.pop()
        if op is None:
            continue
        if done:
            order.append(op)
        elif op not in seen:
            seen.add(op)
            stack.append((op, True))
            stack.extend((_owner(v, block), False) for v in reversed(_inputs(op)))
    return order


def _owner(value: SSAValue, block: Block) -> Operation | None:
    """The op of this block that makes a value; None for arguments and values from outside."""
    return value.op if isinstance(value, OpResult) and value.op.parent is block else None


def _inputs(op: Operation) -> Sequence[SSAValue]:
    """All values that an op, or what it contains, uses."""
    if not op.regions:
        return op.operands
    return list(chain(op.operands, *(inner.operands for region in op.regions for inner in region.walk())))


def _is_float(value: SSAValue) -> bool:
    try:
        return spec_of(value.type).dtype.kind == "float"
    except ValueError:
        return True  # no tensor of ours: whoever needs its gradient will miss a rule


def _visit(
    engine: Engine,
    builder: IRBuilder,
    op: Operation,
    active: set[SSAValue | Operation],
    cotangents: dict[SSAValue, SSAValue],
) -> None:
    """Hands the cotangents of an op's results on to its operands."""
    known = [cotangents.get(r) for r in op.results]
    if all(ct is None for ct in known):
        return
    needs = [v in active for v in op.operands]
    body_rule = BODIES.get(type(op))
    if body_rule is not None:
        operands = list(op.operands)  # a rule may put another op in the place of this one
        _add(builder, cotangents, operands, body_rule(engine, builder, op, known, needs), needs)
        return
    rule = GRADIENTS.get(type(op)) if isinstance(op, HLOp) else None
    if rule is None:
        reason = NO_GRADIENT.get(type(op))  # pyright: ignore[reportArgumentType]
        if reason is not None:
            fail(op, f"{op.name.removeprefix('hl.')} has no gradient: {reason}")
        fail(op, f"cannot differentiate through {op.name}: there is no gradient rule for it")
    builder.location = gradient_of(op.location)
    given = rule(builder, OpCall(op.operands, op.results, known, attributes_of(op), needs))
    _add(builder, cotangents, op.operands, given, needs)


def _add(
    builder: IRBuilder,
    cotangents: dict[SSAValue, SSAValue],
    operands: Sequence[SSAValue],
    given: Sequence[SSAValue | None],
    needs: Sequence[bool],
) -> None:
    """Adds what a rule gave to what is known of the operands' cotangents."""
    for operand, ct, need in zip(operands, given, needs, strict=True):
        if ct is not None and need:
            before = cotangents.get(operand)
            cotangents[operand] = ct if before is None else builder.add(before, ct)


__all__ = ["erase_markers", "expand_gradients", "reverse"]
