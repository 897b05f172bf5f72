"""Max pooling undone: values back at the places that they came from."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...errors import runtime_error
from ...tensor import Tensor
from .by_rank import by_rank
from .extents import Extents, spread


def _max_unpool(
    rank: int,
    input: Tensor,
    indices: Tensor,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    output_size: Sequence[int] | None = None,
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
    count = math.prod(input.shape[-rank:])
    values, places = input.reshape(rows, count), indices.reshape(rows, count)
    zeros = input.new_zeros(rows, math.prod(sizes))
    if strides < window:
        # Windows that overlap tell one place several times, with one value; each of them gets the gradient.
        flat = zeros.scatter(1, places, values.detach()) + zeros.scatter_add(1, places, values - values.detach())
    else:
        flat = zeros.scatter(1, places, values)
    return flat.reshape(*lead, *sizes)


max_unpool1d, max_unpool2d, max_unpool3d = by_rank(
    _max_unpool, "max_unpool{}d", "Values back at the places that max_pool{rank}d told, zeros elsewhere."
)

__all__ = ["max_unpool1d", "max_unpool2d", "max_unpool3d"]
