"""Samples of dialects/hl/reduction.py."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from irtool.dialects.hl import reduction as red
from irtool.dialects.types import f32, f64, i1, i32, i64, u8

from .core import Generator, Op, Sample, distinct, dtypes_of, generator, random_array

REDUCTIONS: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((7,), (0,)),
    ((3, 4), (1,)),
    ((3, 4), (0,)),
    ((3, 4), (0, 1)),
    ((), ()),
    ((2, 3), ()),
    ((2, 3, 4), (0, 2)),
    ((2, 3, 1, 2), (1, 3)),
    ((0, 3), (1,)),
    ((3, 0), (1,)),
    ((5, 130), (1,)),
    ((130, 5), (0,)),
)


def reduce(op: Op) -> Iterator[Sample]:
    g = generator(op)
    extreme = op in (red.ReduceMaxOp, red.ReduceMinOp)
    for dtype in dtypes_of(op):
        for shape, dimensions in REDUCTIONS:
            empty = any(shape[d] == 0 for d in dimensions)
            if (empty and extreme) or (dtype not in (f32, f64, i1) and len(shape) != 2):
                continue
            if op is red.ReduceProdOp:
                x = random_array(g, shape, dtype, 0.8, 1.25)
            else:
                x = distinct(g, shape, dtype) if extreme else random_array(g, shape, dtype)
            size = float(np.abs(x).sum()) if dtype.kind == "float" and op is red.ReduceSumOp else 0.0
            yield Sample((x,), {"dimensions": dimensions}, dtype is f64, scale=size, ulps=64 if x.size > 100 else 8)
        if dtype.kind == "float":
            special = np.array([[1.0, np.nan, 2.0], [np.inf, 3.0, 1.0], [-np.inf, -np.inf, -np.inf]], dtype.numpy)
            yield Sample((special,), {"dimensions": (1,)})


def argreduce(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for dtype in (f32, f64, i64, i32, u8):
        for shape, dimension in (((7,), 0), ((3, 4), 1), ((3, 4), 0), ((2, 5, 3), 1), ((0, 3), 1), ((4, 40), 1)):
            yield Sample((random_array(g, shape, dtype),), {"dimension": dimension})
    special = np.array([[1.0, np.nan, np.nan, 5.0], [2.0, 2.0, 1.0, 1.0], [-np.inf] * 4, [np.inf] * 4], np.float32)
    yield Sample((special,), {"dimension": 1})


GENERATORS: dict[Op, Generator] = {red.ReduceOp: reduce, red.ArgReduceOp: argreduce}
