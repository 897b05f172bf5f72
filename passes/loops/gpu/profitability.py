"""What pays on a GPU."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import Operation

from ..profitability import ProfitabilityBounds

_PLACE_BYTES = 4


@dataclass(frozen=True)
class GPUProfitability(ProfitabilityBounds):
    """The answers for blocks of threads that share little memory."""

    row_bytes: int = 16384
    scatter_slices: int = 64
    scatter_updates: int = 4096
    strips: int = 32768

    def sorts_together(self, size: int) -> int:
        return self.row_bytes // max(size, _PLACE_BYTES)

    def in_lanes(self, loop: Operation) -> bool:
        return False  # threads are the lanes: any loop is as good as another

    def weight(self, op: Operation) -> int:
        return 1
