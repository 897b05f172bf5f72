"""Windows as columns, and back."""

from __future__ import annotations

import math

from ...errors import runtime_error
from ...ops.joining import cat
from ...tensor import Tensor
from .extents import Extents, Ints, batched, spread
from .padding import pad


def unfold(
    input: Tensor, kernel_size: Extents, dilation: Extents = 1, padding: Extents = 0, stride: Extents = 1
) -> Tensor:
    """Every window of (N, C, H, W) as a column of (N, C * K * K, windows)."""
    x, has_batch = batched(input, 2, "unfold")
    kernel, dilations, around, strides = (spread(v, 2) for v in (kernel_size, dilation, padding, stride))
    _check(kernel, dilations, around, strides)
    x = pad(x, (around[1], around[1], around[0], around[0]))
    places = _places(tuple(x.shape[2:]), kernel, dilations, strides)
    parts = [
        x[:, :, i * dilations[0] :: strides[0], j * dilations[1] :: strides[1]][:, :, : places[0], : places[1]]
        for i in range(kernel[0])
        for j in range(kernel[1])
    ]
    columns = cat([p.reshape(x.shape[0], x.shape[1], 1, math.prod(places)) for p in parts], 2)
    result = columns.reshape(x.shape[0], x.shape[1] * math.prod(kernel), math.prod(places))
    return result if has_batch else result.squeeze(0)


def _check(kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> None:
    for name, given in (("kernel size", kernel), ("dilation", dilation), ("stride", stride)):
        if min(given) < 1:
            raise runtime_error(f"{name} should be greater than zero, but got height: {given[0]} width: {given[1]}")
    if min(padding) < 0:
        raise runtime_error(f"padding should be non-negative, but got height: {padding[0]} width: {padding[1]}")


def fold(
    input: Tensor,
    output_size: Extents,
    kernel_size: Extents,
    dilation: Extents = 1,
    padding: Extents = 0,
    stride: Extents = 1,
) -> Tensor:
    """The transpose of unfold: columns (N, C * K * K, windows) added up to (N, C, H, W)."""
    has_batch = input.ndim == 3
    x = input if has_batch else input.unsqueeze(0)
    size, kernel, dilations, around, strides = (
        spread(v, 2) for v in (output_size, kernel_size, dilation, padding, stride)
    )
    _check(kernel, dilations, around, strides)
    padded = tuple(n + 2 * p for n, p in zip(size, around))
    places = _places(padded, kernel, dilations, strides)
    if x.ndim != 3 or x.shape[1] % math.prod(kernel) or x.shape[2] != math.prod(places):
        raise runtime_error(
            f"fold: expected columns of size (N, C * {math.prod(kernel)}, {math.prod(places)}), got {list(input.shape)}"
        )
    columns = x.reshape(x.shape[0], x.shape[1] // math.prod(kernel), *kernel, *places)
    total = x.new_zeros(x.shape[0], columns.shape[1], *padded)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            rows, cols = (
                slice(k * d, k * d + (n - 1) * s + 1, s) for k, d, n, s in zip((i, j), dilations, places, strides)
            )
            total[:, :, rows, cols] += columns[:, :, i, j]
    result = total[:, :, around[0] : around[0] + size[0], around[1] : around[1] + size[1]]
    return result if has_batch else result.squeeze(0)


def _places(extents: Ints, kernel: Ints, dilation: Ints, stride: Ints) -> Ints:
    places = tuple((n - d * (k - 1) - 1) // s + 1 for n, k, d, s in zip(extents, kernel, dilation, stride))
    if min(places) < 1:
        raise runtime_error(
            f"Given padded spatial size {extents}, kernel_size={kernel}, dilation={dilation}, calculated shape of the "
            f"array of sliding blocks as {places}, but its components must be at least one."
        )
    return places


__all__ = ["fold", "unfold"]
