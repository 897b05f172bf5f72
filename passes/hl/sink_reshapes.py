"""Moves reshapes behind what is computed from them, so that they do not stand between ops of one kernel.

    %1 = hl.reshape %0         : tensor<21x20xf32> -> tensor<7x3x20xf32>
    %2 = hl.broadcast %b along [2] : tensor<20xf32> -> tensor<7x3x20xf32>
    %3 = hl.add %1, %2
    ->
    %2 = hl.broadcast %b along [1] : tensor<20xf32> -> tensor<21x20xf32>
    %3 = hl.add %0, %2
    %1 = hl.reshape %3         : tensor<21x20xf32> -> tensor<7x3x20xf32>

As where a layer flattens leading dimensions for its matrix product: bias, activation, residual and normalization then
run on the product itself. A reshape keeps its trailing dimensions where both shapes agree; what is elementwise, a
reduction over trailing dimensions, or a broadcast that only adds trailing ones, means the same before it as behind it.
Only reshapes of computed values move: those of arguments cost nothing where they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, OpResult, SSAValue

from ...dialects.hl import elementwise as e
from ...dialects.hl import reduction as r
from ...dialects.hl import shape as s
from ...dialects.hl.base import HLOp, attributes_of
from ...dialects.hl.pointwise import BinaryOp, UnaryOp
from ...dialects.types import DYNAMIC
from ..pass_base import FunctionPass, RecordingBuilder, replace, walk
from .index_maps import only_squeezes
from .patterns.match import made_by, number, spec


@dataclass(frozen=True)
class Leading:
    """What a reshape does: `before` becomes `after`, the trailing dimensions stay."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    source: tuple[int, ...]
    """The whole shape before."""

    def shape(self, behind: Sequence[int]) -> tuple[int, ...]:
        """The shape before the reshape of a value that has these trailing dimensions."""
        return (*self.before, *behind)


def leading(op: s.ReshapeOp) -> Leading | None:
    """How a reshape changes the leading dimensions; None where only 1s come or go, or extents are unknown."""
    x, y = spec(op.x).shape, spec(op.result).shape
    if DYNAMIC in x or DYNAMIC in y or 0 in x or only_squeezes(op):
        return None
    same = 0
    while same < min(len(x), len(y)) and x[-1 - same] == y[-1 - same]:
        same += 1
    while math.prod(x[: len(x) - same]) != math.prod(y[: len(y) - same]):
        same -= 1
    return Leading(x[: len(x) - same], y[: len(y) - same], x)


def sinkable(value: SSAValue) -> s.ReshapeOp | None:
    """The reshape of a computed value that makes this one."""
    op = made_by(value, s.ReshapeOp)
    if op is None or not isinstance(op.x, OpResult):
        return None
    return op


def moved(b: RecordingBuilder, value: SSAValue, lead: Leading, shape: tuple[int, ...]) -> SSAValue | None:
    """The value as it is before the reshape, of the given shape; None where that would cost something."""
    reshape = made_by(value, s.ReshapeOp)
    if reshape is not None and spec(reshape.x).shape == shape:
        return reshape.x
    known = number(value)
    if known is not None:
        return b.constant(known, shape, spec(value).dtype)
    broadcast = made_by(value, s.BroadcastOp)
    if broadcast is not None:
        shift = len(lead.before) - len(lead.after)
        dimensions = attributes_of(broadcast)["dimensions"]
        if all(d >= len(lead.after) for d in dimensions):
            return b.broadcast(broadcast.x, shape, tuple(d + shift for d in dimensions))
        return None
    stored = not isinstance(value, OpResult) or not value.has_one_use()
    return b.reshape(value, shape) if stored else None


def sink(b: RecordingBuilder, op: HLOp) -> SSAValue | None:
    """What replaces an op one of whose operands is a reshape: the same op before it, then the reshape."""
    for operand in op.operands:
        reshape = sinkable(operand)
        lead = leading(reshape) if reshape is not None else None
        if lead is not None:
            rule = (
                _reduction
                if isinstance(op, r.ReduceOp)
                else _broadcast
                if isinstance(op, s.BroadcastOp)
                else _elementwise
            )
            found = rule(b, op, lead)
            if found is not None:
                return found
    return None


def _elementwise(b: RecordingBuilder, op: HLOp, lead: Leading) -> SSAValue | None:
    operands = [moved(b, operand, lead, lead.source) for operand in op.operands]
    if any(v is None for v in operands):
        return None
    (result,) = b.emit(type(op), [v for v in operands if v is not None], attributes_of(op))
    return b.reshape(result, spec(op.results[0]).shape)


def _reduction(b: RecordingBuilder, op: HLOp, lead: Leading) -> SSAValue | None:
    shift = len(lead.before) - len(lead.after)
    dimensions = attributes_of(op)["dimensions"]
    if any(d < len(lead.after) for d in dimensions):
        return None
    x = made_by(op.operands[0], s.ReshapeOp)
    assert x is not None
    (result,) = b.emit(type(op), [x.x], {"dimensions": tuple(d + shift for d in dimensions)})
    return b.reshape(result, spec(op.results[0]).shape)


def _broadcast(b: RecordingBuilder, op: HLOp, lead: Leading) -> SSAValue | None:
    """broadcast(reshape(x)) along [0, 1] -> reshape(broadcast(x) along [0]), where only trailing dimensions are new"""
    x = made_by(op.operands[0], s.ReshapeOp)
    assert x is not None
    result = spec(op.results[0]).shape
    dimensions = attributes_of(op)["dimensions"]
    count, shift = len(lead.after), len(lead.before) - len(lead.after)
    if tuple(dimensions[:count]) != tuple(range(count)) or result[:count] != lead.after:
        return None
    new = (*range(len(lead.before)), *(d + shift for d in dimensions[count:]))
    return b.reshape(b.broadcast(x.x, lead.shape(result[count:]), new), result)


MOVABLE: tuple[type[Operation], ...] = (
    UnaryOp,
    BinaryOp,
    e.CompareOp,
    e.SelectOp,
    e.CastOp,
    r.ReduceOp,
    s.BroadcastOp,
)
"""Ops that mean the same before a reshape of leading dimensions as behind it."""


@dataclass(frozen=True)
class SinkReshapes(FunctionPass):
    """See the module's text."""

    name = "sink-reshapes"

    def apply_to_function(self, function: FuncOp) -> None:
        for op in walk(function.body):
            if isinstance(op, MOVABLE) and isinstance(op, HLOp):
                builder = RecordingBuilder(op)
                found = sink(builder, op)
                if found is not None:
                    replace(op, [found])
