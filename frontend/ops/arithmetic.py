"""Elementwise operations with arguments of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ...dialects.hl import elementwise as e
from ...dialects.types import i1, i64, u8
from ..dispatch import apply, builder, is_symbolic
from ..errors import TYPE_NAMES, located, runtime_error, type_error
from ..promotion import check_fits, finfo, float_dtype, python_dtype
from ..tape import named
from ..tensor import Tensor
from .families import GENERATED, check_divisor
from .logic import isfinite, isnan, logical
from .operands import as_operand, cast, common_dtype, common_shape, fitted, flat, operands_of

_true_div = GENERATED["true_div"]


mul = GENERATED["mul"]


def _times(input: Any, other: Any, alpha: Any) -> Any:
    if not isinstance(alpha, Tensor) and alpha == 1:
        return other
    fraction = isinstance(alpha, float)
    if fraction and common_dtype(input, other).kind == "int":
        raise runtime_error("For integral input tensors, argument alpha must not be a floating point number.")
    # In the common type: uint8 would overflow.
    common = common_dtype(input, other)
    if common is i1:
        return mul(other, bool(alpha))
    return mul(cast(other, common), alpha) if isinstance(other, Tensor) else other * alpha


# Those with arguments of their own
def add(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """input + alpha * other"""
    return GENERATED["add"](input, _times(input, other, alpha))


def sub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """input - alpha * other"""
    return GENERATED["sub"](input, _times(input, other, alpha))


def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """other - alpha * input"""
    return sub(other, input, alpha=alpha)


def _detached(x: Any) -> Any:
    return x.detach() if isinstance(x, Tensor) else x


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """input / other, as a float; rounded with rounding_mode "trunc" or "floor"."""
    if rounding_mode is None:
        return _true_div(input, other)
    if rounding_mode == "floor":
        return flat(GENERATED["floor_divide"](*(_detached(x) for x in (input, other))), input, other)
    if rounding_mode == "trunc":
        x, y = operands_of("div", _detached(input), _detached(other))
        check_divisor(y)
        quotient = apply(e.DivOp, (x, y))[0]
        return flat(apply(e.TruncOp, (quotient,))[0], input, other) if x._spec.dtype.kind == "float" else quotient
    raise runtime_error(
        f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'"
    )


def pow_(input: Any, exponent: Any) -> Tensor:
    """input ** exponent"""
    if is_symbolic(exponent) and isinstance(exponent, int):
        exponent = exponent.__index__()  # powers of constants are products
    if isinstance(input, Tensor) and (type(exponent) is int or type(exponent) is float):
        kind = input._spec.dtype.kind
        if exponent == 2 and kind != "bool" and (kind == "float" or type(exponent) is int):
            return named(apply(e.MulOp, (input, input))[0], "PowBackward0")
        if exponent == 0.5 and kind == "float":
            return apply(e.SqrtOp, (input,))[0]
        if exponent == 1 and type(exponent) is int and kind == "float":
            return mul(input, 1)
        if kind != "float" and type(exponent) is int and exponent < 0:
            raise runtime_error("Integers to negative integer powers are not allowed.")
    return GENERATED["pow"](input, exponent)


def square(input: Tensor) -> Tensor:
    """input * input"""
    x = cast(input, i64) if input._spec.dtype is i1 else input
    return mul(x, x)


def reciprocal(input: Tensor) -> Tensor:
    """1 / input"""
    return _true_div(1, input)


def round_(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest integer, halves to even; or with so many decimals."""
    if input._spec.dtype.kind != "float":
        if decimals:
            raise located(NotImplementedError, f"\"round_cpu\" not implemented for '{TYPE_NAMES[input._spec.dtype]}'")
        return input.clone()
    if decimals == 0:
        return apply(e.RoundOp, (input,))[0]
    factor = 10.0**decimals
    return _true_div(apply(e.RoundOp, (mul(input, factor),))[0], factor)


def frac(input: Tensor) -> Tensor:
    """What is behind the point."""
    return sub(input, GENERATED["trunc"](input))


def _log_of(base: float) -> Callable[[Tensor], Tensor]:
    factor = 1 / float(np.log(base))
    return lambda input: mul(GENERATED["log"](input), factor)


def _as_float(x: Tensor) -> Tensor:
    return cast(x, float_dtype(x._spec.dtype))


def exp2(input: Tensor) -> Tensor:
    """2 ** input"""
    return GENERATED["exp"](mul(input, float(np.log(2.0))))


_LARGE = 1e8
"""From here on 1 + x * x is x * x in either float type."""


