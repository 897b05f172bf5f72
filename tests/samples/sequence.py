"""Samples of dialects/hl/sequence.py."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from irtool.dialects.hl import sequence as s
from irtool.dialects.types import DTYPES, f32, f64, i32, i64, u8

from .core import Array, Generator, Op, Sample, distinct, generator, random_array

ALONG: tuple[tuple[tuple[int, ...], int, bool], ...] = (
    ((7,), 0, False),
    ((3, 5), 1, True),
    ((4, 3), 0, False),
    ((2, 5, 3), 1, True),
    ((1, 6), 1, False),
    ((6, 1), 1, False),
    ((0, 3), 1, False),
    ((3, 0), 1, True),
    ((40, 33), 1, False),
    ((2, 70, 30), 1, True),
)
"""Shape, dimension, and whether from the last element back or in descending order."""


def cumulate(op: Op) -> Iterator[Sample]:
    g = generator(op)
    low, high = (0.8, 1.25) if op is s.CumprodOp else (-3.0, 3.0)
    for n, (shape, dimension, reverse) in enumerate(ALONG):
        for dtype in (f32, f64, i64, i32, u8) if n in (1, 2) else (f32, f64):
            x = random_array(g, shape, dtype, low, high)
            attributes = {"dimension": dimension, "reverse": reverse}
            yield Sample((x,), attributes, dtype is f64 and n < 8, scale=3.0 * shape[dimension])
    with_zeros = np.array([[1.5, 0.0, 2.0, 3.0], [0.0, 2.0, 0.0, 1.0], [2.0, 3.0, 0.5, 0.0]])
    for reverse in (False, True):
        yield Sample((with_zeros,), {"dimension": 1, "reverse": reverse}, True)
    special = np.array([[1.0, np.inf, 2.0, -np.inf, 1.0], [1.0, np.nan, 2.0, 3.0, 4.0]], np.float32)
    yield Sample((special,), {"dimension": 1, "reverse": False})


def recurrence(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for n, (shape, dimension, reverse) in enumerate(ALONG):
        for dtype in (f32, f64, i64, i32) if n in (1, 2) else (f32, f64):
            a, x = random_array(g, shape, dtype, -1.2, 1.2), random_array(g, shape, dtype)
            attributes = {"dimension": dimension, "reverse": reverse}
            yield Sample((a, x), attributes, dtype is f64 and n < 8, scale=30.0)
    first = np.array([np.inf, 0.5, 0.0], np.float32), np.array([1.0, 2.0, 3.0], np.float32)
    yield Sample(first, {"dimension": 0, "reverse": False})  # the first factor has no say


def sort(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for n, (shape, dimension, descending) in enumerate(ALONG):
        for dtype in DTYPES if n in (1, 2) else (f32, f64):
            attributes = {"dimension": dimension, "descending": descending}
            equal: Array = random_array(g, shape, dtype)
            yield Sample((distinct(g, shape, dtype) if dtype is f64 else np.floor(equal) if dtype is f32 else equal,),
                         attributes, dtype is f64 and n < 8)  # fmt: skip
    special = np.array([[np.nan, 2.0, np.nan, -np.inf, 2.0, -0.0], [0.0, -0.0, np.inf, 0.0, np.inf, np.nan]])
    for descending in (False, True):
        for dtype in (f32, f64):
            yield Sample((special.astype(dtype.numpy),), {"dimension": 1, "descending": descending})
    for length in (2, 3, 4, 5, 16, 17, 100):
        yield Sample((g.integers(0, 9, length),), {"dimension": 0, "descending": bool(length % 2)})


GENERATORS: dict[Op, Generator] = {s.CumulateOp: cumulate, s.RecurrenceOp: recurrence, s.SortOp: sort}
