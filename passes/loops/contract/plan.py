"""Tiling decisions, as data, from a small model of the machine.

The micro-kernel keeps a tile of `rows` x `vectors` accumulators in registers. Per step of K it loads `vectors` vectors
of the column factor and broadcasts `rows` scalars of the row factor. Everything here is a choice of numbers; nothing
depends on the number of threads, so that results do not either.
"""

# pyright: basic
from __future__ import annotations

from dataclasses import dataclass
from math import ceil, gcd, prod
from typing import Literal

from .classify import Access, Contraction, Factor
from .epilogue import Epilogue

LINE, PAGE = 64, 4096

# Cycles, measured; only their proportions matter.
LOADS_PER_CYCLE, FMA_PER_CYCLE, STEP, TILE = 1.3, 2.0, 0.5, 30.0
PACK = {"direct": 0.0, "copy": 0.3, "turn": 0.4, "gather": 2.0}
BARRIER = 4000.0
FINISH, TURN = 1.0, 4.0
"""Per vector of output: stored as it stands, or turned around first."""
PARALLEL_FLOPS, PARALLEL_PACKED_FLOPS = 200_000, 600_000
"""Less work than this is not worth a second thread; packing needs a barrier as well."""
SPLIT, MOST_PARTS = 1024, 16
"""From this K on, a result of very few tiles is computed in parts along K; never more than so many."""

Mode = Literal["direct", "copy", "turn", "gather"]
"""How a factor reaches the micro-kernel: as it lies in memory, or packed by copying vectors, by turning square blocks,
or element by element."""


@dataclass(frozen=True)
class Target:
    """What the model knows of the machine."""

    vector_bits: int = 512
    registers: int = 32
    l1: int = 48 * 1024
    l2: int = 1024 * 1024
    cores: int = 2


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


@dataclass(frozen=True)
class Plan:
    """How one contraction runs."""

    rows: Factor
    """The factor whose scalars are broadcast."""
    columns: Factor
    """The factor whose vectors are loaded."""
    m: int | None
    n: int | None
    k: int | None
    """The tiled dimension of each role; `None` if there is none but of extent 1."""
    outer: tuple[int, ...]
    """Batch and further M and N dimensions: loops around the tiles."""
    reduced: tuple[int, ...]
    """Further K dimensions, around `k`."""
    lanes: int
    vectors: int
    """Vectors in a row of the register tile."""
    m_tiles: Tiles
    panels: Tiles
    """Column panels, in elements; each is `vectors * lanes` wide but for the last."""
    turned: bool
    """Whether the output is contiguous along M, so that finished tiles are turned around."""
    k_size: int
    k_block: int
    row_mode: Mode
    column_mode: Mode
    split: bool
    """Whether the blocks of K are summed apart, by any thread, and added up in order at the end."""
    m_units: int
    n_units: int
    cost: float
    """Estimated cycles."""

    @property
    def width(self) -> int:
        """Elements in a row of the register tile."""
        return self.vectors * self.lanes

    @property
    def k_blocks(self) -> int:
        """How many blocks K is split into."""
        return max(1, ceil(self.k_size / self.k_block))


def make_plan(contraction: Contraction, epilogue: Epilogue, target: Target) -> Plan:
    """The cheaper of the two ways to assign the factors to rows and columns."""
    first = _plan(contraction, epilogue, target, contraction.left, contraction.right, contraction.m, contraction.n)
    second = _plan(contraction, epilogue, target, contraction.right, contraction.left, contraction.n, contraction.m)
    return min(first, second, key=lambda plan: plan.cost)


