"""The memory of a device as launches of compiled programs ask for it, and as eager code reads and writes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...dialects.types import TensorSpec, dtype_of_numpy
from ...runtime import device_memory
from ...runtime.device_memory import Block, DeviceStorage, Heap
from ...runtime.storage import ALIGNMENT, Storage
from ..layout import View, is_contiguous, row_major
from .programs import Operand, gathered, placed

if TYPE_CHECKING:
    from ..layout import Layout

Array = np.ndarray[Any, Any]


class Region:
    """A tensor's elements on the device: all of a block, or those that a view shows."""

    __slots__ = ("layout", "spec", "storage")

    def __init__(self, storage: DeviceStorage, spec: TensorSpec, layout: Layout | None = None) -> None:
        self.storage = storage
        self.spec = spec
        self.layout = layout or (row_major(spec.shape), 0)

    @property
    def is_row_major(self) -> bool:
        """Whether the elements lie one behind the other."""
        return is_contiguous(self.spec.shape, self.layout[0])

    @property
    def address(self) -> int:
        """Where the first element lies."""
        return self.storage.address + self.layout[1] * self.spec.dtype.itemsize

    @property
    def count(self) -> int:
        """How many elements these are."""
        return math.prod(self.spec.shape)

    @property
    def nbytes(self) -> int:
        """Their bytes."""
        return self.count * self.spec.dtype.itemsize


class DeviceCell:
    """A number on the device, from the host's side."""

    __slots__ = ("_dtype", "_heap", "_region")

    def __init__(self, heap: Heap, region: Region) -> None:
        self._heap, self._region, self._dtype = heap, region, region.spec.dtype.numpy

    @property
    def value(self) -> Any:
        """Waits for the programs that write to it."""
        return self._heap.read(self._region.address, (), self._dtype).item()

    @value.setter
    def value(self, number: Any) -> None:
        self._heap.write(self._region.address, np.asarray(number, self._dtype))


class DeviceNumbers:
    """The numbers that a call brings along, sent together."""

    def __init__(self, heap: Heap, specs: Sequence[TensorSpec]) -> None:
        self._heap = heap
        self._host = np.zeros(len(specs) * ALIGNMENT, np.uint8)
        self._block = heap.block(self._host.nbytes)
        self._cells = [
            self._host[k * ALIGNMENT :][: spec.dtype.itemsize].view(spec.dtype.numpy) for k, spec in enumerate(specs)
        ]
        size = self._host.nbytes
        storages = [DeviceStorage(self._block, TensorSpec((size // s.dtype.itemsize,), s.dtype)) for s in specs]
        places = [(k * ALIGNMENT) // spec.dtype.itemsize for k, spec in enumerate(specs)]
        self.buffers: list[Any] = [Region(s, spec, ((), at)) for s, spec, at in zip(storages, specs, places)]
        self.addresses = [region.address for region in self.buffers]

    def send(self, values: Sequence[float]) -> None:
        """All at once, where there are any."""
        if self._cells:
            for cell, value in zip(self._cells, values):
                cell[0] = value
            self._heap.write(self._block.address, self._host)


class DeviceMemory:
    """The memory of the device at hand. Buffers on the host are arrays: copies go between both."""

    @property
    def target(self) -> str | None:
        """What the device runs."""
        return self.heap.driver.target

    @property
    def heap(self) -> Heap:
        """Where blocks come from."""
        return device_memory.heap()

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> tuple[Region, int]:
        """A new row-major buffer, and its address."""
        spec = TensorSpec(shape, dtype_of_numpy(dtype))
        storage = DeviceStorage(self.heap.block(size), spec)
        return Region(storage, spec), storage.address

    def storage(self, buffer: Region, spec: TensorSpec, /) -> Storage:
        """The storage of a new buffer."""
        return buffer.storage

    def buffer(self, storage: Storage, view: View | None = None) -> Region | Array:
        """A storage, or the part of it that a view shows; an array where it is on the host."""
        if isinstance(storage, DeviceStorage):
            return Region(storage, storage.spec) if view is None else Region(storage, view.spec, view.layout)
        return storage.array if view is None else view.array(storage.array)

    def address(self, storage: Storage) -> int | None:
        """Where the bytes are; of those on the host, programs get a copy."""
        return storage.address if isinstance(storage, DeviceStorage) else None

    def copy(self, target: Region | Array, source: Region | Array, /) -> None:
        """Copies elements, on the device or between it and the host."""
        if not isinstance(target, Region):
            np.copyto(target, self.read(source))
        elif not isinstance(source, Region):
            self._send(target, source)
        elif target.is_row_major and source.is_row_major:
            self.heap.copy(target.address, source.address, target.nbytes)
        elif target.is_row_major:
            self.copy(target, self._row_major(source))
        else:
            placed(target.storage, *target.layout, self._operand(source))

    def _send(self, target: Region, source: Array) -> None:
        if target.is_row_major:
            self.heap.write(target.address, source)
        else:
            sent, _ = self.empty(target.spec.shape, target.spec.dtype.numpy, target.nbytes)
            self.heap.write(sent.address, source)
            self.copy(target, sent)

    def _row_major(self, source: Region) -> Region:
        """The elements one behind the other, from the start of a block."""
        return self._over(gathered(source.storage, source.spec, *source.layout), source.spec)

    @staticmethod
    def _over(block: Block, spec: TensorSpec) -> Region:
        return Region(DeviceStorage(block, spec), spec)

    def _operand(self, source: Region) -> Operand:
        if not source.is_row_major or source.layout[1]:
            source = self._row_major(source)
        return Operand(source.address, source.spec, None, source.storage)

    def fill(self, buffer: Region, number: float) -> None:
        """Puts a number everywhere."""
        if buffer.is_row_major:
            self.heap.fill(buffer.address, number, buffer.count, buffer.spec.dtype.numpy)
        else:
            self._send(buffer, np.full(buffer.spec.shape, number, buffer.spec.dtype.numpy))

    def read(self, buffer: Region | Array) -> Array:
        """The elements, on the host."""
        if not isinstance(buffer, Region):
            return buffer
        source = buffer if buffer.is_row_major else self._row_major(buffer)
        return self.heap.read(source.address, source.spec.shape, source.spec.dtype.numpy)

    def cell(self, buffer: Region, dtype: str) -> DeviceCell:
        """The first element of a buffer."""
        return DeviceCell(self.heap, buffer)

    def numbers(self, specs: Sequence[TensorSpec]) -> DeviceNumbers:
        """One packet for all."""
        return DeviceNumbers(self.heap, specs)

    def begin(self) -> None:
        """Raises what earlier runs have found to be wrong."""
        self.heap.enter()

    def watch(self, found: Callable[[], Exception | None]) -> bool:
        """Asked as soon as anybody reads, waits or goes on."""
        self.heap.watch(found)
        return True


MEMORY = DeviceMemory()

__all__ = ["MEMORY", "DeviceMemory", "Region"]