def _log_of_sum(x: Tensor, near: Callable[[Tensor], Tensor]) -> Tensor:
    """near(x) = log(x + sqrt(x * x ± 1)), and log(2x) for large x, which nothing overflows in."""
    large = GENERATED["gt"](x, _LARGE)
    far = add(GENERATED["log"](where(large, x, 1.0)), float(np.log(2.0)))
    return where(large, far, near(where(large, 1.0, x)))


def _asinh_near(size: Tensor) -> Tensor:
    root = add(1, GENERATED["sqrt"](add(1, square(size))))
    return GENERATED["log1p"](add(size, _true_div(square(size), root)))


def asinh(input: Tensor) -> Tensor:
    """Inverse hyperbolic sine."""
    x = _as_float(input)
    below = GENERATED["lt"](x, 0)
    found = _log_of_sum(where(below, GENERATED["neg"](x), x), _asinh_near)
    return where(below, GENERATED["neg"](found), found)


def _acosh_near(x: Tensor) -> Tensor:
    sqrt = GENERATED["sqrt"]
    return GENERATED["log"](add(x, mul(sqrt(sub(x, 1)), sqrt(add(x, 1)))))


def acosh(input: Tensor) -> Tensor:
    """Inverse hyperbolic cosine."""
    return _log_of_sum(_as_float(input), _acosh_near)


def atanh(input: Tensor) -> Tensor:
    """Inverse hyperbolic tangent."""
    x = _as_float(input)
    return mul(sub(GENERATED["log1p"](x), GENERATED["log1p"](GENERATED["neg"](x))), 0.5)


def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """log(exp(input) + exp(other))"""
    input, other = operands_of("logaddexp", input, other)
    if input._spec.dtype.kind != "float":
        raise located(NotImplementedError, f"\"logaddexp_cpu\" not implemented for '{TYPE_NAMES[input._spec.dtype]}'")
    largest = GENERATED["maximum"](input, other)
    # Of two equal infinities the difference would be NaN.
    same = GENERATED["eq"](input, other)
    apart = GENERATED["abs"](sub(where(same, 0.0, input), where(same, 0.0, other)))
    return add(largest, GENERATED["log1p"](GENERATED["exp"](GENERATED["neg"](apart))))


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """input with what lies outside [min, max] moved to the nearest end."""
    if min is None and max is None:
        raise runtime_error("torch.clamp: At least one of 'min' or 'max' must not be None")
    bounds = [value for value in (min, max) if value is not None]
    dtype = common_dtype(input, *bounds)
    shape = common_shape(input, *bounds)
    x = fitted(input, shape, dtype)
    # Selects rather than maximum and minimum: at a bound the whole gradient goes to the input.
    if min is not None:
        x = _bounded("ge", builder.maximum, x, fitted(min, shape, dtype))
    if max is not None:
        x = _bounded("le", builder.minimum, x, fitted(max, shape, dtype))
    return x


def _bounded(
    within: Literal["ge", "le"], extreme: Callable[[Tensor, Tensor], Tensor], x: Tensor, bound: Tensor
) -> Tensor:
    """x where it is within the bound; elsewhere the bound, or NaN where one of the two is, without gradient."""
    inside = builder.compare(within, x, bound)
    if x._spec.dtype.kind != "float":
        return builder.select(inside, x, bound)
    if not bound.requires_grad:
        return builder.select(inside, x, extreme(x.detach(), bound))
    beyond = builder.compare("lt" if within == "ge" else "gt", x, bound)
    return builder.select(inside, x, builder.select(beyond, bound, extreme(x.detach(), bound.detach())))


def clamp_min(input: Tensor, min: Any) -> Tensor:
    """clamp with a lower end only"""
    return clamp(input, min=min)


def clamp_max(input: Tensor, max: Any) -> Tensor:
    """clamp with an upper end only"""
    return clamp(input, max=max)


