"""Elementwise operations: broadcasting and dtype promotion made explicit, then one hl op. An op costs a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...dialects.hl import HLOp
from ...dialects.hl import elementwise as e
from ...dialects.hl import shape as s
from ...dialects.types import DType, i1, i64
from ..dispatch import apply, builder, scalar
from ..errors import runtime_error, type_error
from ..promotion import PYTHON, float_dtype, python_dtype, result_dtype
from ..tape import named
from ..tensor import Tensor

# Operands


def broadcast_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that two shapes broadcast to. Raises RuntimeError where they do not."""
    if len(a) < len(b):
        padded, other = (1,) * (len(b) - len(a)) + a, b
    else:
        padded, other = a, (1,) * (len(a) - len(b)) + b
    result: list[int] = []
    for d, (m, n) in enumerate(zip(padded, other)):
        if m != n and m != 1 and n != 1:
            sizes = (m, n) if len(a) < len(b) or padded is a else (n, m)
            raise runtime_error(
                f"The size of tensor a ({sizes[0]}) must match the size of tensor b ({sizes[1]}) at non-singleton "
                f"dimension {d}"
            )
        result.append(n if m == 1 else m)
    return tuple(result)


def expand_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The tensor broadcast to a shape that it is known to fit."""
    attributes = _broadcast(x._spec.shape, shape)
    return x if attributes is None else apply(s.BroadcastOp, (x,), attributes)[0]


def cast(x: Tensor, dtype: DType) -> Tensor:
    """The tensor in another element type; itself where it has that one."""
    return x if x._spec.dtype is dtype else apply(e.CastOp, (x,), {"dtype": dtype})[0]


def as_operand(value: Any) -> Any:
    """Arrays become tensors; tensors and numbers stay."""
    if isinstance(value, np.ndarray):
        from ..creation import from_numpy

        return from_numpy(value)
    return value


def common_dtype(*operands: Any) -> DType:
    """The promoted element type of tensors and Python numbers."""
    ranked: list[tuple[int, DType]] = []
    for value in operands:
        if isinstance(value, Tensor):
            if value._is_number:
                ranked.append((0, PYTHON[float]))
            else:
                ranked.append((2 if value._spec.shape else 1, value._spec.dtype))
            continue
        dtype = python_dtype(value)
        if dtype is None:
            raise type_error(f"expected a Tensor or a number, got {type(value).__name__}")
        ranked.append((0, dtype))
    return result_dtype(ranked)


def common_shape(*operands: Any) -> tuple[int, ...]:
    """The shape that all tensors among the operands broadcast to."""
    shape: tuple[int, ...] = ()
    for value in operands:
        if isinstance(value, Tensor) and value._spec.shape != shape:
            shape = broadcast_shape(shape, value._spec.shape)
    return shape


def fitted(value: Any, shape: tuple[int, ...], dtype: DType) -> Tensor:
    """A tensor or number as an operand of the given shape and element type."""
    if isinstance(value, Tensor):
        return expand_to(cast(value, dtype), shape)
    return scalar(value, shape, dtype)


def is_number(value: Any) -> bool:
    """Whether this is a Python or numpy number."""
    return python_dtype(value) is not None


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
SYNONYMS: dict[str, str] = {
    "absolute": "abs",
    "arccos": "acos",
    "arcsin": "asin",
    "arctan": "atan",
    "fix": "trunc",
    "negative": "neg",
    "multiply": "mul",
    "subtract": "sub",
    "divide": "div",
    "true_divide": "div",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "not_equal": "ne",
    "clip": "clamp",
}


def _unary(name: str, row: Unary) -> Callable[..., Tensor]:
    op = row.op

    def function(input: Tensor, /) -> Tensor:
        try:
            dtype = input._spec.dtype
        except AttributeError:
            raise type_error(f"{name}(): argument 'input' must be Tensor, not {type(input).__name__}") from None
        if dtype.kind != "float":
            if row.to_float and not row.integer_identity:
                input = cast(input, float_dtype(dtype))
            elif dtype is i1:
                if op is e.NegOp:
                    raise runtime_error(
                        "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a "
                        "mask, use the `~` or `logical_not()` operator instead."
                    )
                return input
            elif row.integer_identity:
                return input
        return apply(op, (input,))[0]

    return _named(function, name)


def _is_bool(value: Any) -> bool:
    return value._spec.dtype is i1 if isinstance(value, Tensor) else type(value) is bool


def _named(function: Any, name: str) -> Any:
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


class _Plan(NamedTuple):
    """How two tensors are brought to one shape and element type."""

    dtype: DType
    broadcast_x: dict[str, Any] | None
    broadcast_y: dict[str, Any] | None


_plans: dict[Any, _Plan] = {}


def _fit_pair(x: Tensor, y: Tensor, to_float: bool) -> tuple[Tensor, Tensor]:
    key = (x._spec, y._spec, to_float)
    plan = _plans.get(key)
    if plan is None:
        dtype = common_dtype(x, y)
        shape = broadcast_shape(x._spec.shape, y._spec.shape)
        plan = _Plan(float_dtype(dtype) if to_float else dtype, *(_broadcast(t._spec.shape, shape) for t in (x, y)))
        if len(_plans) > 4096:
            _plans.clear()
        _plans[key] = plan
    if x._spec.dtype is not plan.dtype:
        x = cast(x, plan.dtype)
    if y._spec.dtype is not plan.dtype:
        y = cast(y, plan.dtype)
    if plan.broadcast_x is not None:
        x = apply(s.BroadcastOp, (x,), plan.broadcast_x)[0]
    if plan.broadcast_y is not None:
        y = apply(s.BroadcastOp, (y,), plan.broadcast_y)[0]
    return x, y


def _broadcast(old: tuple[int, ...], shape: tuple[int, ...]) -> dict[str, Any] | None:
    """The attributes of the broadcast from one shape to another; None where they are equal."""
    if old == shape:
        return None
    return {"shape": shape, "dimensions": tuple(range(len(shape) - len(old), len(shape)))}


def operands_of(name: str, x: Any, y: Any, to_float: bool = False) -> tuple[Tensor, Tensor]:
    """Two operands in one shape and element type."""
    if isinstance(x, Tensor):
        if isinstance(y, Tensor):
            if x._spec == y._spec and not (to_float and x._spec.dtype.kind != "float"):
                return x, y
            if not (x._is_number or y._is_number):
                return _fit_pair(x, y, to_float)
        elif type(y) is float or type(y) is int:
            # The common case of a number that does not change the tensor's type.
            dtype = x._spec.dtype
            if dtype.kind == "float" or (dtype.kind == "int" and type(y) is int and not to_float):
                return x, scalar(y, x._spec.shape, dtype)
    x, y = as_operand(x), as_operand(y)
    if not isinstance(x, Tensor) and not isinstance(y, Tensor):
        raise type_error(f"{name}(): expected at least one Tensor, got {type(x).__name__} and {type(y).__name__}")
    dtype = common_dtype(x, y)
    if to_float:
        dtype = float_dtype(dtype)
    shape = common_shape(x, y)
    return fitted(x, shape, dtype), fitted(y, shape, dtype)


def _binary(name: str, row: Binary) -> Callable[..., Tensor]:
    op, to_float = row.op, row.to_float

    def function(input: Any, other: Any) -> Tensor:
        x, y = operands_of(name, input, other, to_float)
        if x._spec.dtype.kind == "float" and not row.bool_error:
            return apply(op, (x, y))[0]
        if row.bool_error and (_is_bool(input) or _is_bool(other)):
            raise runtime_error(row.bool_error)
        if x._spec.dtype is i1:
            if row.for_bool is not None:
                return apply(row.for_bool, (x, y))[0]
            x, y = cast(x, i64), cast(y, i64)
        return apply(op, (x, y))[0]

    return _named(function, name)


COMPARE = ("eq", "ne", "lt", "le", "gt", "ge")


def _compare(predicate: Any) -> Callable[..., Tensor]:
    attributes = {"predicate": predicate}

    def function(input: Any, other: Any) -> Tensor:
        return apply(e.CompareOp, operands_of(predicate, input, other), attributes)[0]

    return _named(function, predicate)


GENERATED: dict[str, Callable[..., Tensor]] = {
    **{name: _unary(name, row) for name, row in UNARY.items()},
    **{name: _binary(name, row) for name, row in BINARY.items()},
    **{name: _compare(name) for name in COMPARE},
}
_true_div = GENERATED["true_div"]
mul = GENERATED["mul"]


# Those with arguments of their own


def add(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """input + alpha * other"""
    return GENERATED["add"](input, other if alpha == 1 else mul(other, alpha))


def sub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """input - alpha * other"""
    return GENERATED["sub"](input, other if alpha == 1 else mul(other, alpha))


def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """other - alpha * input"""
    return sub(other, input, alpha=alpha)


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """input / other, as a float; rounded with rounding_mode "trunc" or "floor"."""
    if rounding_mode is None:
        return _true_div(input, other)
    if rounding_mode == "floor":
        return GENERATED["floor_divide"](input, other)
    if rounding_mode == "trunc":
        x, y = operands_of("div", input, other)
        quotient = apply(e.DivOp, (x, y))[0]
        return apply(e.TruncOp, (quotient,))[0] if x._spec.dtype.kind == "float" else quotient
    raise runtime_error(
        f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'"
    )


def fmod(input: Any, other: Any) -> Tensor:
    """The remainder of input / other with the sign of input."""
    x, y = operands_of("fmod", input, other)
    return sub(x, mul(div(x, y, rounding_mode="trunc"), y))


def pow_(input: Any, exponent: Any) -> Tensor:
    """input ** exponent"""
    if isinstance(input, Tensor) and (type(exponent) is int or type(exponent) is float):
        kind = input._spec.dtype.kind
        if exponent == 2 and kind != "bool" and (kind == "float" or type(exponent) is int):
            return named(apply(e.MulOp, (input, input))[0], "PowBackward0")
        if exponent == 0.5 and kind == "float":
            return apply(e.SqrtOp, (input,))[0]
        if exponent == 1 and type(exponent) is int and kind == "float":
            return mul(input, 1)
        if kind == "int" and type(exponent) is int and exponent < 0:
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
        return input
    if decimals == 0:
        return apply(e.RoundOp, (input,))[0]
    factor = 10.0**decimals
    return _true_div(apply(e.RoundOp, (mul(input, factor),))[0], factor)


def frac(input: Tensor) -> Tensor:
    """What is behind the point."""
    return sub(input, GENERATED["trunc"](input))


def erfc(input: Tensor) -> Tensor:
    """1 - erf(input)"""
    return sub(1, GENERATED["erf"](input))


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(input / (1 - input)), input clamped to [eps, 1 - eps]"""
    x = input if eps is None else clamp(input, eps, 1 - eps)
    return GENERATED["log"](_true_div(x, sub(1, x)))


