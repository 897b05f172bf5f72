"""The emulated device: memory of its own on the host, which programs for `cuda-emulated` work on."""

from __future__ import annotations

import ctypes

UNALIGNED = 256
"""What addresses are multiples of."""


class EmulatedDriver:
    """Memory that no tensor on the host shares. All work is done when a call returns."""

    target = "cuda-emulated"
    name = "irtool emulated CUDA device"
    capability = (9, 0)

    def __init__(self) -> None:
        self.total_memory = 8 << 30
        self._memory: dict[int, ctypes.Array[ctypes.c_char]] = {}

    def alloc(self, size: int) -> int:
        """New memory, poisoned: whoever reads what nobody wrote gets NaN."""
        memory = ctypes.create_string_buffer(size + UNALIGNED)
        start = ctypes.addressof(memory)
        address = -(-start // UNALIGNED) * UNALIGNED
        ctypes.memset(address, 0xFF, size)
        self._memory[address] = memory
        return address

    def free(self, address: int) -> None:
        """Gives memory back."""
        del self._memory[address]

    def copy_in(self, address: int, source: int, size: int) -> None:
        """From the host."""
        ctypes.memmove(address, source, size)

    def copy_out(self, target: int, address: int, size: int) -> None:
        """To the host."""
        ctypes.memmove(target, address, size)

    def copy(self, target: int, source: int, size: int) -> None:
        """Within the device."""
        ctypes.memmove(target, source, size)

    def fill(self, address: int, pattern: bytes, count: int) -> None:
        """Doubles what is there until it is enough."""
        size, done = len(pattern) * count, len(pattern)
        if pattern.count(pattern[:1]) == len(pattern):
            ctypes.memset(address, pattern[0], size)
            return
        ctypes.memmove(address, pattern, done)
        while done < size:
            part = min(done, size - done)
            ctypes.memmove(address + done, address, part)
            done += part

    def synchronize(self) -> None:
        """Nothing is ever under way."""


def missing() -> str | None:
    """Nothing: memory is all that it takes."""
    return None


def open_device() -> EmulatedDriver:
    """The device."""
    return EmulatedDriver()
