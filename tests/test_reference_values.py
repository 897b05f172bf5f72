"""Meanings that are not computed by numpy's function for them, because that is slow, against slow ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from irtool.dialects.hl import elementwise as e
from irtool.dialects.hl import indexing as i
from irtool.dialects.reference import evaluate, indexing

ODD = np.array([0.0, -0.0, 1, -1, 2, -2, 0.5, -0.5, 3, -3, 2.5, -2.5, np.inf, -np.inf, np.nan, 1e30, -1e30])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_powers_of_signs_and_infinities(dtype: type) -> None:
    x, y = (np.ascontiguousarray(v, dtype) for v in np.meshgrid(ODD, ODD))
    with np.errstate(all="ignore"):
        want = np.power(x, y)
    (got,) = evaluate(e.PowOp, (x, y), {})
    np.testing.assert_allclose(got, want, rtol=1e-6)
    assert (np.signbit(got) == np.signbit(want))[~np.isnan(want)].all()
    for k, exponent in enumerate(ODD):
        (same,) = evaluate(e.PowOp, (x[k], np.broadcast_to(dtype(exponent), x[k].shape)), {})
        np.testing.assert_allclose(same, got[k], rtol=1e-6, err_msg=str(exponent))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8, np.bool_])
def test_selections_in_large_tensors(dtype: type) -> None:
    generator = np.random.default_rng(0)
    x, y = ((generator.standard_normal((150, 150)) * 50).astype(dtype) for _ in range(2))
    condition = generator.random((150, 150)) > 0.5
    if dtype is np.float32:
        x[::3], y[1::3] = np.nan, -np.inf
    for layout in (x, x.T, x[::-1, ::-1], np.broadcast_to(x[0, 0], x.shape)):
        (got,) = evaluate(e.SelectOp, (condition.T, layout, y), {})
        np.testing.assert_array_equal(got, np.where(condition.T, layout, y))


def test_the_error_function_in_single_precision() -> None:
    x = np.concatenate([np.linspace(-5, 5, 20001), [0.0, -0.0, np.inf, -np.inf, 1e-30]]).astype(np.float32)
    (got,) = evaluate(e.ErfOp, (x,), {})
    want = np.array([math.erf(v) for v in x])
    assert (np.abs(got - want) <= 0.6 * np.spacing(np.abs(want.astype(np.float32)))).all()
    assert np.signbit(got[-4]) and np.isnan(evaluate(e.ErfOp, (np.float32([np.nan]),), {})[0]).all()


def test_scattering_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "CHUNK", 16)
    generator = np.random.default_rng(0)
    base, updates = generator.standard_normal((7, 5)), generator.standard_normal((40, 5))
    indices = generator.integers(-2, 9, 40)  # also some that are out of range
    added, last = base.copy(), base.copy()
    for index, row in zip(indices, updates, strict=True):
        if 0 <= index < 7:
            added[index] += row
            last[index] = row
    place = {"axis": 0, "batch_dims": 0}
    np.testing.assert_allclose(evaluate(i.ScatterAddOp, (base, indices, updates), place)[0], added)
    np.testing.assert_array_equal(evaluate(i.ScatterOp, (base, indices, updates), place)[0], last)
