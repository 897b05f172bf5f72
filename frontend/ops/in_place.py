"""Operations that write: the form with a trailing underscore, copy_, fill_ and zero_."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import tape
from ..errors import TYPE_NAMES, runtime_error, type_error
from ..modes import modes
from ..node import now
from ..promotion import can_cast, check_fits, python_dtype
from ..tensor import Tensor
from ..writes import check_in_place, write
from .operands import broadcast_shape, cast, expand_to, fitted


# In place
def in_place(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The form with a trailing underscore: computes the result, then writes it through the tensor's view."""

    def method(self: Tensor, *args: Any, **options: Any) -> Tensor:
        if not modes.grad:
            return store(self, function(self, *args, **options))
        versions = None if modes.trace is None else modes.trace.versions
        since = now() if versions is None else versions.now()
        result = function(self, *args, **options)
        if versions is None:
            tape.keep_overwritten(result, self._storage, since)
        else:
            versions.keep_overwritten(self._storage, since)
        return store(self, result)

    method.__name__ = method.__qualname__ = f"{name}_"
    return method


def store(self: Tensor, result: Tensor) -> Tensor:
    """Writes a result of the same shape, and of a type of no higher category."""
    spec = self._spec
    if result._spec == spec:
        return write(self, result)
    if result._spec.shape != spec.shape:
        raise runtime_error(
            f"output with shape {list(spec.shape)} doesn't match the broadcast shape {list(result._spec.shape)}"
        )
    if not can_cast(result._spec.dtype, spec.dtype):
        names = [TYPE_NAMES[d] for d in (result._spec.dtype, spec.dtype)]
        raise runtime_error(f"result type {names[0]} can't be cast to the desired output type {names[1]}")
    return write(self, cast(result, spec.dtype))


def _as_tensor(value: Any) -> Tensor:
    from ..creation import as_tensor

    return as_tensor(value)


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Writes the values of another tensor, converted and broadcast."""
    source = src if isinstance(src, Tensor) else _as_tensor(src)
    check_in_place(self)
    shape = self._spec.shape
    both = broadcast_shape(shape, source._spec.shape)
    if both != shape:
        raise runtime_error(f"output with shape {list(shape)} doesn't match the broadcast shape {list(both)}")
    return write(self, expand_to(cast(source, self._spec.dtype), shape), replaces=True)


def expanded(source: Tensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    """`shape`, if the source broadcasts to it. Raises RuntimeError otherwise."""
    given = source._spec.shape
    if given == shape:
        return shape
    padded = (1,) * (len(shape) - len(given)) + given
    if len(padded) != len(shape) or any(m not in (1, n) for m, n in zip(padded, shape)):
        raise runtime_error(
            f"shape mismatch: value tensor of shape {list(given)} cannot be broadcast to indexing result of shape "
            f"{list(shape)}"
        )
    return shape


def fill_(self: Tensor, value: Any) -> Tensor:
    """Writes one number everywhere."""
    if isinstance(value, Tensor):
        if value._spec.shape:
            raise runtime_error(
                f"fill_ only supports 0-dimension value tensor but got tensor with {len(value._spec.shape)} dimensions."
            )
        return copy_(self, value)
    if python_dtype(value) is None:
        raise type_error(f"fill_(): argument 'value' must be a number, not {type(value).__name__}")
    check_fits(value, self._spec.dtype)
    check_in_place(self)
    return write(self, fitted(value, self._spec.shape, self._spec.dtype), replaces=True)


def zero_(self: Tensor) -> Tensor:
    """Writes zeros everywhere."""
    return fill_(self, 0)


METHODS: dict[str, Callable[..., Any]] = {f.__name__: f for f in (copy_, fill_, zero_)}

__all__ = ["METHODS", "copy_", "in_place", "store"]
