"""What arguments of random functions must be. Values that only a compiled program will know are not looked at."""

from __future__ import annotations

from typing import Any

from .dispatch import array_of
from .errors import TYPE_NAMES, located, runtime_error
from .modes import modes
from .tensor import Tensor


def check_probability(name: str, p: Any) -> None:
    """Raises RuntimeError for a probability outside [0, 1], and for a tensor that is not of floats."""
    if isinstance(p, Tensor):
        if p._spec.dtype.kind != "float":
            raise runtime_error(f"{name}: expected probabilities as floats, got {TYPE_NAMES[p._spec.dtype]}")
        if modes.trace is None and not ((array_of(p) >= 0) & (array_of(p) <= 1)).all():
            raise runtime_error("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    elif not 0 <= p <= 1:
        raise runtime_error(f"{name} expects p to be in [0, 1], but got p={p}")


def check_deviation(name: str, std: Any) -> None:
    """Raises RuntimeError for a negative standard deviation."""
    negative = not isinstance(std, Tensor) and std < 0
    if isinstance(std, Tensor) and modes.trace is None:
        negative = bool((array_of(std) < 0).any())
    if negative:
        raise runtime_error(f"{name} expects all elements of std >= 0.0")


def check_float(name: str, x: Tensor) -> None:
    """Raises NotImplementedError for a tensor that is not of floats."""
    if x._spec.dtype.kind != "float":
        raise located(NotImplementedError, f"\"{name}\" not implemented for '{TYPE_NAMES[x._spec.dtype]}'")


__all__ = ["check_deviation", "check_float", "check_probability"]
