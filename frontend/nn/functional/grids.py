"""Images sampled at places that a grid of coordinates tells, as in spatial transformers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ....dialects.types import i64
from ...dispatch import builder
from ...errors import located, runtime_error
from ...ops.joining import stack
from ...tensor import Tensor

Taps = tuple[Tensor, Tensor]
"""Along a dimension of the image: places to look at (whole numbers, as floats) and their weights, (N, P, taps)."""


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The grid (N, H, W, 2) for grid_sample that moves an image by matrices (N, 2, 3); or one dimension more."""
    if theta.dtype.kind != "float":
        raise located(ValueError, f"Expected theta to have floating point type, but got {theta.dtype}")
    if min(size) < 1:
        raise located(ValueError, f"Expected non-zero, positive output size. Got {tuple(size)}")
    extents = tuple(int(n) for n in size)[2:]
    rank = len(extents)
    if rank not in (2, 3) or tuple(theta.shape) != (int(size[0]), rank, rank + 1):
        raise located(
            NotImplementedError if rank not in (2, 3) else ValueError,
            f"Expected a batch of {rank}D affine matrices of shape Nx{rank}x{rank + 1} for size {list(size)}. "
            f"Got {list(theta.shape)}.",
        )
    places = np.ones((*extents, rank + 1), theta.dtype.numpy)
    for d, n in enumerate(extents):
        steps = np.linspace(-1.0, 1.0, n) if n > 1 else np.zeros(1)
        if not align_corners:
            steps = steps * ((n - 1) / n)
        places[..., rank - 1 - d] = steps.reshape(-1, *(1,) * (rank - 1 - d))
    flat = places.reshape(-1, rank + 1)
    grid = builder.constant(flat, flat.shape, theta.dtype).matmul(theta.transpose(1, 2))
    return grid.reshape(theta.shape[0], *extents, rank)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """(N, C, H, W) at the places of a grid (N, h, w, 2) whose x and y go from -1 to 1; or one dimension more."""
    rank = input.ndim - 2
    if mode not in TAPS:
        raise located(
            ValueError,
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'",
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise located(
            ValueError,
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', "
            f"but got: '{padding_mode}'",
        )
    if rank not in (2, 3) or grid.ndim != input.ndim or (mode == "bicubic" and rank == 3):
        raise runtime_error(
            f"grid_sample(): expected 4D or 5D input and grid with same number of dimensions, but got input with sizes "
            f"{list(input.shape)} and grid with sizes {list(grid.shape)} (bicubic takes 4D input)"
        )
    if grid.shape[0] != input.shape[0] or grid.shape[-1] != rank:
        raise runtime_error(
            f"grid_sample(): expected grid to have batch size {input.shape[0]} and size {rank} in last dimension, "
            f"but got grid with sizes {list(grid.shape)}"
        )
    corners = bool(align_corners)
    extents, spatial = tuple(input.shape[2:]), tuple(grid.shape[1:-1])
    number: Tensor | None = None
    shares: Tensor | None = None
    for d, n in enumerate(extents):
        g = grid.select(-1, rank - 1 - d).reshape(grid.shape[0], math.prod(spatial))
        place = (g + 1.0) * ((n - 1) / 2) if corners else ((g + 1.0) * n - 1.0) / 2
        # The cubic filter reaches beyond the border, so that its taps are brought inside instead of its centre.
        at, share = TAPS[mode](place if mode == "bicubic" else _inside(place, n, padding_mode, corners))
        if mode == "bicubic":
            at = _inside(at, n, padding_mode, corners)
        share = share.masked_fill((at < 0.0).logical_or(at > float(n - 1)), 0.0)
        index = at.detach().clamp(0.0, float(n - 1)).to(i64)
        # One dimension more for the taps of each dimension of the image, then one for all of them.
        number = index if number is None else (number.unsqueeze(-1) * n + index.unsqueeze(2)).flatten(2)
        shares = share if shares is None else (shares.unsqueeze(-1) * share.unsqueeze(2)).flatten(2)
    assert number is not None and shares is not None
    found = builder.gather(input.flatten(2), number, 2, 1) * shares.unsqueeze(1)
    return found.sum(-1).reshape(*input.shape[:2], *spatial)


def _inside(place: Tensor, n: int, padding_mode: str, corners: bool) -> Tensor:
    """Coordinates brought to where there are pixels; for "zeros" they stay."""
    if padding_mode == "zeros":
        return place
    if padding_mode == "reflection":
        low, span = (0.0, float(n - 1)) if corners else (-0.5, float(n))
        if span == 0:
            return place * 0.0
        distance = (place - low).abs()
        turns = (distance / span).floor()
        rest = distance - turns * span
        place = rest.where(turns.remainder(2.0) == 0, span - rest) + low
    return place.clamp(0.0, float(n - 1))


def _linear(place: Tensor) -> Taps:
    low = place.detach().floor()
    share = place - low
    return stack([low, low + 1.0], -1), stack([1.0 - share, share], -1)


def _nearest(place: Tensor) -> Taps:
    at = place.detach().round().unsqueeze(-1)
    return at, place.unsqueeze(-1) * 0.0 + 1.0  # the gradient of the place is 0


def _cubic(place: Tensor) -> Taps:
    a = -0.75
    low = place.detach().floor()
    share = place - low

    def near(x: Tensor) -> Tensor:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Tensor) -> Tensor:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    shares = [far(share + 1.0), near(share), near(1.0 - share), far(2.0 - share)]
    return stack([low + k for k in (-1.0, 0.0, 1.0, 2.0)], -1), stack(shares, -1)


TAPS: dict[str, Callable[[Tensor], Taps]] = {"bilinear": _linear, "nearest": _nearest, "bicubic": _cubic}


__all__ = ["affine_grid", "grid_sample"]
