"""The target "cuda" through PyCUDA itself, on a driver that runs the emulator: `make test-cuda`.

Skipped, and says why, where PyCUDA cannot be built.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import irtool
import irtool.nn.functional as F
import numpy as np
import pytest
from irtool import nn, optim
from irtool.dialects.text import parse_module
from irtool.runtime.compiler import compile_module
from irtool.runtime.cuda import backend, graph, program

from ..cuda.launches import one_launch
from . import standin
from .build import CannotBuild


@pytest.fixture(scope="session")
def driver() -> Any:
    """The stand-in."""
    try:
        return standin.load()
    except CannotBuild as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def on_standin(driver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels are compiled for the emulator, and planned as for it."""
    standin.use(monkeypatch.setattr)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many nodes each graph has that is recorded; a zero for each time that one is launched."""
    found: list[int] = []
    made, launched = graph.Graph.__init__, graph.Graph.launch

    def init(self: graph.Graph, *arguments: Any) -> None:
        made(self, *arguments)
        found.append(self.nodes)

    def launch(self: graph.Graph) -> None:
        launched(self)
        found.append(0)

    monkeypatch.setattr(graph.Graph, "__init__", init)
    monkeypatch.setattr(graph.Graph, "launch", launch)
    yield found


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 10))


def trained(target: str, steps: int) -> list[np.ndarray[Any, Any]]:
    """The losses and the parameters after some steps, each with another learning rate."""
    irtool.manual_seed(0)
    rng = np.random.default_rng(0)
    model = perceptron()
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    @irtool.compile(target=target)
    def step(x: irtool.Tensor, y: irtool.Tensor) -> irtool.Tensor:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    losses: list[float] = []
    for number in range(steps):
        optimizer.param_groups[0]["lr"] = 0.01 / (1 + number)
        x = irtool.tensor(rng.normal(size=(16, 20)).astype(np.float32))
        losses.append(step(x, irtool.tensor(rng.integers(0, 10, 16))).item())
    return [np.array(losses), *(p.detach().numpy() for p in model.parameters())]


def test_training_steps_are_recorded_and_replayed(recorded: list[int]) -> None:
    expected = trained("cuda-emulated", 6)
    assert not recorded
    for ours, theirs in zip(trained("cuda", 6), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # The first step runs launch by launch, the second is recorded and replayed, and so is every one after it.
    (nodes,) = (n for n in recorded if n)
    assert nodes > 3 and recorded == [nodes, 0, 0, 0, 0, 0]


def test_a_loop_is_unrolled_into_the_graph(recorded: list[int]) -> None:
    def run(target: str) -> list[np.ndarray[Any, Any]]:
        irtool.manual_seed(1)
        cell = nn.LSTM(4, 8)
        compiled = irtool.compile(lambda x: cell(x)[0], target=target)
        x = irtool.randn(12, 3, 4)
        with irtool.no_grad():
            return [compiled(x + k).numpy() for k in range(3)]

    for ours, theirs in zip(run("cuda"), run("cuda-emulated"), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert max(recorded) >= 12


TWICE = """
func.func @twice(%x: tensor<5x7xf32>, %w: tensor<5x7xf32> {irtool.result = 1})
    -> (tensor<5x7xf32>, tensor<5x7xf32>, tensor<7x7xf32>) {
  %y = hl.add %x, %w : tensor<5x7xf32>
  %t = hl.transpose %y [1, 0] : tensor<5x7xf32> -> tensor<7x5xf32>
  %z = hl.matmul %t, %y : tensor<7x5xf32>, tensor<5x7xf32> -> tensor<7x7xf32>
  func.return %y, %y, %z : tensor<5x7xf32>, tensor<5x7xf32>, tensor<7x7xf32>
}
"""


class OnDevice:
    """Arrays in memory of the device."""

    def __init__(self) -> None:
        from irtool.runtime.cuda.driver import open_device

        self.device = open_device()

    def put(self, array: np.ndarray[Any, Any]) -> int:
        address = self.device.alloc(array.nbytes)
        self.device.copy_in(address, array.ctypes.data, array.nbytes)
        return address

    def get(self, address: int, *shape: int) -> np.ndarray[Any, Any]:
        array = np.empty(shape, np.float32)
        self.device.copy_out(array.ctypes.data, address, array.nbytes)
        return array


def test_memory_of_the_device_is_worked_on_where_it_is(recorded: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """State stays where it is; inputs and results that are elsewhere in each run are copied within the device."""
    monkeypatch.setattr(program, "RECORDED_FROM", 2)
    there = OnDevice()
    twice: Any = compile_module(parse_module(TWICE), "cuda")
    assert isinstance(twice, program.DeviceProgram) and twice.launches > 1
    call, rng = twice.bind(), np.random.default_rng(0)
    w = rng.normal(size=(5, 7)).astype(np.float32)
    state = there.put(w)
    call.set(1, state)
    for _ in range(5):
        x = rng.normal(size=(5, 7)).astype(np.float32)
        y, z = (there.device.alloc(4 * n) for n in (35, 49))
        call.run([(0, there.put(x)), (2, y), (3, z)])
        w = x + w
        np.testing.assert_array_equal(there.get(y, 5, 7), w)
        np.testing.assert_allclose(there.get(z, 7, 7), w.T @ w, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(there.get(state, 5, 7), w)
    assert [n for n in recorded if n] == [twice.launches]  # recorded once, whatever moves


def trained_on_device(which: str, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The losses of a model that lives on the device; then what eager code there makes of its parameters."""
    monkeypatch.setenv("IRTOOL_CUDA", which)
    irtool.manual_seed(0)
    rng = np.random.default_rng(0)
    model = perceptron().to("cuda")
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    @irtool.compile
    def step(x: irtool.Tensor, y: irtool.Tensor) -> irtool.Tensor:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    losses: list[irtool.Tensor] = []
    for number in range(5):
        optimizer.param_groups[0]["lr"] = 0.1 / (1 + number)
        x = irtool.tensor(rng.normal(size=(16, 20)).astype(np.float32)).cuda()
        losses.append(step(x, irtool.tensor(rng.integers(0, 10, 16)).cuda()))
    sums = [(p.detach() * 2).sum() for p in model.parameters()]
    assert irtool.cuda.memory_allocated() > sum(4 * p.numel() for p in model.parameters())
    return [t.item() for t in (*losses, *sums)]


