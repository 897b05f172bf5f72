"""Elementwise operations that follow a pattern: an op costs a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ...dialects.hl import HLOp
from ...dialects.hl import elementwise as e
from ...dialects.types import i1
from ..dispatch import apply
from ..errors import located, runtime_error, type_error
from ..promotion import float_dtype
from ..tensor import Tensor
from .checks import check_nonzero
from .operands import cast, operands_of


# Families
class Unary(NamedTuple):
    """A function of one tensor."""

    op: type[HLOp]
    to_float: bool = True
    """Whether integers are computed as floats; otherwise they stay what they are."""
    integer_identity: bool = False
    """Whether integers are returned as they are."""


UNARY: dict[str, Unary] = {
    "abs": Unary(e.AbsOp, to_float=False),
    "acos": Unary(e.AcosOp),
    "asin": Unary(e.AsinOp),
    "atan": Unary(e.AtanOp),
    "ceil": Unary(e.CeilOp, integer_identity=True),
    "cos": Unary(e.CosOp),
    "cosh": Unary(e.CoshOp),
    "erf": Unary(e.ErfOp),
    "exp": Unary(e.ExpOp),
    "expm1": Unary(e.Expm1Op),
    "floor": Unary(e.FloorOp, integer_identity=True),
    "log": Unary(e.LogOp),
    "log1p": Unary(e.Log1POp),
    "neg": Unary(e.NegOp, to_float=False),
    "relu": Unary(e.ReluOp, to_float=False),
    "rsqrt": Unary(e.RsqrtOp),
    "sigmoid": Unary(e.SigmoidOp),
    "sign": Unary(e.SignOp, to_float=False),
    "sin": Unary(e.SinOp),
    "sinh": Unary(e.SinhOp),
    "sqrt": Unary(e.SqrtOp),
    "tan": Unary(e.TanOp),
    "tanh": Unary(e.TanhOp),
    "trunc": Unary(e.TruncOp, integer_identity=True),
}


def _unary(name: str, row: Unary) -> Callable[..., Tensor]:
    op = row.op

    def function(input: Tensor) -> Tensor:
        try:
            dtype = input._spec.dtype
        except AttributeError:
            raise type_error(f"{name}(): argument 'input' must be Tensor, not {type(input).__name__}") from None
        if dtype.kind != "float":
            if row.to_float and not row.integer_identity:
                input = cast(input, float_dtype(dtype))
            elif dtype is i1 and op is not e.SignOp:
                if op is e.NegOp:
                    raise runtime_error(
                        "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a "
                        "mask, use the `~` or `logical_not()` operator instead."
                    )
                if op is e.ReluOp:
                    raise runtime_error("Boolean inputs not supported for relu")
                raise located(NotImplementedError, f"\"{name}_cpu\" not implemented for 'Bool'")
            elif row.integer_identity or dtype is i1:
                return input.clone()
        return apply(op, (input,))[0]

    return renamed(function, name)


def _is_bool(value: Any) -> bool:
    return value._spec.dtype is i1 if isinstance(value, Tensor) else type(value) is bool


def renamed(function: Any, name: str) -> Any:
    """A function made for a row of a table, under the row's name."""
    function.__name__ = function.__qualname__ = name
    return function


class Binary(NamedTuple):
    """A function of two tensors or numbers."""

    op: type[HLOp]
    to_float: bool = False
    for_bool: type[HLOp] | None = None
    """What the op is on bools; None where PyTorch has none."""
    bool_error: str = ""


SUB_BOOL = (
    "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use the "
    "`~` or `logical_not()` operator instead."
)


BINARY: dict[str, Binary] = {
    "add": Binary(e.AddOp, for_bool=e.BitwiseOrOp),
    "sub": Binary(e.SubOp, bool_error=SUB_BOOL),
    "mul": Binary(e.MulOp, for_bool=e.BitwiseAndOp),
    "true_div": Binary(e.DivOp, to_float=True),
    "floor_divide": Binary(e.FloorDivOp),
    "fmod": Binary(e.FmodOp),
    "remainder": Binary(e.RemainderOp),
    "pow": Binary(e.PowOp),
    "maximum": Binary(e.MaximumOp, for_bool=e.BitwiseOrOp),
    "minimum": Binary(e.MinimumOp, for_bool=e.BitwiseAndOp),
    "atan2": Binary(e.Atan2Op, to_float=True),
    "bitwise_and": Binary(e.BitwiseAndOp, for_bool=e.BitwiseAndOp),
    "bitwise_or": Binary(e.BitwiseOrOp, for_bool=e.BitwiseOrOp),
    "bitwise_xor": Binary(e.BitwiseXorOp, for_bool=e.BitwiseXorOp),
    "bitwise_left_shift": Binary(e.ShiftLeftOp),
}


DIVISIONS: tuple[type[HLOp], ...] = (e.FloorDivOp, e.FmodOp, e.RemainderOp)


def check_divisor(y: Tensor) -> None:
    """Raises RuntimeError where integers are divided by zero."""
    if y._spec.dtype.kind == "int":
        check_nonzero(y, RuntimeError, "ZeroDivisionError")


def _binary(name: str, row: Binary) -> Callable[..., Tensor]:
    op, to_float = row.op, row.to_float

    def function(input: Any, other: Any) -> Tensor:
        x, y = operands_of(name, input, other, to_float)
        if x._spec.dtype.kind == "float" and not row.bool_error:
            return apply(op, (x, y))[0]
        if op in DIVISIONS:
            check_divisor(y)
        if row.bool_error and (_is_bool(input) or _is_bool(other)):
            raise runtime_error(row.bool_error)
        if x._spec.dtype is i1:
            if row.for_bool is not None:
                return apply(row.for_bool, (x, y))[0]
            raise located(NotImplementedError, f"\"{name}_cpu\" not implemented for 'Bool'")
        return apply(op, (x, y))[0]

    return renamed(function, name)


COMPARE = ("eq", "ne", "lt", "le", "gt", "ge")


def _compare(predicate: Any) -> Callable[..., Tensor]:
    attributes = {"predicate": predicate}

    def function(input: Any, other: Any) -> Tensor:
        return apply(e.CompareOp, operands_of(predicate, input, other), attributes)[0]

    return renamed(function, predicate)


GENERATED: dict[str, Callable[..., Tensor]] = {
    **{name: _unary(name, row) for name, row in UNARY.items()},
    **{name: _binary(name, row) for name, row in BINARY.items()},
    **{name: _compare(name) for name in COMPARE},
}
