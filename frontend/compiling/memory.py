"""What compiled programs run on: the memory that a launch asks for, copies and points programs at.

A device that programs can run on is one more implementation, in `MEMORIES`, beside a class of Storage for its buffers.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from ...dialects.types import TensorSpec
from ...runtime.storage import ALIGNMENT, Storage, allocate, layout_of
from ..devices import CPU, CUDA, mixed
from ..errors import runtime_error
from ..layout import View
from ..on_device.memory import MEMORY as DEVICE

Array = np.ndarray[Any, Any]


class NumberCell(Protocol):
    """A number in memory, from the host's side: what is assigned to `value`, a program reads in its next run."""

    value: Any


class CallNumbers(Protocol):
    """The numbers that each call of a program brings along."""

    buffers: list[Any]
    addresses: list[int]

    def send(self, values: Sequence[float]) -> None:
        """Puts a call's numbers where the program reads them."""
        ...


class Memory(Protocol):
    """The memory of one device. What a buffer is, is the device's own business; `Any` here."""

    @property
    def target(self) -> str | None:
        """What programs on this memory are compiled for where the user names no target; None for the CPU."""
        ...

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> tuple[Any, int]:
        """A new row-major buffer, contents undefined, and its address."""
        ...

    def storage(self, buffer: Any, spec: TensorSpec, /) -> Storage:
        """The storage of a new buffer."""
        ...

    def buffer(self, storage: Storage, view: View | None = None) -> Any:
        """What `copy` and `fill` take of a storage, or of a part of it."""
        ...

    def address(self, storage: Storage) -> int | None:
        """Where a program can work on the bytes of a storage; None where it has to be given a copy."""
        ...

    def copy(self, target: Any, source: Any, /) -> None:
        """Copies the elements of a buffer to another one of the same shape and type."""
        ...

    def fill(self, buffer: Any, number: float) -> None:
        """Puts a number everywhere."""
        ...

    def read(self, buffer: Any) -> Array:
        """The elements, on the host."""
        ...

    def cell(self, buffer: Any, dtype: str) -> NumberCell:
        """The first element of a buffer."""
        ...

    def numbers(self, specs: Sequence[TensorSpec]) -> CallNumbers:
        """Memory for numbers of calls."""
        ...

    def begin(self) -> None:
        """Before a run: raises what earlier ones have found to be wrong, and have not said yet."""
        ...

    def watch(self, found: Callable[[], Exception | None]) -> bool:
        """Has the record of errors of a run looked at before the results are, and before anything else runs, where runs
        go on after the call; False where the call has ended them."""
        ...


class NumberCells:
    """Numbers of calls as one cell each."""

    def __init__(self, memory: Memory, specs: Sequence[TensorSpec]) -> None:
        made = [memory.empty(*layout_of(spec)) for spec in specs]
        self.buffers = [buffer for buffer, _ in made]
        self.addresses = [address for _, address in made]
        self._cells = [memory.cell(buffer, spec.dtype.name) for buffer, spec in zip(self.buffers, specs)]

    def send(self, values: Sequence[float]) -> None:
        """One by one."""
        for cell, value in zip(self._cells, values):
            cell.value = value


CTYPES: dict[str, Any] = {
    "f32": ctypes.c_float,
    "f64": ctypes.c_double,
    "i64": ctypes.c_int64,
    "i32": ctypes.c_int32,
    "u8": ctypes.c_uint8,
    "i1": ctypes.c_bool,
}


class HostMemory:
    """The host's: a buffer is an array, on which programs and eager code work alike."""

    target = None
    empty = staticmethod(allocate)
    storage = Storage
    copy = staticmethod(np.copyto)

    def buffer(self, storage: Storage, view: View | None = None) -> Array:
        """The array of a storage, or the part of it that a view shows."""
        return storage.array if view is None else view.array(storage.array)

    def address(self, storage: Storage) -> int | None:
        """Programs expect aligned addresses; bytes that numpy arrays outside refer to must not move."""
        address = storage.address
        if address % ALIGNMENT == 0:
            return address
        return storage.address if storage.align() else None

    def fill(self, buffer: Array, number: float) -> None:
        """Puts a number everywhere."""
        buffer.fill(number)

    def read(self, buffer: Array) -> Array:
        """The array itself."""
        return buffer

    def cell(self, buffer: Array, dtype: str) -> NumberCell:
        """The number as ctypes sees it, at a fraction of the time that numpy takes to store one."""
        return CTYPES[dtype].from_address(buffer.__array_interface__["data"][0])

    def numbers(self, specs: Sequence[TensorSpec]) -> CallNumbers:
        """A cell each."""
        return NumberCells(self, specs)

    def begin(self) -> None:
        """Runs have ended, and have said it."""

    def watch(self, found: Callable[[], Exception | None]) -> bool:
        """Runs end with their calls."""
        return False


MEMORIES: dict[str, Memory] = {CPU.type: HostMemory(), CUDA.type: DEVICE}
"""By type of device."""


def memory_of(storages: Iterable[Storage]) -> Memory:
    """The memory that a program runs in which works on these: that of their device, the host's where there are none."""
    found = sorted({storage.device for storage in storages}, key=str, reverse=True) or [CPU]
    if len(found) > 1:
        raise mixed(found[0], found[1])
    if found[0].type not in MEMORIES:
        raise runtime_error(f"compiled programs cannot run on device '{found[0]}', only on {', '.join(MEMORIES)}")
    return MEMORIES[found[0].type]


def copied(memory: Memory, buffer: Any, spec: TensorSpec) -> tuple[Storage, int]:
    """A new storage with the elements of a buffer, and its address."""
    new, address = memory.empty(*layout_of(spec))
    memory.copy(new, buffer)
    return memory.storage(new, spec), address


def readable(memory: Memory, storage: Storage) -> tuple[Storage, int]:
    """A storage that a program can read, and its address: the one given where that is possible, or else a copy."""
    address = memory.address(storage)
    return copied(memory, memory.buffer(storage), storage.spec) if address is None else (storage, address)


__all__ = ["MEMORIES", "Memory", "NumberCells", "copied", "memory_of", "readable"]
