"""Pooling over given windows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....dialects.types import i64
from ...dispatch import builder
from ...errors import runtime_error
from ...surface.element_types import no_kernel
from ...tensor import Tensor
from .by_rank import by_rank
from .extents import Extents, Ints, spread


def avg_pool1d(
    input: Tensor,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of every window of (N, C, L)."""
    return avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


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


def max_pool(
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


def _max_pool(
    rank: int,
    input: Tensor,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    dilation: Extents = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    if rank == 1 and input.dtype.kind != "float" and not return_indices:
        raise no_kernel("max_pool1d", input)
    return max_pool(rank, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def avg_pool(
    rank: int,
    input: Tensor,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    window, strides, low, high, ones = _windows(
        input, rank, kernel_size, stride, padding, 1, ceil_mode, f"avg_pool{rank}d"
    )
    if input.dtype.kind != "float" and input.dtype is not i64:
        raise no_kernel(f"avg_pool{rank}d", input)
    sums = builder.reduce_window(input, "sum", window, strides, low, high, ones)
    if divisor_override is not None:
        if divisor_override == 0:
            raise runtime_error("divisor must be not zero")
        return _divided(sums, divisor_override)
    counts = [
        _counts(n, k, t, p, places, count_include_pad)
        for n, k, t, p, places in zip(input.shape[-rank:], window, strides, low, sums.shape[-rank:])
    ]
    if all((c == c[0]).all() for c in counts):
        return _divided(sums, math.prod(int(c[0]) for c in counts))
    areas: np.ndarray[Any, Any] = counts[0]
    for c in counts[1:]:
        areas = np.multiply.outer(areas, c)
    if input.dtype is i64:
        return _divided(sums, builder.constant(areas, areas.shape, i64))
    return sums * builder.constant((1.0 / areas).astype(input.dtype.numpy), areas.shape, input.dtype)


def _divided(sums: Tensor, count: Any) -> Tensor:
    """Means; those of integers are rounded towards zero."""
    return sums / count if sums.dtype.kind == "float" else sums.div(count, rounding_mode="trunc")


def _lp_pool(
    rank: int,
    input: Tensor,
    norm_type: float,
    kernel_size: Extents,
    stride: Extents | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """As in PyTorch, powers keep their signs: for odd norms, windows with a negative sum have no root."""
    area = math.prod(spread(kernel_size, rank))
    mean = avg_pool(rank, input.pow(norm_type), kernel_size, stride, 0, ceil_mode, True, None)
    return (mean * area).pow(1.0 / norm_type)


def _counts(n: int, k: int, stride: int, padding: int, places: int, include_pad: bool) -> np.ndarray[Any, Any]:
    """How many elements count in every window along a dimension."""
    starts = np.arange(places) * stride - padding
    ends = np.minimum(starts + k, n + padding)
    return ends - starts if include_pad else np.minimum(ends, n) - np.maximum(starts, 0)


max_pool1d, max_pool2d, max_pool3d = by_rank(
    _max_pool, "max_pool{}d", "The largest value of every window of {input}, and on demand where it is."
)
avg_pool2d, avg_pool3d = by_rank(avg_pool, "avg_pool{}d", "The mean of every window of {input}.", ranks=(2, 3))
lp_pool1d, lp_pool2d, lp_pool3d = by_rank(_lp_pool, "lp_pool{}d", "The p-norm of every window of {input}.")

__all__ = [
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
]
