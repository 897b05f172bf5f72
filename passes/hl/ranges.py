"""What is known of the values of integers without running: a closed interval.

%0 = hl.argmax %x along 1 : tensor<8x10xf32> -> tensor<8xi64>       0 to 9
%1 = hl.clamp of it, a table lookup in a constant, %p ? %0 : 3 …    likewise
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from xdsl.ir import OpResult, SSAValue

from ...dialects.hl import elementwise as e
from ...dialects.hl import indexing as i
from ...dialects.hl import reduction as r
from ...dialects.hl import sequence as q
from ...dialects.hl import shape as s
from ...dialects.hl.base import HLOp, attributes_of
from ...dialects.types import DYNAMIC, DType, spec_of

DEPTH = 16
"""How many ops one behind the other are looked at."""


class Interval(NamedTuple):
    """low <= value <= high"""

    low: int
    high: int

    def join(self, other: Interval) -> Interval:
        """What contains both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))


def of_type(dtype: DType) -> Interval:
    """What an element type can hold."""
    if dtype.kind == "bool":
        return Interval(0, 1)
    half = 1 << dtype.bits - 1
    return Interval(-half, half - 1) if dtype.signed else Interval(0, 2 * half - 1)


def range_of(value: SSAValue, depth: int = DEPTH) -> Interval:
    """An interval that all elements of a value of integers or bools lie in."""
    dtype = spec_of(value.type).dtype
    widest = of_type(dtype)
    rule = _RULES.get(type(value.op)) if isinstance(value, OpResult) and depth else None  # pyright: ignore
    if rule is None or not isinstance(value, OpResult):
        return widest
    found = rule(value, lambda operand: range_of(operand, depth - 1))
    # A result that does not fit wraps, to anything.
    return widest if found is None or found.low < widest.low or found.high > widest.high else found


Of = Callable[[SSAValue], Interval]
Rule = Callable[[Any, Of], "Interval | None"]


def _attribute(value: OpResult, name: str) -> Any:
    return attributes_of(value.op)[name]


def _constant(value: OpResult, of: Of) -> Interval | None:
    found = np.asarray(_attribute(value, "value"))
    return Interval(int(found.min()), int(found.max())) if found.size else None


def _extent(value: OpResult, dimension: int) -> Interval | None:
    n = spec_of(value.op.operands[0].type if value.op.operands else value.type).shape[dimension]
    return None if n == DYNAMIC or n == 0 else Interval(0, n - 1)


def _iota(value: OpResult, of: Of) -> Interval | None:
    return _extent(value, _attribute(value, "dimension"))


def _of_first(value: OpResult, of: Of) -> Interval | None:
    return of(value.op.operands[0])


def _of_all(value: OpResult, of: Of) -> Interval | None:
    found = [of(operand) for operand in value.op.operands]
    return Interval(min(f.low for f in found), max(f.high for f in found)) if found else None


def _pad(value: OpResult, of: Of) -> Interval | None:
    filler = int(_attribute(value, "value"))
    return of(value.op.operands[0]).join(Interval(filler, filler))


def _select(value: OpResult, of: Of) -> Interval | None:
    """A choice between what either side can be where the condition holds, or does not."""
    condition, x, y = value.op.operands
    sides = _narrowed(x, condition, True, of), _narrowed(y, condition, False, of)
    possible = [side for side in sides if side.low <= side.high]
    return None if not possible else possible[0].join(possible[-1])


_OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "le": "gt", "gt": "le"}
_TURNED = {"eq": "eq", "ne": "ne", "lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}


def _narrowed(value: SSAValue, condition: SSAValue, holds: bool, of: Of) -> Interval:
    """What a value can be where a condition holds, or does not; low > high where it cannot be anything."""
    found = of(value)
    compare = condition.owner
    if not isinstance(compare, e.CompareOp) or value not in (compare.x, compare.y):
        return found
    predicate: str = compare.predicate.data
    predicate = predicate if holds else _OPPOSITE[predicate]
    other = of(compare.y if compare.x is value else compare.x)
    predicate = predicate if compare.x is value else _TURNED[predicate]
    low, high = found
    if predicate in ("lt", "le", "eq"):
        high = min(high, other.high - (predicate == "lt"))
    if predicate in ("gt", "ge", "eq"):
        low = max(low, other.low + (predicate == "gt"))
    return Interval(low, high)


def _cast(value: OpResult, of: Of) -> Interval | None:
    x = value.op.operands[0]
    return None if spec_of(x.type).dtype.kind == "float" else of(x)


def _add(value: OpResult, of: Of) -> Interval | None:
    a, b = map(of, value.op.operands)
    return Interval(a.low + b.low, a.high + b.high)


def _sub(value: OpResult, of: Of) -> Interval | None:
    a, b = map(of, value.op.operands)
    return Interval(a.low - b.high, a.high - b.low)


def _mul(value: OpResult, of: Of) -> Interval | None:
    a, b = map(of, value.op.operands)
    corners = [x * y for x in a for y in b]
    return Interval(min(corners), max(corners))


def _maximum(value: OpResult, of: Of) -> Interval | None:
    a, b = map(of, value.op.operands)
    return Interval(max(a.low, b.low), max(a.high, b.high))


def _minimum(value: OpResult, of: Of) -> Interval | None:
    a, b = map(of, value.op.operands)
    return Interval(min(a.low, b.low), min(a.high, b.high))


def _remainder(value: OpResult, of: Of) -> Interval | None:
    """The sign is the divisor's; a remainder by 0 is 0."""
    divisor = of(value.op.operands[1])
    return Interval(min(divisor.low + 1, 0), max(divisor.high - 1, 0))


def _sort(value: OpResult, of: Of) -> Interval | None:
    return of(value.op.operands[0]) if value.index == 0 else _extent(value, _attribute(value, "dimension"))


def _arg_reduce(value: OpResult, of: Of) -> Interval | None:
    return _extent(value, _attribute(value, "dimension"))


_RULES: dict[type[HLOp], Rule] = {
    s.ConstantOp: _constant,
    s.IotaOp: _iota,
    **dict.fromkeys((s.BroadcastOp, s.ReshapeOp, s.TransposeOp, s.SliceOp, s.ReverseOp), _of_first),
    s.ConcatOp: _of_all,
    s.PadOp: _pad,
    **dict.fromkeys((i.GatherOp, r.ReduceMaxOp, r.ReduceMinOp, e.CopyOp), _of_first),
    i.ScatterOp: lambda value, of: of(value.op.operands[0]).join(of(value.op.operands[2])),
    e.SelectOp: _select,
    e.CastOp: _cast,
    e.AddOp: _add,
    e.SubOp: _sub,
    e.MulOp: _mul,
    e.MaximumOp: _maximum,
    e.MinimumOp: _minimum,
    e.RemainderOp: _remainder,
    r.ArgmaxOp: _arg_reduce,
    r.ArgminOp: _arg_reduce,
    q.SortOp: _sort,
}
"""Ops whose results are in an interval that follows from their operands'; all others may hold anything."""
