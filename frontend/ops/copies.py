"""Copies of tensors: with history, without, of leaves, and as bytes for other processes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dispatch, eager, tape
from ..devices import CPU, place
from ..dispatch import needed_array
from ..errors import runtime_error, untraceable
from ..modes import modes
from ..node import TRACED
from ..tensor import Tensor, wrap


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy that passes gradients on."""
    self = input
    trace = modes.trace
    if trace is not None:
        value = dispatch.value_of(trace, self)
        if not (modes.grad and self.requires_grad):
            return dispatch.traced(value, self._spec, self.device)
        copy = dispatch.traced(trace.copied(value), self._spec, self.device)
        tape.attach(TRACED, (copy,))
        return copy
    copy = copied(self)
    if modes.grad and self.requires_grad:
        tape.CustomNode("CloneBackward0", (self,), (copy,), tuple, keeps_values=False)
    return copy


def copied(x: Tensor) -> Tensor:
    """The same values in new memory, without history."""
    spec = x._spec
    if modes.trace is not None:
        return dispatch.traced(modes.trace.detached(dispatch.value_of(modes.trace, x)), spec, x.device)
    return wrap(eager.copied(x), spec)


def deep_copy(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """A leaf of its own, with a gradient of its own."""
    if not self.is_leaf:
        raise runtime_error(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment."
        )
    found = copied(self)
    new = wrap(found._storage, found._spec, cls=type(self))
    new._requires_grad = self._requires_grad
    new.__dict__.update(self.__dict__)
    grad = self.grad
    if grad is not None:
        new.grad = copied(grad)
    memo[id(self)] = new
    return new


def shallow_copy(self: Tensor) -> Tensor:
    """Another tensor over the same memory."""
    new = wrap(self._storage, self._spec, self._view, type(self))
    new._requires_grad = self._requires_grad
    new.__dict__.update(self.__dict__)
    return new


def reduce(self: Tensor, protocol: Any) -> Any:
    """What pickle writes."""
    array = needed_array(self)
    if array is None:
        raise untraceable("pickling a tensor", "return it from the compiled function and pickle it outside")
    where = None if self.device is CPU else str(self.device)
    return (_rebuild, (type(self), np.array(array), self.requires_grad, dict(self.__dict__), where))


def _rebuild(
    cls: type[Any], array: np.ndarray[Any, Any], requires_grad: bool, extra: dict[str, Any], where: str | None = None
) -> Any:
    from ..creation import from_array

    plain = from_array(array, CPU if where is None else place(where))
    new = wrap(plain._storage, plain._spec, cls=cls)
    new._requires_grad = requires_grad
    new.__dict__.update(extra)
    return new


__all__ = ["clone", "copied", "deep_copy", "reduce", "shallow_copy"]
