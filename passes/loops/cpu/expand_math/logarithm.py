"""Logarithms.

x = 2^e (1 + f) with 1 + f in [2/3, 4/3], so that numbers near 1 have e = 0 and nothing cancels. log(1 + f) =
f - f²/2 + f³ P(f), where P is a least-maximum fit of the relative error made for this file, error below 2^-30.
"""

from __future__ import annotations

from .expr import F32, ScalarExpr, absolute, fma, polynomial, select

LN2_HIGH = 0.693145751953125
LN2_LOW = 1.4286068203094173e-06
LOG = (
    0.33333334, -0.24999817, 0.19999605, -0.166798, 0.14304195, -0.1219222, 0.107574046, -0.12862591, 0.11994183,
)  # fmt: skip
LOG2_E = 1.4426950408889634
LOG10_E = 0.4342944819032518
LOG10_2_HIGH = 0.301025390625
LOG10_2_LOW = 4.605038981195214e-06
INFINITY, NAN = float("inf"), float("nan")
TWO_THIRDS_BITS = 0x3F2AAAAB


def log_of_fraction(f: ScalarExpr) -> ScalarExpr:
    """log(1 + f) for |f| <= 1/3."""
    square = f * f
    return f + fma(polynomial(f, LOG) * f, square, -0.5 * square)


def split(x: ScalarExpr) -> tuple[ScalarExpr, ScalarExpr]:
    """(e, f) as floats: x = 2^e (1 + f), for finite x > 0."""
    tiny = x < 1.1754943508222875e-38  # below: no leading bit, so scale by 2^23
    bits = select(tiny, x * 8388608.0, x).bits()
    exponent = (bits - TWO_THIRDS_BITS) >> 23
    fraction = (bits - (exponent << 23)).as_float() - 1.0
    return (exponent + select(tiny, exponent.same(-23), 0)).to(F32), fraction


def extremes(x: ScalarExpr, zero: float, result: ScalarExpr) -> ScalarExpr:
    """A logarithm's values at its singularity, below it, at infinity and for NaN."""
    result = select(x >= zero, result, NAN)
    result = select(x.equals(zero), -INFINITY, result)
    return select(x.equals(INFINITY), INFINITY, result)


def log(x: ScalarExpr) -> ScalarExpr:
    e, f = split(x)
    return extremes(x, 0.0, fma(e, LN2_HIGH, fma(e, LN2_LOW, log_of_fraction(f))))


def log2(x: ScalarExpr) -> ScalarExpr:
    e, f = split(x)
    return extremes(x, 0.0, fma(log_of_fraction(f), LOG2_E, e))


def log10(x: ScalarExpr) -> ScalarExpr:
    e, f = split(x)
    return extremes(x, 0.0, fma(e, LOG10_2_HIGH, fma(e, LOG10_2_LOW, log_of_fraction(f) * LOG10_E)))


def log1p(x: ScalarExpr) -> ScalarExpr:
    """1 + x = 2^e (1 + f), where f = 2^-e x + (2^-e - 1) keeps the digits of x that 1 + x loses."""
    exponent = ((x + 1.0).bits() - TWO_THIRDS_BITS) >> 23
    four = ((129 - exponent) << 23).as_float()  # 4 2^-e: in range for e = 128 too
    f = fma(0.25 * x, four, fma(four, 0.25, -1.0))
    e = exponent.to(F32)
    result = extremes(x, -1.0, fma(e, LN2_HIGH, fma(e, LN2_LOW, log_of_fraction(f))))
    return select(absolute(x) < 2.0**-25, x, result)
