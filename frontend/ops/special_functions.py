"""Gamma and error functions and their kin, made of elementary functions, which also gives their gradients.

They are computed in float64: their formulas cancel too much for less.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import numpy as np

from ...dialects.types import f64
from ..errors import runtime_error
from ..promotion import float_dtype
from ..tensor import Tensor
from .arithmetic import where
from .operands import cast
from .signs import flat_but_steep, without_value

_HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
"""B2, B4, ... of the Euler-Maclaurin series."""
_SHIFT = 8
"""From where on the series are exact enough; smaller arguments are brought there by the recurrences."""


def _wide(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function, computed in float64, its result in the type of the argument."""

    @wraps(function)
    def method(input: Tensor) -> Tensor:
        return cast(function(cast(input, f64)), float_dtype(input.dtype))

    return method


# Polynomials


@cache
def _interpolation(function: Callable[[float], float], low: float, high: float, terms: int) -> tuple[float, ...]:
    """Coefficients of the Chebyshev polynomials whose sum is the function at `terms` points of [low, high]."""
    angles = (np.arange(terms) + 0.5) * np.pi / terms
    points = (np.cos(angles) + 1) * (high - low) / 2 + low
    values = np.array([function(float(p)) for p in points])
    found = np.cos(np.outer(np.arange(terms), angles)) @ values * 2 / terms
    found[0] /= 2
    return tuple(float(c) for c in found)


def _chebyshev(coefficients: tuple[float, ...], x: Tensor, low: float, high: float) -> Tensor:
    """Clenshaw's recurrence."""
    t = (x - low) * (4 / (high - low)) - 2
    one: Any = 0.0
    two: Any = 0.0
    for c in coefficients[:0:-1]:
        one, two = t * one - two + c, one
    return t * one / 2 - two + coefficients[0]


# Error functions


def _log_scaled(t: float) -> float:
    """log(erfcx(z) / t) for t = 2 / (2 + z)."""
    z = 2 / t - 2
    if z < 25:
        scaled = math.log(math.erfc(z)) + z * z
    else:
        fraction = 0.0
        for k in range(40, 0, -1):
            fraction = k / 2 / (z + fraction)
        scaled = -math.log(math.sqrt(math.pi) * (z + fraction))
    return scaled - math.log(t)


def _erfcx_positive(z: Tensor) -> Tensor:
    t = 2 / (z + 2)
    return t * _chebyshev(_interpolation(_log_scaled, 1e-9, 1.0, 32), t, 1e-9, 1.0).exp()


_VANISHED = 30.0
"""From here on exp(-z²) is 0, and so is its slope, which z = inf would make NaN."""


@_wide
def erfc(input: Tensor) -> Tensor:
    """1 - erf(input), exact for large arguments too"""
    large = input.gt(0.5)
    z = where(large, input, 1.0).clamp(max=_VANISHED)
    return where(large, (-z * z).exp() * _erfcx_positive(z), 1 - where(large, 0.0, input).erf())


@_wide
def erfcx(input: Tensor) -> Tensor:
    """exp(input²) erfc(input)"""
    large = input.gt(0.5)
    small = where(large, 0.0, input)
    return where(large, _erfcx_positive(where(large, input, 1.0)), (small * small).exp() * (1 - small.erf()))


def _inverse_erf(y: Tensor, rest: Tensor) -> Tensor:
    """What erf gives y for, where 0 <= y < 1 and rest = 1 - y."""
    small = y.lt(0.5)
    near, tail = where(small, y, 0.0), where(small, 0.5, rest)
    # A first guess, without gradient; then Newton's steps, through which it flows: on erf, and on log(erfc).
    part = (rest.detach() * (1 + y.detach())).log()
    half = part / 2 + 2 / (math.pi * 0.147)
    x = ((half * half - part / 0.147).sqrt() - half).clamp(min=0.0).sqrt()
    for _ in range(4):
        scaled = erfcx(where(small, 0.5, x))
        far = x + (scaled.log() - x * x - tail.log()) * scaled * (math.sqrt(math.pi) / 2)
        x = where(small, x - (x.erf() - near) * (math.sqrt(math.pi) / 2) * (x * x).exp(), far)
    return x


@_wide
def erfinv(input: Tensor) -> Tensor:
    """What erf gives input for."""
    inside = input.abs().lt(1)
    below = input.lt(0)
    y = where(inside, where(below, -input, input), 0.0)
    found = _inverse_erf(y, 1 - y)
    edge = where(inside, 0.0, input) * where(inside, 1.0, where(input.abs().eq(1), math.inf, math.nan))
    return where(inside, where(below, -found, found), edge)


