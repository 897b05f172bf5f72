"""Weights divided by a norm: what the parametrizations and the older functions of the same names have in common."""

from __future__ import annotations

from ...grad_mode import no_grad
from ...tensor import Tensor
from .. import functional as F
from ..by_rank import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..module import Module


def norm_except(v: Tensor, dim: int | None) -> Tensor:
    """The 2-norm over all dimensions but one, which stay with extent 1; over all of them for None."""
    if dim is None:
        return v.norm()
    others = [d for d in range(v.ndim) if d != dim % v.ndim]
    return v.norm(2, others, True) if others else v.abs()


def with_norm(v: Tensor, g: Tensor, dim: int | None) -> Tensor:
    """v scaled so that its norm is g."""
    return v * (g / norm_except(v, dim))


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """Rows along `dim`."""
    return weight.movedim(dim, 0).flatten(1)


def spectral_dim(module: Module, dim: int | None) -> int:
    """The dimension of the outputs."""
    transposed = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
    return dim if dim is not None else 1 if isinstance(module, transposed) else 0


def random_direction(weight: Tensor, size: int, eps: float) -> Tensor:
    """A random vector of length 1."""
    with no_grad():
        return F.normalize(weight.new_empty(size).normal_(0, 1), dim=0, eps=eps)


def right(matrix: Tensor, u: Tensor, v: Tensor, eps: float) -> None:
    """v becomes the direction of Wᵀ u."""
    with no_grad():
        v.copy_(F.normalize(matrix.t().mv(u), dim=0, eps=eps))


def left(matrix: Tensor, u: Tensor, v: Tensor, eps: float) -> None:
    """u becomes the direction of W v."""
    with no_grad():
        u.copy_(F.normalize(matrix.mv(v), dim=0, eps=eps))


def by_largest(weight: Tensor, matrix: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """The weight divided by its largest singular value, by u and v, which later steps may change."""
    u, v = u.clone(), v.clone()
    return weight / u.dot(matrix.mv(v))
