"""Pooling over windows, given or fitted to an output size."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...dispatch import builder
from ...errors import runtime_error
from ...ops.joining import stack
from ...tensor import Tensor
from .extents import Extents, Ints, batched, spread

Sizes = int | None | Sequence[int | None]


def max_pool1d(
    input: Tensor,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    dilation: Extents = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value of every window of (N, C, L), and on demand where it is."""
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    dilation: Extents = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value of every window of (N, C, H, W), and on demand where it is."""
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Tensor,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    dilation: Extents = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value of every window of (N, C, D, H, W), and on demand where it is."""
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def avg_pool1d(
    input: Tensor,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of every window of (N, C, L)."""
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of every window of (N, C, H, W)."""
    return _avg_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Extents, stride: Extents | None = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of every window of (N, C, H, W)."""
    area = math.prod(spread(kernel_size, 2))
    mean = avg_pool2d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return (mean * area).relu().pow(1.0 / norm_type)


def adaptive_avg_pool1d(input: Tensor, output_size: Sizes) -> Tensor:
    """The mean of windows that cut (N, C, L) into so many parts."""
    return _adaptive_avg_pool(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Sizes) -> Tensor:
    """The mean of windows that cut (N, C, H, W) into so many parts; None keeps an extent."""
    return _adaptive_avg_pool(2, input, output_size)


def adaptive_max_pool1d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """The largest value of windows that cut (N, C, L) into so many parts."""
    return _adaptive_max_pool(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """The largest value of windows that cut (N, C, H, W) into so many parts; None keeps an extent."""
    return _adaptive_max_pool(2, input, output_size, return_indices)


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Values back at the places that max_pool1d told, zeros elsewhere."""
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Values back at the places that max_pool2d told, zeros elsewhere."""
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


def _windows(
    input: Tensor,
    rank: int,
    kernel_size: Extents,
    stride: Extents | None,
    padding: Extents,
    dilation: Extents,
    ceil_mode: bool,
    function: str,
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """(window, stride, low, high, dilation), where `high` makes room for a last window that ends outside."""
    if input.ndim not in (rank + 1, rank + 2):
        raise runtime_error(
            f"Expected {rank + 1}D or {rank + 2}D (batch mode) tensor for input to {function}, "
            f"but got: {list(input.shape)}"
        )
    window = spread(kernel_size, rank, "kernel_size")
    strides = window if stride is None or stride == () or stride == [] else spread(stride, rank, "stride")
    low, dilations = spread(padding, rank, "padding"), spread(dilation, rank, "dilation")
    if min(strides) < 1:
        raise runtime_error("stride should not be zero")
    for p, k, d in zip(low, window, dilations):
        if p < 0 or p > ((k - 1) * d + 1) // 2:
            raise runtime_error(
                f"pad should be at most half of effective kernel size, but got pad={p}, "
                f"kernel_size={k} and dilation={d}"
            )
    extents = input.shape[input.ndim - rank :]
    high: list[int] = []
    for n, k, t, p, d in zip(extents, window, strides, low, dilations):
        places = output_extent(n, k, t, p, d, ceil_mode)
        if places < 1:
            raise runtime_error(
                f"Given input size: ({'x'.join(map(str, input.shape[-rank - 1 :]))}). "
                f"Calculated output size: ({'x'.join(map(str, (*input.shape[-rank - 1 : -rank], *[places] * rank)))}). "
                "Output size is too small"
            )
        high.append(max((places - 1) * t + (k - 1) * d + 1 - n - p, 0) if ceil_mode else p)
    return window, strides, low, tuple(high), dilations


def output_extent(n: int, k: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """In how many places a window of k goes; with ceil_mode it may end outside, but must start inside."""
    room = n + 2 * padding - dilation * (k - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    places = -(-room // stride) + 1
    return places - 1 if (places - 1) * stride >= n + padding else places


def _max_pool(
    rank: int,
    input: Tensor,
    kernel_size: Extents,
    stride: Extents | None,
    padding: Extents,
    dilation: Extents,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    arguments = _windows(input, rank, kernel_size, stride, padding, dilation, ceil_mode, f"max_pool{rank}d")
    values = builder.reduce_window(input, "max", *arguments)
    return (values, builder.argmax_window(input, *arguments)) if return_indices else values


def _avg_pool(
    rank: int,
    input: Tensor,
    kernel_size: Extents,
    stride: Extents | None,
    padding: Extents,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    window, strides, low, high, ones = _windows(
        input, rank, kernel_size, stride, padding, 1, ceil_mode, f"avg_pool{rank}d"
    )
    sums = builder.reduce_window(input, "sum", window, strides, low, high, ones)
    if divisor_override is not None:
        if divisor_override == 0:
            raise runtime_error("divisor must be not zero")
        return sums / divisor_override
    counts = [
        _counts(n, k, t, p, places, count_include_pad)
        for n, k, t, p, places in zip(input.shape[-rank:], window, strides, low, sums.shape[-rank:])
    ]
    if all((c == c[0]).all() for c in counts):
        return sums / float(math.prod(int(c[0]) for c in counts))
    areas: np.ndarray[Any, Any] = counts[0]
    for c in counts[1:]:
        areas = np.multiply.outer(areas, c)
    return sums * builder.constant((1.0 / areas).astype(input.dtype.numpy), areas.shape, input.dtype)


def _counts(n: int, k: int, stride: int, padding: int, places: int, include_pad: bool) -> np.ndarray[Any, Any]:
    """How many elements count in every window along a dimension."""
    starts = np.arange(places) * stride - padding
    ends = np.minimum(starts + k, n + padding)
    return ends - starts if include_pad else np.minimum(ends, n) - np.maximum(starts, 0)


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
        return _avg_pool(rank, input, [n // size for n, size in zip(extents, sizes)], None, 0, False, True, None)
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
        return _max_pool(rank, input, window, None, 0, 1, False, return_indices)
    values: list[Tensor] = []
    places: list[Tensor] = []
    for cut in itertools.product(*(parts(n, size) for n, size in zip(extents, sizes))):
        part = input
        for d, (start, end) in zip(range(-rank, 0), cut):
            part = part.narrow(d, start, end - start)
        window = tuple(end - start for start, end in cut)
        value, place = _max_pool(rank, part, window, None, 0, 1, False, True)
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


def _max_unpool(
    rank: int,
    input: Tensor,
    indices: Tensor,
    kernel_size: Extents,
    stride: Extents | None,
    padding: Extents,
    output_size: Sequence[int] | None,
) -> Tensor:
    if input.shape != indices.shape:
        raise runtime_error(
            f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) "
            f"but got indices tensor with shape: {list(indices.shape)}"
        )
    window = spread(kernel_size, rank)
    strides = window if stride is None else spread(stride, rank)
    sizes = tuple(
        (n - 1) * t - 2 * p + k for n, k, t, p in zip(input.shape[-rank:], window, strides, spread(padding, rank))
    )
    if output_size is not None:
        sizes = tuple(int(n) for n in output_size)[-rank:]
    lead = tuple(input.shape[:-rank])
    rows = math.prod(lead)
    flat = input.new_zeros(rows, math.prod(sizes)).scatter(1, indices.reshape(rows, -1), input.reshape(rows, -1))
    return flat.reshape(*lead, *sizes)
