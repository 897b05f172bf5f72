"""How exact long sums are in float32."""

from __future__ import annotations

import irtool
import numpy as np
import pytest


@pytest.mark.parametrize("rows", [24, 1], ids=["matrix", "vector"])
def test_rounding_errors_hardly_grow_with_the_length_of_a_product(rows: int) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape, np.float32) for shape in ((rows, 4096), (4096, 64)))
    product = irtool.compile(irtool.matmul)(irtool.from_numpy(a), irtool.from_numpy(b)).numpy()
    exact = a.astype(np.float64) @ b
    assert np.linalg.norm(product - exact) < 4e-7 * np.linalg.norm(exact)  # one chain of 4096: 1.2e-6
