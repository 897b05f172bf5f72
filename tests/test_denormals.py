"""Denormal numbers count as zero in compiled programs, in every thread, and nowhere else; what that is worth."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import irtool
import numpy as np
import pytest
from irtool.runtime import denormals
from irtool.runtime.denormals import as_compiled, set_thread_mode, without_denormals
from irtool.runtime.threads import get_num_threads, set_num_threads

from .test_errors_cli import irtool as command
from .test_errors_cli import outputs

pytestmark = pytest.mark.usefixtures("denormal_mode")
SMALL = np.float32(2e-38)
MANY = 100_000
"""Enough elements for a share of each thread."""


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = get_num_threads()
    yield
    set_num_threads(before)


def numpy_keeps_them() -> bool:
    return bool((np.full(64, SMALL) * np.float32(0.25)).all()) and 1e-310 * 0.5 != 0


def half(x: Any) -> Any:
    return x * 0.5


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("count", [8, MANY])
def test_all_threads_flush_and_get_their_mode_back(threads: int, count: int) -> None:
    set_num_threads(threads)
    step = irtool.compile(half)
    x = irtool.from_numpy(np.full(count, SMALL))
    assert not step(x).numpy().any()
    assert numpy_keeps_them()
    assert half(x).numpy().all(), "eager code computes as numpy does until it is told otherwise"
    denormal = irtool.from_numpy(np.full(count, SMALL / 4))
    assert not step(denormal * 2).numpy().any() and not irtool.compile(lambda x: x * 1e30)(denormal).numpy().any()


def test_the_setting_holds_for_programs_compiled_before_and_after() -> None:
    x = irtool.from_numpy(np.full(MANY, SMALL))
    before = irtool.compile(half)
    assert not before(x).numpy().any()
    assert irtool.set_flush_denormal(False) is True
    after = irtool.compile(lambda x: x * 0.25)
    assert before(x).numpy().all() and after(x).numpy().all() and half(x).numpy().all()
    assert irtool.set_flush_denormal(True) is True
    assert not before(x).numpy().any() and not after(x).numpy().any()


def test_eager_code_follows_in_this_thread() -> None:
    x = irtool.from_numpy(np.full(64, SMALL))
    irtool.set_flush_denormal(True)
    assert not half(x).numpy().any() and not numpy_keeps_them()
    irtool.compile(half)(x)
    assert not numpy_keeps_them(), "the caller's mode is restored, this one too"
    irtool.set_flush_denormal(False)
    assert half(x).numpy().all() and numpy_keeps_them()
    irtool.compile(half)(x)
    assert numpy_keeps_them()


def test_a_program_that_keeps_them_does_so_in_a_thread_that_flushes() -> None:
    step, x = irtool.compile(half), irtool.from_numpy(np.full(64, SMALL))
    irtool.set_flush_denormal(False)
    set_thread_mode(True)
    assert step(x).numpy().view(np.uint32).all()


def test_the_mode_is_restored_where_a_call_raises() -> None:
    @irtool.compile
    def step(x: Any) -> Any:
        y = x * 0.5
        raise ValueError("after all")
        return y

    with pytest.raises(ValueError, match="after all"):
        step(irtool.from_numpy(np.full(64, SMALL)))
    assert numpy_keeps_them()

    @irtool.compile
    def look_up(x: Any, i: Any) -> Any:
        return (x * 0.5)[i]

    for threads in (1, 2):
        set_num_threads(threads)
        with pytest.raises(IndexError):
            look_up(irtool.from_numpy(np.full(MANY, SMALL)), irtool.tensor([MANY]))
        assert numpy_keeps_them(), "the program's own error"
    with pytest.raises(RuntimeError, match="in the reference"), as_compiled():
        raise RuntimeError("in the reference")
    assert numpy_keeps_them()


def test_other_threads_of_the_caller_are_left_alone() -> None:
    step, x = irtool.compile(half), irtool.from_numpy(np.full(MANY, SMALL))
    found: list[bool] = []

    def work() -> None:
        found.append(not step(x).numpy().any())
        found.append(numpy_keeps_them())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 6


def test_training_flushes_gradients_and_state() -> None:
    w = irtool.nn.Parameter(irtool.full((MANY,), 1e-20))
    optimizer = irtool.optim.Adam([w], lr=1e-3)

    @irtool.compile
    def step() -> Any:
        loss = (w * 1e-20).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step()
    second = optimizer.state[w]["exp_avg_sq"].numpy()
    assert not second.any(), "the square of 1e-20 is a denormal number"


@pytest.mark.parametrize("mode", [1, None, "on"])
def test_the_setting_is_a_bool(mode: Any) -> None:
    with pytest.raises(TypeError, match="set_flush_denormal expects a bool, but got"):
        irtool.set_flush_denormal(mode)


def test_a_processor_without_such_a_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denormals.platform, "machine", lambda: "riscv64")
    assert irtool.set_flush_denormal(False) is False
    assert denormals.flush


def test_denormals_as_zeros() -> None:
    x = np.array([1e-40, -1e-40, 1.2e-38, -3.0, np.inf, np.nan], np.float32)
    y = without_denormals(x)
    np.testing.assert_array_equal(y, np.array([0, -0.0, 1.2e-38, -3.0, np.inf, np.nan], np.float32))
    assert np.signbit(y).tolist() == np.signbit(x).tolist()
    assert without_denormals(np.arange(3)).tolist() == [0, 1, 2]
    denormals.flush = 0
    assert without_denormals(x) is x


PROGRAM = """
func.func @f(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<2x2xf32>) {
  %0 = hl.mul %x, %y : tensor<4xf32>
  %1 = hl.div %0, %y : tensor<4xf32>
  %2 = hl.reshape %x : tensor<4xf32> -> tensor<2x2xf32>
  func.return %0, %1, %2 : tensor<4xf32>, tensor<4xf32>, tensor<2x2xf32>
}
"""


@pytest.mark.parametrize("flags", [(), ("--compiled",)])
def test_irtool_run_treats_them_alike_at_each_level(flags: tuple[str, ...], tmp_path: Path) -> None:
    path, inputs, saved = tmp_path / "f.mlir", tmp_path / "in.npz", tmp_path / "out.npz"
    path.write_text(PROGRAM)
    np.savez(inputs, x=np.array([1e-30, 1e-20, 1.0, 1e-40], np.float32), y=np.full(4, 1e-10, np.float32))
    outputs(command("run", path, "-i", inputs, "-o", saved, *flags))
    found = [np.load(saved)[f"result{k}"] for k in range(3)]
    np.testing.assert_allclose(found[0], np.array([0, 1e-30, 1e-10, 0], np.float32), rtol=1e-6)
    np.testing.assert_allclose(found[1], np.array([0, 1e-20, 1, 0], np.float32), rtol=1e-6)
    np.testing.assert_allclose(found[2].ravel(), np.array([1e-30, 1e-20, 1, 0], np.float32), rtol=1e-6)


def test_a_decaying_recurrence_is_as_fast_as_a_steady_one() -> None:
    path = Path(__file__).parent.parent / "benchmarks" / "denormals.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_denormals", path)
    assert spec is not None and spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    ratio: Callable[..., float] = benchmark.ratio
    assert ratio() < benchmark.MOST
