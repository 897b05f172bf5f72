"""What arguments of random functions must be. Programs check the values of tensors each time that they run."""

from __future__ import annotations

from typing import Any

from .errors import TYPE_NAMES, located, runtime_error
from .ops.checks import check_holds, within_one
from .tensor import Tensor


def check_probability(name: str, p: Any) -> None:
    """Raises RuntimeError for a probability outside [0, 1], and for a tensor that is not of floats."""
    if isinstance(p, Tensor):
        if p._spec.dtype.kind != "float":
            raise runtime_error(f"{name}: expected probabilities as floats, got {TYPE_NAMES[p._spec.dtype]}")
        check_holds(within_one(p), RuntimeError, "Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    elif not 0 <= p <= 1:
        raise runtime_error(f"{name} expects p to be in [0, 1], but got p={p}")


def check_deviation(name: str, std: Any) -> None:
    """Raises RuntimeError for a negative standard deviation."""
    message = f"{name} expects all elements of std >= 0.0"
    if isinstance(std, Tensor):
        check_holds(std.detach().lt(0).logical_not(), RuntimeError, message)
    elif std < 0:
        raise runtime_error(message)


def check_float(name: str, x: Tensor) -> None:
    """Raises NotImplementedError for a tensor that is not of floats."""
    if x._spec.dtype.kind != "float":
        raise located(NotImplementedError, f"\"{name}\" not implemented for '{TYPE_NAMES[x._spec.dtype]}'")


__all__ = ["check_deviation", "check_float", "check_probability"]
