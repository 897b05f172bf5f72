"""A range cut into tiles of at most two sizes."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Tiles:
    """A range of `size` split into `count` tiles: the first `large` ones have `step + 1`, the others `step`.

    With `tail`, all have `step` but for a last one of `tail`.
    """

    size: int
    count: int
    step: int
    large: int = 0
    tail: int = 0

    @property
    def widest(self) -> int:
        """The size of the largest tile."""
        return self.step + (1 if self.large else 0)

    def kinds(self) -> list[tuple[int, int, int]]:
        """(first tile, end, size) of each run of equal tiles."""
        runs = [(0, self.large, self.step + 1), (self.large, self.count - bool(self.tail), self.step)]
        if self.tail:
            runs.append((self.count - 1, self.count, self.tail))
        return [run for run in runs if run[0] < run[1]]


def balanced(size: int, widest: int) -> Tiles:
    """The fewest tiles of at most `widest`, as equal as can be."""
    count = ceil(size / widest)
    return Tiles(size, count, size // count, size % count)


def uniform(size: int, step: int) -> Tiles:
    """Tiles of `step` and a smaller last one."""
    return Tiles(size, ceil(size / step), step, tail=size % step)
