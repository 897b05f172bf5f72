"""Samples of dialects/hl/shape.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from irtool.dialects.hl import shape as s
from irtool.dialects.types import DTYPES, DType, f32, f64, i1, i32, i64, u8

from .core import Generator, Op, Sample, generator, random_array


def constant(op: Op) -> Iterator[Sample]:
    values: dict[DType, tuple[float, ...]] = {
        f32: (0.5, np.inf, -np.inf, np.nan, -0.0, 0.1),
        f64: (0.1, 1e300),
        i64: (-(2**63), 7),
        i32: (-1,),
        u8: (255,),
        i1: (True,),
    }
    for dtype, numbers in values.items():
        for value in numbers:
            yield Sample((), {"value": value, "shape": (2, 3), "dtype": dtype})
        yield Sample((), {"value": numbers[0], "shape": (), "dtype": dtype})
        array = np.array([numbers, numbers]).astype(dtype.numpy)
        yield Sample((), {"value": array, "shape": array.shape, "dtype": dtype})
    yield Sample((), {"value": np.zeros((0, 2), np.float32), "shape": (0, 2), "dtype": f32})


def iota(op: Op) -> Iterator[Sample]:
    for dtype in (i64, f32, u8):
        for shape, dimension in (((5,), 0), ((0,), 0), ((2, 3), 0), ((2, 3), 1), ((2, 1, 4, 2), 2)):
            yield Sample((), {"shape": shape, "dtype": dtype, "dimension": dimension})


Case: TypeAlias = "tuple[tuple[int, ...], dict[str, Any]]"
"""Shape of the operand, attributes."""


def moves(cases: Sequence[Case]) -> Generator:
    """Samples of an op that moves elements: every case in f64 and f32, the first ones in all other types too."""

    def samples(op: Op) -> Iterator[Sample]:
        g = generator(op)
        for n, (shape, attributes) in enumerate(cases):
            for dtype in DTYPES if n < 2 else (f32, f64):
                yield Sample((random_array(g, shape, dtype),), attributes, dtype is f64)

    return samples


def slicing(start: Sequence[int], stop: Sequence[int], step: Sequence[int]) -> dict[str, Any]:
    return {"start": tuple(start), "stop": tuple(stop), "step": tuple(step)}


def padding(low: Sequence[int], high: Sequence[int], interior: Sequence[int], value: float = 0) -> dict[str, Any]:
    return {"low": tuple(low), "high": tuple(high), "interior": tuple(interior), "value": value}


def broadcasting(shape: Sequence[int], dimensions: Sequence[int]) -> dict[str, Any]:
    return {"shape": tuple(shape), "dimensions": tuple(dimensions)}


BROADCASTS: tuple[Case, ...] = (
    ((3,), broadcasting((2, 3), (1,))),
    ((), broadcasting((2, 2), ())),
    ((3,), broadcasting((3, 4), (0,))),
    ((1, 3), broadcasting((2, 3), (0, 1))),
    ((2, 1), broadcasting((2, 5, 3), (0, 2))),
    ((1,), broadcasting((0, 4), (1,))),
    ((2, 3), broadcasting((2, 3), (0, 1))),
    ((1, 1), broadcasting((2, 3, 4, 2), (1, 3))),
)
RESHAPES: tuple[Case, ...] = tuple(
    (before, {"shape": after})
    for before, after in (
        ((2, 3), (3, 2)),
        ((6,), (1, 2, 3, 1)),
        ((1,), ()),
        ((), (1, 1)),
        ((0, 3), (3, 0, 2)),
        ((4,), (4,)),
    )
)
TRANSPOSES: tuple[Case, ...] = tuple(
    (shape, {"permutation": permutation})
    for shape, permutation in (
        ((2, 3), (1, 0)),
        ((2, 3, 4), (2, 0, 1)),
        ((), ()),
        ((5,), (0,)),
        ((2, 1, 3, 4), (0, 2, 1, 3)),
        ((0, 3), (1, 0)),
        ((33, 18), (1, 0)),
    )
)
SLICES: tuple[Case, ...] = (
    ((6,), slicing([1], [5], [1])),
    ((4, 7), slicing([1, 0], [4, 7], [2, 3])),
    ((), slicing([], [], [])),
    ((3,), slicing([2], [2], [1])),
    ((0,), slicing([0], [0], [1])),
    ((2, 3, 4), slicing([0, 1, 3], [2, 3, 4], [1, 1, 5])),
    ((3, 2), slicing([0, 0], [3, 2], [1, 1])),
    ((2, 5, 81), slicing([0, 0, 1], [2, 5, 81], [1, 2, 2])),
    ((3, 70), slicing([0, 2], [3, 69], [1, 3])),
    ((2, 130), slicing([0, 1], [2, 130], [1, 4])),
)
PADS: tuple[Case, ...] = (
    ((3,), padding([1], [2], [0], 1)),
    ((2, 3), padding([1, 0], [0, 2], [0, 1])),
    ((5,), padding([-1], [-2], [0])),
    ((4, 2), padding([-1, 2], [1, -1], [2, 0], 3)),
    ((), padding([], [], [])),
    ((0, 2), padding([2, 0], [0, 1], [3, 0], 7)),
    ((1,), padding([0], [0], [4])),
    ((3,), padding([-2], [-3], [1])),
    ((2, 1, 3, 2), padding([0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1])),
    ((3, 41), padding([1, 0], [0, 1], [1, 1], 2)),
    ((2, 21), padding([0, 1], [0, 2], [0, 3])),
)
REVERSES: tuple[Case, ...] = tuple(
    (shape, {"dimensions": dimensions})
    for shape, dimensions in (((5,), (0,)), ((2, 3), (1,)), ((), ()), ((2, 3, 4), (0, 2)), ((0, 2), (0, 1)), ((3,), ()))
)


DIAGONALS: tuple[Case, ...] = tuple(
    (shape, {"offset": offset})
    for shape, offset in (
        *(((3, 3), 0), ((2, 4), 1), ((4, 2), -1), ((4, 2), -3), ((5, 2), 0), ((2, 5), 0), ((2, 3, 4), 2)),
        *(((1, 1), 0), ((3, 2), 2), ((0, 3), 0), ((2, 3), -5), ((70, 33), -2)),
    )
)


def concat(op: Op) -> Iterator[Sample]:
    g = generator(op)
    cases: tuple[tuple[tuple[tuple[int, ...], ...], int], ...] = (
        (((2, 3), (1, 3)), 0),
        (((2, 3), (2, 1), (2, 2)), 1),
        (((4,),), 0),
        (((0,), (3,)), 0),
        (((2, 2, 1, 3), (2, 2, 4, 3)), 2),
    )
    for n, (shapes, dimension) in enumerate(cases):
        for dtype in DTYPES if n == 0 else (f32, f64):
            yield Sample(tuple(random_array(g, t, dtype) for t in shapes), {"dimension": dimension}, dtype is f64)


GENERATORS: dict[Op, Generator] = {
    s.ConstantOp: constant,
    s.IotaOp: iota,
    s.BroadcastOp: moves(BROADCASTS),
    s.ReshapeOp: moves(RESHAPES),
    s.TransposeOp: moves(TRANSPOSES),
    s.SliceOp: moves(SLICES),
    s.PadOp: moves(PADS),
    s.ConcatOp: concat,
    s.ReverseOp: moves(REVERSES),
    s.DiagonalOp: moves(DIAGONALS),
}
