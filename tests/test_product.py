"""Matrix products of eager code: the same bits on any number of threads, and BLAS left as it was."""

import os

import irtool
import numpy as np
import pytest
from irtool.dialects.reference import product

if not product.libraries():
    pytest.skip("numpy's BLAS has no threads that can be set", allow_module_level=True)


@pytest.fixture(autouse=True)
def threads():
    before = irtool.get_num_threads()
    yield
    irtool.set_num_threads(before)


@pytest.mark.parametrize(
    "left, right",
    [((103, 31), (31, 40)), ((2, 300), (300, 500)), ((2, 90, 60), (2, 60, 90)), ((70, 3, 20, 70), (70, 3, 70, 2))],
    ids=["rows", "columns", "batch too short", "batch"],
)  # fmt: skip
def test_chunks_do_not_depend_on_threads(left, right, monkeypatch):
    monkeypatch.setattr(product, "CHUNK", 1 << 12)
    generator = np.random.default_rng(0)
    x, y = (generator.standard_normal(shape).astype(np.float32) for shape in (left, right))
    found = []
    for count in (1, 2, 5):
        irtool.set_num_threads(count)
        found.append(product.matmul(x, y))
        assert all(library.get_num_threads() == count for library in product.libraries())
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()
    np.testing.assert_allclose(found[0], np.matmul(x, y), rtol=1e-4, atol=1e-3)


def test_infinities_in_other_threads_are_silent():
    irtool.set_num_threads(2)
    x = irtool.full((1024, 512), float("inf"))
    y = irtool.zeros(512, 512)
    assert (x @ y).isnan().all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_products_in_a_forked_child():
    irtool.set_num_threads(2)
    x = np.ones((1024, 512), np.float32)
    product.matmul(x, x.T)
    child = os.fork()
    if child == 0:
        os._exit(0 if (product.matmul(x, x.T) == 512).all() else 1)
    assert os.waitpid(child, 0)[1] == 0
