"""Differentiate: puts ops in the place of `hl.gradient`, by reverse mode.

    %h = hl.tanh %w                  : tensor<4xf32>                  loc(net.py:3)
    %l = hl.reduce_sum %h over [0]   : tensor<4xf32> -> tensor<f32>   loc(net.py:4)
    %g = hl.gradient %l wrt %w       : tensor<4xf32>
    ->
    %h = hl.tanh %w
    %l = hl.reduce_sum %h over [0]
    %1 = hl.constant 1.0             : tensor<f32>
    %2 = hl.broadcast %1 along []    : tensor<f32> -> tensor<4xf32>   loc("gradient"(net.py:4))
    %3 = hl.mul %h, %h               : tensor<4xf32>                  loc("gradient"(net.py:3))
    %4 = hl.sub %ones, %3            : ...
    %g = hl.mul %2, %4               : ...

Gradients are taken in program order, so that the derivative of a derivative finds ops where the inner one stood.
Afterwards `hl.variable` and `hl.stop_gradient` have done their work and go. Values that do not influence the loss get
zeros.

What has a body of its own says itself how it is differentiated:

    %y = hl.custom_gradient value(%v) of(%x) with(%c) { body }    its body, given %dy, is the gradient; %y itself is %v
    %y = hl.checkpoint of(%x) { body }                            the body again, behind a barrier, and its gradient
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, Operation, OpResult, Region, SSAValue

from ...dialects.hl.autodiff import GradientOp, StopGradientOp, VariableOp
from ...dialects.hl.base import HLOp, attributes_of
from ...dialects.hl.builder import IRBuilder
from ...dialects.hl.control import ScanOp
from ...dialects.hl.regions import CheckpointOp, CustomGradientOp, copy_body
from ...dialects.locations import gradient_of
from ...dialects.types import DYNAMIC, TensorSpec, spec_of
from ..pass_base import FunctionPass, check_types, fail, fail_if_dynamic, parent_block, replace, walk
from .gradients import GRADIENTS, NO_GRADIENT, Call
from .gradients.scan import scan_gradient


@dataclass(frozen=True)
class Differentiate(FunctionPass):
    """Reverse-mode differentiation of every `hl.gradient`."""

    name = "differentiate"

    def apply_to_function(self, function: FuncOp) -> None:
        expand_gradients(function)
        erase_markers(function)


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


def expand_gradients(function: FuncOp) -> None:
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
        cotangents = reverse(builder, {op.y: one}, op.xs)
        builder.location = op.location
        gradients = [
            found if found is not None else builder.constant(0.0, *_static_spec(op, x))
            for x, found in zip(op.xs, cotangents, strict=True)
        ]
        check_types(op, "hl.gradient: the derivative", gradients)
        replace(op, gradients)


def _static_spec(op: Operation, value: SSAValue) -> TensorSpec:
    """Shape and element type of a value; fails where a constant of that shape cannot be written."""
    spec = spec_of(value.type)
    if DYNAMIC in spec.shape:
        fail(op, f"{op.name}: expected a static shape, got {spec}")
    return spec


def reverse(builder: IRBuilder, seeds: Mapping[SSAValue, SSAValue], wrt: Sequence[SSAValue]) -> list[SSAValue | None]:
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
                _visit(builder, op, active, cotangents)
            except ValueError as error:
                fail_if_dynamic(op, f"{op.name}: its gradient", error)
        op = previous
    return [cotangents.get(x) for x in wrt]


def _active(block: Block, results: Sequence[SSAValue], wrt: Sequence[SSAValue]) -> set[SSAValue | Operation]:
    """Values, and ops of the block that make them, which depend on `wrt` and on which `results` depend."""
    active: set[SSAValue | Operation] = set(wrt)
    for op in _slice(block, results):
        if type(op) in NO_GRADIENT or not any(v in active for v in _inputs(op)):
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
    builder: IRBuilder, op: Operation, active: set[SSAValue | Operation], cotangents: dict[SSAValue, SSAValue]
) -> None:
    """Hands the cotangents of an op's results on to its operands."""
    known = [cotangents.get(r) for r in op.results]
    if all(ct is None for ct in known):
        return
    if isinstance(op, ScanOp):
        operands, needs = list(op.operands), [v in active for v in op.operands]
        _add(builder, cotangents, operands, scan_gradient(builder, op, known, needs), needs)
        return
    own = OWN_GRADIENT.get(type(op))
    if own is not None:
        needs = [v in active for v in op.operands]
        _add(builder, cotangents, op.operands, own(builder, op, known, needs), needs)
        return
    rule = GRADIENTS.get(type(op)) if isinstance(op, HLOp) else None  # pyright: ignore[reportArgumentType]
    if rule is None:
        fail(op, f"cannot differentiate through {op.name}: there is no gradient rule for it")
    builder.location = gradient_of(op.location)
    needs = [v in active for v in op.operands]
    given = rule(builder, Call(op.operands, op.results, known, attributes_of(op), needs))
    _add(builder, cotangents, op.operands, given, needs)


def _custom_gradient(
    builder: IRBuilder, op: Operation, cotangents: Sequence[SSAValue | None], needs: Sequence[bool]
) -> Sequence[SSAValue | None]:
    """The cotangents of the operands of a function with a gradient of its own, by its body."""
    assert isinstance(op, CustomGradientOp)
    builder.location = gradient_of(op.location)
    given = _materialized(builder, op, cotangents)
    gradients = copy_body(op, [*op.outputs, *given, *op.captured], builder.block, builder.anchor)
    return [*([None] * len(op.values)), *gradients, *([None] * len(op.captured))]


def _checkpoint_gradient(
    builder: IRBuilder, op: Operation, cotangents: Sequence[SSAValue | None], needs: Sequence[bool]
) -> Sequence[SSAValue | None]:
    """The cotangents of the operands of a checkpointed body: it is computed once more, once cotangents are known."""
    assert isinstance(op, CheckpointOp)
    builder.location = gradient_of(op.location)
    known = [k for k, ct in enumerate(cotangents) if ct is not None]
    behind = builder.barrier([*op.xs, *(ct for ct in cotangents if ct is not None)])
    xs, seeds = behind[: len(op.xs)], behind[len(op.xs) :]
    results = copy_body(op, xs, builder.block, builder.anchor)
    summed: dict[SSAValue, SSAValue] = {}
    found: dict[SSAValue, SSAValue] = {}
    for k, seed in zip(known, seeds, strict=True):
        target = summed if results[k] not in xs else found  # what the body hands through needs no way back
        target[results[k]] = builder.add(target[results[k]], seed) if results[k] in target else seed
    wanted = [x for x, need in zip(xs, needs, strict=True) if need]
    if summed and wanted:
        for x, gradient in zip(wanted, reverse(builder, summed, wanted), strict=True):
            if gradient is not None:
                found[x] = builder.add(found[x], gradient) if x in found else gradient
    return [found.get(x) for x in xs]


def _materialized(builder: IRBuilder, op: Operation, cotangents: Sequence[SSAValue | None]) -> list[SSAValue]:
    return [
        ct if ct is not None else builder.constant(0.0, *_static_spec(op, result))
        for ct, result in zip(cotangents, op.results, strict=True)
    ]


OWN_GRADIENT: Mapping[type[Operation], Callable[..., Sequence[SSAValue | None]]] = {
    CustomGradientOp: _custom_gradient,
    CheckpointOp: _checkpoint_gradient,
}
"""Ops whose body says what their gradient is."""


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


__all__ = ["Differentiate", "erase_markers", "expand_gradients", "reverse"]