def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """input where the condition holds, else other; without these, the indices where it holds."""
    if input is None and other is None:
        from .indexing import nonzero

        return nonzero(condition, as_tuple=True)
    if not isinstance(condition, Tensor):
        raise type_error(f"where(): argument 'condition' must be Tensor, not {type(condition).__name__}")
    if condition._spec.dtype not in (i1, u8):
        raise runtime_error(
            "where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{TYPE_NAMES[condition._spec.dtype]}"
        )
    x, y = as_operand(input), as_operand(other)
    dtype = common_dtype(x, y)
    shape = common_shape(condition, x, y)
    return apply(e.SelectOp, (fitted(condition, shape, i1), fitted(x, shape, dtype), fitted(y, shape, dtype)))[0]


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """input with `value` where the mask holds"""
    if isinstance(value, Tensor) and value._spec.shape:
        raise runtime_error(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{len(value._spec.shape)} dimension(s)."
        )
    if mask._spec.dtype is not i1:
        raise runtime_error(f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}")
    shape = common_shape(input, mask)
    dtype = input._spec.dtype
    if not isinstance(value, Tensor):
        if python_dtype(value) is None:
            raise type_error(f"masked_fill(): argument 'value' must be Tensor or a number, not {type(value).__name__}")
        check_fits(value, dtype)
    return apply(e.SelectOp, (fitted(mask, shape, i1), fitted(value, shape, dtype), fitted(input, shape, dtype)))[0]


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """input + weight * (end - input), from the nearer end"""
    if end._spec.dtype is not input._spec.dtype:
        names = [TYPE_NAMES[x._spec.dtype].lower() for x in (input, end)]
        raise runtime_error(f"expected dtype {names[0]} for `end` but got dtype {names[1]}")
    distance = sub(end, input)
    if isinstance(weight, Tensor):
        near = GENERATED["lt"](GENERATED["abs"](weight.detach()), 0.5)
        return add(where(near, input, end), mul(distance, where(near, weight, sub(weight, 1))))
    return add(input, mul(distance, weight)) if abs(weight) < 0.5 else sub(end, mul(distance, 1 - weight))


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """input + value * tensor1 * tensor2"""
    common = common_dtype(input, tensor1, tensor2)
    if common is i1:
        raise located(NotImplementedError, "\"addcmul_cpu\" not implemented for 'Bool'")
    factor = int(value) if common.kind == "int" and not isinstance(value, Tensor) else value
    return add(input, mul(mul(cast(tensor1, common), factor), tensor2))


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """input + value * tensor1 / tensor2"""
    if tensor1._spec.dtype.kind != "float" and tensor2._spec.dtype.kind != "float":
        raise runtime_error("Integer division with addcdiv is not supported: use (input + value * tensor1 / tensor2)")
    return add(input, _true_div(tensor1, tensor2), alpha=value)


def nan_to_num(
    input: Tensor, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """NaN and infinities replaced: by `nan` and by the largest and smallest number, or by those given."""
    if input._spec.dtype.kind != "float":
        return input.clone()
    limits = finfo(input._spec.dtype)
    x = masked_fill(input, isnan(input), 0.0 if nan is None else nan)
    x = masked_fill(x, GENERATED["eq"](x, float("inf")), limits.max if posinf is None else posinf)
    return masked_fill(x, GENERATED["eq"](x, float("-inf")), limits.min if neginf is None else neginf)


def isclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether |input - other| <= atol + rtol * |other|, or both are equal."""
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if not tolerance >= 0:
            raise runtime_error(f"{name} must be greater than or equal to zero, but got {tolerance}")
    for name, x in (("input", input), ("other", other)):
        if not isinstance(x, Tensor):
            raise type_error(f"isclose(): argument '{name}' must be Tensor, not {type(x).__name__}")
    if input._spec.dtype is not other._spec.dtype:
        raise runtime_error(f"{TYPE_NAMES[input._spec.dtype]} did not match {TYPE_NAMES[other._spec.dtype]}")
    generated = GENERATED
    same = generated["eq"](input, other)
    if input._spec.dtype is i1:
        return same
    if input._spec.dtype.kind != "float":
        close = generated["le"](generated["abs"](sub(input, other)), add(mul(generated["abs"](other), rtol), atol))
        return logical("or", e.BitwiseOrOp)(same, close)
    allowed = add(mul(generated["abs"](other), rtol), atol)
    close = generated["le"](generated["abs"](sub(input, other)), allowed)
    close = apply(e.BitwiseAndOp, operands_of("isclose", close, isfinite(other)))[0]
    same = apply(e.BitwiseOrOp, operands_of("isclose", same, close))[0]
    if equal_nan:
        both = apply(e.BitwiseAndOp, operands_of("isclose", isnan(input), isnan(other)))[0]
        same = apply(e.BitwiseOrOp, operands_of("isclose", same, both))[0]
    return same


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{
        f.__name__: f
        for f in (
            *(acosh, add, addcdiv, addcmul, asinh, atanh, clamp, clamp_max, clamp_min, div, exp2, frac),
            *(isclose, lerp, logaddexp, masked_fill, nan_to_num, reciprocal, rsub, square, sub, where),
        )
    },
    "pow": pow_,
    "round": round_,
    "log2": _log_of(2.0),
    "log10": _log_of(10.0),
}

__all__ = ["FUNCTIONS"]