def _log_of(base: float) -> Callable[[Tensor], Tensor]:
    factor = 1 / float(np.log(base))
    return lambda input: mul(GENERATED["log"](input), factor)


def _as_float(x: Tensor) -> Tensor:
    return cast(x, float_dtype(x._spec.dtype))


def exp2(input: Tensor) -> Tensor:
    """2 ** input"""
    return GENERATED["exp"](mul(input, float(np.log(2.0))))


def asinh(input: Tensor) -> Tensor:
    """Inverse hyperbolic sine."""
    x = _as_float(input)
    # log1p(m + m * m / (1 + sqrt(1 + m * m))), arranged so that nothing overflows.
    magnitude = GENERATED["abs"](x)
    inverse = reciprocal(magnitude)
    inner = add(magnitude, _true_div(magnitude, add(inverse, GENERATED["sqrt"](add(square(inverse), 1)))))
    return mul(GENERATED["sign"](x), GENERATED["log1p"](inner))


def acosh(input: Tensor) -> Tensor:
    """Inverse hyperbolic cosine."""
    x = _as_float(input)
    sqrt = GENERATED["sqrt"]
    return GENERATED["log"](add(x, mul(sqrt(sub(x, 1)), sqrt(add(x, 1)))))


def atanh(input: Tensor) -> Tensor:
    """Inverse hyperbolic tangent."""
    x = _as_float(input)
    return mul(sub(GENERATED["log1p"](x), GENERATED["log1p"](GENERATED["neg"](x))), 0.5)


