"""Functions that are written in terms of others, as a user would write them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...dialects.types import DType, i1, i64
from ..creation import from_array, ones, sizes
from ..devices import device as Device
from ..devices import place
from ..errors import TYPE_NAMES, index_error, runtime_error
from ..promotion import get_default_dtype
from ..ranges import arange
from ..tensor import Tensor
from .arithmetic import where
from .joining import cat, pad_constant
from .operands import flat, operands_of
from .shape import axis


def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """What each element is more than the one before, n times over."""
    if not input.ndim:
        raise runtime_error("diff expects input to be at least one-dimensional")
    if n < 0:
        raise runtime_error(f"order must be non-negative but got {n}")
    parts = [x for x in (prepend, input, append) if x is not None]
    x = cat(parts, dim) if len(parts) > 1 else input
    for _ in range(min(n, x.shape[dim])):
        after, before = x.narrow(dim, 1, x.shape[dim] - 1), x.narrow(dim, 0, x.shape[dim] - 1)
        x = after.ne(before) if x.dtype.kind == "bool" else after - before
    return x if x is not input else input.clone()


def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal."""
    if input.ndim != 2:
        raise runtime_error(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
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
    for name, x in (("X1", x1), ("X2", x2)):
        if x.dtype.kind != "float":
            raise runtime_error(f"cdist only supports floating-point dtypes, {name} got: {TYPE_NAMES[x.dtype]}")
        if x.ndim < 2:
            raise runtime_error(f"cdist only supports at least 2D tensors, {name} got: {x.ndim}D")
    if not p >= 0:
        raise runtime_error("cdist only supports non-negative p values")
    if not x1.shape[-1]:
        return (x1 @ x2.mT).abs()
    return norm_of_differences(x1.unsqueeze(-2) - x2.unsqueeze(-3), p)


def norm_of_differences(x: Tensor, p: float) -> Tensor:
    """The p-norms of the last dimension, with the conventions of cdist and pdist where norm() has others."""
    if p == 0:  # a NaN is counted as NaN, and there are gradients, which are zeros
        return flat(where(x.isnan(), math.nan, x.ne(0).to(x.dtype)), x).sum(-1)
    if p != math.inf or not x.shape[-1]:
        return x.norm(p, -1)
    size = x.abs()
    largest = size.detach().amax(-1, True)
    # Each of equally large ones has the whole gradient.
    slope = where(size.eq(largest).logical_and(size.isfinite()), size - size.detach(), 0.0)
    return largest.squeeze(-1) + slope.sum(-1)


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Turned k times by 90 degrees, from the first of two dimensions towards the second."""
    if input.ndim < 2:
        raise runtime_error(f"expected total dims >= 2, but got total dims = {input.ndim}")
    if len(dims) != 2:
        raise runtime_error(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    first, second = (axis(d, input.ndim) for d in dims)
    if first == second:
        raise runtime_error(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    k %= 4
    if k == 2:
        return input.flip((first, second))
    x = input.transpose(first, second) if k else input.clone()
    return x if not k else x.flip((first,)) if k == 1 else x.flip((second,))


def _triangle(keep: Callable[..., Any], row: int, col: int, offset: int, dtype: DType, where: Device) -> Tensor:
    for name, n in (("row", row), ("col", col)):
        if n < 0:
            raise runtime_error(f"{name} must be non-negative, got {n}")
    return from_array(np.stack(np.nonzero(keep(np.ones((row, col)), offset))).astype(dtype.numpy), where)


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: DType = i64, device: Any = None) -> Tensor:
    """Rows and columns of the elements on and below a diagonal."""
    return _triangle(np.tril, row, col, offset, dtype, place(device))


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: DType = i64, device: Any = None) -> Tensor:
    """Rows and columns of the elements on and above a diagonal."""
    return _triangle(np.triu, row, col, offset, dtype, place(device))


def hann_window(window_length: int, periodic: bool = True, *, dtype: DType | None = None, device: Any = None) -> Tensor:
    """0.5 - 0.5 cos(2πn / N)"""
    where = place(device)
    if window_length < 0:
        raise runtime_error(f"hann_window requires non-negative window_length, got window_length={window_length}")
    steps = max(window_length if periodic else window_length - 1, 1)
    values = 0.5 - 0.5 * np.cos(2 * math.pi * np.arange(window_length) / steps)
    return from_array(
        (values if window_length > 1 else np.ones(window_length)).astype((dtype or get_default_dtype()).numpy), where
    )


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between x1 and x2 along `dim`."""
    x1, x2 = operands_of("cosine_similarity", x1, x2)
    if x1.dtype.kind != "float":
        raise runtime_error(f"expected common dtype to be floating point, yet common dtype is {x1.dtype}")
    first, second = (x / x.norm(2, dim, True).clamp(min=eps) for x in (x1, x2))
    return (first * second).sum(dim)


def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """The logarithm of the running sum of exponentials."""
    if not input.ndim:
        return input.clone()
    n = input.shape[dim]
    earlier = ones((n, n), dtype=i1).tril()
    return where(earlier, input.movedim(dim, -1).unsqueeze(-2), -math.inf).logsumexp(-1).movedim(-1, dim).contiguous()


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices with the last dimension on a diagonal."""
    if not input.ndim:
        raise index_error("Dimension out of range (expected to be in range of [-1, 0], but got -2)")
    n = input.shape[-1] + abs(offset)
    rows, columns = arange(n).reshape(-1, 1), arange(n).reshape(1, -1)
    x = pad_constant(input, (max(offset, 0), max(-offset, 0)))
    matrices = x.unsqueeze(-2).masked_fill(columns.ne(rows + offset), 0)
    return matrices.movedim((-2, -1), (dim1, dim2))


def fill_diagonal_(self: Tensor, fill_value: float) -> Tensor:
    """Writes a number on the diagonal."""
    if self.ndim < 2:
        raise runtime_error("dimensions must larger than 1")
    n = self.shape[0]
    places = arange(min(self.shape))
    if self.ndim == 2:
        self[places, places] = fill_value
    elif any(m != n for m in self.shape):
        raise runtime_error("all dimensions of input must be of equal length")
    else:
        self[(places,) * self.ndim] = fill_value
    return self


def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Vectors as columns, and matrices, next to each other."""
    return cat([x.reshape(-1, 1) if x.ndim < 2 else x for x in tensors], 1)


def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Next to each other along the third dimension."""
    flat = [x.reshape(1, -1) if x.ndim < 2 else x for x in tensors]
    return cat([x.unsqueeze(-1) if x.ndim < 3 else x for x in flat], 2)


def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The vector product of vectors of three, along the first dimension of three where `dim` is not given."""
    if dim is None:
        dim = next((d for d, n in enumerate(input.shape) if n == 3), None)
        if dim is None:
            raise runtime_error("no dimension of size 3 in input")
    if input.shape[dim] != 3 or other.shape[dim] != 3:
        raise runtime_error(f"linalg.cross: inputs dimension {dim} must have length 3")
    return input.roll(-1, dim) * other.roll(1, dim) - input.roll(1, dim) * other.roll(-1, dim)


def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """Sums over the dimensions along which `size` would be broadcast to the shape of the input."""
    shape = sizes("sum_to_size", size)
    lead = input.ndim - len(shape)
    if lead < 0 or any(n not in (1, m) for n, m in zip(shape, input.shape[lead:], strict=True)):
        raise runtime_error(f"size {{{list(shape)}}} is not expandable to size {{{list(input.shape)}}}.")
    dims = [d for d, m in enumerate(input.shape) if d < lead or shape[d - lead] != m]
    return input.sum(dims).reshape(shape) if dims else input


FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        *(cdist, column_stack, cosine_similarity, cross, diag_embed, diff, dstack),
        *(hann_window, kron, logcumsumexp, rot90, trace, tril_indices, triu_indices),
    )
}
METHODS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        *(cross, diag_embed, diff, fill_diagonal_, kron, logcumsumexp, rot90),
        *(sum_to_size, trace),
    )
}

__all__ = ["FUNCTIONS", "METHODS"]
