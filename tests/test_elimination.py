"""Factorizations in compiled code: the numbers and gradients of eager code, where numpy computes them."""

from __future__ import annotations

import irtool
import numpy as np
import pytest
from irtool import linalg


def positive(*batch: int):
    x = irtool.from_numpy(np.random.default_rng(0).standard_normal((*batch, 4, 4)))
    return x @ x.mT + 0.5 * irtool.eye(4, dtype=irtool.float64)


def general(*batch: int):
    x = irtool.from_numpy(np.random.default_rng(1).standard_normal((*batch, 4, 4)))
    x[..., 0, 0] = 0  # whose first pivot is another row
    return x


RIGHT = np.random.default_rng(2).standard_normal((4, 2))


@pytest.mark.parametrize("batch", [(), (2, 3)])
@pytest.mark.parametrize(
    ("matrix", "function"),
    [
        (positive, linalg.cholesky),
        (positive, lambda A: irtool.cholesky_solve(irtool.from_numpy(RIGHT), linalg.cholesky(A))),
        (general, linalg.inv),
        (general, lambda A: linalg.solve(A, irtool.from_numpy(RIGHT))),
        (general, lambda A: linalg.solve(A, irtool.from_numpy(RIGHT[:, 0])) if A.ndim == 2 else linalg.inv(A)),
        (general, linalg.det),
        (general, lambda A: linalg.slogdet(A).logabsdet * linalg.slogdet(A).sign),
        (positive, irtool.logdet),
        (positive, lambda A: linalg.solve_triangular(A, irtool.from_numpy(RIGHT), upper=True)),
        (positive, lambda A: linalg.solve_triangular(A, irtool.from_numpy(RIGHT.T), upper=False, left=False)),
        (general, lambda A: linalg.solve_triangular(A, irtool.from_numpy(RIGHT), upper=False, unitriangular=True)),
    ],
)
def test_compiled_as_eager(matrix, function, batch):
    found = []
    for f in (function, irtool.compile(function, target="reference")):
        A = matrix(*batch).requires_grad_()
        y = f(A)
        (y * irtool.arange(y.numel(), dtype=y.dtype).reshape(y.shape).cos()).sum().backward()
        # What only symmetric matrices are given to may share the gradient between both triangles in any way.
        slope = A.grad + A.grad.mT if matrix is positive else A.grad
        found.append((y.detach().numpy(), slope.numpy()))
    (eager, slope), (compiled, compiled_slope) = found
    np.testing.assert_allclose(compiled, eager, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(compiled_slope, slope, rtol=1e-6, atol=1e-8)


def test_large_matrices_stay_eager():
    with pytest.raises(RuntimeError, match="more than 32 rows"):
        irtool.compile(linalg.inv, target="reference")(irtool.eye(33))
