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


@_wide
def erfc(input: Tensor) -> Tensor:
    """1 - erf(input), exact for large arguments too"""
    large = input.gt(0.5)
    z = where(large, input, 1.0)
    return where(large, (-z * z).exp() * _erfcx_positive(z), 1 - where(large, 0.0, input).erf())


@_wide
def erfcx(input: Tensor) -> Tensor:
    """exp(input²) erfc(input)"""
    large = input.gt(0.5)
    small = where(large, 0.0, input)
    return where(large, _erfcx_positive(where(large, input, 1.0)), (small * small).exp() * (1 - small.erf()))


@_wide
def erfinv(input: Tensor) -> Tensor:
    """What erf gives input for."""
    inside = input.abs().lt(1)
    y = where(inside, input, 0.0)
    # A first guess, without gradient; then Newton's steps, through which it flows.
    part = (1 - y.detach() * y.detach()).log()
    half = part / 2 + 2 / (math.pi * 0.147)
    x = y.detach().sign() * ((half * half - part / 0.147).sqrt() - half).sqrt()
    for _ in range(4):
        # The tail is told apart by erfc; erf is 1 there.
        missing = where(x.ge(0), -(erfc(x) - (1 - y)), erfc(-x) - (1 + y))
        x = x - missing * (math.sqrt(math.pi) / 2) * (x * x).exp()
    edge = where(inside, 0.0, input) * where(inside, 1.0, where(input.abs().eq(1), math.inf, math.nan))
    return where(inside, x, edge)


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
    return erfinv(2 * input - 1) * math.sqrt(2)


# Gamma functions


def _lifted(x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """x + n large enough for the series, and x, x + 1, ... that the recurrence passes on the way."""
    return x + _SHIFT, [x + k for k in range(_SHIFT)]


def _lgamma_positive(x: Tensor) -> Tensor:
    far, passed = _lifted(x)
    inverse = far.reciprocal()
    series: Any = 0.0
    for k in range(len(BERNOULLI), 0, -1):
        series = series * inverse * inverse + BERNOULLI[k - 1] / (2 * k * (2 * k - 1))
    product = passed[0]
    for factor in passed[1:]:
        product = product * factor
    stirling = (far - 0.5) * far.log() - far + _HALF_LOG_2_PI + series * inverse
    return where(x.isinf(), x, stirling - product.log())


@_wide
def lgamma(input: Tensor) -> Tensor:
    """The logarithm of |Γ(input)|."""
    mirrored = input.lt(0.5)
    above = _lgamma_positive(where(mirrored, 1 - input, input))
    # Γ(x) Γ(1 - x) = π / sin(πx)
    fraction = where(mirrored, input - input.detach().floor(), 0.5)
    sine = (fraction * math.pi).sin().abs()
    pole = mirrored.logical_and(input.eq(input.floor()))
    found = where(mirrored, math.log(math.pi) - where(pole, 1.0, sine).log() - above, above)
    return where(pole.logical_or(input.isinf()), math.inf, found)


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
    pole = mirrored.logical_and(input.eq(input.floor()))
    # ψ(1 - x) - ψ(x) = π / tan(πx)
    fraction = where(mirrored.logical_and(pole.logical_not()), input - input.detach().floor(), 0.25)
    found = where(mirrored, above - math.pi / (fraction * math.pi).tan(), above)
    at_pole = where(input.eq(0), -input.reciprocal(), math.nan)
    return where(input.eq(math.inf), input, where(pole, at_pole, found))


def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of digamma."""
    if n < 0:
        raise runtime_error("polygamma(n, x) does not support negative n.")
    if n == 0:
        return digamma(input)
    x = cast(input, f64)
    far, passed = _lifted(x)
    inverse = far.reciprocal()
    total: Any = far ** (-n) / n + far ** (-n - 1) / 2
    rising = float(n + 1)
    for k in range(1, len(BERNOULLI) + 1):
        total = total + BERNOULLI[k - 1] * rising / math.factorial(2 * k) * inverse ** (n + 2 * k)
        rising *= (n + 2 * k) * (n + 2 * k + 1)
    for term in passed:
        total = total + term ** (-n - 1)
    sign = 1 if n % 2 else -1
    return cast(sign * math.factorial(n) * total, float_dtype(input.dtype))


def mvlgamma(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function."""
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
    x = 8 / max(inverse, 8 / 700)
    return float(np.i0(x)) * math.exp(-x) * math.sqrt(x)


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
    found = where(inside, -x * where(inside, x, 1.0).log(), where(x.lt(0), -math.inf, 0.0))
    return where(x.isnan(), x, found)


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
