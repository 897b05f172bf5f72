"""Pooling over windows that are fitted to an output size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....dialects.types import i64
from ...dispatch import builder
from ...errors import runtime_error
from ...ops.operands import flat
from ...tensor import Tensor
from .by_rank import by_rank
from .extents import Ints, batched
from .pooling import avg_pool, max_pool

Sizes = int | None | Sequence[int | None]


def _output_sizes(input: Tensor, rank: int, output_size: Sizes) -> Ints:
    given = output_size if isinstance(output_size, Sequence) else (output_size,) * rank
    if len(given) == 1:
        given = (*given,) * rank
    if len(given) != rank:
        raise runtime_error(f"adaptive pooling over {rank} dimensions: output_size must have {rank} elements")
    if any(size is not None and size < 0 for size in given):
        raise runtime_error("adaptive pooling: elements of output_size must be greater than or equal to 0")
    return tuple(n if size is None else int(size) for n, size in zip(input.shape[-rank:], given))


def _nothing(input: Tensor, sizes: Ints) -> Tensor:
    """A result without elements."""
    return flat(input.new_zeros(*input.shape[: -len(sizes)], *sizes), input[..., :0].sum())


def parts(n: int, count: int) -> list[tuple[int, int]]:
    """Where the windows of adaptive pooling start and end."""
    return [(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]


def _adaptive_avg_pool(rank: int, input: Tensor, output_size: Sizes) -> Tensor:
    batched(input, rank, f"adaptive_avg_pool{rank}d")
    sizes = _output_sizes(input, rank, output_size)
    extents = input.shape[-rank:]
    if 0 in sizes:
        return _nothing(input, sizes)
    if all(size == 1 for size in sizes):
        return input.mean(tuple(range(-rank, 0)), keepdim=True)
    if all(n % size == 0 for n, size in zip(extents, sizes)):
        return avg_pool(rank, input, [n // size for n, size in zip(extents, sizes)], None, 0, False, True, None)
    # Windows of different sizes: a product with a matrix of weights along each dimension.
    for d, size in zip(range(-rank, 0), sizes):
        n = input.shape[d]
        weights = np.zeros((n, size), input.dtype.numpy)
        for k, (start, end) in enumerate(parts(n, size)):
            weights[start:end, k] = 1.0 / (end - start)
        input = along(input, d, weights)
    return input


def along(x: Tensor, dim: int, matrix: np.ndarray[Any, Any]) -> Tensor:
    """The product with a constant matrix along one dimension."""
    weights = builder.constant(np.ascontiguousarray(matrix, x.dtype.numpy), matrix.shape, x.dtype)
    return x.matmul(weights) if dim in (-1, x.ndim - 1) else x.movedim(dim, -1).matmul(weights).movedim(-1, dim)


def _adaptive_max_pool(rank: int, input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    batched(input, rank, f"adaptive_max_pool{rank}d")
    sizes = _output_sizes(input, rank, output_size)
    extents = tuple(input.shape[-rank:])
    if 0 in sizes:
        return (_nothing(input, sizes), _nothing(input, sizes).to(i64)) if return_indices else _nothing(input, sizes)
    if all(n % size == 0 for n, size in zip(extents, sizes)):
        window = [n // size for n, size in zip(extents, sizes)]
        return max_pool(rank, input, window, None, 0, 1, False, return_indices)
    # Windows of different sizes: each is written out with its last element repeated, so that they have one size.
    tables = [_spread_out(n, size) for n, size in zip(extents, sizes)]
    for d, table in zip(range(-rank, 0), tables):
        input = input.index_select(d, _constant(table.reshape(-1)))
    window = [table.shape[1] for table in tables]
    if not return_indices:
        return max_pool(rank, input, window, None, 0, 1, False, False)
    values, places = max_pool(rank, input, window, None, 0, 1, False, True)
    return values, _original(places, tables, extents)


def _spread_out(n: int, count: int) -> np.ndarray[Any, Any]:
    """The elements of every window along a dimension, a row each."""
    windows = parts(n, count)
    longest = max(end - start for start, end in windows)
    return np.array([[min(start + k, end - 1) for k in range(longest)] for start, end in windows])


def _original(places: Any, tables: list[np.ndarray[Any, Any]], extents: Ints) -> Tensor:
    """Indices into the windows written out as indices into the input."""
    total, stride = places * 0, 1
    for table, n in zip(reversed(tables), reversed(extents)):
        at = _constant(table.reshape(-1))[places % table.size]
        total, stride = total + at * stride, stride * n
        places = places // table.size
    return total


def _constant(numbers: np.ndarray[Any, Any]) -> Tensor:
    return builder.constant(numbers, numbers.shape, i64)


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = by_rank(
    _adaptive_avg_pool,
    "adaptive_avg_pool{}d",
    "The mean of windows that cut {input} into so many parts; None keeps an extent.",
)
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = by_rank(
    _adaptive_max_pool,
    "adaptive_max_pool{}d",
    "The largest value of windows that cut {input} into so many parts; None keeps an extent.",
)

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
]
