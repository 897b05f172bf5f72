"""Elementwise kernels whose threads take several neighbours: in the emulator, which checks every access's alignment."""

from __future__ import annotations

from typing import Any

import irtool
import numpy as np
import pytest

F = irtool.nn.functional
SIZE = 131074


def update(x: Any, y: Any) -> Any:
    return F.gelu(x) * y + irtool.where(x > 0, y, -x)


@pytest.mark.parametrize(
    ("dtype", "size", "loads"),
    [
        (irtool.float32, (SIZE,), "load_v4f(&"),
        (irtool.float64, (SIZE + 1,), "load_v2d(&"),
        (irtool.float32, (64, 4, 1024), "load_v4f(&"),
    ],
)
def test_neighbours_are_accessed_at_once(dtype: Any, size: tuple[int, ...], loads: str) -> None:
    irtool.manual_seed(0)
    x, y = irtool.randn(*size, dtype=dtype), irtool.randn(*size, dtype=dtype)
    step = irtool.compile(update, target="cuda-emulated")
    np.testing.assert_allclose(step(x, y).numpy(), update(x, y).numpy(), 1e-5, 1e-6)
    assert loads in step.source()
    assert loads.replace("load", "store") in step.source()


def test_rows_that_begin_anywhere_are_accessed_one_by_one() -> None:
    x = irtool.randn(64, 2049)

    @irtool.compile(target="cuda-emulated")
    def step(x: Any) -> Any:
        return x[:, 1:] * 2.0

    np.testing.assert_array_equal(step(x).numpy(), x[:, 1:].numpy() * 2.0)
    assert "load_v4f" not in step.source()