@_wide
def ndtr(input: Tensor) -> Tensor:
    """The area under the normal distribution below input."""
    return erfc(input * -math.sqrt(0.5)) / 2


@_wide
def log_ndtr(input: Tensor) -> Tensor:
    """log(ndtr(input)), for very negative arguments too"""
    low = input.lt(-1)
    x = where(low, input, -1.0) * math.sqrt(0.5)
    return where(low, (erfcx(-x) / 2).log() - x * x, (-erfc(where(low, 0.0, input) * math.sqrt(0.5)) / 2).log1p())


@_wide
def ndtri(input: Tensor) -> Tensor:
    """What ndtr gives input for."""
    upper = input.gt(0.5)
    inside = input.gt(0).logical_and(input.lt(1))
    rest = where(inside, 2 * where(upper, 1 - input, input), 1.0)
    found = _inverse_erf(1 - rest, rest) * math.sqrt(2)
    at_end = input.eq(0).logical_or(input.eq(1))
    outside = inside.logical_or(at_end).logical_not()
    edge = where(at_end, (where(at_end, input, 1.0) - 0.5) * math.inf, without_value(input, outside))
    return where(inside, where(upper, found, -found), edge)


# Gamma functions


def _lifted(x: Tensor, shift: int = _SHIFT) -> tuple[Tensor, list[Tensor]]:
    """x + n large enough for the series, and x, x + 1, ... that the recurrence passes on the way."""
    return x + shift, [x + k for k in range(shift)]


def _from_nearest(x: Tensor) -> Tensor:
    """How far x is from the nearest whole number; below 0 the functions have poles there."""
    return x - x.detach().round()


def _lgamma_positive(x: Tensor) -> Tensor:
    large = x.ge(_SHIFT)
    lifted, passed = _lifted(where(large, 1.0, x))
    far = where(large, x, lifted)
    inverse = far.reciprocal()
    series: Any = 0.0
    for k in range(len(BERNOULLI), 0, -1):
        series = series * inverse * inverse + BERNOULLI[k - 1] / (2 * k * (2 * k - 1))
    product = passed[0]
    for factor in passed[1:]:
        product = product * factor
    stirling = (far - 0.5) * (far.log() - 1) + (_HALF_LOG_2_PI - 0.5) + series * inverse
    return where(x.isinf(), x, stirling - where(large, 0.0, product.log()))


@_wide
def lgamma(input: Tensor) -> Tensor:
    """The logarithm of |Γ(input)|."""
    mirrored = input.lt(0.5)
    above = _lgamma_positive(where(mirrored, 1 - input, input))
    # Γ(x) Γ(1 - x) = π / sin(πx); the logarithm of x apart, since π times the smallest floats has few digits.
    distance = where(mirrored, _from_nearest(input), 0.5).abs()
    pole = distance.eq(0)
    at_pole = where(pole, where(input.eq(0), input, distance * distance), 1.0).reciprocal().abs()
    distance = where(pole, 1.0, distance)
    ratio = (distance * math.pi).sin() / (distance * math.pi)
    found = where(mirrored, -distance.log() - ratio.log() - above, above)
    endless = input.isinf()
    return where(endless, where(endless, input, 1.0).abs() * math.inf, where(pole, at_pole, found))


def _digamma_positive(x: Tensor) -> Tensor:
    far, passed = _lifted(x)
    inverse = far.reciprocal()
    square = inverse * inverse
    series: Any = 0.0
    for k in range(len(BERNOULLI), 0, -1):
        series = (series + BERNOULLI[k - 1] / (2 * k)) * square
    below = passed[0].reciprocal()
    for factor in passed[1:]:
        below = below + factor.reciprocal()
    return far.log() - inverse / 2 - series - below


@_wide
def digamma(input: Tensor) -> Tensor:
    """The derivative of lgamma."""
    mirrored = input.lt(0.5)
    above = _digamma_positive(where(mirrored, 1 - input, input))
    # ψ(1 - x) - ψ(x) = π / tan(πx)
    distance = where(mirrored, _from_nearest(input), 0.25)
    pole = distance.eq(0)
    found = where(mirrored, above - math.pi / (where(pole, 0.25, distance) * math.pi).tan(), above)
    at_pole = where(input.eq(0), -input.reciprocal(), math.nan)
    return where(input.eq(math.inf), input.detach(), where(pole, at_pole, found))


