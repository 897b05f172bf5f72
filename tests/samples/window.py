"""Samples of dialects/hl/window.py."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from irtool.dialects.hl import window as w
from irtool.dialects.types import DTYPES, f32, f64, i32, i64, u8

from .core import Generator, Op, Sample, distinct, generator, random_array

Ints: TypeAlias = Sequence[int]


def convolution(
    stride: Ints, low: Ints, high: Ints, dilation: Ints, input_dilation: Ints, groups: int = 1
) -> dict[str, Any]:
    return {
        "stride": tuple(stride),
        "low": tuple(low),
        "high": tuple(high),
        "dilation": tuple(dilation),
        "input_dilation": tuple(input_dilation),
        "groups": groups,
    }


CONVOLUTIONS: tuple[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ((2, 3, 7), (4, 3, 3), convolution([1], [0], [0], [1], [1])),
    ((2, 2, 5, 6), (3, 2, 3, 2), convolution([1, 1], [1, 0], [1, 1], [1, 1], [1, 1])),
    ((1, 1, 8), (1, 1, 2), convolution([3], [0], [0], [2], [1])),  # the last elements are in no window
    ((2, 4, 5), (6, 2, 3), convolution([2], [2], [1], [1], [1], 2)),
    ((2, 3, 4, 5), (3, 1, 3, 3), convolution([2, 1], [1, 1], [1, 1], [1, 1], [1, 1], 3)),  # a channel a group
    ((1, 2, 4), (4, 1, 3), convolution([1], [2], [2], [2], [1], 2)),
    ((2, 2, 3), (2, 2, 4), convolution([1], [3], [2], [1], [2])),  # transposed
    ((1, 4, 2, 3), (4, 2, 3, 2), convolution([1, 2], [2, 1], [2, 0], [1, 2], [3, 2], 2)),
    ((1, 2, 6), (2, 2, 2), convolution([1], [-1], [-2], [1], [1])),  # cropped
    ((1, 1, 2), (1, 1, 1), convolution([1], [-1], [-2], [1], [4])),  # nothing but gaps
    ((2, 2, 5, 4), (3, 2, 2, 3), convolution([2, 1], [1, 2], [1, 0], [2, 2], [3, 4])),
    ((1, 2, 5), (2, 2, 1), convolution([2], [3], [-1], [1], [1])),  # far from the operand
    ((2, 3, 4, 4), (5, 3, 1, 1), convolution([2, 2], [0, 0], [0, 0], [1, 1], [1, 1])),
    ((0, 2, 4), (3, 2, 3), convolution([1], [1], [1], [1], [1])),
    ((2, 0, 4), (3, 0, 3), convolution([1], [1], [1], [1], [1])),
    ((1, 1, 1, 1), (1, 1, 1, 1), convolution([1, 1], [0, 0], [0, 0], [1, 1], [1, 1])),
    ((3, 5, 9, 11), (20, 5, 3, 3), convolution([1, 1], [1, 1], [1, 1], [1, 1], [1, 1])),
    ((2, 8, 7, 9), (16, 4, 5, 3), convolution([2, 2], [2, 1], [2, 1], [1, 1], [1, 1], 2)),
    ((2, 24, 6, 7), (24, 1, 3, 3), convolution([1, 1], [1, 1], [1, 1], [1, 1], [1, 1], 24)),
    ((1, 1, 3, 4, 3), (2, 1, 2, 2, 2), convolution([1] * 3, [1] * 3, [0] * 3, [1] * 3, [1] * 3)),
)


def conv(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for n, (left, right, attributes) in enumerate(CONVOLUTIONS):
        for dtype in (f32, f64, i64, i32) if n in (1, 3) else (f32, f64):
            x, filters = random_array(g, left, dtype), random_array(g, right, dtype)
            yield Sample((x, filters), attributes, dtype is f64 and n < 16, scale=9.0 * max(1, math.prod(right[1:])))


CORRELATIONS: tuple[tuple[tuple[int, ...], tuple[int, ...], Ints, Ints], ...] = (
    ((2, 3, 7), (4, 3, 3), [2], [1]),
    ((2, 2, 3, 6), (2, 4, 3, 2), [2], [2]),
    ((2, 2, 5, 6), (3, 2, 3, 2), [1, 2], [2, 1]),
    ((1, 2, 3, 5, 6), (2, 1, 3, 2, 3), [2, 1], [1, 2]),
)


def correlate(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for left, right, stride, dilation in CORRELATIONS:
        for dtype in (f32, f64):
            x, filters = random_array(g, left, dtype), random_array(g, right, dtype)
            attributes = {"stride": tuple(stride), "dilation": tuple(dilation)}
            yield Sample((x, filters), attributes, dtype is f64, scale=9.0 * math.prod(right))


def windows(window: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints) -> dict[str, Any]:
    return {
        "window": tuple(window),
        "stride": tuple(stride),
        "low": tuple(low),
        "high": tuple(high),
        "dilation": tuple(dilation),
    }


WINDOWS: tuple[tuple[tuple[int, ...], dict[str, Any]], ...] = (
    ((2, 3, 6), windows([2], [2], [0], [0], [1])),
    ((2, 4, 6), windows([2, 2], [2, 2], [0, 0], [0, 0], [1, 1])),
    ((2, 5, 7), windows([2, 3], [2, 3], [0, 0], [0, 0], [1, 1])),  # what is left over is in no window
    ((1, 2, 5, 4), windows([3, 3], [2, 2], [1, 1], [1, 1], [1, 1])),
    ((2, 9), windows([3], [1], [0], [2], [2])),
    ((7,), windows([3], [2], [2], [1], [1])),
    ((2, 5), windows([2], [2], [1], [1], [1])),  # side by side, and over the edge
    ((2, 8), windows([2], [3], [0], [0], [1])),  # with gaps
    ((3, 40), windows([21], [2], [0], [0], [1])),
    ((2, 9, 10), windows([7, 5], [1, 2], [3, 2], [3, 2], [1, 1])),
    ((2, 11, 10), windows([5, 5], [5, 5], [0, 0], [0, 0], [1, 1])),
    ((1, 2, 6, 7), windows([6, 7], [6, 7], [0, 0], [0, 0], [1, 1])),  # all at once
    ((2, 1, 1), windows([1, 1], [1, 1], [0, 0], [0, 0], [1, 1])),
    ((0, 4), windows([2], [2], [0], [0], [1])),
    ((3, 5, 18, 34), windows([2, 2], [2, 2], [0, 0], [0, 0], [1, 1])),
    ((2, 3, 17, 33), windows([3, 3], [2, 2], [1, 1], [1, 1], [1, 1])),
)


def special(dtype: Any) -> Any:
    """NaN, infinities and equal elements."""
    rows = ([1, 1, np.nan, 5, np.nan, 2], [-np.inf] * 6, [2, 3, 3, 1, np.inf, np.inf])
    return np.array(rows, dtype.numpy)


def reduce_window(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for kind in w.WINDOW_KINDS:
        make = random_array if kind == "sum" else distinct
        for n, (shape, attributes) in enumerate(WINDOWS):
            for dtype in (f32, f64, i64, i32, u8) if n in (1, 3) else (f32, f64):
                x = make(g, shape, dtype)
                size = 3.0 * math.prod(attributes["window"]) if dtype.kind == "float" and kind == "sum" else 0.0
                yield Sample((x,), {"kind": kind, **attributes}, dtype is f64 and n < 14, scale=size)
        yield Sample((special(f32),), {"kind": kind, **windows([2], [2], [1], [1], [1])})
        yield Sample((special(f32),), {"kind": kind, **windows([3], [1], [0], [0], [1])})
        far = windows([2], [1], [3], [3], [1])  # some windows hold nothing
        yield Sample((special(f32)[2:],), {"kind": kind, **far})


def argmax_window(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for n, (shape, attributes) in enumerate(WINDOWS):
        for dtype in (f32, f64, i64, i32, u8) if n in (1, 3) else (f32, f64):
            yield Sample((random_array(g, shape, dtype),), attributes)
    yield Sample((special(f32),), windows([2], [2], [1], [1], [1]))
    yield Sample((special(f64),), windows([3], [1], [2], [2], [1]))
    yield Sample((special(f32),), windows([6], [6], [0], [0], [1]))
    yield Sample((special(f32),), windows([3, 6], [1, 1], [1, 1], [1, 1], [1, 1]))
    yield Sample((np.full((2, 9), -np.inf, np.float32),), windows([3], [1], [3], [3], [2]))


NEIGHBOURS: tuple[tuple[tuple[int, ...], tuple[int, int, int]], ...] = (
    ((5,), (0, 2, 1)),
    ((4, 6), (1, 2, 2)),
    ((7,), (0, 2, 3)),
    ((5,), (0, 1, 3)),
    ((2, 8, 3), (1, 5, 2)),
    ((6, 2), (0, 6, 1)),
    ((0, 3), (1, 2, 1)),
    ((3, 1), (1, 1, 4)),
    ((2, 33), (1, 3, 5)),
    ((2, 3, 2, 9), (3, 7, 1)),
)


def neighbours(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for n, (shape, (dimension, size, step)) in enumerate(NEIGHBOURS):
        for dtype in DTYPES if n < 2 else (f32, f64):
            attributes = {"dimension": dimension, "size": size, "step": step}
            yield Sample((random_array(g, shape, dtype),), attributes, dtype is f64)


GENERATORS: dict[Op, Generator] = {
    w.ConvOp: conv,
    w.CorrelateOp: correlate,
    w.ReduceWindowOp: reduce_window,
    w.ArgmaxWindowOp: argmax_window,
    w.WindowsOp: neighbours,
}
