"""Contractions on the emulated GPU: tiles of threads and of tensor cores, ragged edges, parts of K, and no numbers."""

from __future__ import annotations

from typing import Any

import irtool
import numpy as np
import pytest
from irtool.passes.loops.gpu.block_tiles import plan_blocks, tiles_for

SHAPES = {
    "ragged": (514, 500, 130),
    "narrow": (300, 20, 64),
    "deep": (64, 64, 2048),
    "one row": (1, 400, 300),
    "tensor": (512, 256, 40),
}


def product(m: int, n: int, k: int) -> tuple[Any, Any, Any]:
    irtool.manual_seed(1)
    return irtool.randn(m, k), irtool.randn(n, k), irtool.randn(n)


def source_of(step: Any) -> str:
    return str(step.source())


@pytest.mark.parametrize("name", SHAPES)
def test_a_product_and_what_follows_it(name: str) -> None:
    x, w, b = product(*SHAPES[name])
    step = irtool.compile(lambda x, w, b: (x @ w.t() + b).relu(), target="cuda-emulated")
    exact = np.maximum(x.numpy().astype(np.float64) @ w.numpy().T.astype(np.float64) + b.numpy(), 0)
    np.testing.assert_allclose(step(x, w, b).numpy(), exact, atol=2e-6 * abs(exact).max())
    assert ("mma_tf32(" in source_of(step)) == (name in ("ragged", "tensor"))


def test_sums_that_are_no_numbers_are_those_of_32_bits() -> None:
    x, w, _ = product(512, 256, 40)
    x[3, 5], x[7, 1], x[500, 0] = float("inf"), 3.4e38, float("nan")
    w[:, 5], w[2, 1] = 2.0, 0.5
    step = irtool.compile(lambda x, w: x @ w.t(), target="cuda-emulated")
    with np.errstate(over="ignore", invalid="ignore"):
        expected = x.numpy() @ w.numpy().T
    found = step(x, w).numpy()
    assert "mma_tf32(" in source_of(step)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(found), np.isinf(expected))
    finite = np.isfinite(expected)
    np.testing.assert_allclose(found[finite], expected[finite], rtol=1e-4, atol=1e-4)


def test_tf32_where_it_is_allowed() -> None:
    x, w, _ = product(512, 256, 40)
    exact = x.numpy().astype(np.float64) @ w.numpy().T.astype(np.float64)
    errors: list[float] = []
    for allowed in (False, True):
        irtool.backends.cuda.matmul.allow_tf32 = allowed
        try:
            found = irtool.compile(lambda x, w: x @ w.t(), target="cuda-emulated")(x, w).numpy()
        finally:
            irtool.backends.cuda.matmul.allow_tf32 = False
        errors.append(np.linalg.norm(found - exact) / np.linalg.norm(exact))
    assert errors[0] < 1e-6 < 1e-5 < errors[1] < 1e-3


def test_plans_follow_from_shapes() -> None:
    assert plan_blocks(1, 4096, 4096, 4096, 132, tiles_for(True, False)).tile.warp == (64, 32)
    assert plan_blocks(1, 64, 64, 65536, 132, tiles_for(False, False)).splits > 8
    for tile in tiles_for(True, True):
        for width in (tile.rows, tile.columns):
            assert width * tile.depth % tile.threads == 0 and tile.threads % 32 == 0