def _zeta(s: int, x: Tensor) -> Tensor:
    """Hurwitz's zeta function, the sum of (x + k) ** -s over all k >= 0, for x of at least 0.5."""
    far, passed = _lifted(x, _SHIFT + s)
    inverse = far.reciprocal()
    total: Any = far ** (1 - s) / (s - 1) + far**-s / 2
    rising = float(s)
    for k in range(1, len(BERNOULLI) + 1):
        total = total + BERNOULLI[k - 1] * rising / math.factorial(2 * k) * inverse ** (s - 1 + 2 * k)
        rising *= (s - 1 + 2 * k) * (s + 2 * k)
    for term in passed:
        total = total + term**-s
    return total


def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of digamma."""
    if n < 0:
        raise runtime_error("polygamma(n, x) does not support negative n.")
    if n == 0:
        return digamma(input)
    x, s = cast(input, f64), n + 1
    low = x.lt(0.5)
    distance = where(low, _from_nearest(x), 0.25)
    # The terms left of the nearest whole number are those of -x: all but the ones beyond x.
    left = _zeta(s, 1 - distance) - _zeta(s, where(low, 1 - x, 1.0))
    around = distance**-s + (left if s % 2 == 0 else -left)
    total = _zeta(s, where(low, 1 + distance, x)) + where(low, around, 0.0)
    sign = 1 if n % 2 else -1
    return cast(sign * math.factorial(n) * total, float_dtype(input.dtype))


def mvlgamma(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function."""
    if p < 1:
        raise runtime_error("p has to be greater than or equal to 1")
    x = cast(input, float_dtype(input.dtype))
    parts = [lgamma(x - k / 2) for k in range(p)]
    total = parts[0] + p * (p - 1) / 4 * math.log(math.pi)
    for part in parts[1:]:
        total = total + part
    return total


# Bessel functions


def _small_i0e(x: float) -> float:
    return float(np.i0(x)) * math.exp(-x)


def _large_i0e(inverse: float) -> float:
    """i0e(x) sqrt(x) for x = 8 / inverse."""
    if inverse > 0.2:
        x = 8 / inverse
        return float(np.i0(x)) * math.exp(-x) * math.sqrt(x)
    total, term = 1.0, 1.0
    for k in range(1, 21):
        term *= (2 * k - 1) ** 2 * inverse / (64 * k)
        total += term
    return total / math.sqrt(2 * math.pi)


@_wide
def i0e(input: Tensor) -> Tensor:
    """i0(input) exp(-|input|)"""
    x = input.abs()
    large = x.gt(8)
    low = _chebyshev(_interpolation(_small_i0e, 0.0, 8.0, 32), where(large, 8.0, x), 0.0, 8.0)
    inverse = 8 / where(large, x, 8.0)
    high = _chebyshev(_interpolation(_large_i0e, 0.0, 1.0, 25), inverse, 0.0, 1.0) * (inverse / 8).sqrt()
    return where(large, high, low)


@_wide
def i0(input: Tensor) -> Tensor:
    """The modified Bessel function of the first kind and order 0."""
    return i0e(input) * input.abs().exp()


def entr(input: Tensor) -> Tensor:
    """-x log x: 0 at 0, -inf below"""
    x = cast(input, float_dtype(input.dtype))
    inside = x.gt(0)
    below, unknown = x.lt(0), x.isnan()
    square = flat_but_steep(x, below.logical_and(x.isfinite()))
    square = square * square
    edge = where(below, -where(x.isfinite(), square, 0.0).reciprocal(), flat_but_steep(x, x.eq(0)))
    return where(unknown, without_value(x, unknown), where(inside, -x * where(inside, x, 1.0).log(), edge))


_UNARY = (digamma, erfc, erfinv, i0, lgamma)
FUNCTIONS: dict[str, Callable[..., Any]] = {f.__name__: f for f in (*_UNARY, mvlgamma, polygamma)}
METHODS: dict[str, Callable[..., Any]] = {f.__name__: f for f in (*_UNARY, mvlgamma)}
IN_PLACE = tuple(f.__name__ for f in _UNARY)
SPECIAL: dict[str, Callable[..., Any]] = {
    **{f.__name__: f for f in (*_UNARY, entr, erfcx, i0e, log_ndtr, ndtr, ndtri, polygamma)},
    "gammaln": lgamma,
    "psi": digamma,
    "multigammaln": mvlgamma,
}

__all__ = ["FUNCTIONS", "IN_PLACE", "METHODS", "SPECIAL"]
