"""NumPy's names for arguments, which PyTorch takes wherever it takes its own: axis for dim, keepdims for keepdim."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any


def numpy_names(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, taking NumPy's names for its arguments too."""
    code = getattr(function, "__code__", None)
    if code is None:
        return function
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    dim = next((name for name in ("dim", "dims") if name in names), None)
    if dim is None:
        return function

    @wraps(function)
    def renamed(*args: Any, **options: Any) -> Any:
        if "axis" in options:
            options[dim] = options.pop("axis")
        if "keepdims" in options:
            options["keepdim"] = options.pop("keepdims")
        return function(*args, **options)

    return renamed


__all__ = ["numpy_names"]
