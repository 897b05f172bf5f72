"""Reductions with less to do."""

from __future__ import annotations

import math

from xdsl.ir import SSAValue

from ....dialects.hl import indexing as i
from ....dialects.hl import reduction as r
from ....dialects.hl.shape import BroadcastOp, ConstantOp
from ....dialects.types import DYNAMIC
from ...pass_base import RecordingBuilder as B
from .match import PatternTable, is_number, made_by, number, spec
from .movement import ints


def over_nothing(b: B, op: r.ReduceOp) -> SSAValue | None:
    """reduce_sum 4x1 over [1] -> reshape, since each result has one element to come from"""
    shape, dimensions = spec(op.x).shape, ints(op.dimensions)
    if DYNAMIC in shape or any(shape[d] != 1 for d in dimensions):
        return None
    return b.reshape(op.x, spec(op.result).shape)


def _split(op: r.ReduceOp) -> tuple[BroadcastOp, tuple[int, ...]] | None:
    """The broadcast that a reduction reads, and which reduced dimensions of it are repetitions, at least one each."""
    inner = made_by(op.x, BroadcastOp)
    if inner is None:
        return None
    x, wide = spec(inner.x).shape, spec(op.x).shape
    own = {d for d, n in zip(ints(inner.dimensions), x, strict=True) if n == wide[d]}
    repeated = tuple(d for d in ints(op.dimensions) if d not in own)
    static = DYNAMIC not in wide
    return (inner, repeated) if static and repeated and all(wide[d] > 0 for d in repeated) else None


def _reduce_rest(b: B, op: r.ReduceOp, inner: BroadcastOp, repeated: tuple[int, ...]) -> SSAValue:
    """The reduction of what remains when each element is there once."""
    left = [d for d in range(len(spec(op.x).shape)) if d not in repeated]
    rank = {d: n for n, d in enumerate(left)}
    dimensions, x = ints(inner.dimensions), inner.x
    keep = [n for n, d in enumerate(dimensions) if d in rank]
    x = b.reshape(x, tuple(spec(x).shape[n] for n in keep))
    x = b.broadcast(x, tuple(spec(op.x).shape[d] for d in left), tuple(rank[dimensions[n]] for n in keep))
    rest = tuple(rank[d] for d in ints(op.dimensions) if d in rank)
    return b.one(type(op), x, dimensions=rest) if rest else x


def extremum_of_repetition(b: B, op: r.ReduceOp) -> SSAValue | None:
    """reduce_max(broadcast(x)) -> reduce_max(x), over what is not repetition"""
    found = _split(op)
    return None if found is None else _reduce_rest(b, op, *found)


def sum_of_repetition(b: B, op: r.ReduceSumOp) -> SSAValue | None:
    """reduce_sum(broadcast(x)) -> x * (how often x is repeated)"""
    found = _split(op)
    if found is None:
        return None
    rest = _reduce_rest(b, op, *found)
    return b.mul(rest, b.constant_like(rest, math.prod(spec(op.x).shape[d] for d in found[1])))


def extremum_of_constant(b: B, op: r.ReduceOp) -> SSAValue | None:
    """reduce_max(2) -> 2"""
    value = number(op.x)
    return None if value is None or 0 in spec(op.x).shape else b.constant_like(op.result, value)


def sum_of_constant(b: B, op: r.ReduceSumOp) -> SSAValue | None:
    """reduce_sum over n equal integers that fit -> n * that integer, as floats add small integers without rounding"""
    value, shape = number(op.x), spec(op.x).shape
    if value is None or DYNAMIC in shape or not math.isfinite(value) or int(value) != value:
        return None
    total = int(value) * math.prod(shape[d] for d in ints(op.dimensions))
    return b.constant_like(op.result, total) if abs(total) <= 2**24 and spec(op.x).dtype.bits > 8 else None


def add_nothing(b: B, op: i.ScatterAddOp) -> SSAValue | None:
    """scatter_add(x, indices, 0) -> x"""
    return op.base if is_number(op.updates, 0) or 0 in spec(op.updates).shape else None


def gather_constant(b: B, op: i.GatherOp) -> SSAValue | None:
    """gather(the same number everywhere) -> that number"""
    value = number(op.x) if made_by(op.x, ConstantOp) is not None else None
    return None if value is None else b.constant_like(op.result, value)


PATTERNS: PatternTable = {
    r.ReduceSumOp: (over_nothing, sum_of_constant, sum_of_repetition),
    r.ReduceProdOp: (over_nothing,),
    **dict.fromkeys(
        (r.ReduceMaxOp, r.ReduceMinOp, r.ReduceAnyOp, r.ReduceAllOp),
        (over_nothing, extremum_of_constant, extremum_of_repetition),
    ),
    i.ScatterAddOp: (add_nothing,),
    i.GatherOp: (gather_constant,),
}
