"""Logical and bitwise operations, and questions about numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...dialects.hl import HLOp
from ...dialects.hl import elementwise as e
from ...dialects.types import i1
from ..creation import full_of
from ..dispatch import apply, builder, scalar
from ..errors import TYPE_NAMES, located, type_error
from ..tensor import Tensor
from .families import GENERATED, renamed
from .operands import cast, operands_of


# Logic
def to_bool(x: Any) -> Any:
    """A tensor as truth values."""
    return cast(x, i1) if isinstance(x, Tensor) else bool(x)


def logical(name: str, op: type[HLOp]) -> Callable[..., Tensor]:
    def function(input: Any, other: Any) -> Tensor:
        return apply(op, operands_of(name, to_bool(input), to_bool(other)))[0]

    return renamed(function, name)


def logical_not(input: Tensor) -> Tensor:
    """not input"""
    return apply(e.LogicalNotOp, (to_bool(input),))[0]


def bitwise_not(input: Tensor) -> Tensor:
    """~input"""
    dtype = input._spec.dtype
    if dtype is i1:
        return logical_not(input)
    if dtype.kind == "float":
        raise located(NotImplementedError, f"\"bitwise_not_cpu\" not implemented for '{TYPE_NAMES[dtype]}'")
    ones = -1 if dtype.signed else (1 << dtype.bits) - 1
    return apply(e.BitwiseXorOp, (input, scalar(ones, input._spec.shape, dtype)))[0]


def invert(input: Tensor) -> Tensor:
    """The operator ~."""
    if input._spec.dtype.kind == "float":
        raise type_error("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
    return bitwise_not(input)


def bitwise_right_shift(input: Any, other: Any) -> Tensor:
    """input >> other, the sign kept; where `other` is no number of bits, nothing but the sign"""
    x, y = operands_of("bitwise_right_shift", input, other)
    shape, dtype = x._spec.shape, x._spec.dtype
    if dtype.kind != "int":
        raise located(NotImplementedError, f"\"rshift_cpu\" not implemented for '{TYPE_NAMES[dtype]}'")
    zero = scalar(0, shape, dtype)
    far = GENERATED["ge"](y, dtype.bits)
    if dtype.signed:
        far = builder.bitwise_or(far, builder.compare("lt", y, zero))
    negative = builder.compare("lt", x, zero)
    magnitude = builder.select(negative, bitwise_not(x), x)
    shifted = builder.select(far, zero, apply(e.ShiftRightLogicalOp, (magnitude, builder.select(far, zero, y)))[0])
    return builder.select(negative, bitwise_not(shifted), shifted)


def isnan(input: Tensor) -> Tensor:
    """Whether each element is NaN."""
    return GENERATED["ne"](input, input)


def isinf(input: Tensor) -> Tensor:
    """Whether each element is infinite."""
    if input._spec.dtype.kind != "float":
        return full_of(input._spec.shape, False, i1)
    return GENERATED["eq"](GENERATED["abs"](input), float("inf"))


def isfinite(input: Tensor) -> Tensor:
    """Whether each element is neither infinite nor NaN."""
    if input._spec.dtype.kind != "float":
        return full_of(input._spec.shape, True, i1)
    return GENERATED["lt"](GENERATED["abs"](input), float("inf"))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{f.__name__: f for f in (bitwise_not, bitwise_right_shift, isfinite, isinf, isnan, logical_not)},
    "logical_and": logical("logical_and", e.BitwiseAndOp),
    "logical_or": logical("logical_or", e.BitwiseOrOp),
    "logical_xor": logical("logical_xor", e.BitwiseXorOp),
}

__all__ = ["FUNCTIONS", "invert", "isfinite", "isinf", "isnan", "logical", "to_bool"]
