"""Pooling over windows that are fitted to an output size."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...dispatch import builder
from ...errors import runtime_error
from ...ops.joining import stack
from ...tensor import Tensor
from .extents import Ints, batched
from .pooling import avg_pool, max_pool

Sizes = int | None | Sequence[int | None]


def adaptive_avg_pool1d(input: Tensor, output_size: Sizes) -> Tensor:
    """The mean of windows that cut (N, C, L) into so many parts."""
    return _adaptive_avg_pool(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Sizes) -> Tensor:
    """The mean of windows that cut (N, C, H, W) into so many parts; None keeps an extent."""
    return _adaptive_avg_pool(2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Sizes) -> Tensor:
    """The mean of windows that cut (N, C, D, H, W) into so many parts; None keeps an extent."""
    return _adaptive_avg_pool(3, input, output_size)


def adaptive_max_pool1d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """The largest value of windows that cut (N, C, L) into so many parts."""
    return _adaptive_max_pool(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """The largest value of windows that cut (N, C, H, W) into so many parts; None keeps an extent."""
    return _adaptive_max_pool(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """The largest value of windows that cut (N, C, D, H, W) into so many parts; None keeps an extent."""
    return _adaptive_max_pool(3, input, output_size, return_indices)


def _output_sizes(input: Tensor, rank: int, output_size: Sizes) -> Ints:
    given = output_size if isinstance(output_size, Sequence) else (output_size,) * rank
    if len(given) == 1:
        given = (*given,) * rank
    if len(given) != rank:
        raise runtime_error(f"adaptive pooling over {rank} dimensions: output_size must have {rank} elements")
    return tuple(n if size is None else int(size) for n, size in zip(input.shape[-rank:], given))


def parts(n: int, count: int) -> list[tuple[int, int]]:
    """Where the windows of adaptive pooling start and end."""
    return [(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]


def _adaptive_avg_pool(rank: int, input: Tensor, output_size: Sizes) -> Tensor:
    batched(input, rank, f"adaptive_avg_pool{rank}d")
    sizes = _output_sizes(input, rank, output_size)
    extents = input.shape[-rank:]
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
    weights = builder.constant(np.ascontiguousarray(matrix), matrix.shape, x.dtype)
    return x.matmul(weights) if dim in (-1, x.ndim - 1) else x.movedim(dim, -1).matmul(weights).movedim(-1, dim)


def _adaptive_max_pool(rank: int, input: Tensor, output_size: Sizes, return_indices: bool) -> Any:
    batched(input, rank, f"adaptive_max_pool{rank}d")
    sizes = _output_sizes(input, rank, output_size)
    extents = tuple(input.shape[-rank:])
    if all(n % size == 0 for n, size in zip(extents, sizes)):
        window = [n // size for n, size in zip(extents, sizes)]
        return max_pool(rank, input, window, None, 0, 1, False, return_indices)
    values: list[Tensor] = []
    places: list[Tensor] = []
    for cut in itertools.product(*(parts(n, size) for n, size in zip(extents, sizes))):
        part = input
        for d, (start, end) in zip(range(-rank, 0), cut):
            part = part.narrow(d, start, end - start)
        window = tuple(end - start for start, end in cut)
        value, place = max_pool(rank, part, window, None, 0, 1, False, True)
        values.append(value.flatten(-rank).squeeze(-1))
        if return_indices:
            places.append(_moved(place.flatten(-rank).squeeze(-1), extents, window, tuple(start for start, _ in cut)))
    shape = (*input.shape[:-rank], *sizes)
    joined = stack(values, -1).reshape(shape)
    return (joined, stack(places, -1).reshape(shape)) if return_indices else joined


def _moved(index: Tensor, extents: Ints, window: Ints, start: Ints) -> Tensor:
    """An index into a window as one into the whole."""
    number: Any = index
    total, stride = index * 0, 1
    for n, k, at in zip(reversed(extents), reversed(window), reversed(start)):
        total = total + (number % k + at) * stride
        number, stride = number // k, stride * n
    return total
