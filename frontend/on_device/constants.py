"""Numbers that programs of one op take: sent once, and shared by whoever computes with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...dialects.types import TensorSpec, i64
from ...runtime.device_memory import DeviceStorage, Heap
from ...runtime.storage import Storage

KEPT = 4096

_numbers: dict[tuple[int, str, bytes], DeviceStorage] = {}


def number_at(heap: Heap, number: int | Storage) -> DeviceStorage:
    """A whole number, or that of a storage without dimensions on the host, on the device. Not to be written to."""
    array: Any = np.asarray(number, np.int64) if isinstance(number, int) else number.array
    spec = TensorSpec((), i64) if isinstance(number, int) else number.spec
    key = (id(heap), spec.dtype.name, array.tobytes())
    found = _numbers.get(key)
    if found is None:
        if len(_numbers) >= KEPT:
            _numbers.clear()
        block = heap.block(array.nbytes)
        heap.write(block.address, array)
        found = _numbers[key] = DeviceStorage(block, spec, constant=True)
    return found


__all__ = ["number_at"]
