"""The surface against PyTorch, where there is one (IRTOOL_TORCH_PYTHON), and what that comparison found without it."""

from __future__ import annotations

import importlib.util
import math
import os
import subprocess
import sys
from pathlib import Path

import irtool
import numpy as np
import pytest
from irtool.nn import functional as F

TORCH = os.environ.get("IRTOOL_TORCH_PYTHON") or (sys.executable if importlib.util.find_spec("torch") else None)
nan, inf = math.nan, math.inf


@pytest.mark.skipif(TORCH is None, reason="needs a Python with torch: IRTOOL_TORCH_PYTHON")
def test_every_expression_is_that_of_pytorch():
    script = Path(__file__).parent / "coverage" / "compare.py"
    found = subprocess.run([sys.executable, str(script), str(TORCH)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def same(found, expected):
    np.testing.assert_allclose(found.detach().numpy(), np.asarray(expected), rtol=1e-6)


def test_nan_and_infinity_come_through():
    x = irtool.tensor([nan, inf, -inf, 1.0, 0.2])
    same(F.threshold(x, 0.5, 2.0), [nan, inf, 2, 1, 2])
    same(F.hardshrink(x), [nan, inf, -inf, 1, 0])
    same(F.softshrink(x), [nan, inf, -inf, 0.5, 0])
    same(irtool.fmod(irtool.tensor([-3.0, 2.0, 1.0]), irtool.tensor([inf, -inf, nan])), [-3, 2, nan])
    y = irtool.tensor([nan, 2.0], requires_grad=True)
    F.hardtanh(y).sum().backward()
    assert y.grad.tolist() == [1.0, 0.0]


def test_median_of_nan_and_of_nothing():
    same(irtool.tensor([1.0, nan, 3.0]).median(), nan)
    found = irtool.tensor([[1.0, nan, 3.0], [3.0, 1.0, 2.0]]).median(1)
    same(found.values, [nan, 2])
    assert found.indices.tolist() == [1, 2]
    assert math.isnan(irtool.zeros(0).median().item())


def test_sums_over_nothing_in_einsum():
    x, y = irtool.zeros(2, 0), irtool.zeros(0, 4)
    assert irtool.einsum("ij,jk->ik", x, y).tolist() == [[0.0] * 4] * 2
    assert irtool.tensordot(x, y, 1).shape == (2, 4)


def test_combined_functions():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((3, 3)).astype(np.float32), rng.standard_normal((2, 3)).astype(np.float32)
    x, y = irtool.from_numpy(a), irtool.from_numpy(b)
    same(irtool.hypot(x, x * 2), np.hypot(a, a * 2))
    same(irtool.diff(x, 2, 0), np.diff(a, 2, 0))
    assert irtool.diff(irtool.tensor([True, True, False])).tolist() == [False, True]
    same(x.trace(), np.trace(a))
    same(irtool.kron(x, y), np.kron(a, b))
    same(irtool.kron(x[0], y), np.kron(a[0], b))
    same(irtool.cdist(x, y), np.linalg.norm(a[:, None] - b[None], axis=-1))
    for k in range(-1, 5):
        same(y.rot90(k), np.rot90(b, k))
    assert irtool.tril_indices(2, 3, -1).tolist() == [[1], [0]] and irtool.triu_indices(2, 2).shape == (2, 3)
    pairs = irtool.cartesian_prod(irtool.arange(2), irtool.arange(3))
    assert pairs.tolist() == [[i, j] for i in range(2) for j in range(3)]
    same(irtool.hann_window(4), [0, 0.5, 1, 0.5])
