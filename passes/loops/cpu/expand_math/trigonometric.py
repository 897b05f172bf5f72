"""Trigonometric functions and their inverses.

sin, cos, tan: x = n pi/2 + r with |r| <= pi/4; n modulo 4 says which function of r, with which sign. For |x| < 2^28
the reduction subtracts n pi/2 in f64 (Cody and Waite, in two parts); beyond, `payne_hanek` multiplies by the bits of
2/pi that matter. Polynomials are least-maximum fits of the relative error made for this file, error below 2^-28.
"""

from __future__ import annotations

from .expr import F32, F64, I32, ScalarExpr, absolute, fma, nearest, polynomial, select, sqrt, with_sign
from .payne_hanek import payne_hanek

TWO_OVER_PI = 0.6366197723675814
HALF_PI = 1.5707963267948966
HALF_PI_LOW = 6.123233995736766e-17
PI = 3.141592653589793

# sin r = r + r³ P(r²), cos r = 1 - r²/2 + r⁴ P(r²)
SIN = (-0.16666667, 0.008333329, -0.00019839316, 2.7181218e-06)
COS = (0.041666646, -0.0013887353, 2.4436607e-05)
# asin x = x + x³ P(x²), |x| <= 1/2; atan x = x + x³ P(x²), |x| <= 1
ASIN = (0.1666666, 0.07500512, 0.044515472, 0.03181982, 0.0143938055, 0.037578158)
ATAN = (
    -0.33333302, 0.19998638, -0.14265245, 0.10957572, -0.08419446, 0.05823432, -0.03145547, 0.011064315, -0.0018271847,
)  # fmt: skip


def reduce(x: ScalarExpr) -> tuple[ScalarExpr, ScalarExpr]:
    """(n modulo 4, r): x = n pi/2 + r."""
    wide = x.to(F64)
    n = nearest(wide * TWO_OVER_PI)
    r = fma(n, -HALF_PI_LOW, fma(n, -HALF_PI, wide)).to(F32)
    far_n, far_r = payne_hanek(x)
    near = absolute(x) < 268435456.0
    # Where x is large n may not fit; it is not used then.
    quadrant = select(near, n, 0.0).to(I32)
    r = select(near, r, far_r)
    return select(near, quadrant, far_n), select(absolute(x) < float("inf"), r, float("nan"))


def sin_of_reduced(r: ScalarExpr) -> ScalarExpr:
    square = r * r
    return fma(polynomial(square, SIN), square * r, r)


def cos_of_reduced(r: ScalarExpr) -> ScalarExpr:
    square = r * r
    return fma(polynomial(square, COS), square * square, fma(square, -0.5, 1.0))


def _negate_if(condition: ScalarExpr, x: ScalarExpr) -> ScalarExpr:
    return select(condition, -x, x)


def sin(x: ScalarExpr) -> ScalarExpr:
    n, r = reduce(x)
    result = select((n & 1).equals(0), sin_of_reduced(r), cos_of_reduced(r))
    return select(x.equals(0.0), x, _negate_if((n & 2).differs(0), result))


def cos(x: ScalarExpr) -> ScalarExpr:
    n, r = reduce(x)
    result = select((n & 1).equals(0), cos_of_reduced(r), sin_of_reduced(r))
    return _negate_if(((n + 1) & 2).differs(0), result)


def tan(x: ScalarExpr) -> ScalarExpr:
    n, r = reduce(x)
    s, c = sin_of_reduced(r), cos_of_reduced(r)
    even = (n & 1).equals(0)
    result = select(even, s, -c) / select(even, c, s)
    return select(x.equals(0.0), x, result)


def asin_of_half(x: ScalarExpr, square: ScalarExpr) -> ScalarExpr:
    """asin x for |x| <= 1/2."""
    return fma(polynomial(square, ASIN), square * x, x)


def asin(x: ScalarExpr) -> ScalarExpr:
    """Above 1/2: pi/2 - 2 asin(sqrt((1 - |x|) / 2)). Outside of [-1, 1] the root is NaN."""
    a = absolute(x)
    square = fma(a, -0.5, 0.5)
    near = a < 0.5
    z = select(near, a * a, square)
    t = asin_of_half(select(near, a, sqrt(square)), z)
    return with_sign(select(near, t, fma(t, -2.0, HALF_PI)), x)


def acos(x: ScalarExpr) -> ScalarExpr:
    """pi/2 - asin x; above 1/2 2 asin(sqrt((1 - x) / 2)), below -1/2 pi minus that of -x."""
    a = absolute(x)
    square = fma(a, -0.5, 0.5)
    near = a < 0.5
    z = select(near, a * a, square)
    t = asin_of_half(select(near, x, sqrt(square)), z)
    far = select(x < 0.0, PI - 2.0 * t, 2.0 * t)
    return select(near, HALF_PI - t, far)


def atan_of_ratio(low: ScalarExpr, high: ScalarExpr) -> ScalarExpr:
    """atan(low / high) for 0 <= low <= high."""
    x = low / high
    square = x * x
    return fma(polynomial(square, ATAN), square * x, x)


def atan(x: ScalarExpr) -> ScalarExpr:
    """Above 1: pi/2 - atan(1 / x)."""
    a = absolute(x)
    far = a > 1.0
    t = atan_of_ratio(select(far, a.same(1.0), a), select(far, a, 1.0))
    return with_sign(select(far, HALF_PI - t, t), x)


def atan2(y: ScalarExpr, x: ScalarExpr) -> ScalarExpr:
    """The angle of the point (x, y): atan of the smaller over the larger, unfolded by octant."""
    a, b = absolute(y), absolute(x)
    steep = a > b
    low, high = select(steep, b, a), select(steep, a, b)
    # 0/0 and infinity/infinity count as the angles that C gives them.
    both_zero, both_infinite = high.equals(0.0), low.equals(float("inf"))
    low = select(both_infinite, 1.0, low)
    high = select(both_zero | both_infinite, 1.0, high)
    t = atan_of_ratio(low, high)
    t = select(steep, HALF_PI - t, t)
    t = select(x.bits() < 0, PI - t, t)
    nan = x.differs(x) | y.differs(y)
    return select(nan, float("nan"), with_sign(t, y))
