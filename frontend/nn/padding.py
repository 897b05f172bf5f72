"""Padding layers: one function, a mode each."""

from __future__ import annotations

from typing import ClassVar

from ..tensor import Tensor
from . import functional as F
from .functional.extents import Extents, Ints, spread
from .module import Module


class _Pad(Module):
    RANK: ClassVar[int]
    MODE: ClassVar[str]

    def __init__(self, padding: Extents) -> None:
        super().__init__()
        self.padding: Ints = spread(padding, 2 * self.RANK, "padding")

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.MODE)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    MODE = "constant"

    def __init__(self, padding: Extents, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """A number around the last dimension."""

    RANK = 1


class ConstantPad2d(_ConstantPad):
    """A number around the last two dimensions."""

    RANK = 2


class ConstantPad3d(_ConstantPad):
    """A number around the last three dimensions."""

    RANK = 3


class ZeroPad1d(_Pad):
    """Zeros around the last dimension."""

    RANK, MODE = 1, "constant"


class ZeroPad2d(_Pad):
    """Zeros around the last two dimensions."""

    RANK, MODE = 2, "constant"


class ZeroPad3d(_Pad):
    """Zeros around the last three dimensions."""

    RANK, MODE = 3, "constant"


class ReflectionPad1d(_Pad):
    """The last dimension mirrored at its ends."""

    RANK, MODE = 1, "reflect"


class ReflectionPad2d(_Pad):
    """The last two dimensions mirrored at their ends."""

    RANK, MODE = 2, "reflect"


class ReflectionPad3d(_Pad):
    """The last three dimensions mirrored at their ends."""

    RANK, MODE = 3, "reflect"


class ReplicationPad1d(_Pad):
    """The last dimension with its ends repeated."""

    RANK, MODE = 1, "replicate"


class ReplicationPad2d(_Pad):
    """The last two dimensions with their ends repeated."""

    RANK, MODE = 2, "replicate"


class ReplicationPad3d(_Pad):
    """The last three dimensions with their ends repeated."""

    RANK, MODE = 3, "replicate"


class CircularPad1d(_Pad):
    """The last dimension wrapped around."""

    RANK, MODE = 1, "circular"


class CircularPad2d(_Pad):
    """The last two dimensions wrapped around."""

    RANK, MODE = 2, "circular"


class CircularPad3d(_Pad):
    """The last three dimensions wrapped around."""

    RANK, MODE = 3, "circular"
