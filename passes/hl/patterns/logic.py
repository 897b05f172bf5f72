"""Identities of truth values, bits and choices."""

from __future__ import annotations

from xdsl.ir import SSAValue

from ....dialects.hl import elementwise as e
from ...pass_base import RecordingBuilder as B
from .arithmetic import constant_last, extremum_itself, neutral, twice
from .match import PatternTable, is_float, is_number, made_by, number, spec

_OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "le": "gt", "gt": "le"}
_TRUE_OF_EQUALS = {"eq": True, "ne": False, "lt": False, "le": True, "gt": False, "ge": True}


def _all_bits(value: SSAValue) -> bool:
    """Whether a value is all ones."""
    dtype = spec(value).dtype
    return is_number(value, 1 if dtype.kind == "bool" else -1 if dtype.signed else 255)


def and_constant(b: B, op: e.BitwiseAndOp) -> SSAValue | None:
    """x & ones -> x        x & 0 -> 0"""
    return op.x if _all_bits(op.y) else op.y if is_number(op.y, 0) else None


def or_constant(b: B, op: e.BitwiseOrOp) -> SSAValue | None:
    """x | ones -> ones        x | 0 -> x"""
    return op.y if _all_bits(op.y) else op.x if is_number(op.y, 0) else None


def xor_itself(b: B, op: e.BitwiseXorOp) -> SSAValue | None:
    """x ^ x -> 0"""
    return b.constant_like(op.x, 0) if op.x is op.y else None


def not_compare(b: B, op: e.LogicalNotOp) -> SSAValue | None:
    """not (x == y) -> x != y        the order relations too, for integers: a NaN is neither < nor >="""
    compare = made_by(op.x, e.CompareOp)
    if compare is None:
        return None
    predicate = compare.predicate.data
    if predicate not in ("eq", "ne") and is_float(compare.x):
        return None
    return b.one(e.CompareOp, compare.x, compare.y, predicate=_OPPOSITE[predicate])


def compare_itself(b: B, op: e.CompareOp) -> SSAValue | None:
    """x == x -> true, for integers"""
    if op.x is not op.y or is_float(op.x):
        return None
    return b.constant_like(op.result, _TRUE_OF_EQUALS[op.predicate.data])


def select_known(b: B, op: e.SelectOp) -> SSAValue | None:
    """select(true, x, y) -> x        select(c, x, x) -> x"""
    condition = number(op.condition)
    if condition is not None:
        return op.x if condition else op.y
    return op.x if op.x is op.y else None


def select_not(b: B, op: e.SelectOp) -> SSAValue | None:
    """select(not c, x, y) -> select(c, y, x)"""
    negated = made_by(op.condition, e.LogicalNotOp)
    return None if negated is None else b.select(negated.x, op.y, op.x)


def select_of_select(b: B, op: e.SelectOp) -> SSAValue | None:
    """select(c, select(c, x, y), z) -> select(c, x, z)"""
    first, second = made_by(op.x, e.SelectOp), made_by(op.y, e.SelectOp)
    x = first.x if first is not None and first.condition is op.condition else op.x
    y = second.y if second is not None and second.condition is op.condition else op.y
    return None if x is op.x and y is op.y else b.select(op.condition, x, y)


PATTERNS: PatternTable = {
    e.BitwiseAndOp: (constant_last, and_constant, extremum_itself),
    e.BitwiseOrOp: (constant_last, or_constant, extremum_itself),
    e.BitwiseXorOp: (constant_last, neutral(0), xor_itself),
    e.ShiftLeftOp: (neutral(0),),
    e.ShiftRightLogicalOp: (neutral(0),),
    e.LogicalNotOp: (twice(e.LogicalNotOp), not_compare),
    e.CompareOp: (compare_itself,),
    e.SelectOp: (select_known, select_not, select_of_select),
}
