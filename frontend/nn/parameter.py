"""Tensors that a module trains, and those that it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from ..creation import empty
from ..tensor import Tensor


class Parameter(Tensor):
    """A tensor that becomes a parameter of the module it is assigned to."""

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Self:
        return cls._make_subclass(empty(0) if data is None else data.detach(), requires_grad)

    def __repr__(self, **_: Any) -> str:
        return "Parameter containing:\n" + super().__repr__()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple[object, ...]:
        return (type(self), (self.detach(), self.requires_grad))


class Buffer(Tensor):
    """A tensor that becomes a buffer of the module it is assigned to."""

    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Self:
        new = cls._make_subclass(empty(0) if data is None else data.detach(), False)
        new.persistent = persistent
        return new


def empty_parameter(shape: Sequence[int], device: Any = None, dtype: Any = None) -> Parameter:
    """A parameter still to be filled."""
    return Parameter(empty(*shape, device=device, dtype=dtype))


__all__ = ["Buffer", "Parameter"]