def _plan(
    contraction: Contraction,
    epilogue: Epilogue,
    target: Target,
    rows: Factor,
    columns: Factor,
    m_dims: tuple[int, ...],
    n_dims: tuple[int, ...],
) -> Plan:
    extents = contraction.extents
    size = element_size(contraction)
    lanes = max(1, target.vector_bits // 8 // size)
    m = _inner(m_dims, extents, rows, contraction.out)
    n = _inner(n_dims, extents, columns, contraction.out)
    k = _inner(contraction.k, extents, columns, rows)
    outer = tuple(d for d in (*contraction.batch, *m_dims, *n_dims) if d not in (m, n))
    reduced = tuple(d for d in contraction.k if d != k)
    m_size, n_size, k_size = (extents[d] if d is not None else 1 for d in (m, n, k))
    depth = k_size * prod(extents[d] for d in reduced)
    repeats = prod(extents[d] for d in outer)

    outputs = [a for a in (contraction.out, *epilogue.accesses()) if a.buffer in epilogue.stored or a.dims]
    turned = m is not None and sum(a.contiguous(m) - a.contiguous(n) for a in outputs) > 0
    best: tuple[float, int, Tiles] | None = None
    for vectors in range(1, 5):
        most = min((target.registers - vectors - 1) // vectors, lanes)
        if most < 1 or (vectors > 1 and (vectors - 1) * lanes >= n_size):
            break
        tiles = uniform(m_size, 1 << (most.bit_length() - 1)) if turned else balanced(m_size, most)
        micro = repeats * _tiles_cost(tiles, n_size, lanes, vectors, depth)
        if best is None or micro < 0.99 * best[0]:
            best = (micro, vectors, tiles)
    assert best is not None
    micro, vectors, tiles = best
    panels = uniform(n_size, vectors * lanes)
    row_mode = _row_mode(rows, m, k, tiles, panels.count, k_size, size)
    column_mode = _column_mode(columns, n, k, tiles.count, panels, k_size, size, target)
    work = 2.0 * repeats * m_size * n_size * depth
    packed = 0.0
    for factor, mode in ((rows, row_mode), (columns, column_mode)):
        packed += PACK[mode] * prod(extents[d] for d in factor.dims)
    cost = micro + packed + repeats * m_size * ceil(n_size / lanes) * (TURN if turned else FINISH)
    parallel = work > (PARALLEL_PACKED_FLOPS if packed else PARALLEL_FLOPS)
    if parallel:
        cost = cost / target.cores + (BARRIER if packed else 0.0)
    k_block = _k_block(k_size, row_mode, column_mode, tiles, n_size, size, target)
    m_units, n_units = 1, 1
    split = parallel and repeats * tiles.count * panels.count < 2 * target.cores and k_size >= SPLIT
    if split:
        k_block = max(SPLIT // 4, ceil(ceil(k_size / MOST_PARTS) / 8) * 8)
    elif parallel:
        m_units, n_units = _units(tiles.count, panels.count, repeats, tiles.step * k_block * size, target)
    return Plan(
        rows, columns, m, n, k, outer, reduced, lanes, vectors, tiles, panels, turned, k_size, k_block,
        row_mode, column_mode, split, m_units, n_units, cost,
    )  # fmt: skip


def element_size(contraction: Contraction) -> int:
    """Bytes of an accumulator."""
    element = contraction.element
    return element.size  # type: ignore[attr-defined]


def _inner(dims: tuple[int, ...], extents: tuple[int, ...], *by: Factor | Access) -> int | None:
    """The dimension to tile: one that runs through neighbouring elements, or else the longest."""
    return max(dims, key=lambda d: (sum(a.contiguous(d) for a in by), extents[d]), default=None)


def _tiles_cost(tiles: Tiles, n_size: int, lanes: int, vectors: int, depth: int) -> float:
    full, rest = divmod(n_size, lanes * vectors)
    widths = [(full, vectors), (1 if rest else 0, ceil(rest / lanes))]
    total = 0.0
    for first, end, rows in tiles.kinds():
        for count, width in widths:
            if count:
                loads = (rows + width) / LOADS_PER_CYCLE + (1 if rows < 6 else 0)
                step = max(rows * width / FMA_PER_CYCLE, loads, 4.0) + STEP
                total += (end - first) * count * (depth * step + TILE)
    return total


def _row_mode(rows: Factor, m: int | None, k: int | None, tiles: Tiles, panels: int, k_size: int, size: int) -> Mode:
    """Scalars may come from anywhere, but not from lines that push each other out of the cache."""
    access = rows.plain
    if access is not None:
        if rows.contiguous(k) or k is None:
            apart = access.stride(m) * size
            conflict = tiles.widest * gcd(apart, PAGE) > 4 * PAGE
            if panels < 4 or not conflict:
                return "direct"
        elif access.contiguous(m):
            apart = access.stride(k) * size
            conflict = k_size * gcd(apart, PAGE) > 8 * PAGE
            if panels < 4 or not conflict:
                return "direct"
        elif panels == 1:
            return "direct"
    return "copy" if rows.contiguous(k) or rows.contiguous(m) else "gather"


def _column_mode(
    columns: Factor, n: int | None, k: int | None, m_tiles: int, panels: Tiles, k_size: int, size: int, target: Target
) -> Mode:
    """Vectors come from neighbouring elements; many rows far apart are better packed if they are used often."""
    if columns.contiguous(n):
        access = columns.plain
        if access is None:
            return "copy"
        apart = access.stride(k) * size
        conflict = k_size * gcd(apart, 16 * PAGE) > 8 * 16 * PAGE
        large = k_size * panels.step * size > target.l1 // 2
        return "copy" if m_tiles >= 4 and (conflict or (large and m_tiles >= 12)) else "direct"
    return "turn" if columns.contiguous(k) else "gather"


def _k_block(
    k_size: int, row_mode: Mode, column_mode: Mode, tiles: Tiles, n_size: int, size: int, target: Target
) -> int:
    """How many steps of K to take at once, in equal blocks."""
    if tiles.size <= 4 and column_mode == "direct" and n_size * size > target.l1 // 8:
        # Too little work for each element: memory decides, and wants few rows read side by side.
        limit = 16
    elif row_mode == "direct":
        limit = max(256, target.l1 * 6 // 10 // (tiles.widest * size))  # the rows of a tile stay in the first cache
    else:
        limit = 1024
    blocks = ceil(k_size / limit)
    return k_size if k_size <= limit * 5 // 4 else ceil(ceil(k_size / blocks) / 8) * 8


def _units(m_tiles: int, panels: int, repeats: int, tile_bytes: int, target: Target) -> tuple[int, int]:
    """How many blocks of rows and of columns make the pieces of work that threads share.

    A block of rows stays in the second cache while the panels pass; the pieces should come out even.
    """
    least = ceil(m_tiles * tile_bytes / (target.l2 // 2))
    best, choice = float("inf"), (1, 1)
    for m_units in range(min(least, m_tiles), m_tiles + 1):
        for n_units in range(1, panels + 1):
            pieces = repeats * m_units * n_units
            if pieces > max(8 * target.cores, repeats * least * 2):
                break
            largest = ceil(m_tiles / m_units) * ceil(panels / n_units)
            score = ceil(pieces / target.cores) * largest * (1 + 0.01 * m_units + 0.02 * (n_units - 1))
            if score < best:
                best, choice = score, (m_units, n_units)
        if m_units >= 4 * max(least, target.cores):
            break
    return choice
