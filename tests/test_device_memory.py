"""Launches speak to memory through one protocol: with that of a made-up device they touch nothing on the host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import irtool
import numpy as np
import pytest
from irtool import Tensor
from irtool.dialects.text import parse_module
from irtool.dialects.types import TensorSpec, f32
from irtool.frontend.compiling import memory as memories
from irtool.frontend.compiling.backward import Runner
from irtool.frontend.compiling.launch import Launch
from irtool.frontend.compiling.plans import Copy
from irtool.frontend.layout import View
from irtool.frontend.tensor import wrap
from irtool.frontend.tracing.trace import Input
from irtool.runtime.device import device
from irtool.runtime.storage import Storage

SPEC, NUMBER = TensorSpec((2, 3), f32), TensorSpec((), f32)


@dataclass
class Chunk:
    """Memory of the device. Programs find it by its address; on the host it is no array."""

    elements: np.ndarray[Any, Any]


class DeviceStorage(Storage):
    """What is on the device."""

    __slots__ = ("chunk",)

    device = device("cuda")

    def __init__(self, chunk: Chunk, spec: TensorSpec) -> None:
        self.chunk = chunk
        self.spec = spec
        self.version = self.hidden = 0
        self.shared = False

    @property
    def array(self) -> np.ndarray[Any, Any]:  # pyright: ignore[reportIncompatibleVariableOverride]
        raise AssertionError("on the device")


@dataclass
class DeviceCell:
    memory: DeviceMemory
    chunk: Chunk

    @property
    def value(self) -> Any:
        return self.chunk.elements.item()

    @value.setter
    def value(self, number: Any) -> None:
        self.memory.calls["put"] += 1
        self.chunk.elements[()] = number


class DeviceMemory:
    target = "made-up"

    def __init__(self) -> None:
        self.calls = Counter[str]()
        self.chunks: list[Chunk] = []

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> tuple[Chunk, int]:
        self.calls["empty"] += 1
        self.chunks.append(Chunk(np.full(shape, 77, dtype)))
        return self.chunks[-1], len(self.chunks) - 1

    def storage(self, buffer: Any, spec: TensorSpec) -> Storage:
        return DeviceStorage(buffer, spec)

    def buffer(self, storage: Storage, view: View | None = None) -> Chunk:
        chunk = cast(DeviceStorage, storage).chunk
        return chunk if view is None else Chunk(view.array(chunk.elements))

    def address(self, storage: Storage) -> int | None:
        self.calls["address"] += 1
        return next(k for k, chunk in enumerate(self.chunks) if chunk is cast(DeviceStorage, storage).chunk)

    def copy(self, target: Chunk, source: Chunk) -> None:
        self.calls["copy"] += 1
        target.elements[...] = source.elements

    def fill(self, buffer: Chunk, number: float) -> None:
        self.calls["fill"] += 1
        buffer.elements[...] = number

    def read(self, buffer: Chunk) -> np.ndarray[Any, Any]:
        return buffer.elements

    def cell(self, buffer: Chunk, dtype: str) -> DeviceCell:
        return DeviceCell(self, buffer)

    def numbers(self, specs: Sequence[TensorSpec]) -> memories.NumberCells:
        return memories.NumberCells(self, specs)

    def begin(self) -> None:
        self.calls["begin"] += 1

    def watch(self, found: Any) -> bool:
        return False

    def tensor(self, *rows: Sequence[float]) -> Tensor:
        """A tensor on the device."""
        array = np.array(rows, np.float32)
        spec = TensorSpec(array.shape, f32)
        chunk, _ = self.empty(spec.shape, array.dtype, array.nbytes)
        chunk.elements[...] = array
        return wrap(self.storage(chunk, spec), spec)


class Program:
    """result = x * n + w; w = w + 1"""

    def __init__(self, memory: DeviceMemory) -> None:
        self.memory = memory
        self.pointers: dict[int, int] = {}

    def bind(self) -> Program:
        return self

    def set(self, index: int, address: int) -> None:
        self.pointers[index] = address

    def run(self, changes: Sequence[tuple[int, int]] = ()) -> None:
        self.pointers.update(changes)
        x, n, w, result = (self.memory.chunks[self.pointers[k]].elements for k in range(4))
        result[...] = x * n + w
        w += 1


def test_a_launch_speaks_to_memory_through_the_protocol_alone() -> None:
    memory = DeviceMemory()
    w = memory.tensor((0, 0, 0), (10, 10, 10))
    inputs = [
        Input(cast(Any, None), SPEC, leaf=0),
        Input(cast(Any, None), NUMBER, leaf=1, is_number=True),
        Input(cast(Any, None), SPEC, storage=w._storage),
    ]
    # The second result is what `w` was before.
    copies = [Copy(inputs[2], 1, before=True)]
    launch = Launch(Program(memory), inputs, inputs[2:], [SPEC, SPEC], [0], copies, memory)
    x = memory.tensor((1, 2, 3), (4, 5, 6))
    memory.calls.clear()
    (first, before), _ = launch.run([x, 2.0])
    assert memory.buffer(first).elements.tolist() == [[2, 4, 6], [18, 20, 22]]
    assert memory.buffer(before).elements.tolist() == [[0, 0, 0], [10, 10, 10]]
    assert memory.buffer(w._storage).elements.tolist() == [[1, 1, 1], [11, 11, 11]] and w._storage.version == 1
    # Two results and a copy of `w`, to it and from it; the address of `x`; the number.
    assert memory.calls == {"empty": 3, "copy": 2, "address": 1, "put": 1, "begin": 1}

    launch.run([x, 2.0])
    assert memory.calls == {"empty": 6, "copy": 4, "address": 1, "put": 2, "begin": 2}  # the pointer is as it was

    launch.run([memory.tensor((1, 4), (2, 5), (3, 6)).t(), 2.0])  # a view goes through memory of its own
    assert memory.calls["address"] == 1 and memory.calls["empty"] == 6 + 3 + 1 + 1 and memory.calls["copy"] == 7


class Doubling:
    """result = x * 2"""

    def __init__(self, memory: DeviceMemory) -> None:
        self.memory = memory

    def bind(self) -> Doubling:
        return self

    def run(self, changes: Sequence[tuple[int, int]] = ()) -> None:
        x, result = (self.memory.chunks[address].elements for _, address in changes)
        result[...] = x * 2


def test_a_backward_program_runs_where_its_arguments_are(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = DeviceMemory()
    monkeypatch.setitem(memories.MEMORIES, "cuda", memory)
    text = "func.func @f(%x: tensor<2x3xf32>) -> tensor<2x3xf32> { func.return %x : tensor<2x3xf32> }"
    function: Any = parse_module(text).body.block.first_op
    function.detach()
    runner = Runner(function, cast(Any, lambda module: Doubling(memory)))
    (result,) = runner.run([memory.tensor((1, 2, 3), (4, 5, 6))._storage])
    assert result.device.type == "cuda" and memory.buffer(result).elements.tolist() == [[2, 4, 6], [8, 10, 12]]


def test_memory_is_that_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = DeviceMemory()
    x, y = memory.tensor((1, 2)), irtool.ones(1, 2)
    monkeypatch.delitem(memories.MEMORIES, "cuda")
    with pytest.raises(RuntimeError, match="compiled programs cannot run on device 'cuda', only on cpu"):
        memories.memory_of([x._storage])
    monkeypatch.setitem(memories.MEMORIES, "cuda", memory)
    assert memories.memory_of([x._storage]) is memory
    assert memories.memory_of([y._storage]) is memories.memory_of([]) is memories.MEMORIES["cpu"]
    with pytest.raises(RuntimeError, match=r"same device, but found at least two devices, cuda and cpu!.*test_device"):
        memories.memory_of([x._storage, y._storage])


def test_tensors_are_where_their_memory_is() -> None:
    x = DeviceMemory().tensor((1, 2))
    assert str(x.device) == "cuda" and x.t().device == x.device
    assert irtool.zeros(2).device == irtool.device("cpu")
    with pytest.raises(AssertionError, match="on the device"):
        x.tolist()