def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """log(exp(input) + exp(other))"""
    largest = GENERATED["maximum"](input, other).detach()
    exp = GENERATED["exp"]
    safe = where(isfinite(largest), largest, 0.0)
    return add(GENERATED["log"](add(exp(sub(input, safe)), exp(sub(other, safe)))), safe)


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
        low = fitted(min, shape, dtype)
        x = builder.select(builder.compare("lt", x, low), low, x)
    if max is not None:
        high = fitted(max, shape, dtype)
        x = builder.select(builder.compare("gt", x, high), high, x)
    return x


def clamp_min(input: Tensor, min: Any) -> Tensor:
    """clamp with a lower end only"""
    return clamp(input, min=min)


def clamp_max(input: Tensor, max: Any) -> Tensor:
    """clamp with an upper end only"""
    return clamp(input, max=max)


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """input where the condition holds, else other; without these, the indices where it holds."""
    if input is None and other is None:
        from .indexing import nonzero

        return nonzero(condition, as_tuple=True)
    x, y = as_operand(input), as_operand(other)
    dtype = common_dtype(x, y)
    shape = common_shape(condition, x, y)
    return apply(e.SelectOp, (fitted(condition, shape, i1), fitted(x, shape, dtype), fitted(y, shape, dtype)))[0]


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """input with `value` where the mask holds"""
    if mask._spec.dtype is not i1:
        raise runtime_error(f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}")
    shape = common_shape(input, mask)
    dtype = input._spec.dtype
    return apply(e.SelectOp, (fitted(mask, shape, i1), fitted(value, shape, dtype), fitted(input, shape, dtype)))[0]


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """input + weight * (end - input)"""
    return add(input, mul(sub(end, input), weight))


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """input + value * tensor1 * tensor2"""
    return add(input, mul(tensor1, tensor2), alpha=value)


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """input + value * tensor1 / tensor2"""
    return add(input, _true_div(tensor1, tensor2), alpha=value)


