"""The GPU through PyCUDA: its primary context, which other libraries of the process share, and one stream.

All work is put on the stream in the order of the calls, and nothing waits for it but what reads memory on the host. The
context is current in the main thread from the first use to the end of the process, and in others while they are inside
of `with device`: PyCUDA aborts a process of which a thread ends with a context pushed.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
from bisect import bisect_right, insort
from types import TracebackType
from typing import Any

from .bindings import CUDAUnavailable, check_process, plain, pycuda_driver

BLOCKING = "CUDA_LAUNCH_BLOCKING"
"""As for other users of CUDA: set to 1, each launch is waited for, so that an error is that of the kernel it names."""
NAMED = 8
"""Kernels in a message, at most."""
NON_BLOCKING = 1
"""A stream that does not wait for the process's default stream."""


class DeviceError(RuntimeError):
    """The device could not do what it was told, or did what it must not; the message names the kernel."""


class CUDADevice:
    """The first device that the driver shows (CUDA_VISIBLE_DEVICES says which)."""

    target = "cuda"

    def __init__(self) -> None:
        self.cuda: Any = pycuda_driver()
        device = self.cuda.Device(0)
        self.name: str = device.name()
        self.total_memory: int = device.total_memory()
        self.capability: tuple[int, int] = device.compute_capability()
        attribute = self.cuda.device_attribute
        self.multiprocessors: int = device.get_attribute(attribute.MULTIPROCESSOR_COUNT)
        known: int = self.cuda.get_driver_version()
        self.driver_version = f"{known // 1000}.{known % 1000 // 10}"
        """The newest CUDA that the driver knows."""
        self.blocking = os.environ.get(BLOCKING, "0") not in ("", "0")
        self._context: Any = device.retain_primary_context()
        self._lock = threading.RLock()
        self._pushed = False
        """Whether the context is current in the main thread."""
        self.closed = False
        self._memory: dict[int, Any] = {}
        self._sizes: dict[int, int] = {}
        self._starts: list[int] = []
        """Where allocations begin, in order."""
        self.running: dict[tuple[str, ...], None] = {}
        """The kernels of each program that nobody has waited for yet: an error that shows later is of one of them."""
        with self:
            self.stream: Any = self.cuda.Stream(NON_BLOCKING)
        atexit.register(self.close)

    # The context, in this thread

    def __enter__(self) -> CUDADevice:
        check_process()
        if self.closed:
            raise CUDAUnavailable("CUDA is closed: the process is at its end")
        self._lock.acquire()
        try:
            if threading.current_thread() is not threading.main_thread():
                self._context.push()
            elif not self._pushed:
                self._context.push()
                self._pushed = True
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if threading.current_thread() is not threading.main_thread():
                self.cuda.Context.pop()
        finally:
            self._lock.release()
        if isinstance(error, Exception) and isinstance(error, self.cuda.Error):
            raise DeviceError(f"CUDA error: {plain(error)}{self._culprit()}") from error

    def _culprit(self) -> str:
        kernels = sorted({kernel for program in self.running for kernel in program})
        if len(kernels) < 2:
            return "".join(f", in {kernel}" for kernel in kernels)
        more = f" and {len(kernels) - NAMED} more" if len(kernels) > NAMED else ""
        return f", in one of {', '.join(kernels[:NAMED])}{more}; {BLOCKING}=1 tells which"

    def close(self) -> None:
        """Frees what there is, and leaves the context. At the end of the process, before Python takes PyCUDA apart."""
        if self.closed:
            return
        try:
            check_process()
        except RuntimeError:  # a forked child: nothing of this is its own
            self.closed = True
            return
        with self._lock:
            self.closed = True
            self._memory.clear()
            del self.stream
            if self._pushed:
                self.cuda.Context.pop()
            self._context.detach()

    # Memory

    def alloc(self, size: int) -> int:
        """New memory at a multiple of 256, contents undefined. Raises MemoryError."""
        with self:
            try:
                memory = self.cuda.mem_alloc(max(size, 1))
            except self.cuda.MemoryError as error:
                raise MemoryError(f"no {size} bytes on {self.name}") from error
            address = int(memory)
            self._memory[address], self._sizes[address] = memory, size
            insort(self._starts, address)
        return address

    def free(self, address: int) -> None:
        """Gives memory back; the driver waits for the work on it."""
        if self.closed:
            return
        with self:
            self._memory.pop(address).free()
            del self._sizes[address]
            self._starts.pop(bisect_right(self._starts, address) - 1)

    def holds(self, address: int) -> bool:
        """Whether an address is in memory of the device, and not of the host."""
        place = bisect_right(self._starts, address) - 1
        if place < 0:
            return False
        start = self._starts[place]
        return address - start < max(self._sizes.get(start, 0), 1)

    def copy_in(self, address: int, source: int, size: int) -> None:
        """From the host, whose memory may change as soon as this returns."""
        if size:
            with self:
                self.cuda.memcpy_htod_async(address, _bytes_at(source, size), self.stream)

    def copy_out(self, target: int, address: int, size: int) -> None:
        """To the host; waits for all work before it."""
        with self:
            if size:
                self.cuda.memcpy_dtoh_async(_bytes_at(target, size), address, self.stream)
            self._wait()

    def copy(self, target: int, source: int, size: int) -> None:
        """Within the device."""
        if size:
            with self:
                self.cuda.memcpy_dtod_async(target, source, size, self.stream)

    def fill(self, address: int, pattern: bytes, count: int) -> None:
        """1, 2, 4 or 8 bytes, `count` times."""
        if not count:
            return
        with self:
            number = int.from_bytes(pattern, "little")
            match len(pattern):
                case 1:
                    self.cuda.memset_d8_async(address, number, count, self.stream)
                case 2:
                    self.cuda.memset_d16_async(address, number, count, self.stream)
                case 4:
                    self.cuda.memset_d32_async(address, number, count, self.stream)
                case _:  # each half is a column of 4 bytes, in rows of 8
                    for column in (0, 4):
                        half = number >> 8 * column & 0xFFFF_FFFF
                        self.cuda.memset_d2d32_async(address + column, 8, half, 1, count, self.stream)

    def synchronize(self) -> None:
        """Waits for all work. Raises DeviceError where something has gone wrong in it."""
        with self:
            self._wait()

    def _wait(self) -> None:
        self.stream.synchronize()
        self.running.clear()


def _bytes_at(address: int, size: int) -> Any:
    return (ctypes.c_char * size).from_address(address)


# What runtime/device_memory.py asks of a way to a device


def missing() -> str | None:
    """What is missing to use the device, in one sentence."""
    try:
        pycuda_driver()
    except CUDAUnavailable as error:
        return str(error)
    return None


_devices: list[CUDADevice] = []
_opening = threading.Lock()


def open_device() -> CUDADevice:
    """The device, opened when first asked for. Raises CUDAUnavailable."""
    with _opening:
        if not _devices:
            _devices.append(CUDADevice())
    return _devices[0]
