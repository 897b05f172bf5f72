"""Operands of elementwise operations: one shape, one element type."""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

import numpy as np

from ...dialects.hl import elementwise as e
from ...dialects.hl import shape as s
from ...dialects.types import DType, i1
from .. import tape
from ..dispatch import apply, scalar
from ..errors import runtime_error, type_error
from ..modes import modes
from ..node import TRACED
from ..promotion import float_dtype, python_dtype, result_dtype
from ..tensor import Tensor


# Operands
def flat(result: Tensor, *inputs: Any) -> Tensor:
    """A result that does not change with these inputs, up to steps: their gradient is zero, which is not none."""
    for x in inputs:
        if isinstance(x, Tensor) and x.requires_grad:
            never = scalar(False, result._spec.shape, i1)
            result = apply(e.SelectOp, (never, fitted(x, *result._spec), result))[0]
    return result


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


def without_derivative(result: Tensor, *inputs: Tensor) -> Tensor:
    """The result, which requires a gradient that goes nowhere: the inputs get None, as from PyTorch."""
    if modes.grad and any(x.requires_grad for x in inputs):
        if modes.trace is not None:
            tape.attach(TRACED, (result,))
        else:
            tape.CustomNode("WithoutDerivative", inputs, (result,), lambda _: [None] * len(inputs))
    return result


def refusing_derivative(result: Tensor, error: type[Exception], message: str, *inputs: Tensor) -> Tensor:
    """An eager result whose gradient raises an error where it is asked for."""

    def refuse(_: Any) -> NoReturn:
        raise error(message)

    if modes.grad and modes.trace is None and any(x.requires_grad for x in inputs):
        tape.CustomNode("NotImplemented", inputs, (result,), refuse)
    return result


def common_dtype(*operands: Any) -> DType:
    """The promoted element type of tensors and Python numbers."""
    ranked: list[tuple[int, DType]] = []
    for value in operands:
        if isinstance(value, Tensor):
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


OF_NUMBERS = ("add", "sub", "mul", "true_div")
"""Operations that take two Python numbers too."""


def operands_of(name: str, x: Any, y: Any, to_float: bool = False) -> tuple[Tensor, Tensor]:
    """Two operands in one shape and element type."""
    if isinstance(x, Tensor):
        if isinstance(y, Tensor):
            if x._spec == y._spec and not (to_float and x._spec.dtype.kind != "float"):
                return x, y
            return _fit_pair(x, y, to_float)
        elif type(y) is float or type(y) is int:
            # The common case of a number that does not change the tensor's type.
            dtype = x._spec.dtype
            if dtype.kind == "float" or (dtype.kind == "int" and type(y) is int and not to_float):
                return x, scalar(y, x._spec.shape, dtype)
    x, y = as_operand(x), as_operand(y)
    if not isinstance(x, Tensor) and not isinstance(y, Tensor) and name not in OF_NUMBERS:
        raise type_error(f"{name}(): expected at least one Tensor, got {type(x).__name__} and {type(y).__name__}")
    dtype = common_dtype(x, y)
    if to_float:
        dtype = float_dtype(dtype)
    shape = common_shape(x, y)
    return fitted(x, shape, dtype), fitted(y, shape, dtype)