# Logic


def to_bool(x: Any) -> Any:
    """A tensor as truth values."""
    return cast(x, i1) if isinstance(x, Tensor) else bool(x)


def _logical(name: str, op: type[HLOp]) -> Callable[..., Tensor]:
    def function(input: Any, other: Any) -> Tensor:
        return apply(op, operands_of(name, to_bool(input), to_bool(other)))[0]

    return _named(function, name)


def logical_not(input: Tensor) -> Tensor:
    """not input"""
    return apply(e.LogicalNotOp, (to_bool(input),))[0]


def bitwise_not(input: Tensor) -> Tensor:
    """~input"""
    dtype = input._spec.dtype
    if dtype is i1:
        return logical_not(input)
    if dtype.kind == "float":
        raise runtime_error(f"\"bitwise_not_cpu\" not implemented for '{dtype.torch_name}'")
    ones = -1 if dtype.signed else (1 << dtype.bits) - 1
    return apply(e.BitwiseXorOp, (input, scalar(ones, input._spec.shape, dtype)))[0]


def bitwise_right_shift(input: Any, other: Any) -> Tensor:
    """input >> other, the sign kept: a division by a power of two, rounded down"""
    x, y = operands_of("bitwise_right_shift", input, other)
    one = scalar(1, x._spec.shape, x._spec.dtype)
    return apply(e.FloorDivOp, (x, apply(e.ShiftLeftOp, (one, y))[0]))[0]


