"""Layers that change the shape alone."""

from __future__ import annotations

from collections.abc import Sequence

from ..tensor import Tensor
from .layer import layer
from .module import Module


@layer()
class Flatten(Module):
    """Merges the dimensions start_dim to end_dim into one."""

    start_dim: int = 1
    end_dim: int = -1

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)


@layer()
class Unflatten(Module):
    """Splits dimension `dim` into the given sizes."""

    dim: int
    unflattened_size: Sequence[int]

    def forward(self, input: Tensor) -> Tensor:
        dim = self.dim % input.ndim
        return input.reshape(*input.shape[:dim], *self.unflattened_size, *input.shape[dim + 1 :])


__all__ = ["Flatten", "Unflatten"]
