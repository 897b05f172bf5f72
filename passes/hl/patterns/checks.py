"""Checks that cannot fail, or that an earlier one makes for them."""

from __future__ import annotations

from xdsl.ir import SSAValue

from ....dialects.hl import check as c
from ....dialects.hl import shape as s
from ....dialects.hl.base import attributes_of
from ...pass_base import RecordingBuilder as B
from ..ranges import range_of
from .match import PatternTable, made_by


def refuses_nothing(b: B, op: c.CheckBase) -> SSAValue | None:
    """check_range(argmax(x), from 0 to extent) -> the record as it was"""
    found = range_of(op.x)
    if isinstance(op, c.CheckRangeOp):
        inside = op.low.value.data <= found.low and found.high < op.high.value.data
        return op.record if inside else None
    return op.record if found.low > 0 or found.high < 0 else None


def of_reshape(b: B, op: c.CheckBase) -> SSAValue | None:
    """check(reshape(x)) -> check(x): positions count in row-major order"""
    inner = made_by(op.x, s.ReshapeOp)
    return None if inner is None else b.one(type(op), inner.x, op.record, **attributes_of(op))


def checked_before(b: B, op: c.CheckBase) -> SSAValue | None:
    """check(x, … check(x, record)) -> the inner one, where that lets nothing more pass"""
    earlier = op.record
    while (before := made_by(earlier, c.CheckRangeOp) or made_by(earlier, c.CheckNonzeroOp)) is not None:
        if before.x is op.x and _implies(before, op):
            return op.record
        earlier = before.record
    return None


def _implies(before: c.CheckBase, op: c.CheckBase) -> bool:
    if isinstance(before, c.CheckRangeOp) and isinstance(op, c.CheckRangeOp):
        low, high = before.low.value.data, before.high.value.data
        allowed = before.allowed is None or before.allowed == op.allowed
        return allowed and op.low.value.data <= low and high <= op.high.value.data
    return type(before) is type(op)


PATTERNS: PatternTable = dict.fromkeys(c.CHECKS, (refuses_nothing, of_reshape, checked_before))
