"""A built program's library by its C functions: memory, and launches."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any


class EmulationError(RuntimeError):
    """A kernel did what none may do. The message names it, its Python line, block, thread, and the buffer."""


class ArgumentRecord(ctypes.Structure):
    """`Argument` of emulator.h."""

    _fields_ = (
        ("buffer", ctypes.c_void_p), ("offset", ctypes.c_long), ("bytes", ctypes.c_long), ("written", ctypes.c_long),
        ("name", ctypes.c_char_p), ("floats", ctypes.c_long),
    )  # fmt: skip


class LaunchRecord(ctypes.Structure):
    """`Launch` of emulator.h."""

    _fields_ = (
        ("kernel", ctypes.c_char_p), ("line", ctypes.c_char_p), ("checked", ctypes.c_void_p),
        ("plain", ctypes.c_void_p),
        ("grid", ctypes.c_uint * 3), ("block", ctypes.c_uint * 3), ("shared", ctypes.c_long),
        ("collective", ctypes.c_long), ("count", ctypes.c_long), ("arguments", ctypes.POINTER(ArgumentRecord)),
    )  # fmt: skip


POISON = 0xFF
"""What memory holds that nobody has written: NaN as floats, -1 as integers."""


class GuardedBuffer:
    """Memory in a mapping of its own, behind which nothing can be touched."""

    def __init__(self, library: EmulatorLibrary, size: int, element: int) -> None:
        self.handle = library.map(size, element)
        self.address = library.address(self.handle)
        self.size = size

    def poison(self, offset: int = 0, size: int | None = None) -> None:
        """Makes the contents, or some of them, nothing that a kernel may rely on."""
        ctypes.memset(self.address + offset, POISON, self.size if size is None else size)


class EmulatorLibrary:
    """One loaded library, with its device memory."""

    def __init__(self, shared_object: Path, total: int, buffers: int) -> None:
        self._library: Any = ctypes.CDLL(os.fspath(shared_object))
        self._library.emulator_open.argtypes = [ctypes.c_long, ctypes.c_long]
        self._library.emulator_map.argtypes = [ctypes.c_long, ctypes.c_long]
        self._library.emulator_map.restype = ctypes.c_void_p
        self._library.emulator_address.argtypes = [ctypes.c_void_p]
        self._library.emulator_address.restype = ctypes.c_void_p
        self._library.emulator_launch.argtypes = [
            ctypes.POINTER(LaunchRecord), ctypes.c_int, ctypes.c_uint64, ctypes.c_int,
        ]  # fmt: skip
        self._library.emulator_launch.restype = ctypes.c_char_p
        if self._library.emulator_open(total, buffers):
            raise MemoryError(f"no address space for {total} bytes of emulated device memory")

    def kernel(self, name: str, variant: str) -> int:
        """The address of a kernel: `checked` or `plain`."""
        return ctypes.cast(self._library[f"{variant}_{name}"], ctypes.c_void_p).value or 0

    def map(self, size: int, element: int) -> int:
        """A new buffer."""
        handle = self._library.emulator_map(size, element)
        if not handle:
            raise MemoryError(f"no memory for a buffer of {size} bytes of the emulated device")
        return int(handle)

    def address(self, handle: int) -> int:
        """Where a buffer begins."""
        return int(self._library.emulator_address(handle))

    def launch(self, record: LaunchRecord, order: int, seed: int, checked: bool) -> None:
        """Runs a launch. Raises EmulationError."""
        wrong = self._library.emulator_launch(ctypes.byref(record), order, seed, checked)
        if wrong:
            raise EmulationError(wrong.decode(errors="replace"))

    def close(self) -> None:
        """Gives the memory back."""
        self._library.emulator_close()
