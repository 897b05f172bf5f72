"""Checks of values: one pass over all elements that tells whether any is refused, and a search for it where one is.

%signs  = linalg.generic ins(%x) outs(0) { or of numbers that are negative where the element is refused }
%result = linalgx.record … ins(%signs, %x) outs(%record, copied)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from xdsl.dialects import arith
from xdsl.dialects.builtin import i64
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineMap

from ....dialects.hl import check
from ....dialects.hl.base import HLOp
from ....dialects.linalgx import RecordOp
from ....dialects.types import TensorSpec
from ....dialects.types import i64 as int64
from ...utils.emitter import Emitter
from .builder import KernelBuilder
from .scalar import cast, choose, compare
from .views import Splat


def number(e: Emitter, value: int) -> SSAValue:
    return e.constants.scalar(i64, value)


def check_range(
    lowering: KernelBuilder,
    op: HLOp,
    x: Any,
    record: Any,
    *,
    low: int,
    high: int,
    allowed: int | None = None,
    **words: Any,
) -> list[SSAValue]:
    high = max(low, high)

    def sign(e: Emitter, value: SSAValue) -> SSAValue:
        """(x - low) | (high - 1 - x), where a difference may wrap: then the other is negative."""
        above = e.op(arith.SubiOp, number(e, high - 1), value)
        outside = e.op(arith.OrIOp, e.op(arith.SubiOp, value, number(e, low)), above)
        if allowed is None:
            return outside
        return choose(e, compare(e, int64, "eq", value, number(e, allowed)), number(e, 0), outside)

    kind = "outside" if allowed is None else "outside_but"
    return recorded(lowering, op, x, record, sign, kind, low, high, allowed or 0, words["number"])


def check_nonzero(lowering: KernelBuilder, op: HLOp, x: Any, record: Any, **words: Any) -> list[SSAValue]:
    def sign(e: Emitter, value: SSAValue) -> SSAValue:
        """not (x | -x)"""
        either = e.op(arith.OrIOp, value, e.op(arith.SubiOp, number(e, 0), value))
        return e.op(arith.XOrIOp, either, number(e, -1))

    return recorded(lowering, op, x, record, sign, "zero", 0, 0, 0, words["number"])


def recorded(
    lowering: KernelBuilder,
    op: HLOp,
    x: Any,
    record: Any,
    sign: Callable[[Emitter, SSAValue], SSAValue],
    kind: str,
    low: int,
    high: int,
    allowed: int,
    check_number: int,
) -> list[SSAValue]:
    spec = lowering.spec(op.operands[0])
    rank = len(spec.shape)
    result = lowering.copy(record, lowering.destination(op.results[0]), check.RECORD)
    if math.prod(spec.shape) == 0:
        return [result]
    signs = lowering.fill(lowering.temporary(TensorSpec((), int64)), Splat(0, int64))

    def body(e: Emitter, values: Sequence[SSAValue], accumulators: Sequence[SSAValue]) -> list[SSAValue]:
        return [e.op(arith.OrIOp, accumulators[0], sign(e, cast(e, spec.dtype, values[0], int64)))]

    write = (signs, AffineMap(rank, 0, ()))
    (signs,) = lowering.generic(spec.shape, [x], [write], body, reduced=tuple(range(rank)))
    new = RecordOp.of(
        [signs, lowering.stored(x, spec)],
        [result],
        kind=kind,
        low=low,
        high=high,
        allowed=allowed,
        number=check_number,
        unsigned=not spec.dtype.signed,
    )
    return list(lowering.emitter.insert(lowering.located(new)).results)


CHECKED: dict[type[HLOp], Callable[..., list[SSAValue]]] = {
    check.CheckRangeOp: check_range,
    check.CheckNonzeroOp: check_nonzero,
}
