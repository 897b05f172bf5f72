"""Memory of a device: what a driver offers, a heap that keeps freed memory for the next to ask, and storages over it.

Driver             alloc, free, copies, fill, synchronize: one device, as addresses and bytes
Heap               a driver with blocks that come back when nobody refers to them, and counts of what is in use
DeviceStorage      a tensor's bytes in a block

DRIVERS has one row a way to a device. Nothing is loaded before somebody asks for it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar, Protocol, cast

import numpy as np

from ..dialects.types import TensorSpec
from .device import device
from .storage import Storage

CUDA = device("cuda", 0)

CHUNK = 512
"""Bytes: sizes of blocks are multiples of it, so that a freed one serves many requests."""


class Driver(Protocol):
    """One device. Addresses are numbers; work happens in the order of the calls, and only what says so waits for it."""

    target: str
    """What programs on this memory are compiled for."""
    name: str
    total_memory: int
    capability: tuple[int, int]

    def alloc(self, size: int) -> int:
        """New memory at a multiple of 256. Raises MemoryError."""
        ...

    def free(self, address: int) -> None:
        """Gives memory back."""
        ...

    def copy_in(self, address: int, source: int, size: int) -> None:
        """From the host, whose memory may change as soon as this returns."""
        ...

    def copy_out(self, target: int, address: int, size: int) -> None:
        """To the host; waits for all work before it."""
        ...

    def copy(self, target: int, source: int, size: int) -> None:
        """Within the device."""
        ...

    def fill(self, address: int, pattern: bytes, count: int) -> None:
        """1, 2, 4 or 8 bytes, `count` times."""
        ...

    def synchronize(self) -> None:
        """Waits for all work, and raises what has gone wrong in it."""
        ...


class DriverModule(Protocol):
    """A module with a way to a device."""

    def missing(self) -> str | None:
        """What is missing to use it, in a sentence."""
        ...

    def open_device(self) -> Driver:
        """The device."""
        ...


DRIVERS = {"cuda": "cuda.driver", "emulated": "emulated_device"}
"""Modules of this folder by what IRTOOL_CUDA says."""


class Block:
    """Bytes of the device. They go back to the heap with the last who refers to them."""

    __slots__ = ("__weakref__", "address", "heap", "size")

    def __init__(self, address: int, size: int, heap: Heap) -> None:
        self.address = address
        self.size = size
        self.heap = heap

    def __del__(self) -> None:
        self.heap.take_back(self.address, self.size)


class Heap:
    """The memory of a device, in blocks. Work on the device runs in order, so that a block that is given back may be
    handed out again at once."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.allocated = self.most_allocated = self.reserved = 0
        self._free: dict[int, list[int]] = {}
        self._lock = threading.RLock()  # collecting garbage may give back a block while another is asked for
        self._process = os.getpid()
        self._watched: list[Callable[[], Exception | None]] = []

    def watch(self, found: Callable[[], Exception | None]) -> None:
        """Says what tells whether a run has failed. It is asked once, before memory is read and before more is done."""
        self._watched.append(found)

    def enter(self) -> None:
        """Before anything is done: raises what earlier runs have found to be wrong, and in a forked child."""
        self.check_process()
        if self._watched:
            watched, self._watched = self._watched, []
            while watched:
                error = watched.pop(0)()
                if error is not None:
                    self._watched = watched
                    raise error

    def synchronize(self) -> None:
        """Waits for all work, and raises what has gone wrong in it."""
        self.enter()
        self.driver.synchronize()

    def block(self, size: int) -> Block:
        """New memory, contents undefined. Raises RuntimeError where there is not so much."""
        self.enter()
        size = -(-max(size, 1) // CHUNK) * CHUNK
        with self._lock:
            free = self._free.get(size)
            if free:
                address = free.pop()
            else:
                address = self._more(size)
            self.allocated += size
            self.most_allocated = max(self.most_allocated, self.allocated)
        return Block(address, size, self)

    def _more(self, size: int) -> int:
        try:
            address = self.driver.alloc(size)
        except MemoryError:
            self.empty_cache()
            try:
                address = self.driver.alloc(size)
            except MemoryError:
                raise RuntimeError(
                    f"CUDA out of memory. Tried to allocate {size / 2**20:.2f} MiB. {self.driver.name} has a total "
                    f"capacity of {self.driver.total_memory / 2**30:.2f} GiB, of which {self.allocated / 2**20:.2f} "
                    "MiB are in use by tensors."
                ) from None
        self.reserved += size
        return address

    def take_back(self, address: int, size: int) -> None:
        """Keeps the memory of a block for the next."""
        with self._lock:
            self.allocated -= size
            self._free.setdefault(size, []).append(address)

    def empty_cache(self) -> None:
        """Gives what nobody uses back to the device."""
        self.check_process()
        with self._lock:
            free, self._free = self._free, {}
            for size, addresses in free.items():
                for address in addresses:
                    self.driver.free(address)
                    self.reserved -= size

    def reset_peak(self) -> None:
        """The most that has been in use is counted anew."""
        self.most_allocated = self.allocated

    def is_ours(self) -> bool:
        """Whether this process has opened the device, not one that it was forked from."""
        return os.getpid() == self._process

    def check_process(self) -> None:
        """Raises RuntimeError in a forked child: what the parent opened does not exist there."""
        if not self.is_ours():
            raise RuntimeError(
                "Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing, you must use the "
                "'spawn' start method"
            )

    # Copies between arrays and memory, row by row

    def write(self, address: int, array: np.ndarray[Any, Any]) -> None:
        """From the host."""
        self.enter()
        array = np.ascontiguousarray(array)
        if array.nbytes:
            self.driver.copy_in(address, _address(array), array.nbytes)

    def read(self, address: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        """To a new array on the host."""
        self.enter()
        return self.peek(address, shape, dtype)

    def peek(self, address: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        """The same, whatever earlier runs have found."""
        array = np.empty(shape, dtype)
        if array.nbytes:
            self.driver.copy_out(_address(array), address, array.nbytes)
        return array

    def copy(self, target: int, source: int, size: int) -> None:
        """Within the device."""
        self.enter()
        if size:
            self.driver.copy(target, source, size)

    def fill(self, address: int, number: Any, count: int, dtype: np.dtype[Any]) -> None:
        """One number, many times."""
        self.enter()
        if count:
            self.driver.fill(address, np.asarray(number, dtype).tobytes(), count)


def _address(array: np.ndarray[Any, Any]) -> int:
    return int(array.__array_interface__["data"][0])


class DeviceStorage(Storage):
    """Bytes on the device, from the start of a block. `array` is a copy of them on the host."""

    __slots__ = ("_constant", "block")

    device: ClassVar[device] = CUDA

    def __init__(self, block: Block, spec: TensorSpec, constant: bool = False) -> None:
        self.block = block
        self.spec = spec
        self.version = self.hidden = 0
        self.shared = False
        self._constant = constant

    def is_constant(self) -> bool:
        """Whether everybody shares these bytes."""
        return self._constant

    @property
    def array(self) -> np.ndarray[Any, Any]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """A copy on the host."""
        return self.block.heap.read(self.block.address, self.spec.shape, self.spec.dtype.numpy)

    @property
    def address(self) -> int:
        """Where the bytes lie."""
        return self.block.address

    def align(self) -> bool:
        """Blocks are aligned."""
        return True


# The device at hand


def choice() -> str:
    """The row of DRIVERS that the environment asks for."""
    asked = os.environ.get("IRTOOL_CUDA", "") or "cuda"
    if asked not in DRIVERS:
        raise RuntimeError(f"IRTOOL_CUDA={asked}: expected one of {', '.join(DRIVERS)}")
    return asked


def _module(name: str) -> DriverModule:
    return cast(DriverModule, import_module(f".{DRIVERS[name]}", __package__))


def missing(name: str | None = None) -> str | None:
    """What is missing to use a device, in a sentence; None where one can be used."""
    try:
        return _module(name or choice()).missing()
    except ModuleNotFoundError:
        return "CUDA is not available: there is no driver for it here; IRTOOL_CUDA=emulated gives an emulated GPU"


_heaps: dict[str, Heap] = {}
_opening = threading.Lock()


def heap(name: str | None = None) -> Heap:
    """The memory of the device at hand, or that of a row of DRIVERS, which is opened when first asked for. Raises
    RuntimeError where there is none."""
    name = name or choice()
    found = _heaps.get(name)
    if found is None:
        with _opening:
            if name not in _heaps:
                why = missing(name)
                if why is not None:
                    raise RuntimeError(why)
                _heaps[name] = Heap(_module(name).open_device())
            found = _heaps[name]
    return found


def is_open() -> bool:
    """Whether the device at hand is in use."""
    return choice() in _heaps
