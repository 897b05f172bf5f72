"""Signs, infinities, units and powers of two: small elementwise functions written in terms of others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...dialects.types import f64
from .. import eager
from ..creation import from_array, full_of
from ..errors import TYPE_NAMES, located, runtime_error, untraceable
from ..modes import modes
from ..promotion import float_dtype
from ..tensor import Tensor
from .arithmetic import clamp, where
from .families import GENERATED
from .logic import to_bool
from .operands import cast, common_dtype, common_shape, fitted, flat, operands_of


def as_float(x: Tensor) -> Tensor:
    """The tensor, integers as floats."""
    return cast(x, float_dtype(x._spec.dtype))


def signbit(input: Tensor) -> Tensor:
    """Whether the sign is minus, that of -0.0 too."""
    if input.dtype.kind == "bool":
        return input.ne(input)
    below = input.lt(0)
    if input.dtype.kind != "float":
        return below
    return below.logical_or(input.eq(0).logical_and(input.detach().reciprocal().lt(0)))


def copysign(input: Tensor, other: Any) -> Tensor:
    """|input| with the sign of `other`."""
    x, sign = operands_of("copysign", input, other, to_float=True)
    magnitude = cast(input, x.dtype).abs()
    return flat(where(signbit(sign.detach()), magnitude.neg(), magnitude), sign)


def sgn(input: Tensor) -> Tensor:
    """-1, 0 or 1."""
    return input.sign()


def positive(input: Tensor) -> Tensor:
    """The tensor itself."""
    if input.dtype.kind == "bool":
        raise runtime_error("The `+` operator, on a bool tensor is not supported.")
    return input


def isposinf(input: Tensor) -> Tensor:
    """Whether each element is inf."""
    return input.eq(math.inf)


def isneginf(input: Tensor) -> Tensor:
    """Whether each element is -inf."""
    return input.eq(-math.inf)


def isreal(input: Tensor) -> Tensor:
    """True everywhere: there are no complex numbers."""
    return to_bool(input.new_ones(input.shape))


def real(input: Tensor) -> Tensor:
    """The tensor itself: there are no complex numbers."""
    return input


def _unless_nan(name: str, wins: str) -> Callable[..., Tensor]:
    def function(input: Tensor, other: Tensor) -> Tensor:
        x, y = operands_of(name, input, other)
        first = getattr(x, wins)(y)
        return where(first.logical_or(y.isnan()) if x.dtype.kind == "float" else first, x, y)

    function.__name__ = function.__qualname__ = name
    return function


fmax, fmin = _unless_nan("fmax", "ge"), _unless_nan("fmin", "le")


def _scaled(name: str, factor: float) -> Callable[[Tensor], Tensor]:
    def function(input: Tensor) -> Tensor:
        return input * factor

    function.__name__ = function.__qualname__ = name
    return function


deg2rad, rad2deg = _scaled("deg2rad", math.pi / 180), _scaled("rad2deg", 180 / math.pi)


def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """input * 2 ** other"""
    return input * GENERATED["pow"](2.0, other)


def float_power(input: Any, exponent: Any) -> Tensor:
    """input ** exponent, in float64"""
    x, y = operands_of("float_power", input, exponent)
    return cast(x, f64) ** cast(y, f64)


def hypot(input: Tensor, other: Tensor) -> Tensor:
    """sqrt(input² + other²), without overflow."""
    x, y = operands_of("hypot", input, other)
    if x.dtype.kind != "float":
        raise located(NotImplementedError, f"\"hypot_cpu\" not implemented for '{TYPE_NAMES[x.dtype]}'")
    # Divided by the larger of the two, where that is neither 0 nor infinite.
    size = x.detach().abs().maximum(y.detach().abs())
    size = where(size.eq(0).logical_or(size.isfinite().logical_not()), 1.0, size)
    a, b = x / size, y / size
    return where(x.isinf().logical_or(y.isinf()), math.inf, size * (a * a + b * b).sqrt())


def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """log2(2 ** input + 2 ** other)"""
    x, y = operands_of("logaddexp2", input, other)
    return (x * math.log(2)).logaddexp(y * math.log(2)) / math.log(2)


def _by_numpy(name: str, function: Callable[..., Any], kinds: tuple[str, ...]) -> Callable[..., Tensor]:
    """What there is no op for: computed eagerly, without gradient."""

    def method(input: Tensor, other: Any) -> Tensor:
        if modes.trace is not None:
            raise untraceable(f"{name}()", "call it outside the compiled function and pass in the result")
        dtype, shape = common_dtype(input, other), common_shape(input, other)
        if dtype.kind not in kinds:
            raise located(NotImplementedError, f"\"{name}_cpu\" not implemented for '{TYPE_NAMES[dtype]}'")
        arrays = eager.mirrored(name, *(fitted(x, shape, dtype) for x in (input, other)))
        return from_array(np.asarray(function(*arrays)))

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"numpy.{name}; computed eagerly."
    return method


gcd, lcm = _by_numpy("gcd", np.gcd, ("int",)), _by_numpy("lcm", np.lcm, ("int",))
_next_number = _by_numpy("nextafter", np.nextafter, ("float",))


def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """The next number after input on the way to other; computed eagerly, with the derivative 1."""
    found = _next_number(input, other)
    if not modes.grad or not (input.requires_grad or other.requires_grad):
        return found
    x = fitted(input, found.shape, found.dtype)
    return flat(where(x.isfinite(), found + (x - x.detach()), found), other)


def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 below 0, 1 above, and `values` at 0."""
    if input.dtype is not values.dtype:
        raise runtime_error("heaviside is not yet implemented for tensors with different dtypes.")
    return flat(where(input.eq(0), values.detach(), input.gt(0).to(input.dtype)), input, values)


