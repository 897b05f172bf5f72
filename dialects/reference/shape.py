"""Meaning of dialects/hl/shape.py. Results may be views of operands."""

from __future__ import annotations

import numpy as np

from ..hl import shape as s
from ..types import DType
from .table import Array, Table

Ints = tuple[int, ...]


def constant(*, value: float | Array, shape: Ints, dtype: DType) -> Array:
    return np.full(shape, value, dtype.numpy)


def iota(*, shape: Ints, dtype: DType, dimension: int) -> Array:
    result = np.empty(shape, dtype.numpy)
    along = [1] * len(shape)
    along[dimension] = -1
    result[...] = np.arange(shape[dimension]).astype(dtype.numpy).reshape(along) if result.size else 0
    return result


def broadcast(x: Array, *, shape: Ints, dimensions: Ints) -> Array:
    aligned = [1] * len(shape)
    for extent, dimension in zip(x.shape, dimensions):
        aligned[dimension] = extent
    return np.broadcast_to(x.reshape(aligned), shape)


def reshape(x: Array, *, shape: Ints) -> Array:
    return x.reshape(shape)


def transpose(x: Array, *, permutation: Ints) -> Array:
    return x.transpose(permutation)


def slice_(x: Array, *, start: Ints, stop: Ints, step: Ints) -> Array:
    return x[(*map(slice, start, stop, step), ...)]


def pad(x: Array, *, low: Ints, high: Ints, interior: Ints, value: float) -> Array:
    source: list[slice] = []
    target: list[slice] = []
    shape: list[int] = []
    for extent, before, after, between in zip(x.shape, low, high, interior):
        padded = extent + max(extent - 1, 0) * between + before + after
        stride = between + 1
        first = max(0, -(before // stride))  # the first element that is not cropped away
        last = max(first, min(extent, -((before - padded) // stride)))
        source.append(slice(first, last))
        target.append(slice(before + first * stride, before + first * stride + (last - first) * stride, stride))
        shape.append(padded)
    result = np.full(shape, value, x.dtype)
    kept = x[(*source, ...)]
    if kept.size:
        result[(*target, ...)] = kept
    return result


def concat(*xs: Array, dimension: int) -> Array:
    return np.concatenate(xs, dimension)


def reverse(x: Array, *, dimensions: Ints) -> Array:
    return x[(*(slice(None, None, -1 if d in dimensions else 1) for d in range(x.ndim)), ...)]


def diagonal(x: Array, *, offset: int) -> Array:
    return np.diagonal(x, offset, -2, -1)


TABLE: Table = {
    s.ConstantOp: constant,
    s.IotaOp: iota,
    s.BroadcastOp: broadcast,
    s.ReshapeOp: reshape,
    s.TransposeOp: transpose,
    s.SliceOp: slice_,
    s.PadOp: pad,
    s.ConcatOp: concat,
    s.ReverseOp: reverse,
    s.DiagonalOp: diagonal,
}
