"""The bytes behind tensors: one aligned, row-major array each, shared by every view of it."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from xdsl.dialects.builtin import LocationAttr

from ..dialects.types import TensorSpec

ALIGNMENT = 64
"""Bytes; what compiled programs expect of every buffer."""


def aligned_empty(spec: TensorSpec) -> np.ndarray[Any, Any]:
    """A new row-major array whose address is a multiple of ALIGNMENT, contents undefined."""
    count = 1
    for extent in spec.shape:
        count *= extent
    size = count * spec.dtype.itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.__array_interface__["data"][0] % ALIGNMENT
    return raw[start : start + size].view(spec.dtype.numpy).reshape(spec.shape)


class Storage:
    """Bytes in canonical (row-major) layout, with a version that counts writes.

    `array` is None for a value that exists only in a trace. Writes go through into the same array, so that numpy arrays
    handed out and pointers kept by compiled programs stay true.
    """

    __slots__ = ("__weakref__", "array", "hidden", "shared", "spec", "version")

    def __init__(self, array: np.ndarray[Any, Any] | None, spec: TensorSpec, shared: bool = False) -> None:
        self.array = array
        self.spec = spec
        self.version = 0
        self.hidden = 0
        """How many of the writes saved tensors are not to notice."""
        self.shared = shared
        """Whether numpy arrays outside may refer to these bytes, so that they must not move."""

    @property
    def seen(self) -> int:
        """How many writes saved tensors are to notice."""
        return self.version - self.hidden

    def missing(self) -> Exception:
        """What to raise when somebody wants the bytes of a storage that has none."""
        from ..dialects.locations import describe

        made = describe(origins[self]) if self in origins else ""
        return RuntimeError(
            f"this tensor was made{f' at {made}' if made else ''} while a function was being traced for "
            "irtool.compile, and has no value outside that trace. Return it from that function instead of keeping it "
            "in a variable."
        )

    @property
    def address(self) -> int:
        """Where the bytes lie."""
        if self.array is None:
            raise self.missing()
        return int(self.array.__array_interface__["data"][0])

    def align(self) -> bool:
        """Moves the bytes to an aligned address if they may move; whether they lie at an aligned one afterwards."""
        if self.address % ALIGNMENT == 0:
            return True
        if self.shared or self.array is None:
            return False
        moved = aligned_empty(self.spec)
        np.copyto(moved, self.array)
        self.array = moved
        return True


origins: WeakKeyDictionary[Storage, LocationAttr] = WeakKeyDictionary()
"""Where traced values were made, for those that outlive their trace."""
