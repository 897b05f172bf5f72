"""Samples of dialects/hl/elementwise.py."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from irtool.dialects.hl import elementwise as e
from irtool.dialects.hl.pointwise import BinaryOp, UnaryOp
from irtool.dialects.types import DTYPES, DType, f32, f64, i1, i32, i64, u8

from .core import SHAPES, SPECIAL, Generator, Op, Sample, dtypes_of, generator, pairs, random_array

DOMAINS: dict[Op, tuple[float, float]] = {
    e.LogOp: (0.05, 9.0),
    e.Log1POp: (-0.9, 5.0),
    e.SqrtOp: (0.05, 9.0),
    e.RsqrtOp: (0.05, 9.0),
    e.TanOp: (-1.4, 1.4),
    e.AsinOp: (-0.95, 0.95),
    e.AcosOp: (-0.95, 0.95),
}
"""Where unary ops are defined, and not too steep; others take [-3, 3]."""
STEPS: tuple[Op, ...] = (e.LogicalNotOp, e.IsNanOp)
"""Unary ops whose results have no derivative."""


def unary(op: Op) -> Iterator[Sample]:
    g = generator(op)
    low, high = DOMAINS.get(op, (-3.0, 3.0))
    for dtype in dtypes_of(op):
        for shape in SHAPES[dtype]:
            yield Sample((random_array(g, shape, dtype, low, high),), {}, dtype is f64 and op not in STEPS)
        if dtype.kind == "float":
            yield Sample((np.array(SPECIAL, dtype.numpy),))


INTEGERS = (7, -7, 2, -2, 0, 1, -1, 5)
EXTREMES: dict[DType, tuple[int, ...]] = {i64: (2**63 - 1, -(2**63)), i32: (2**31 - 1, -(2**31)), u8: (255, 128)}
POSITIVE_FIRST: tuple[Op, ...] = (e.PowOp,)


def binary(op: Op) -> Iterator[Sample]:
    g = generator(op)
    jumps = op in (e.FloorDivOp, e.FmodOp, e.RemainderOp)
    for dtype in dtypes_of(op):
        for shape in SHAPES[dtype]:
            x = random_array(g, shape, dtype, 0.1 if op in POSITIVE_FIRST else -3.0)
            y = random_array(g, shape, dtype)
            if jumps and dtype.kind == "float":  # keep x / y away from whole numbers
                y = np.asarray(y + np.copysign(y.dtype.type(0.5), y))
                x = np.asarray(y * (np.round(x * 3) + y.dtype.type(0.4))).astype(y.dtype)
            if op in (e.MaximumOp, e.MinimumOp) and dtype is f64:
                y = np.asarray(x + np.where(y > 0, 0.3, -0.3))
            yield Sample((x, y), {}, dtype is f64)
        if dtype.kind == "float":
            yield Sample(pairs(SPECIAL, dtype))
            if jumps:  # quotients of many digits
                yield Sample(pairs((1e-30, 3e-5, 0.1, 7.0, 1e10, 3e38 if dtype is f32 else 1e300), dtype))
        elif dtype.kind == "int":
            values = (*INTEGERS, *EXTREMES[dtype]) if op is not e.PowOp else INTEGERS
            yield Sample(pairs(np.array(values).astype(dtype.numpy).tolist(), dtype))


def shifts(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for dtype in (i64, i32, u8):
        info = np.iinfo(dtype.numpy)
        x = g.integers(info.min, info.max, (2, 12), dtype=dtype.numpy, endpoint=True)
        amounts = [0, 1, 3, 7, 8, dtype.bits - 1, dtype.bits, 100] + ([] if dtype is u8 else [-1, -100, 31, 33])
        yield Sample((x, np.resize(np.array(amounts, dtype.numpy), x.shape)))
        yield Sample((x[0, 0, ...].copy(), np.array(2, dtype.numpy)))


def compare(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for predicate in e.PREDICATES:
        for dtype in DTYPES:
            x, y = random_array(g, (3, 5), dtype), random_array(g, (3, 5), dtype)
            yield Sample((x, np.where(g.uniform(size=x.shape) < 0.3, x, y)), {"predicate": predicate})
        yield Sample(pairs(SPECIAL, f32), {"predicate": predicate})
        yield Sample(tuple(random_array(g, (), f64) for _ in "xy"), {"predicate": predicate})
        yield Sample(tuple(random_array(g, (2, 0), i64) for _ in "xy"), {"predicate": predicate})


def select(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for dtype in DTYPES:
        for shape in ((), (0,), (5,), (2, 3, 4)):
            arrays = (random_array(g, shape, i1), random_array(g, shape, dtype), random_array(g, shape, dtype))
            yield Sample(arrays, {}, dtype is f64)


def cast(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for source in DTYPES:
        for target in DTYPES:
            low = 0.0 if u8 in (source, target) else -100.0
            x = random_array(g, (3, 7), source, low, 100.0)
            yield Sample((x,), {"dtype": target}, source is f64 and target is f64)
    for shape in ((), (0, 2), (1,)):
        yield Sample((random_array(g, shape, i64),), {"dtype": f32})
    yield Sample((np.array(SPECIAL, np.float64),), {"dtype": f32})
    yield Sample((np.array(SPECIAL, np.float32),), {"dtype": i1})
    yield Sample((np.array([300, -1, 2**40 + 5]),), {"dtype": u8})
    yield Sample((np.array([2**53 + 1, 2**31, -1]),), {"dtype": i32})


GENERATORS: dict[Op, Generator] = {
    UnaryOp: unary,
    BinaryOp: binary,
    e.ShiftLeftOp: shifts,
    e.ShiftRightLogicalOp: shifts,
    e.CompareOp: compare,
    e.SelectOp: select,
    e.CastOp: cast,
}