def isnan(input: Tensor) -> Tensor:
    """Whether each element is NaN."""
    return GENERATED["ne"](input, input)


def isinf(input: Tensor) -> Tensor:
    """Whether each element is infinite."""
    if input._spec.dtype.kind != "float":
        return scalar(False, input._spec.shape, i1)
    return GENERATED["eq"](GENERATED["abs"](input), float("inf"))


def isfinite(input: Tensor) -> Tensor:
    """Whether each element is neither infinite nor NaN."""
    if input._spec.dtype.kind != "float":
        return scalar(True, input._spec.shape, i1)
    return GENERATED["lt"](GENERATED["abs"](input), float("inf"))


def nan_to_num(input: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """NaN and infinities replaced: by `nan` and by the largest and smallest number, or by those given."""
    if input._spec.dtype.kind != "float":
        return input
    limits = np.finfo(input._spec.dtype.numpy)
    x = masked_fill(input, isnan(input), nan)
    x = masked_fill(x, GENERATED["eq"](x, float("inf")), float(limits.max) if posinf is None else posinf)
    return masked_fill(x, GENERATED["eq"](x, float("-inf")), float(limits.min) if neginf is None else neginf)


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether |input - other| <= atol + rtol * |other|, or both are equal."""
    generated = GENERATED
    same = generated["eq"](input, other)
    if input._spec.dtype.kind != "float":
        close = generated["le"](generated["abs"](sub(input, other)), add(mul(generated["abs"](other), rtol), atol))
        return _logical("or", e.BitwiseOrOp)(same, close)
    allowed = add(mul(generated["abs"](other), rtol), atol)
    close = generated["le"](generated["abs"](sub(input, other)), allowed)
    close = apply(e.BitwiseAndOp, operands_of("isclose", close, isfinite(other)))[0]
    same = apply(e.BitwiseOrOp, operands_of("isclose", same, close))[0]
    if equal_nan:
        both = apply(e.BitwiseAndOp, operands_of("isclose", isnan(input), isnan(other)))[0]
        same = apply(e.BitwiseOrOp, operands_of("isclose", same, both))[0]
    return same


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: function for name, function in GENERATED.items() if name != "true_div"},
    **{
        f.__name__: f
        for f in (
            acosh,
            add,
            addcdiv,
            addcmul,
            asinh,
            atanh,
            bitwise_not,
            bitwise_right_shift,
            clamp,
            clamp_max,
            clamp_min,
            div,
            erfc,
            exp2,
            fmod,
            frac,
            isclose,
            isfinite,
            isinf,
            isnan,
            lerp,
            logaddexp,
            logical_not,
            logit,
            masked_fill,
            nan_to_num,
            reciprocal,
            rsub,
            square,
            sub,
            where,
        )
    },
    "pow": pow_,
    "round": round_,
    "log2": _log_of(2.0),
    "log10": _log_of(10.0),
    "logical_and": _logical("logical_and", e.BitwiseAndOp),
    "logical_or": _logical("logical_or", e.BitwiseOrOp),
    "logical_xor": _logical("logical_xor", e.BitwiseXorOp),
}
FUNCTIONS.update({name: FUNCTIONS[target] for name, target in SYNONYMS.items()})

METHODS: dict[str, Callable[..., Any]] = {
    **{name: function for name, function in FUNCTIONS.items() if name not in ("where", "rsub")},
    "where": lambda self, condition, other: where(condition, self, other),
}

IN_PLACE: tuple[str, ...] = tuple(
    sorted(set(METHODS) - {"where", "isnan", "isinf", "isfinite", "isclose", "maximum", "minimum"})
)
"""Methods that also come with a trailing underscore."""

__all__ = ["FUNCTIONS", "IN_PLACE", "METHODS"]
