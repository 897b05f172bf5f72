"""What padding layers of all ranks share (`by_rank.py` has the layers): one function, a mode each."""

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
