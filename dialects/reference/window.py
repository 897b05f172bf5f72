"""Meaning of dialects/hl/window.py."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..hl import window as w
from ..types import dtype_of_numpy
from .elementwise import select
from .product import matmul
from .shape import pad
from .table import Array, Table

Ints = tuple[int, ...]
UNFOLDED = 1 << 22
"""So many bytes of windows are laid out at once."""


def padded(x: Array, low: Ints, high: Ints, gaps: Ints, value: float) -> Array:
    """x with `value` around the last dimensions and between their elements."""
    if not any((*low, *high, *gaps)):
        return x
    lead = (0,) * (x.ndim - len(low))
    return pad(x, low=lead + low, high=lead + high, interior=lead + gaps, value=value)


def correlate(x: Array, w: Array, *, stride: Ints, dilation: Ints) -> Array:
    """One matrix product a group, of the filters by the windows laid out as columns."""
    rank = len(stride)
    grouped = x.ndim == rank + 3
    if not grouped:
        x, w = x[:, None], w[None]
    batch, groups, channels, *extents = x.shape
    outputs, window = w.shape[1], w.shape[3:]
    places = [(n - (k - 1) * d - 1) // t + 1 for n, k, t, d in zip(extents, window, stride, dilation, strict=True)]
    result = np.zeros((batch, groups, outputs, *places), x.dtype)
    rows = channels * math.prod(window)
    size = groups * rows * math.prod(places) * x.itemsize
    matrix = w.reshape(groups, outputs, rows)
    step = max(1, UNFOLDED // max(size, 1))
    for first in range(0, batch if result.size and rows else 0, step):
        part = x[first : first + step]
        along = part.strides[3:]
        columns = as_strided(
            part,
            (groups, channels, *window, len(part), *places),
            (
                *part.strides[1:3],
                *(s * d for s, d in zip(along, dilation, strict=True)),
                part.strides[0],
                *(s * t for s, t in zip(along, stride, strict=True)),
            ),
            writeable=False,
        ).reshape(groups, rows, -1)
        product = matmul(matrix, columns).reshape(groups, outputs, len(part), *places)
        result[first : first + step] = product.transpose(2, 0, 1, *range(3, 3 + rank))
    return result if grouped else result[:, 0]


def conv(
    x: Array, w: Array, *, stride: Ints, low: Ints, high: Ints, dilation: Ints, input_dilation: Ints, groups: int
) -> Array:
    x = padded(x, low, high, tuple(n - 1 for n in input_dilation), 0)
    if groups == 1:
        return correlate(x, w, stride=stride, dilation=dilation)
    x = x.reshape(len(x), groups, w.shape[1], *x.shape[2:])
    y = correlate(x, w.reshape(groups, w.shape[0] // groups, *w.shape[1:]), stride=stride, dilation=dilation)
    return y.reshape(len(x), w.shape[0], *y.shape[3:])


def shifts(x: Array, window: Ints, stride: Ints, dilation: Ints) -> Iterator[tuple[Ints, Array]]:
    """For each element of the window, in row-major order: its offset, and that element of every window."""
    lead = x.ndim - len(window)
    places = [
        (n - (k - 1) * d - 1) // t + 1 for n, k, t, d in zip(x.shape[lead:], window, stride, dilation, strict=True)
    ]
    for element in np.ndindex(*window):
        offset = tuple(k * d for k, d in zip(element, dilation, strict=True))
        at = (slice(o, o + (m - 1) * t + 1, t) for o, m, t in zip(offset, places, stride, strict=True))
        yield offset, x[(..., *at)]


COMBINE: dict[str, np.ufunc] = {"sum": np.add, "max": np.maximum, "min": np.minimum}


def neutral(kind: str, dtype: np.dtype[np.generic]) -> float:
    """What does not count in a window."""
    if kind == "sum":
        return 0
    if dtype.kind == "f":
        return -math.inf if kind == "max" else math.inf
    return int(np.iinfo(dtype.name).min if kind == "max" else np.iinfo(dtype.name).max)


def reduce_window(x: Array, *, kind: str, window: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints) -> Array:
    x = padded(x, low, high, (0,) * len(low), neutral(kind, x.dtype))
    parts = (part for _, part in shifts(x, window, stride, dilation))
    result = next(parts).astype(np.float64 if kind == "sum" and x.dtype == np.float32 else x.dtype)
    for part in parts:
        COMBINE[kind](result, part, out=result)
    return result.astype(x.dtype, copy=False)


def argmax_window(x: Array, *, window: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints) -> Array:
    lead = x.ndim - len(window)
    extents = x.shape[lead:]
    worst = neutral("max", x.dtype)
    count = math.prod(extents)
    every: Array = np.arange(count, dtype=np.int64)
    numbers = padded(every.reshape(extents), low, high, (0,) * len(low), -1)
    x = padded(x, low, high, (0,) * len(low), worst)
    best, where = np.empty(0), np.empty(0)
    for n, ((_, values), (_, here)) in enumerate(
        zip(shifts(x, window, stride, dilation), shifts(numbers, window, stride, dilation), strict=True)
    ):
        if n == 0:
            best, where = values.copy(), np.broadcast_to(here, values.shape).copy()
            continue
        better = (values > best) | (where < 0)
        if dtype_of_numpy(x.dtype).kind == "float":
            better |= np.isnan(values) & ~np.isnan(best)
        better &= here >= 0
        best = select(better, values, best)
        where = select(better, np.broadcast_to(here, values.shape), where)
    return where


def windows(x: Array, *, dimension: int, size: int, step: int) -> Array:
    every = np.lib.stride_tricks.sliding_window_view(x, size, dimension)
    return every[(slice(None),) * dimension + (slice(None, None, step),)]


TABLE: Table = {
    w.ConvOp: conv,
    w.CorrelateOp: correlate,
    w.ReduceWindowOp: reduce_window,
    w.ArgmaxWindowOp: argmax_window,
    w.WindowsOp: windows,
}