def test_a_model_on_the_device(recorded: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    assert trained_on_device("cuda", monkeypatch) == trained_on_device("emulated", monkeypatch)
    (nodes,) = (n for n in recorded if n)
    assert nodes > 3 and len(recorded) == 5


def test_a_profile_has_every_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRTOOL_CUDA", "cuda")
    w = irtool.ones(8, 8).cuda()

    @irtool.compile
    def step(x: irtool.Tensor) -> irtool.Tensor:
        w.add_(1)
        return F.softmax(x @ w, 1)

    step(irtool.ones(4, 8).cuda())
    profile = step.profile(irtool.ones(4, 8).cuda(), steps=3)
    assert len(profile.kernels) > 1 and all("through_pycuda.py" in kernel.line for kernel in profile.kernels)
    assert [kernel.seconds for kernel in profile.kernels] == [pytest.approx(1e-3)] * len(profile.kernels)
    assert w.cpu()[0, 0] == 2  # as before


def test_an_index_out_of_bounds_shows_when_a_result_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRTOOL_CUDA", "cuda")
    weight = irtool.ones(4, 3).cuda()
    pick = irtool.compile(lambda at: weight[at] + 1)
    assert pick(irtool.tensor([1]).cuda()).cpu().tolist() == [[2, 2, 2]]
    result = pick(irtool.tensor([9]).cuda())
    with pytest.raises(IndexError):
        result.cpu()
    assert pick(irtool.tensor([1]).cuda()).cpu().tolist() == [[2, 2, 2]]


@pytest.mark.parametrize("pattern", [b"\x07", b"\x01\x02", b"\x01\x02\x03\x04", b"\x01\x02\x03\x04\x05\x06\x07\x08"])
def test_memory_is_filled(pattern: bytes) -> None:
    there = OnDevice()
    array = np.zeros(24, np.uint8)
    address = there.put(array)
    there.device.fill(address, pattern, 16 // len(pattern))
    there.device.copy_out(array.ctypes.data, address, 24)
    assert array.tobytes() == pattern * (16 // len(pattern)) + bytes(8)
    there.device.free(address)
    assert not there.device.holds(address)


def test_what_is_copied_in_may_change_at_once() -> None:
    there = OnDevice()
    array = np.arange(4, dtype=np.float32)
    address = there.put(array)
    array[...] = 0
    np.testing.assert_array_equal(there.get(address, 4), [0, 1, 2, 3])


def test_threads_have_the_context_while_they_need_it() -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(trained("cuda", 3)))
    thread.start()
    thread.join()
    for ours, theirs in zip(found[0], trained("cuda", 3), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_doctor_says_what_is_there() -> None:
    told = dict(backend.CUDA().doctor())
    assert told["GPU"].startswith("stand-in: compute capability 9.0, 132 multiprocessors")
    assert told["driver"].startswith("CUDA 13.0, PyCUDA 2026")


# What ends a context, or a process


def in_a_process(*lines: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[2]
    script = "\n".join(
        ("from tests.cuda_driver import standin", "standin.load()", "standin.use(setattr)", "import irtool", *lines)
    )
    return subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip


OUT_OF_BOUNDS = """
  %far = arith.constant 100000000 : index
  %x = memref.load %x0[%t] : memref<64xf32>
  memref.store %x, %y[%far] : memref<64xf32>
"""


def wrong_program(blocking: bool) -> str:
    text = one_launch(OUT_OF_BOUNDS, "memref<64xf32>", "memref<64xf32>", 64)
    done = in_a_process(
        "import numpy as np",
        "from irtool.dialects.text import parse_module",
        "from irtool.runtime.compiler import compile_module",
        f"program = compile_module(parse_module({text!r}, 'train.mlir'), 'cuda')",
        "x, y = np.ones(64, np.float32), np.ones(64, np.float32)",
        "call = program.bind()",
        "call.set(0, x.ctypes.data)",
        "call.set(1, y.ctypes.data)",
        "try:",
        "    call.run()",
        "except RuntimeError as error:",
        "    print(error)",
        environment={"CUDA_LAUNCH_BLOCKING": "1" if blocking else "0"},
    )
    assert not done.returncode, done.stderr
    return done.stdout


@pytest.mark.parametrize("blocking", [False, True])
def test_errors_of_the_device_name_the_kernel_and_its_line(blocking: bool) -> None:
    told = wrong_program(blocking)
    assert told.startswith("CUDA error: an illegal memory access was encountered, in kernel k (train.mlir:"), told


def test_a_forked_child_is_told_to_be_spawned() -> None:
    done = in_a_process(
        "import os, sys",
        "from irtool.runtime.cuda.driver import open_device",
        "device = open_device()",
        "if not os.fork():",
        "    try:",
        "        device.alloc(16)",
        "    except RuntimeError as error:",
        "        print(error, flush=True)",
        "    os._exit(0)",
        "os.wait()",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Cannot re-initialize CUDA in forked subprocess"), done.stdout


def test_a_process_ends_with_programs_in_use() -> None:
    done = in_a_process(
        "step = irtool.compile(lambda x: (x @ x).sum(), target='cuda')",
        "results = [step(irtool.ones(8, 8)).item() for _ in range(3)]",
        "print(results)",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[512.0, 512.0, 512.0]\n", "")


def test_without_a_device_one_sentence_says_so() -> None:
    done = in_a_process(
        "try:",
        "    irtool.compile(lambda x: x + 1, target='cuda')(irtool.ones(2))",
        "except RuntimeError as error:",
        "    print(error)",
        environment={"STANDIN_NO_DEVICE": "1"},
    )
    assert done.stdout.startswith("CUDA needs a GPU, and the driver finds none (no CUDA-capable device is detected)")
