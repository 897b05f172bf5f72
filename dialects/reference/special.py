"""The error function, which numpy lacks. In f64, the rational approximations of fdlibm (s_erf.c), within 1 ulp.

|x| < 0.84375    x + x * P(x^2)
|x| < 1.25       sign(x) * (ERX + P(|x| - 1))
|x| < 6          sign(x) * (1 - exp(-x^2 - 0.5625 + P(1 / x^2)) / |x|)
else             sign(x)

In f32 one formula does, x * P(x^2) / Q(x^2).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np

from .table import Array

Ratio: TypeAlias = tuple[tuple[float, ...], tuple[float, ...]]
"""Coefficients of numerator and denominator, lowest degree first."""

ERX = 8.45062911510467529297e-01
SMALL: Ratio = (
    (
        1.28379167095512558561e-01,
        -3.25042107247001499370e-01,
        -2.84817495755985104766e-02,
        -5.77027029648944159157e-03,
        -2.37630166566501626084e-05,
    ),
    (
        1.0,
        3.97917223959155352819e-01,
        6.50222499887672944485e-02,
        5.08130628187576562776e-03,
        1.32494738004321644526e-04,
        -3.96022827877536812320e-06,
    ),
)
NEAR_ONE: Ratio = (
    (
        -2.36211856075265944077e-03,
        4.14856118683748331666e-01,
        -3.72207876035701323847e-01,
        3.18346619901161753674e-01,
        -1.10894694282396677476e-01,
        3.54783043256182359371e-02,
        -2.16637559486879084300e-03,
    ),
    (
        1.0,
        1.06420880400844228286e-01,
        5.40397917702171048937e-01,
        7.18286544141962662868e-02,
        1.26171219808761642112e-01,
        1.36370839120290507362e-02,
        1.19844998467991074170e-02,
    ),
)
MIDDLE: Ratio = (
    (
        -9.86494403484714822705e-03,
        -6.93858572707181764372e-01,
        -1.05586262253232909814e01,
        -6.23753324503260060396e01,
        -1.62396669462573470355e02,
        -1.84605092906711035994e02,
        -8.12874355063065934246e01,
        -9.81432934416914548592e00,
    ),
    (
        1.0,
        1.96512716674392571292e01,
        1.37657754143519042600e02,
        4.34565877475229228821e02,
        6.45387271733267880336e02,
        4.29008140027567833386e02,
        1.08635005541779435134e02,
        6.57024977031928170135e00,
        -6.04244152148580987438e-02,
    ),
)
LARGE: Ratio = (
    (
        -9.86494292470009928597e-03,
        -7.99283237680523006574e-01,
        -1.77579549177547519889e01,
        -1.60636384855821916062e02,
        -6.37566443368389627722e02,
        -1.02509513161107724954e03,
        -4.83519191608651397019e02,
    ),
    (
        1.0,
        3.03380607434824582924e01,
        3.25792512996573918826e02,
        1.53672958608443695994e03,
        3.19985821950859553908e03,
        2.55305040643316442583e03,
        4.74528541206955367215e02,
        -2.24409524465858183362e01,
    ),
)

SINGLE: Ratio = (
    (
        1.128379169707391,
        0.19261383333947607,
        0.05564063685514613,
        0.004205854076900711,
        0.0004076255173113437,
        6.657586073886414e-06,
    ),
    (
        1.0,
        0.5040329905529919,
        0.11732062993522384,
        0.01624196925372088,
        0.001412273553500669,
        7.160397641883595e-05,
        2.529243189884847e-07,
    ),
)
"""A least-maximum fit of erf(x) / x by x^2, made for this file: relative error below 2^-28 up to LAST."""
LAST = 3.949
"""From here on the result is 1 in f32."""
CHUNK = 1 << 13
"""Elements at a time, so that the intermediates stay in cache."""


def horner(coefficients: tuple[float, ...], x: Array) -> Array:
    """coefficients[0] + coefficients[1] * x + ..."""
    total = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total *= x
        total += coefficient
    return total


def ratio(of: Ratio, x: Array) -> Array:
    """A rational function of x."""
    return horner(of[0], x) / horner(of[1], x)


def _small(x: Array) -> Array:
    return x + x * ratio(SMALL, x * x)


def _near_one(x: Array) -> Array:
    return ERX + ratio(NEAR_ONE, x - 1.0)


def _tail(of: Ratio, x: Array) -> Array:
    square = x * x
    return 1.0 - np.exp(-square - 0.5625 + ratio(of, 1.0 / square)) / x


PIECES: tuple[tuple[float, float, Callable[[Array], Array]], ...] = (
    (0.0, 0.84375, _small),
    (0.84375, 1.25, _near_one),
    (1.25, 1 / 0.35, partial(_tail, MIDDLE)),
    (1 / 0.35, 6.0, partial(_tail, LARGE)),
)
"""From, to, and the formula for sizes between."""


def _erf_single(x: Array) -> Array:
    flat = x.reshape(-1)
    result: Array = np.empty_like(flat)
    for first in range(0, flat.size, CHUNK):
        part = np.clip(flat[first : first + CHUNK].astype(np.float64), -LAST, LAST)
        result[first : first + CHUNK] = part * ratio(SINGLE, part * part)
    return result.reshape(x.shape)


def erf(x: Array) -> Array:
    """The error function. f32 is computed in f64."""
    if x.dtype == np.float32:
        return _erf_single(x)
    wide = np.atleast_1d(np.asarray(x, np.float64))
    size = np.abs(wide)
    result = np.where(np.isnan(wide), wide, 1.0)
    for low, high, piece in PIECES:
        here = (size >= low) & (size < high)
        if here.any():
            result[here] = piece(size[here])
    return np.copysign(result, wide).astype(x.dtype).reshape(x.shape)
