"""The bytes behind tensors: one aligned, row-major array each, shared by every view of it.

Storage             bytes on the host
SymbolicStorage     a spec and a device, and no bytes: what exists only in a trace, or was not kept

Memory of another device is a further class: it says so in `device`, and what asks it for `array` gets a host copy.
"""

from __future__ import annotations

import math
from ctypes import addressof, c_char
from typing import Any, ClassVar, TypeAlias, cast
from weakref import WeakKeyDictionary

import numpy as np
from xdsl.dialects.builtin import LocationAttr

from ..dialects.types import TensorSpec
from .device import CPU
from .device import device as Device

ALIGNMENT = 64
"""Bytes; what compiled programs expect of every buffer."""


Layout: TypeAlias = "tuple[tuple[int, ...], np.dtype[Any], int]"
"""Shape, element type and bytes of an array."""


def layout_of(spec: TensorSpec) -> Layout:
    """How the tensors of a spec lie in memory."""
    return spec.shape, spec.dtype.numpy, math.prod(spec.shape) * spec.dtype.itemsize


def allocate(shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> tuple[np.ndarray[Any, Any], int]:
    """A new row-major array, and its address, which is a multiple of ALIGNMENT; contents undefined."""
    raw = np.empty(size + ALIGNMENT, np.uint8)
    address = addressof(c_char.from_buffer(cast(Any, raw)))  # at a fifth of the time of `__array_interface__`
    start = -address % ALIGNMENT
    return np.ndarray(shape, dtype, raw, start), address + start


def aligned_empty(spec: TensorSpec) -> np.ndarray[Any, Any]:
    """A new row-major array whose address is a multiple of ALIGNMENT, contents undefined."""
    return allocate(*layout_of(spec))[0]


class Storage:
    """Bytes in canonical (row-major) layout, with a version that counts writes.

    Writes go through into the same array, so that numpy arrays handed out and pointers kept by compiled programs stay
    true.
    """

    __slots__ = ("__weakref__", "array", "hidden", "shared", "spec", "version")

    symbolic: ClassVar[bool] = False
    """Whether this has no bytes, as what exists only in a trace."""
    device: ClassVar[Device] = CPU
    """Where the bytes are."""

    array: np.ndarray[Any, Any]

    def __init__(self, array: np.ndarray[Any, Any], spec: TensorSpec, shared: bool = False) -> None:
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

    def is_constant(self) -> bool:
        """Whether these bytes are a number that everybody shares who computes with it."""
        return not self.array.flags.writeable

    @property
    def address(self) -> int:
        """Where the bytes lie."""
        return int(self.array.__array_interface__["data"][0])

    def align(self) -> bool:
        """Moves the bytes to an aligned address if they may move; whether they lie at an aligned one afterwards."""
        if self.address % ALIGNMENT == 0:
            return True
        if self.shared:
            return False
        moved = aligned_empty(self.spec)
        np.copyto(moved, self.array)
        self.array = moved
        return True


class SymbolicStorage(Storage):
    """A value without bytes, most often one that exists only in a trace. Whoever wants them is told why."""

    __slots__ = ("device",)

    symbolic = True

    def __init__(self, spec: TensorSpec, device: Device = CPU) -> None:
        self.spec = spec
        self.device = device  # pyright: ignore[reportAttributeAccessIssue]  a slot here
        self.version = self.hidden = 0
        self.shared = False

    def is_constant(self) -> bool:
        """Its values are not known."""
        return False

    @property
    def array(self) -> np.ndarray[Any, Any]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Raises."""
        raise self.missing()

    def missing(self) -> Exception:
        """What to raise when somebody wants the bytes."""
        from ..dialects.locations import describe

        made = describe(origins[self]) if self in origins else ""
        return RuntimeError(
            f"this tensor was made{f' at {made}' if made else ''} while a function was being traced for "
            "irtool.compile, and has no value outside that trace. Return it from that function instead of keeping it "
            "in a variable."
        )


class ArgumentStorage(Storage):
    """Stands in a trace for memory that each call brings along: the bytes are those of nobody."""

    __slots__ = ("device",)

    def __init__(self, spec: TensorSpec, device: Device) -> None:
        super().__init__(np.empty(0, np.uint8), spec)
        self.device = device  # pyright: ignore[reportAttributeAccessIssue]  a slot here


origins: WeakKeyDictionary[Storage, LocationAttr] = WeakKeyDictionary()
"""Where traced values were made, for those that outlive their trace."""
