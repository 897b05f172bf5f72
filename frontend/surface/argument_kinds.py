"""Arguments of the wrong kind: where something that is no tensor is asked for what tensors have, the error says which
argument it is.

F.linear([1.0], w)      AttributeError: 'list' object has no attribute 'matmul'
                    ->  TypeError: linear(): argument 'input' must be Tensor, not list (at train.py:7)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ...dialects.types import DType
from ..devices import placed, use
from ..errors import type_error
from .argument_types import checked, explain, mark_explained
from .element_types import LAYERS


def explained(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with this error."""

    places = (
        "device"
        not in function.__code__.co_varnames[: function.__code__.co_argcount + function.__code__.co_kwonlyargcount]
    )

    @wraps(function)
    def explaining(*args: Any, **options: Any) -> Any:
        try:
            if use.elsewhere and places:
                return placed(function, args, options)
            return function(*args, **options)
        except AttributeError as error:
            explain(error, function, args, options)
            raise

    return mark_explained(explaining, function)


def install(namespace: dict[str, Any]) -> None:
    """Gives all functions that a module exports this error."""
    for name in namespace["__all__"]:
        namespace[name] = checked(name, explained(namespace[name]), LAYERS)


def check_dtype(name: str, dtype: Any) -> None:
    """Raises a TypeError where an argument `dtype` is none."""
    if dtype is not None and not isinstance(dtype, DType):
        raise type_error(f"{name}(): argument 'dtype' must be irtool.dtype, not {type(dtype).__name__}")


__all__ = ["check_dtype", "explain", "explained", "install"]
