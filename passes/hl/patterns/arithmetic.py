"""Identities of arithmetic."""

from __future__ import annotations

import math

from xdsl.ir import SSAValue

from ....dialects.hl import elementwise as e
from ....dialects.hl.pointwise import BinaryOp, UnaryOp
from ...pass_base import RecordingBuilder as B
from .match import Pattern, PatternTable, constant, is_float, is_number, made_by, number, spec


def constant_last(b: B, op: BinaryOp) -> SSAValue | None:
    """c + x -> x + c"""
    if constant(op.x) is None or constant(op.y) is not None:
        return None
    return b.one(type(op), op.y, op.x)


def neutral(wanted: float) -> Pattern:
    """x + 0 -> x        x - 0 -> x        x * 1 -> x        x / 1 -> x        x ** 1 -> x"""
    return lambda b, op: op.x if is_number(op.y, wanted) else None


def add_negative(b: B, op: e.AddOp) -> SSAValue | None:
    """x + -y -> x - y"""
    for x, y in ((op.x, op.y), (op.y, op.x)):
        negative = made_by(y, e.NegOp)
        if negative is not None:
            return b.sub(x, negative.x)
    return None


def sub_negative(b: B, op: e.SubOp) -> SSAValue | None:
    """x - -y -> x + y"""
    negative = made_by(op.y, e.NegOp)
    return None if negative is None else b.add(op.x, negative.x)


def sub_from_zero(b: B, op: e.SubOp) -> SSAValue | None:
    """0 - x -> -x"""
    return b.neg(op.y) if is_number(op.x, 0) else None


def sub_itself(b: B, op: e.SubOp) -> SSAValue | None:
    """x - x -> 0, for integers"""
    return b.constant_like(op.x, 0) if op.x is op.y and not is_float(op.x) else None


def mul_zero(b: B, op: e.MulOp) -> SSAValue | None:
    """x * 0 -> 0, for integers: an infinity times 0 is NaN"""
    return op.y if is_number(op.y, 0) and not is_float(op.x) else None


def mul_minus_one(b: B, op: e.MulOp) -> SSAValue | None:
    """x * -1 -> -x"""
    return b.neg(op.x) if is_number(op.y, -1) else None


def mul_negatives(b: B, op: e.MulOp | e.DivOp) -> SSAValue | None:
    """-x * -y -> x * y"""
    x, y = made_by(op.x, e.NegOp), made_by(op.y, e.NegOp)
    return b.one(type(op), x.x, y.x) if x is not None and y is not None else None


def div_power_of_two(b: B, op: e.DivOp) -> SSAValue | None:
    """x / 4 -> x * 0.25, where that is the same number"""
    divisor = number(op.y)
    if divisor is None or not is_float(op.x) or not 2.0**-60 <= abs(divisor) <= 2.0**60:
        return None
    return b.mul(op.x, b.constant_like(op.x, 1 / divisor)) if abs(math.frexp(divisor)[0]) == 0.5 else None


def div_one_by(b: B, op: e.DivOp) -> SSAValue | None:
    """1 / sqrt(x) -> rsqrt(x)"""
    root = made_by(op.y, e.SqrtOp)
    return b.rsqrt(root.x) if root is not None and is_number(op.x, 1) and len(list(op.y.uses)) == 1 else None


def pow_constant(b: B, op: e.PowOp) -> SSAValue | None:
    """x ** 0 -> 1        x ** 2 -> x * x        x ** 3 -> x * x * x        x ** -1 -> 1 / x
    x ** 0.5 -> sqrt(x), but infinity at -infinity"""
    x, exponent = op.x, number(op.y)
    if exponent == 0:
        return b.constant_like(x, 1)
    if exponent == 2:
        return b.mul(x, x)
    if exponent == 3:
        return b.mul(b.mul(x, x), x)
    if exponent == -1 and is_float(x):
        return b.div(b.constant_like(x, 1), x)
    if exponent == 0.5:
        lowest = b.compare("eq", x, b.constant_like(x, -math.inf))
        return b.select(lowest, b.constant_like(x, math.inf), b.sqrt(x))
    return None


def twice(inner: type[UnaryOp]) -> Pattern:
    """-(-x) -> x        not (not x) -> x"""

    def pattern(b: B, op: UnaryOp) -> SSAValue | None:
        found = made_by(op.x, inner)
        return None if found is None else found.x

    return pattern


def idempotent(b: B, op: UnaryOp) -> SSAValue | None:
    """relu(relu(x)) -> relu(x)        abs, sign, floor, ceil, round, trunc alike"""
    return op.x if made_by(op.x, type(op)) is not None else None


def abs_negative(b: B, op: e.AbsOp) -> SSAValue | None:
    """abs(-x) -> abs(x)"""
    negative = made_by(op.x, e.NegOp)
    return None if negative is None else b.abs(negative.x)


def extremum_itself(b: B, op: BinaryOp) -> SSAValue | None:
    """maximum(x, x) -> x"""
    return op.x if op.x is op.y else None


def extremum_bound(worst: float) -> Pattern:
    """maximum(x, -inf) -> x        minimum(x, inf) -> x"""
    return lambda b, op: op.x if is_float(op.x) and is_number(op.y, worst) else None


def cast_of_cast(b: B, op: e.CastOp) -> SSAValue | None:
    """cast(cast(x to A) to B) -> cast(x to B), where A keeps every value of x and the way from A to B is the same"""
    inner = made_by(op.x, e.CastOp)
    if inner is None:
        return None
    source, middle, target = spec(inner.x).dtype, spec(op.x).dtype, spec(op.result).dtype
    if middle.name not in LOSSLESS[source.name]:
        return None
    # Integers wrap where floats saturate: the detour through a float must not matter.
    detour = source.kind != middle.kind == "float" and target.kind == "int"
    if detour and target is not source and target.name not in LOSSLESS[source.name]:
        return None
    return inner.x if target is source else b.cast(inner.x, target)


def cast_to_itself(b: B, op: e.CastOp) -> SSAValue | None:
    """cast(x to the type it has) -> x"""
    return op.x if spec(op.x).dtype is spec(op.result).dtype else None


LOSSLESS: dict[str, tuple[str, ...]] = {
    "i1": ("u8", "i32", "i64", "f32", "f64"),
    "u8": ("i32", "i64", "f32", "f64"),
    "i32": ("i64", "f64"),
    "i64": (),
    "f32": ("f64",),
    "f64": (),
}
"""For each element type, those that hold all of its values."""

PATTERNS: PatternTable = {
    e.AddOp: (constant_last, neutral(0), add_negative),
    e.SubOp: (neutral(0), sub_negative, sub_from_zero, sub_itself),
    e.MulOp: (constant_last, neutral(1), mul_zero, mul_minus_one, mul_negatives),
    e.DivOp: (neutral(1), mul_negatives, div_power_of_two, div_one_by),
    e.PowOp: (neutral(1), pow_constant),
    e.NegOp: (twice(e.NegOp),),
    e.AbsOp: (idempotent, abs_negative),
    **dict.fromkeys((e.ReluOp, e.SignOp, e.FloorOp, e.CeilOp, e.RoundOp, e.TruncOp), (idempotent,)),
    e.MaximumOp: (constant_last, extremum_itself, extremum_bound(-math.inf)),
    e.MinimumOp: (constant_last, extremum_itself, extremum_bound(math.inf)),
    e.CastOp: (cast_to_itself, cast_of_cast),
}
