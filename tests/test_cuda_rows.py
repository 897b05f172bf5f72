"""What goes along rows, by the threads of a block together, on the emulator: rows shorter and longer than warps and
blocks, in all orders of threads and blocks."""

from __future__ import annotations

import numpy as np
import pytest
from irtool.dialects.hl import reduction as r
from irtool.dialects.hl import sequence as s
from irtool.dialects.hl.base import HLOp
from irtool.dialects.reference import evaluate
from irtool.runtime.compiler import compile_module

from .samples.core import Array, Sample
from .test_compiled_ops import module_of, run

LENGTHS = (1, 31, 32, 33, 1000, 5000)
TYPES = (np.float32, np.float64, np.int64, np.int32, np.uint8)


def numbers(shape: tuple[int, ...], dtype: type, ties: bool = False) -> Array:
    random = np.random.default_rng(shape)
    if dtype in (np.float32, np.float64):
        x = random.normal(size=shape)
        return (np.round(x) if ties else x).astype(dtype)
    return random.integers(0, 9 if ties else 100, shape).astype(dtype)


def check(op: type[HLOp], samples: list[Sample]) -> None:
    program = compile_module(module_of(op, samples), "cuda-emulated")
    found = iter(run(program, [array for sample in samples for array in sample.arrays], 1))
    for sample in samples:
        for want in evaluate(op, sample.arrays, sample.attributes):
            sample.check(next(found), want)


@pytest.mark.parametrize("op", [r.ArgmaxOp, r.ArgminOp], ids=lambda op: op.name)
def test_places_of_extrema(op: type[HLOp]) -> None:
    samples = [
        Sample((numbers((3, n), t, ties=True),), {"dimension": 1})
        for n in LENGTHS
        for t in TYPES[: 5 if n == 33 else 1]
    ]
    for places in ([], [4990], [70, 33, 4000], range(5000)):
        x = numbers((1, 5000), np.float32)
        x[0, places] = np.nan
        samples.append(Sample((x,), {"dimension": 1}))
    for value in (-np.inf, np.inf, 0.0):
        samples.append(Sample((np.full((2, 1000), value, np.float32),), {"dimension": 1}))
    check(op, samples)


@pytest.mark.parametrize("op", [r.ArgmaxOp, r.ArgminOp], ids=lambda op: op.name)
@pytest.mark.parametrize("target", ["cpu", "cuda-emulated"])
def test_places_in_one_long_row(op: type[HLOp], target: str) -> None:
    ties, unknown = numbers((200003,), np.float32, ties=True), numbers((200003,), np.float64)
    unknown[[150000, 199999]] = np.nan
    samples = [Sample((x,), {"dimension": 0}) for x in (ties, unknown, np.full(200003, -np.inf, np.float32))]
    program = compile_module(module_of(op, samples), target)
    found = run(program, [sample.arrays[0] for sample in samples], 2)
    for sample, place in zip(samples, found):
        assert place == evaluate(op, sample.arrays, sample.attributes)[0]


def rows(n: int) -> list[tuple[tuple[int, ...], int]]:
    """Shapes with rows of a length, and along which dimension they lie."""
    return [((n,), 0), ((3, n), 1), ((2, n, 3), 1)]


@pytest.mark.parametrize("op", [s.CumsumOp, s.CumprodOp], ids=lambda op: op.name)
@pytest.mark.parametrize("reverse", [False, True])
def test_running_sums_and_products(op: type[HLOp], reverse: bool) -> None:
    samples: list[Sample] = []
    for n in LENGTHS:
        for t in TYPES[: 5 if n == 33 else 1]:
            for shape, dimension in rows(n):
                x = numbers(shape, t)
                if op is s.CumprodOp and x.dtype.kind == "f":
                    x = (1 + x / 50).astype(t)
                samples.append(Sample((x,), {"dimension": dimension, "reverse": reverse}, scale=100.0))
    check(op, samples)


@pytest.mark.parametrize("reverse", [False, True])
def test_recurrences(reverse: bool) -> None:
    samples: list[Sample] = []
    for n in LENGTHS:
        for t in TYPES[: 4 if n == 33 else 1]:
            for shape, dimension in rows(n):
                a, x = numbers(shape, t), numbers(shape[::-1], t).reshape(shape)
                a = (a / 4).astype(t) if a.dtype.kind == "f" else a
                samples.append(Sample((a, x), {"dimension": dimension, "reverse": reverse}, scale=100.0))
    check(s.RecurrenceOp, samples)


@pytest.mark.parametrize("descending", [False, True])
def test_sorts(descending: bool) -> None:
    samples: list[Sample] = []
    for n in LENGTHS:
        for t in TYPES[: 5 if n == 33 else 1]:
            for shape, dimension in rows(n):
                x = numbers(shape, t, ties=True)
                if x.dtype.kind == "f" and n > 2:
                    x.reshape(-1)[:: max(n // 3, 1)] = np.nan
                samples.append(Sample((x,), {"dimension": dimension, "descending": descending}))
    samples.append(Sample((numbers((9000,), np.float64),), {"dimension": 0, "descending": descending}))
    samples.append(Sample((numbers((2, 100), np.int64) > 50,), {"dimension": 1, "descending": descending}))
    check(s.SortOp, samples)
