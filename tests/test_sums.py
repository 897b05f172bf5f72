"""Rounding errors of sums of float32 in compiled code: within the bound that CONTRIBUTING.md states, whatever a sum is
fused with and however it lies in memory.

One 1 and many numbers of 2**-25: a single chain that starts with the 1 loses all others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import irtool
import numpy as np
import pytest

CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], Callable[[Any], Any]]] = {
    "scaled": ((20000,), (0,), lambda x: (x * 1.0).sum()),
    "reversed": ((20000,), (0,), lambda x: (x.flip(0).flip(0) + x.flip(0)).sum() - x.sum()),
    "strided": ((20000,), (0,), lambda x: (x.expand(3, 20000).t().reshape(-1)[::3] * 1.0).sum()),
    "gathered": ((20000,), (0,), lambda x: (x[irtool.arange(20000)] * 1.0).sum()),
    "split": ((300000,), (0,), lambda x: x.sqrt().square().sum()),
    "rows": ((7, 20000), (1,), lambda x: (x.flip(1) * 1.0).flip(0).sum(1).flip(0)),
    "columns": ((20000, 7), (0,), lambda x: (x * 1.0).sum(0)),
    "wide columns": ((5000, 1100), (0,), lambda x: (x * 1.0).sum(0)),
    "middle": ((4, 9000, 3), (1,), lambda x: (x * 1.0).sum(1)),
    "outer and inner": ((9000, 3, 4), (0, 2), lambda x: (x * 1.0).sum((0, 2))),
    "two results": ((20000, 3), (0,), lambda x: (x * (x > 0)).sum(0) + x.amin(0) * 0),
}
"""Shapes, the dimensions summed over, and functions that sum."""


@pytest.mark.parametrize("name", CASES)
def test_within_the_bound(name: str) -> None:
    shape, dims, function = CASES[name]
    x = np.full(shape, 2.0**-25, np.float32)
    for end in (0, -1):  # where the chain begins, whichever way it goes
        x[tuple(end if d in dims else slice(None) for d in range(len(shape)))] = 1
    n = math.prod(shape[d] for d in dims)
    exact = x.sum(dims, np.float64)
    found = irtool.compile(function)(irtool.tensor(x)).numpy()
    error = float(np.abs(found - exact).max())
    assert error <= (2 * math.sqrt(n) + 256) * 2.0**-24 * float(exact.max())


@pytest.mark.parametrize("rows", [24, 1], ids=["matrix", "vector"])
def test_rounding_errors_hardly_grow_with_the_length_of_a_product(rows: int) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape, np.float32) for shape in ((rows, 4096), (4096, 64)))
    product = irtool.compile(irtool.matmul)(irtool.from_numpy(a), irtool.from_numpy(b)).numpy()
    exact = a.astype(np.float64) @ b
    assert np.linalg.norm(product - exact) < 4e-7 * np.linalg.norm(exact)  # one chain of 4096: 1.2e-6


@pytest.mark.parametrize("shape", [(100_000,), (100_003,), (3, 70_001), (70_000, 2)], ids=str)
def test_long_reductions_know_where_they_are(shape: tuple[int, ...]) -> None:
    """Positions inside a reduction that is cut into chunks count from its beginning."""

    def weighted(x: irtool.Tensor) -> irtool.Tensor:
        return (x * irtool.arange(x.numel()).reshape(shape)).sum()

    x = irtool.ones(shape, dtype=irtool.int64)
    count = x.numel()
    assert irtool.compile(weighted)(x).item() == count * (count - 1) // 2
