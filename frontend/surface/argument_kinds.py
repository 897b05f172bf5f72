"""Arguments of the wrong kind: where something that is no tensor is asked for what tensors have, the error says which
argument it is.

F.linear([1.0], w)      AttributeError: 'list' object has no attribute 'matmul'
                    ->  TypeError: linear(): argument 'input' must be Tensor, not list (at train.py:7)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from ...dialects.types import DType
from ..errors import type_error
from ..tensor import Tensor
from .argument_types import checked
from .element_types import LAYERS


def explain(
    error: AttributeError, function: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any]
) -> None:
    """Raises a TypeError where the object that lacks an attribute is one of the arguments."""
    culprit = getattr(error, "obj", None)
    if isinstance(culprit, Tensor):
        return
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    for name, value in (*zip(names, args), *options.items()):
        if value is culprit:
            kind = "dtype" if name == "dtype" else "Tensor"
            raise type_error(
                f"{function.__name__}(): argument '{name}' must be {kind}, not {type(value).__name__}"
            ) from None


def explained(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with this error."""

    @wraps(function)
    def checked(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except AttributeError as error:
            explain(error, function, args, options)
            raise

    return checked


def install(namespace: dict[str, Any]) -> None:
    """Gives all functions that a module exports this error."""
    for name in namespace["__all__"]:
        namespace[name] = checked(name, explained(namespace[name]), LAYERS)


def check_dtype(name: str, dtype: Any) -> None:
    """Raises a TypeError where an argument `dtype` is none."""
    if dtype is not None and not isinstance(dtype, DType):
        raise type_error(f"{name}(): argument 'dtype' must be irtool.dtype, not {type(dtype).__name__}")


__all__ = ["check_dtype", "explain", "explained", "install"]