def sinc(input: Tensor) -> Tensor:
    """sin(πx) / πx"""
    x = input * math.pi
    small = x.abs().lt(1e-4)
    away = where(small, 1.0, x)
    return where(small, 1.0 - x * x / 6, away.sin() / away)


def xlogy(input: Any, other: Any) -> Tensor:
    """x log y, and 0 where x is 0."""
    return _x_times("xlogy", input, other, "log")


def xlog1py(input: Any, other: Any) -> Tensor:
    """x log(1 + y), and 0 where x is 0."""
    return _x_times("xlog1py", input, other, "log1p")


def _x_times(name: str, input: Any, other: Any, function: str) -> Tensor:
    x, y = operands_of(name, input, other, to_float=True)
    # Only where the logarithm is none or infinite: elsewhere it is the slope at x = 0 too.
    logarithm = getattr(y.detach(), function)()
    nothing = x.eq(0).logical_and(logarithm.isfinite().logical_not()).logical_and(y.isnan().logical_not())
    found = x * getattr(where(nothing, 1.0, y), function)()
    zero: Any = 0.0
    if x.requires_grad:  # The slope is log y, where y is inf.
        endless = nothing.logical_and(y.eq(math.inf))
        zero = where(endless, flat_but_steep(x, endless), zero)
    if y.requires_grad:  # The slope is x / y: 0 / 0.
        none = nothing.logical_and(logarithm.eq(-math.inf))
        steep = flat_but_steep(y, none)
        zero = where(none, steep * steep, zero)
    return where(nothing, zero, found)


def flat_but_steep(x: Tensor, at: Tensor) -> Tensor:
    """Where `at` holds, 0 whose derivative is infinite, and that of its square is NaN; 1 elsewhere."""
    return where(at, x - x.detach(), 1.0).sqrt()


def without_value(x: Tensor, at: Tensor) -> Tensor:
    """NaN, and its derivative is NaN where `at` holds."""
    return where(at, x, 0.0) * math.nan


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(input / (1 - input)), input clamped to [eps, 1 - eps]"""
    x = as_float(input)
    inside = x if eps is None else clamp(x, eps, 1 - eps)
    outside = inside.ge(0).logical_and(inside.le(1)).logical_not()
    inside = where(outside, 0.5, inside)
    found = inside.log() - inside.neg().log1p()
    return where(outside, without_value(x, outside), found)


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each element is among others."""
    if any(isinstance(v, Tensor) and v.dtype.kind == "bool" for v in (elements, test_elements)):
        raise runtime_error("Unsupported input type encountered for isin(): Bool")
    x, others = (v if isinstance(v, Tensor) else full_of((), v, common_dtype(v)) for v in (elements, test_elements))
    found = x.unsqueeze(-1).eq(others.reshape(-1)).any(-1)
    return found.logical_not() if invert else found


_ONE = (deg2rad, rad2deg, isneginf, isposinf, isreal, logit, positive, real, sgn, signbit, sinc)
_TWO = (
    *(copysign, float_power, fmax, fmin, gcd, heaviside, hypot, isin, lcm, ldexp, logaddexp2, nextafter, xlogy),
)  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{f.__name__: f for f in (*_ONE, *_TWO)},
    **dict.fromkeys(("conj", "conj_physical", "resolve_conj", "resolve_neg"), real),
}
METHODS: dict[str, Callable[..., Any]] = {name: f for name, f in FUNCTIONS.items() if name not in ("isin", "real")}
IN_PLACE = (
    *("copysign", "deg2rad", "float_power", "gcd", "heaviside", "hypot", "lcm", "ldexp", "logit", "nextafter"),
    *("rad2deg", "sgn", "sinc", "xlogy"),
)

__all__ = ["FUNCTIONS", "IN_PLACE", "METHODS", "as_float", "flat_but_steep", "without_value", "xlog1py", "xlogy"]
