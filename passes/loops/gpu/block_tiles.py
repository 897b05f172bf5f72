"""Sizes of the tiles of a contraction on a GPU, from its shape alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

WARP = 32
"""Threads that run in step."""


@dataclass(frozen=True)
class BlockTile:
    """What a block computes, `rows` x `columns`, `depth` of K at a time, and each of its threads."""

    rows: int
    columns: int
    depth: int
    thread_rows: int
    thread_columns: int
    speed: float
    """Of its inner loop, beside that of the largest tile of threads, which compute more for each element they read."""
    warp: tuple[int, int] | None = None
    """Rows and columns of a warp, where tensor cores multiply."""

    @property
    def threads(self) -> int:
        if self.warp is not None:
            return WARP * (self.rows // self.warp[0]) * (self.columns // self.warp[1])
        return self.rows // self.thread_rows * (self.columns // self.thread_columns)


TILES = (
    BlockTile(128, 128, 16, 8, 8, 1.0),
    BlockTile(128, 64, 16, 8, 4, 0.85),
    BlockTile(64, 128, 16, 4, 8, 0.85),
    BlockTile(64, 64, 16, 4, 4, 0.7),
    BlockTile(32, 128, 16, 2, 8, 0.6),
    BlockTile(128, 32, 16, 8, 2, 0.6),
    BlockTile(32, 32, 16, 2, 2, 0.4),
    BlockTile(16, 64, 16, 1, 4, 0.35),
    BlockTile(64, 16, 16, 4, 1, 0.35),
    BlockTile(16, 16, 16, 1, 1, 0.15),
)
"""By rows and columns of a block, depth, rows and columns of a thread, speed."""

TENSOR_TILES = (
    BlockTile(128, 128, 16, 0, 0, 1.6, (64, 32)),
    BlockTile(64, 64, 16, 0, 0, 1.2, (32, 32)),
)
"""Of warps, each with tensor cores that multiply three times for the accuracy of 32 bits."""
SINGLE = 2.5
"""How much faster they are that multiply once."""

LEAST_DEPTH = 256
"""Of K, that a block takes by itself."""
OVERHEAD = 64
"""What it costs a block to begin and to end, in steps of K."""


@dataclass(frozen=True)
class BlockPlan:
    """How the blocks of a grid divide a contraction."""

    tile: BlockTile
    row_tiles: int
    column_tiles: int
    splits: int
    """Into how many parts K is cut, each for blocks of its own."""
    part: int
    """Steps of K in a part: whole depths of the tile, but for what the last one lacks."""


def plan_blocks(
    batch: int, rows: int, columns: int, depth: int, multiprocessors: int, tiles: Sequence[BlockTile] = TILES
) -> BlockPlan:
    """The plan that keeps the multiprocessors busy for the shortest time: waves of blocks, by the time of a block."""

    def cost(plan: BlockPlan) -> float:
        tile = plan.tile
        blocks = batch * plan.row_tiles * plan.column_tiles * plan.splits
        steps = plan.part + OVERHEAD * (1 + (plan.splits > 1))
        return ceil(blocks / multiprocessors) * tile.rows * tile.columns * steps / tile.speed

    return min((_divided(t, s, rows, columns, depth) for t in tiles for s in _splits(depth)), key=cost)


def tiles_for(tensor_cores: bool, single: bool) -> tuple[BlockTile, ...]:
    """The tiles to choose from: those of tensor cores too, which multiply once, or else three times."""
    if not tensor_cores:
        return TILES
    return (*TILES, *(replace(t, speed=t.speed * (SINGLE if single else 1)) for t in TENSOR_TILES))


def _splits(depth: int) -> list[int]:
    """Powers of two that leave each part enough of K."""
    found = [1]
    while found[-1] * 2 * LEAST_DEPTH <= depth and found[-1] < 64:
        found.append(found[-1] * 2)
    return found


def _divided(tile: BlockTile, splits: int, rows: int, columns: int, depth: int) -> BlockPlan:
    part = ceil(ceil(depth / splits) / tile.depth) * tile.depth
    return BlockPlan(tile, ceil(rows / tile.rows), ceil(columns / tile.columns), ceil(depth / part), part)
