"""Exponential functions and what follows from them.

exp: x = n ln 2 + r with |r| <= ln 2 / 2, e^x = 2^n e^r (Cody and Waite, "Software Manual for the Elementary
Functions", 1980). The product n ln 2 is taken in two parts so that r is exact to rounding. Polynomials are
least-maximum fits of the relative error over the reduced range, made for this file; their error, below 2^-31,
vanishes in rounding.
"""

from __future__ import annotations

from .expr import I32, ScalarExpr, absolute, clamp, fma, nearest, polynomial, select, with_sign

LOG2_E = 1.4426950408889634
LN2_HIGH = 0.693145751953125  # 15 bits, so that n * LN2_HIGH is exact
LN2_LOW = 1.4286068203094173e-06

# e^r = 1 + r + r² Q(r)
EXP = (0.5, 0.16666666, 0.04166628, 0.008333504, 0.0013945753, 0.00019789266)
# e^r - 1 = r + r² Q(r)
EXPM1 = (0.5, 0.16666666, 0.041666348, 0.0083333915, 0.0013941653, 0.00019845957)
# 2^r = 1 + r Q(r)
EXP2 = (0.6931472, 0.2402265, 0.055504102, 0.009618035, 0.001333395, 0.00015468022, 1.5195024e-05)
# sinh x = x + x³ Q(x²), |x| < 1
SINH = (0.16666667, 0.0083333505, 0.00019836056, 2.817502e-06)


def power_of_two(n: ScalarExpr) -> ScalarExpr:
    """2^n for an integer -126 <= n <= 127, from its bits."""
    return ((n + 127) << 23).as_float()


def scale(x: ScalarExpr, n: ScalarExpr) -> ScalarExpr:
    """x 2^n for positive x, in two steps: 2^n alone may be out of range where the product is not.

    Adding 0 changes nothing, but the C compiler cannot contract the product with what users add to it: e^x is inf
    before y is subtracted from it.
    """
    half = n >> 1
    return fma(x * power_of_two(half), power_of_two(n - half), 0.0)


def reduce_exp(x: ScalarExpr) -> tuple[ScalarExpr, ScalarExpr]:
    """(n, r): x = n ln 2 + r."""
    n = nearest(x * LOG2_E)
    return n.to(I32), fma(n, -LN2_LOW, fma(n, -LN2_HIGH, x))


def exp_scaled(x: ScalarExpr, power: int) -> ScalarExpr:
    """e^x 2^power, without overflow in between."""
    n, r = reduce_exp(clamp(x, -104.0, 90.0))
    return scale(fma(polynomial(r, EXP), r * r, r) + 1.0, n + power if power else n)


def exp(x: ScalarExpr) -> ScalarExpr:
    return exp_scaled(x, 0)


def exp2(x: ScalarExpr) -> ScalarExpr:
    x = clamp(x, -151.0, 129.0)
    n = nearest(x)
    r = x - n
    return scale(fma(polynomial(r, EXP2), r, 1.0), n.to(I32))


def expm1(x: ScalarExpr) -> ScalarExpr:
    """2^n (e^r - 1) + (2^n - 1); halves of the terms keep 2^128 in range."""
    n, r = reduce_exp(clamp(x, -20.0, 89.0))
    small = fma(polynomial(r, EXPM1), r * r, r)
    half = power_of_two(n - 1)
    result = 2.0 * fma(small, half, half - 0.5)
    return select(x.equals(0.0), x, result)


def tanh(x: ScalarExpr) -> ScalarExpr:
    """t / (t + 2) with t = e^2|x| - 1, which loses nothing near 0."""
    t = expm1(clamp(2.0 * absolute(x), 0.0, 20.0))
    return with_sign(t / (t + 2.0), x)


def sinh(x: ScalarExpr) -> ScalarExpr:
    a = absolute(x)
    half = exp_scaled(a, -1)  # e^a / 2
    square = a * a
    small = fma(polynomial(square, SINH), square * a, a)
    return with_sign(select(a < 1.0, small, half - 0.25 / half), x)


def cosh(x: ScalarExpr) -> ScalarExpr:
    half = exp_scaled(absolute(x), -1)
    return half + 0.25 / half
