"""Samples of dialects/hl/composite.py and dialects/hl/autodiff.py."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from irtool.dialects.hl import autodiff as a
from irtool.dialects.hl import composite as c
from irtool.dialects.types import DTYPES, f32, f64, i1, i64

from .core import SHAPES, Generator, Op, Sample, generator, random_array


def normalize(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for dtype in (f32, f64):
        for shape, dimension in (
            ((4,), 0),
            ((1,), 0),
            ((3, 10), 1),
            ((3, 4), 0),
            ((2, 3, 4), 1),
            ((0, 3), 1),
            ((3, 0), 1),
        ):
            yield Sample((random_array(g, shape, dtype),), {"dimension": dimension}, dtype is f64, ulps=32, scale=1.0)
        extreme = np.array([[1e4, 1e4 - 1, -1e4], [0.0, -np.inf, 1.0], [np.nan, 0.0, 1.0]], dtype.numpy)
        yield Sample((extreme,), {"dimension": 1}, ulps=32, scale=1.0)


def cross_entropy(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for reduction in c.REDUCTIONS:
        for dtype in (f32, f64):
            for rows, classes, ignored, smoothing in (
                (5, 4, -100, 0.0),
                (6, 3, 1, 0.1),
                (1, 1, -100, 0.0),
                (3, 7, 2, 1.0),
            ):
                target = g.integers(0, classes, rows)
                if ignored == 1:
                    target[0] = ignored
                arrays = (random_array(g, (rows, classes), dtype), target)
                attributes = {"reduction": reduction, "ignore_index": ignored, "label_smoothing": smoothing}
                yield Sample(arrays, attributes, dtype is f64, ulps=32, scale=4.0)
        attributes = {"reduction": reduction, "ignore_index": -100, "label_smoothing": 0.0}
        yield Sample((random_array(g, (0, 3), f32), np.zeros(0, np.int64)), attributes)
        yield Sample((random_array(g, (2, 3), f32), np.array([-100, -100])), attributes)


def gelu(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for approximate in c.APPROXIMATIONS:
        for dtype in (f32, f64):
            for shape in SHAPES[dtype]:
                x = random_array(g, shape, dtype)
                yield Sample((x,), {"approximate": approximate}, dtype is f64, ulps=16, scale=1.0)


def activation(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for dtype in (f32, f64):
        for shape in SHAPES[dtype]:
            yield Sample((random_array(g, shape, dtype),), {}, dtype is f64, ulps=16, scale=1.0)
        yield Sample((np.array([50.0, -50.0, 100.0, -100.0, np.nan, np.inf, 0.0], dtype.numpy),), ulps=16, scale=1.0)


def identity(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for dtype in DTYPES:
        for shape in SHAPES[dtype][:2]:
            yield Sample((random_array(g, shape, dtype),), {}, dtype is f64 and op is not a.StopGradientOp)


def barrier(op: Op) -> Iterator[Sample]:
    g = generator(op)
    yield Sample((random_array(g, (3,), f64),), {}, True)
    yield Sample((random_array(g, (3,), f64), random_array(g, (2, 2), f64)), {}, True)
    yield Sample((random_array(g, (3,), f32), random_array(g, (), i64), random_array(g, (0,), i1)))


GENERATORS: dict[Op, Generator] = {
    c.NormalizeOp: normalize,
    c.CrossEntropyOp: cross_entropy,
    c.GeluOp: gelu,
    c.SiluOp: activation,
    c.SoftplusOp: activation,
    a.IdentityOp: identity,
    a.BarrierOp: barrier,
}
