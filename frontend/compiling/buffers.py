"""Guards of numbers in memory: of numpy arrays, and of tensors that Python has asked for their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .weak import referent

if TYPE_CHECKING:
    from ...runtime.storage import Storage


@dataclass(slots=True)
class Bytes:
    """What is in a numpy array."""

    name: str
    array: np.ndarray[Any, Any]
    expected: np.ndarray[Any, Any]

    def now(self) -> np.ndarray[Any, Any]:
        return self.array

    def holds(self) -> bool:
        now, expected = self.array, self.expected
        if now.dtype.hasobject or not now.flags.c_contiguous or now.shape != expected.shape:
            return now.shape == expected.shape and now.tobytes() == expected.tobytes()
        return now.dtype == expected.dtype and np.array_equal(_as_bytes(now), _as_bytes(expected))

    def restore(self) -> None:
        if self.array.shape == self.expected.shape:
            np.copyto(self.array, self.expected)


def _as_bytes(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array.reshape(-1).view(np.uint8)


@dataclass(slots=True)
class BufferNumbers:
    """What is in a buffer that Python has asked for the numbers of."""

    name: str
    storage: Any
    """A Storage, or a reference to one."""
    expected: np.ndarray[Any, Any]
    version: int = -1
    """The last one that was found to be the same."""

    def now(self) -> np.ndarray[Any, Any] | None:
        return getattr(referent(self.storage), "array", None)

    def holds(self) -> bool:
        storage: Storage | None = referent(self.storage)
        if storage is None:
            return False
        if storage.version == self.version and not storage.shared:
            return True
        same = np.array_equal(storage.array, self.expected)
        self.version = storage.version if same else -1
        return same

    def restore(self) -> None:
        """Traces leave numbers alone."""


__all__ = ["BufferNumbers", "Bytes"]
