"""What pays on a target, as far as numbers say it: bounds that each kind of target has its own of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ProfitabilityBounds:
    """Answers by size (`passes/target.py` has the questions)."""

    small: int = 4096
    """Elements of a kernel that one worker runs."""
    small_length: int = 48
    """Its operations."""
    row_parallelism: int = 16
    row_bytes: int = 65536
    """Of a worker's own memory, for one temporary."""
    scatter_slices: int = 16
    """So many keep all workers busy."""
    scatter_updates: int = 16384
    """Fewer are not worth dividing."""
    strips: int = 1
    """So many, of a few elements each, keep all threads busy."""

    def one_worker(self, elements: int, ops: int = 1) -> bool:
        return elements <= self.small and ops <= self.small_length

    def rows_suffice(self, rows: int, elements: int) -> bool:
        return rows >= self.row_parallelism or elements <= 4 * self.small

    def keeps_row(self, size: int) -> bool:
        return size <= self.row_bytes

    def divides_rows(self, slices: int, updates: int) -> bool:
        return slices < self.scatter_slices and updates >= self.scatter_updates

    def takes_neighbours(self, strips: int) -> bool:
        return strips >= self.strips

    def sorts_together(self, size: int) -> int:
        return 0
