"""Samples of dialects/hl/{check,contraction,indexing,random}.py."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from irtool.dialects.hl import check as c
from irtool.dialects.hl import contraction as m
from irtool.dialects.hl import indexing as i
from irtool.dialects.hl import random as r
from irtool.dialects.types import DTYPES, DType, f32, f64, i32, i64, u8

from .core import Array, Generator, Op, Sample, generator, random_array


def matmul(op: Op) -> Iterator[Sample]:
    g = generator(op)
    cases: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
        ((1, 1), (1, 1)),
        ((3, 4), (4, 5)),
        ((2, 3, 4), (2, 4, 2)),
        ((2, 1, 3, 2), (2, 1, 2, 3)),
        ((1, 7), (7, 1)),
        ((5, 1), (1, 3)),
        ((0, 3), (3, 2)),
        ((2, 0), (0, 3)),
        ((0, 2, 2), (0, 2, 3)),
        ((17, 33), (33, 19)),
    )
    for n, (left, right) in enumerate(cases):
        for dtype in (f32, f64, i64, i32, u8) if n in (1, 2) else (f32, f64):
            x, y = random_array(g, left, dtype), random_array(g, right, dtype)
            yield Sample((x, y), {}, dtype is f64 and n < 9, scale=9.0 * left[-1])
    large = random_array(g, (70, 130), f32), random_array(g, (130, 67), f32)
    yield Sample(large, {}, scale=9.0 * 130)


INDEXING: tuple[tuple[tuple[int, ...], tuple[int, ...], int, int], ...] = (
    ((5, 3), (4,), 0, 0),
    ((5,), (), 0, 0),
    ((2, 5, 3), (2, 2), 1, 0),
    ((3, 4), (3,), 1, 1),
    ((2, 4, 3), (2, 5), 1, 1),
    ((2, 3, 4), (2, 2), 2, 1),
    ((2, 3, 4), (2, 3, 2), 2, 2),
    ((5, 3), (0,), 0, 0),
    ((1,), (6,), 0, 0),
    ((40, 20), (70,), 0, 0),
)
"""Shape of x, shape of indices, axis, batch_dims."""


def indices_for(g: np.random.Generator, shape: tuple[int, ...], extent: int, dtype: DType) -> Array:
    """Some below and above the range, some repeated."""
    return np.asarray(g.integers(-2, extent + 2, shape)).astype(dtype.numpy)


def gather(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for n, (shape, where, axis, batch_dims) in enumerate(INDEXING):
        attributes = {"axis": axis, "batch_dims": batch_dims}
        for dtype in DTYPES if n == 0 else (f32, f64):
            indices = indices_for(g, where, shape[axis], i32 if dtype is i32 else i64)
            yield Sample((random_array(g, shape, dtype), indices), attributes, dtype is f64 and n < 9)


def scatter(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for n, (shape, where, axis, batch_dims) in enumerate(INDEXING):
        attributes = {"axis": axis, "batch_dims": batch_dims}
        several = DTYPES if op is i.ScatterOp else (f32, f64, i64, i32)
        for dtype in several if n == 0 else (f32, f64):
            indices = indices_for(g, where, shape[axis], i32 if dtype is i32 else i64)
            base = random_array(g, shape, dtype)
            updates = random_array(g, shape[:axis] + where[batch_dims:] + shape[axis + 1 :], dtype)
            yield Sample((base, indices, updates), attributes, dtype is f64 and n < 9, scale=30.0)


STATES = ((0, 0), (42, 1000), (-1, 2**40 + 3), (2**63 - 1, -5))
RANDOM_SHAPES: tuple[tuple[int, ...], ...] = ((), (0,), (5,), (3, 7), (2, 1, 3, 5))


def random_bits(op: Op) -> Iterator[Sample]:
    for state in STATES:
        for shape in RANDOM_SHAPES:
            yield Sample((np.array(state),), {"shape": shape})


def uniform(op: Op) -> Iterator[Sample]:
    for state in STATES:
        for dtype in (f32, f64):
            yield Sample((np.array(state),), {"shape": (3, 7), "dtype": dtype})
    yield Sample((np.array(STATES[1]),), {"shape": (), "dtype": f32})
    yield Sample((np.array(STATES[1]),), {"shape": (0, 2), "dtype": f32})


def bernoulli(op: Op) -> Iterator[Sample]:
    for p in (0.0, 0.3, 1.0):
        for dtype in (f32, f64):
            yield Sample((np.array([7, 3]), np.array(p, dtype.numpy)), {"shape": (4, 9)})
    yield Sample((np.array([7, 3]), np.array(0.5, np.float32)), {"shape": ()})


RECORDS = ((0, 0, 0), (7, 1, -5))
"""Nothing failed before; an earlier check did."""


def check(op: Op) -> Iterator[Sample]:
    words = {"number": 3, "error": "IndexError", "message": "{value}"}
    ranges = ({"low": 0, "high": 5}, {"low": -5, "high": 5}, {"low": 1, "high": 5, "allowed": 9}, {"low": 3, "high": 3})
    kinds = ({},) if op is c.CheckNonzeroOp else ranges
    for attributes in kinds:
        for shape in ((), (0,), (1,), (7,), (2, 0, 3), (3, 5), (2, 3, 2, 2), (6000,), (7, 20000)):
            for dtype in (i64, i32, u8):
                valid = np.full(shape, 4, dtype.numpy)
                late = valid.copy()
                late.reshape(-1)[late.size // 2 :] = 0 if op is c.CheckNonzeroOp else 200 if dtype is u8 else -100
                for array in (valid, late):
                    yield Sample((array, np.array(RECORDS[0], np.int64)), {**words, **attributes})
        yield Sample((late, np.array(RECORDS[1], np.int64)), {**words, **attributes})
    extremes = np.array([1, -(2**63), 2**63 - 1], np.int64)
    yield Sample((extremes, np.array(RECORDS[0], np.int64)), {**words, **kinds[0]})


GENERATORS: dict[Op, Generator] = {
    m.MatmulOp: matmul,
    i.GatherOp: gather,
    i.ScatterBase: scatter,
    c.CheckBase: check,
    r.RandomBitsOp: random_bits,
    r.UniformOp: uniform,
    r.BernoulliOp: bernoulli,
}
