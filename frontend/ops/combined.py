"""Functions that are written in terms of others, as a user would write them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...dialects.types import DType, i64
from ..creation import from_array
from ..errors import runtime_error
from ..promotion import get_default_dtype
from ..tensor import Tensor
from .joining import cat, stack


def hypot(input: Tensor, other: Tensor) -> Tensor:
    """sqrt(input² + other²)"""
    return (input * input + other * other).sqrt()


def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """What each element is more than the one before, n times over."""
    parts = [x for x in (prepend, input, append) if x is not None]
    x = cat(parts, dim) if len(parts) > 1 else input
    for _ in range(min(n, x.shape[dim])):
        after, before = x.narrow(dim, 1, x.shape[dim] - 1), x.narrow(dim, 0, x.shape[dim] - 1)
        x = after.ne(before) if x.dtype.kind == "bool" else after - before
    return x


def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal."""
    if input.ndim != 2:
        raise runtime_error("trace: expected a matrix")
    return input.diagonal().sum()


def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker product: every element of `input` times all of `other`."""
    rank = max(input.ndim, other.ndim)
    a, b = ((1,) * (rank - x.ndim) + tuple(x.shape) for x in (input, other))
    left = input.reshape([n for extent in a for n in (extent, 1)])
    right = other.reshape([n for extent in b for n in (1, extent)])
    return (left * right).reshape([m * n for m, n in zip(a, b, strict=True)])


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "") -> Tensor:
    """The distance of each row of x1 from each row of x2."""
    return (x1.unsqueeze(-2) - x2.unsqueeze(-3)).norm(p, -1)


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Turned k times by 90 degrees, from the first of two dimensions towards the second."""
    first, second = dims
    k %= 4
    if k == 2:
        return input.flip((first, second))
    x = input.transpose(first, second) if k else input.clone()
    return x if not k else x.flip((first,)) if k == 1 else x.flip((second,))


def _triangle(keep: Callable[..., Any], row: int, col: int, offset: int, dtype: DType) -> Tensor:
    return from_array(np.stack(np.nonzero(keep(np.ones((row, col)), offset))).astype(dtype.numpy))


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: DType = i64, device: Any = None) -> Tensor:
    """Rows and columns of the elements on and below a diagonal."""
    return _triangle(np.tril, row, col, offset, dtype)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: DType = i64, device: Any = None) -> Tensor:
    """Rows and columns of the elements on and above a diagonal."""
    return _triangle(np.triu, row, col, offset, dtype)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of elements of some vectors, a row each."""
    if len(tensors) == 1:
        return tensors[0]
    sizes = tuple(x.numel() for x in tensors)
    columns = [
        x.reshape([-1 if k == d else 1 for k in range(len(sizes))]).expand(sizes).reshape(-1)
        for d, x in enumerate(tensors)
    ]
    return stack(columns, 1)


def hann_window(window_length: int, periodic: bool = True, *, dtype: DType | None = None, **_: Any) -> Tensor:
    """0.5 - 0.5 cos(2πn / N)"""
    steps = max(window_length if periodic else window_length - 1, 1)
    values = 0.5 - 0.5 * np.cos(2 * math.pi * np.arange(window_length) / steps)
    return from_array(
        (values if window_length > 1 else np.ones(window_length)).astype((dtype or get_default_dtype()).numpy)
    )


FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (hypot, diff, trace, kron, cdist, rot90, tril_indices, triu_indices, cartesian_prod, hann_window)
}
METHODS = {f.__name__: f for f in (hypot, diff, trace, kron, rot90)}

__all__ = ["FUNCTIONS", "METHODS"]
