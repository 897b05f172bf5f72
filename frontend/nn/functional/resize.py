"""Images of another size: every mode but `nearest` is a product with a matrix of weights along each dimension."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from ....dialects.types import i64, u8
from ...dispatch import builder
from ...errors import located, runtime_error
from ...ops.joining import unshared
from ...surface.element_types import no_kernel
from ...tensor import Tensor
from .adaptive_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d, along

Array = np.ndarray[Any, Any]
LINEAR = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}
"""Modes that interpolate, and over how many dimensions."""
MODES = ("nearest", *LINEAR, "area", "nearest-exact")


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """(N, C, ...) with its last dimensions brought to a size, or scaled by a factor."""
    if mode not in MODES:
        raise located(NotImplementedError, f"Input Error: Only 3D, 4D and 5D input Tensors supported, mode {mode!r} is none of {MODES}")  # fmt: skip  # noqa: E501
    if mode not in LINEAR and align_corners is not None:
        raise located(
            ValueError,
            "align_corners option can only be set with the interpolating modes: "
            "linear | bilinear | bicubic | trilinear",
        )
    if antialias and (mode not in ("bilinear", "bicubic") or input.ndim != 4):
        raise located(
            ValueError,
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D tensor as input",
        )
    if input.dtype is u8 and mode in LINEAR:  # in floats, and rounded
        wide = interpolate(input.float(), size, scale_factor, mode, align_corners, recompute_scale_factor, antialias)
        return wide.round().clamp(0, 255).to(u8)
    if input.dtype.kind != "float" and (input.dtype is not u8 or mode == "area"):
        raise no_kernel(f"upsample_{mode}", input)
    rank = input.ndim - 2
    if rank < 1 or (mode in LINEAR and LINEAR[mode] != rank):
        raise located(
            NotImplementedError, f"Got {input.ndim}D input, but {mode} mode needs {LINEAR.get(mode, 1) + 2}D input"
        )
    extents = tuple(input.shape[2:])
    sizes, scales = _sizes(extents, size, scale_factor, bool(recompute_scale_factor))
    if min(*sizes, *extents) < 1:
        raise runtime_error(f"Input and output sizes should be greater than 0, but got input {extents} output {sizes}")
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[rank - 1](input, sizes)
    given = input
    for d, (n, out, scale) in enumerate(zip(extents, sizes, scales), 2):
        if mode in ("nearest", "nearest-exact"):
            input = _nearest(input, d, out, scale, mode == "nearest-exact")
        elif antialias:
            input = along(input, d, _antialiased(n, out, scale, bool(align_corners), mode == "bicubic"))
        else:
            if n == out and mode != "bicubic":
                continue  # as in PyTorch, whatever the factor was
            rule = _cubic if mode == "bicubic" else _linear
            input = along(input, d, rule(n, out, _sources(n, out, scale, bool(align_corners))))
    return unshared(input, given)


def upsample(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """interpolate, by its old name."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(..., C * r * r, H, W) as (..., C, H * r, W * r)."""
    r = upscale_factor
    _check_shuffle("pixel_shuffle", "upscale_factor", input, r)
    lead, (channels, height, width) = tuple(input.shape[:-3]), input.shape[-3:]
    if channels % (r * r):
        raise runtime_error(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={channels} is not divisible by {r * r}"
        )
    x = input.reshape(math.prod(lead), channels // (r * r), r, r, height, width).permute(0, 1, 4, 2, 5, 3)
    return unshared(x.reshape(*lead, channels // (r * r), height * r, width * r), input)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(..., C, H * r, W * r) as (..., C * r * r, H, W)."""
    r = downscale_factor
    _check_shuffle("pixel_unshuffle", "downscale_factor", input, r)
    lead, (channels, height, width) = tuple(input.shape[:-3]), input.shape[-3:]
    if height % r or width % r:
        raise runtime_error(
            f"pixel_unshuffle expects height and width to be divisible by downscale_factor, "
            f"but input.size(-2)={height} and input.size(-1)={width} are not by {r}"
        )
    x = input.reshape(math.prod(lead), channels, height // r, r, width // r, r).permute(0, 1, 3, 5, 2, 4)
    return unshared(x.reshape(*lead, channels * r * r, height // r, width // r), input)


def _check_shuffle(name: str, argument: str, input: Tensor, r: int) -> None:
    if input.ndim < 3:
        raise runtime_error(
            f"{name} expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
        )
    if r < 1:
        raise runtime_error(f"{name} expects a positive {argument}, but got {r}")


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels of all groups in turn."""
    if input.ndim < 3:
        raise runtime_error(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.shape)}"
        )
    if groups < 1:
        raise runtime_error(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    if input.shape[1] % groups:
        raise runtime_error(
            f"Number of channels must be divisible by groups. Got {input.shape[1]} channels and {groups} groups."
        )
    x = input.reshape(input.shape[0], groups, input.shape[1] // groups, *input.shape[2:])
    return unshared(x.transpose(1, 2).reshape(input.shape), input)


def _sizes(
    extents: tuple[int, ...], size: Any, scale_factor: Any, recompute: bool
) -> tuple[tuple[int, ...], list[float]]:
    """The new extents, and how far apart new elements lie in the old ones."""
    if size is not None and scale_factor is not None:
        raise located(ValueError, "only one of size or scale_factor should be defined")
    given: Any = size if size is not None else scale_factor
    if given is None:
        raise located(ValueError, "either size or scale_factor should be defined")
    values: tuple[Any, ...] = (
        tuple(cast(Sequence[Any], given)) if isinstance(given, Sequence) else (given,) * len(extents)
    )
    if len(values) != len(extents):
        raise located(
            ValueError,
            f"Input and output must have the same number of spatial dimensions, but got input with spatial dimensions "
            f"of {list(extents)} and {'output size' if size is not None else 'scale_factor'} of {given}.",
        )
    if size is not None:
        sizes = tuple(int(n) for n in values)
        return sizes, [n / max(m, 1) for n, m in zip(extents, sizes)]
    sizes = tuple(math.floor(float(n) * f) for n, f in zip(extents, values))
    if recompute:
        return sizes, [n / max(m, 1) for n, m in zip(extents, sizes)]
    return sizes, [1.0 / f if f else math.inf for f in values]


def _nearest(x: Tensor, dim: int, out: int, scale: float, exact: bool) -> Tensor:
    n = x.shape[dim]
    places = np.arange(out, dtype=np.float32) + np.float32(0.5 if exact else 0.0)
    index = np.minimum(np.floor(places * np.float32(scale)), n - 1).astype(np.int64)
    if out % n == 0 and (index == np.arange(out) // (out // n)).all():
        shape = tuple(x.shape)
        wide = x.unsqueeze(dim + 1).expand(*shape[: dim + 1], out // n, *shape[dim + 1 :])
        return wide.reshape(*shape[:dim], out, *shape[dim + 1 :])
    return x.index_select(dim, builder.constant(index, index.shape, i64))


def _sources(n: int, out: int, scale: float, align_corners: bool) -> Array:
    """Where new elements lie among the old ones."""
    places = np.arange(out, dtype=np.float64)
    if align_corners:
        return places * ((n - 1) / (out - 1) if out > 1 else 0.0)
    return (places + 0.5) * scale - 0.5


def _linear(n: int, out: int, sources: Array) -> Array:
    sources = np.maximum(sources, 0.0)
    low = np.minimum(sources.astype(np.int64), n - 1)
    high = np.minimum(low + 1, n - 1)
    share = sources - low
    weights = np.zeros((n, out))
    np.add.at(weights, (low, np.arange(out)), 1.0 - share)
    np.add.at(weights, (high, np.arange(out)), share)
    return weights


def _cubic(n: int, out: int, sources: Array) -> Array:
    low = np.floor(sources).astype(np.int64)
    weights = np.zeros((n, out))
    for k in range(-1, 3):
        share = _cubic_filter(np.abs(sources - (low + k)), -0.75)
        np.add.at(weights, (np.clip(low + k, 0, n - 1), np.arange(out)), share)
    return weights


def _cubic_filter(x: Array, a: float) -> Array:
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _antialiased(n: int, out: int, scale: float, align_corners: bool, cubic: bool) -> Array:
    """When shrinking, a new element is a weighted mean of all old ones that it covers."""
    scale = ((n - 1) / (out - 1) if out > 1 else 0.0) if align_corners else scale
    width = max(scale, 1.0)
    support = (2.0 if cubic else 1.0) * width
    weights = np.zeros((n, out))
    for k in range(out):
        centre = scale * (k + 0.5)
        places = np.arange(max(int(centre - support + 0.5), 0), min(int(centre + support + 0.5), n))
        x = np.abs((places - centre + 0.5) / width)
        share = _cubic_filter(x, -0.5) if cubic else np.maximum(1.0 - x, 0.0)
        weights[places, k] = share / share.sum()
    return weights


__all__ = ["channel_shuffle", "interpolate", "pixel_shuffle", "pixel_unshuffle", "upsample"]
