"""A function and its gradient as one, then split in two: what forward computes and saves, what backward makes of it.

What backward needs of forward are its residuals: arguments and results by reference, the rest as further results. What
is cheap to compute from other residuals is computed again instead of being saved.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from xdsl.dialects.builtin import FunctionType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, BlockArgument, Operation, OpResult, Region, SSAValue

from ...dialects.effects import register_effects
from ...dialects.hl import elementwise as e
from ...dialects.hl import shape as s
from ...dialects.hl.autodiff import VariableOp
from ...dialects.hl.builder import IRBuilder
from ...dialects.locations import gradient_of
from ...dialects.marks import RESULT_ATTRIBUTE
from ...dialects.types import DYNAMIC, spec_of
from ..pass_base import walk
from .engine import Engine, Partition, Residual, Wrt
from .reverse_mode import erase_markers, expand_gradients, reverse
from .simplify import simplify


def split(engine: Engine, function: FuncOp, wrt: Sequence[Wrt], outputs: Sequence[int] | None = None) -> Partition:
    """`partition` of `partition.py`, by an engine."""
    register_effects()
    joint = function.clone()
    block = joint.body.block
    arguments, results = tuple(block.args), len(returned_by(block))
    states = _state_results(joint)
    if outputs is None:
        floats = (spec_of(v.type).dtype.kind == "float" for v in returned_by(block))
        outputs = [k for k, is_float in enumerate(floats) if is_float and k not in states]
    variables = dict(zip(variables_of(function), variables_of(joint), strict=True))
    values = [variables[w].result if isinstance(w, VariableOp) else arguments[w] for w in wrt]
    given = _differentiate(engine, joint, values, outputs)
    simplify(joint.body)

    returned = returned_by(block)
    cotangents = tuple(block.args[len(arguments) :])
    parts = _Partitioner(block, arguments, cotangents, returned[:results], returned[results:], states)
    forward = _function(
        function, function.sym_name.data, arguments, parts.forward_ops, (*returned[:results], *parts.saved)
    )
    backward_arguments = (*parts.residuals, *cotangents)
    name = f"{function.sym_name.data}_backward"
    backward = _function(None, name, backward_arguments, parts.backward_ops, returned[results:])
    return Partition(
        forward,
        backward,
        tuple(parts.where(v) for v in parts.residuals),
        tuple(outputs),
        tuple(i for i, known in zip(wrt, given, strict=True) if known),
    )


def variables_of(function: FuncOp) -> list[VariableOp]:
    """What is marked in a function for derivatives to be taken by it."""
    return [op for op in walk(function.body) if isinstance(op, VariableOp)]


def returned_by(block: Block) -> tuple[SSAValue, ...]:
    """The results of a function, by its body."""
    last = block.last_op
    assert isinstance(last, ReturnOp), "a function of one block that ends in func.return"
    return tuple(last.operands)


def _state_results(function: FuncOp) -> set[int]:
    """The results that are written to where an argument was."""
    attributes = function.arg_attrs.data if function.arg_attrs is not None else ()
    return {a.data[RESULT_ATTRIBUTE].value.data for a in attributes if RESULT_ATTRIBUTE in a.data}  # pyright: ignore


def _differentiate(engine: Engine, function: FuncOp, wrt: Sequence[SSAValue], outputs: Sequence[int]) -> list[bool]:
    """Adds an argument per cotangent, and returns the gradients too. Says which of `wrt` have one."""
    expand_gradients(engine, function)
    block = function.body.block
    last, returned = block.last_op, returned_by(block)
    assert last is not None
    builder = IRBuilder(block, last, gradient_of(last.location))
    seeds: dict[SSAValue, SSAValue] = {}
    for k in outputs:
        cotangent = block.insert_arg(returned[k].type, len(block.args))
        cotangent.name_hint = f"d{returned[k].name_hint}" if returned[k].name_hint else None
        before = seeds.get(returned[k])
        seeds[returned[k]] = cotangent if before is None else builder.add(before, cotangent)
    gradients = reverse(engine, builder, seeds, wrt)
    returned = returned_by(block)  # a scan that saves more has taken the place of one
    block.insert_op_before(ReturnOp(*returned, *(g for g in gradients if g is not None)), last)
    block.erase_op(last)
    erase_markers(function)
    return [g is not None for g in gradients]


MOVEMENTS: frozenset[type[Operation]] = frozenset((s.BroadcastOp, s.ReshapeOp, s.TransposeOp, s.ConstantOp, s.IotaOp))
"""Ops that nobody would rather load than compute."""
CHEAP: frozenset[type[Operation]] = frozenset(
    (
        *(e.NegOp, e.AbsOp, e.SignOp, e.FloorOp, e.CeilOp, e.RoundOp, e.TruncOp, e.ReluOp, e.LogicalNotOp, e.IsNanOp),
        *(e.AddOp, e.SubOp, e.MulOp, e.DivOp, e.MaximumOp, e.MinimumOp, e.CompareOp, e.SelectOp, e.CastOp),
        *(e.BitwiseAndOp, e.BitwiseOrOp, e.BitwiseXorOp, e.ShiftLeftOp, e.ShiftRightLogicalOp),
    )
)
"""Ops worth computing again, where that does not mean to save more."""


class _Partitioner:
    """Which op of the joint function belongs where, and what goes from one to the other."""

    def __init__(
        self,
        block: Block,
        arguments: Sequence[SSAValue],
        cotangents: Sequence[SSAValue],
        results: Sequence[SSAValue],
        gradients: Sequence[SSAValue],
        states: set[int],
    ) -> None:
        ops = [op for op in block.ops if not isinstance(op, ReturnOp)]
        updated = {v for k, v in enumerate(results) if k in states}
        self._arguments = {v: i for i, v in enumerate(arguments) if not self._overwritten(block, i)}
        self._results = {v: k for k, v in reversed(list(enumerate(results))) if v not in updated}
        self._count = len(results)

        late: set[SSAValue] = set(cotangents)
        for op in ops:
            if any(v in late for v in uses_in(op)):
                late.update(op.results)
        behind = [op for op in ops if any(r in late for r in op.results)]
        demanded = {v for op in behind for v in uses_in(op) if v not in late}
        demanded.update(v for v in gradients if v not in late)
        again = self._decide([op for op in ops if late.isdisjoint(op.results)], demanded)

        self.residuals: list[SSAValue] = _ordered(demanded, arguments, ops)
        self.saved = [v for v in self.residuals if v not in self._arguments and v not in self._results]
        self.backward_ops = [op for op in ops if op in again or any(r in late for r in op.results)]
        self.forward_ops = needed_by(ops, (*results, *self.saved))

    @staticmethod
    def _overwritten(block: Block, index: int) -> bool:
        function = block.parent_op()
        assert isinstance(function, FuncOp)
        attributes = function.arg_attrs
        return attributes is not None and RESULT_ATTRIBUTE in attributes.data[index].data

    def _decide(self, ops: Sequence[Operation], demanded: set[SSAValue]) -> set[Operation]:
        """Replaces demanded values by what they are computed from, where that is as good; returns the ops to repeat."""
        heavy = [op for op in ops if type(op) not in CHEAP and type(op) not in MOVEMENTS]
        in_memory = {source for op in heavy for v in uses_in(op) for source in _sources(v)}
        free = set(self._arguments) | set(self._results)
        again: set[Operation] = set()
        before = -1
        while before != len(again):
            before = len(again)
            for op in reversed(ops):
                if demanded.isdisjoint(op.results) or not self._repeat(op, demanded | free, in_memory):
                    continue
                again.add(op)
                free.update(op.results)
                demanded.difference_update(op.results)
                demanded.update(v for v in op.operands if not (isinstance(v, OpResult) and v.op in again))
        return again

    def _repeat(self, op: Operation, at_hand: set[SSAValue], in_memory: set[SSAValue]) -> bool:
        if type(op) in MOVEMENTS:
            return True
        if type(op) not in CHEAP or any(r in self._results for r in op.results):
            return False
        more = {v for operand in op.operands if operand not in at_hand for v in _sources(operand)} - at_hand
        if any(r in in_memory for r in op.results):
            return not more
        return sum(map(_bytes, more)) <= sum(map(_bytes, op.results))

    def where(self, value: SSAValue) -> Residual:
        """Where a caller finds a residual."""
        if value in self._arguments:
            return Residual("argument", self._arguments[value])
        if value in self._results:
            return Residual("result", self._results[value])
        return Residual("result", self._count + self.saved.index(value))


def _sources(value: SSAValue) -> set[SSAValue]:
    """The values that a chain of movements starts from."""
    found: set[SSAValue] = set()
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, OpResult) and type(value.op) in MOVEMENTS:
            pending.extend(value.op.operands)
        else:
            found.add(value)
    return found


def _bytes(value: SSAValue) -> int:
    spec = spec_of(value.type)
    return math.prod(n for n in spec.shape if n != DYNAMIC) * spec.dtype.itemsize


def uses_in(op: Operation) -> Iterable[SSAValue]:
    """Values that an op and what it contains use."""
    for inner in op.walk():
        yield from inner.operands


def _ordered(values: set[SSAValue], arguments: Sequence[SSAValue], ops: Sequence[Operation]) -> list[SSAValue]:
    """Values in the order in which the program makes them."""
    return [v for v in (*arguments, *(r for op in ops for r in op.results)) if v in values]


def needed_by(ops: Sequence[Operation], results: Iterable[SSAValue]) -> list[Operation]:
    """The ops that results depend on, in order."""
    wanted = set(results)
    kept: list[Operation] = []
    for op in reversed(ops):
        if any(r in wanted for r in op.results):
            kept.append(op)
            wanted.update(uses_in(op))
    return kept[::-1]


def _function(
    like: FuncOp | None,
    name: str,
    arguments: Sequence[SSAValue],
    ops: Sequence[Operation],
    results: Sequence[SSAValue],
) -> FuncOp:
    """A function of copies of ops. With `like`, its arguments' attributes are kept."""
    block = Block(arg_types=[v.type for v in arguments])
    copies: dict[SSAValue, SSAValue] = {}
    for old, new in zip(arguments, block.args, strict=True):
        copies[old] = new
        new.name_hint = old.name_hint
        new.location = old.location if isinstance(old, BlockArgument) else old.owner.location  # pyright: ignore
    for op in ops:
        block.add_op(op.clone(copies))
    block.add_op(ReturnOp(*(copies[v] for v in results)))
    types = FunctionType.from_lists([v.type for v in arguments], [v.type for v in results])
    function = FuncOp(name, types, Region(block))
    if like is not None:
        function.location = like.location
        if like.arg_attrs is not None:
            function.arg_attrs = like.arg_attrs
    return function
