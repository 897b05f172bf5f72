"""Tiling decisions, as data, from a small model of the machine.

The micro-kernel keeps a tile of `rows` x `vectors` accumulators in registers. Per step of K it loads `vectors` vectors
of the column factor and broadcasts `rows` scalars of the row factor. Everything here is a choice of numbers; nothing
depends on the number of threads, so that results do not either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, gcd, prod
from typing import Literal, NamedTuple

from ....target import Target
from ...contraction.classify import AffineAccess, Box, Contraction, Dim, Factor, Run
from ...contraction.epilogue import Epilogue
from ...contraction.tiles import Tiles, balanced, uniform

LINE, PAGE = 64, 4096

# Cycles, measured; only their proportions matter.
LOADS_PER_CYCLE, FMA_PER_CYCLE, STEP, TILE = 1.3, 2.0, 0.5, 30.0
PACK = {"direct": 0.0, "copy": 0.3, "transpose": 0.4, "gather": 2.0}
BARRIER = 4000.0
SECOND_KIND = 0.05
"""What tiles of another size cost beside cycles: as much C again."""
FINISH, TRANSPOSE = 1.0, 4.0
"""Per vector of output: stored as it stands, or transposed first."""
PARALLEL_FLOPS, PARALLEL_PACKED_FLOPS = 200_000, 600_000
"""Less work than this is not worth a second thread; packing needs a barrier as well."""
SPLIT, MOST_PARTS = 1024, 16
"""From this K on, a result of very few tiles is computed in parts along K; never more than so many."""

LEAST_BLOCK = 96
"""Steps of K that are worth loading and storing the sums so far."""

CHAIN = 192
"""About how many products are added up one after the other; further ones make another sum."""

Mode = Literal["direct", "copy", "transpose", "gather"]
"""How a factor reaches the micro-kernel: as it lies in memory, or packed by copying vectors, by transposing square
blocks, or element by element."""


@dataclass(frozen=True)
class Plan:
    """How one contraction runs."""

    rows: Factor
    """The factor whose scalars are broadcast."""
    columns: Factor
    """The factor whose vectors are loaded."""
    m: Dim
    n: int | None
    k: int | None
    """The tiled dimension of each role; `None` if there is none but of extent 1."""
    outer: tuple[int, ...]
    """Batch and further N dimensions: loops around everything."""
    across: tuple[int, ...]
    """Further M dimensions: loops around the tiles of a panel."""
    reduced: tuple[int, ...]
    """Further K dimensions, around `k`."""
    lanes: int
    vectors: int
    """Vectors in a row of the register tile."""
    m_tiles: Tiles
    panels: Tiles
    """Column panels, in elements; each is `vectors * lanes` wide but for the last."""
    transposed: bool
    """Whether the output is contiguous along M, so that finished tiles are transposed."""
    k_size: int
    blocked: int | None
    """The dimension of K that is taken in blocks, the first one."""
    blocked_size: int
    k_block: int
    chain: int
    """How many steps of that dimension are added up one after the other."""
    row_mode: Mode
    column_mode: Mode
    run: Run
    """What squares of columns run along in memory before they are transposed."""
    split: bool
    """Whether the blocks of K are summed separately, by any thread, and added up in order at the end."""
    m_chunks: int
    n_chunks: int
    cost: float
    """Estimated cycles."""

    @property
    def width(self) -> int:
        """Elements in a row of the register tile."""
        return self.vectors * self.lanes

    @property
    def k_blocks(self) -> int:
        """How many blocks K is split into."""
        return max(1, ceil(self.blocked_size / self.k_block))

    @property
    def around(self) -> tuple[int, ...]:
        """All dimensions around the tiles."""
        return (*self.outer, *self.across)

    def across_size(self, extents: Sequence[int]) -> int:
        """How many times the tiles of a panel are gone through."""
        return prod(extents[d] for d in self.across)

    @property
    def lead(self) -> int | None:
        """The dimension of M that tiles cut."""
        return self.m.lead if isinstance(self.m, Box) else self.m

    @property
    def row_size(self) -> int:
        """Rows by step of that dimension."""
        return self.m.size if isinstance(self.m, Box) else 1

    @property
    def square(self) -> int:
        """Steps of that dimension that are transposed together."""
        return self.m_tiles.step if isinstance(self.m, Box) else self.lanes


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
    n = _inner(n_dims, extents, columns, contraction.out)
    k = _inner(contraction.k, extents, columns, rows)
    reduced = tuple(d for d in contraction.k if d != k)
    n_size, k_size = (extents[d] if d is not None else 1 for d in (n, k))
    depth = k_size * prod(extents[d] for d in reduced)
    tiling = _tiling(contraction, epilogue, target, rows, m_dims, n_dims, n, lanes)
    m, vectors, tiles = tiling.m, tiling.vectors, tiling.tiles
    row_size, lead, inner = (m.size, m.lead, m.inner) if isinstance(m, Box) else (1, m, ())
    outer = tuple(d for d in (*contraction.batch, *n_dims) if d != n)
    across = tuple(d for d in m_dims if d != lead and d not in inner)
    panels = uniform(n_size, vectors * lanes)
    times = prod(extents[d] for d in across)
    row_mode = "direct" if inner else _row_mode(rows, lead, k, tiles, panels.count, k_size, size)
    run = columns.run((*reduced, *(() if k is None else (k,))), extents)
    column_mode = _column_mode(columns, n, k, run, tiles.count, panels, k_size, size, target)
    work = 2.0 * contraction.points
    packed = 0.0
    for factor, mode in ((rows, row_mode), (columns, column_mode)):
        packed += PACK[mode] * prod(extents[d] for d in factor.dims)
    cost = tiling.cost + packed
    parallel = work > (PARALLEL_PACKED_FLOPS if packed else PARALLEL_FLOPS)
    if parallel:
        cost = cost / target.cores + (BARRIER if packed else 0.0)
    blocked = reduced[0] if reduced else k
    blocked_size = extents[blocked] if blocked is not None else 1
    k_block = blocked_size
    if reduced:
        if column_mode != "direct":
            k_block = _first_block(blocked_size, depth // blocked_size, panels.step * size, target)
    else:
        k_block = _k_block(k_size, row_mode, column_mode, tiles, row_size, n_size, size, target)
    repeats = prod(extents[d] for d in outer)
    m_chunks, n_chunks = 1, 1
    least = max(1, SPLIT // 4 * blocked_size // depth)
    split = (
        parallel
        and repeats * times * tiles.count * panels.count < 2 * target.cores
        and depth >= SPLIT
        and blocked_size >= 2 * least
    )
    if split:
        k_block = max(least, ceil(blocked_size / MOST_PARTS))
        if not reduced:
            k_block = max(least, ceil(k_block / 8) * 8)
    elif parallel:
        chunk_bytes = size * _chunk_elements(rows, extents, lead, inner, contraction.k, 1 if across else tiles.step)
        chunk_bytes = chunk_bytes * k_block // blocked_size
        count = times if across else tiles.count
        m_chunks, n_chunks = _chunk_counts(count, panels.count, repeats, chunk_bytes, target)
    return Plan(
        rows, columns, m, n, k, outer, across, reduced, lanes, vectors, tiles, panels, tiling.transposed, k_size,
        blocked, blocked_size, k_block, _chain(k_block, depth // blocked_size),
        row_mode, column_mode, run, split, m_chunks, n_chunks, cost,
    )  # fmt: skip


class Tiling(NamedTuple):
    """A shape of the register tile, and what it costs."""

    cost: float
    m: Dim
    vectors: int
    tiles: Tiles
    transposed: bool


def _tiling(
    contraction: Contraction,
    epilogue: Epilogue,
    target: Target,
    rows: Factor,
    m_dims: tuple[int, ...],
    n_dims: tuple[int, ...],
    n: int | None,
    lanes: int,
) -> Tiling:
    """The cheapest register tile."""
    extents = contraction.extents
    n_size = extents[n] if n is not None else 1
    n_vectors = ceil(n_size / lanes)
    depth = prod(extents[d] for d in contraction.k)
    outputs = [a for a in (contraction.out, *epilogue.accesses()) if a.buffer in epilogue.stored or a.dims]
    best: Tiling | None = None
    for vectors in range(1, 5):
        most = min((target.registers - vectors - 1) // vectors, lanes)
        if most < 1 or (vectors > 1 and vectors > n_vectors):
            break
        for m, cut in _row_dims(contraction, rows, m_dims, most):
            transposed = m is not None and sum(a.contiguous(m) - a.contiguous(n) for a in outputs) > 0
            tiles = cut(transposed)
            row_size, lead = (m.size, m.lead) if isinstance(m, Box) else (1, m)
            repeats = prod(extents[d] for d in (*contraction.batch, *m_dims, *n_dims) if d not in (lead, n)) // row_size
            finish = FINISH * tiles.size * row_size
            if transposed:
                square = tiles.step if isinstance(m, Box) else lanes
                finish = TRANSPOSE * lanes * ceil(tiles.size / square)
            cost = repeats * (_tiles_cost(tiles, row_size, n_size, lanes, vectors, depth) + finish * n_vectors)
            cost *= 1 + SECOND_KIND * (len(tiles.kinds()) - 1)
            if best is None or cost < 0.99 * best.cost:
                best = Tiling(cost, m, vectors, tiles, transposed)
    assert best is not None
    return best


def _row_dims(
    contraction: Contraction, rows: Factor, m_dims: tuple[int, ...], most: int
) -> Iterator[tuple[Dim, Callable[[bool], Tiles]]]:
    """What the rows of a tile may run along, and how it is cut if tiles are transposed or not."""
    extents = contraction.extents
    m = _inner(m_dims, extents, rows, contraction.out)
    size = extents[m] if m is not None else 1
    power = 1 << (most.bit_length() - 1)
    even = max(step for step in range(1, most + 1) if size % step == 0)
    yield m, lambda transposed: uniform(size, power) if transposed else uniform(size, even)
    yield m, lambda transposed: uniform(size, power) if transposed else balanced(size, most)
    if rows.plain is None:
        return
    places = {dim: i for i, (_, terms) in enumerate(contraction.out.forms) for dim, _ in terms}
    ordered = sorted(m_dims, key=lambda dim: places[dim])
    for first in range(len(ordered) - 1, 0, -1):
        lead, inner = ordered[first - 1], tuple(ordered[first:])
        inside = tuple(extents[d] for d in inner)
        if prod(inside) > most:
            return
        count = ceil(extents[lead] / (most // prod(inside)))
        tiles = uniform(extents[lead], ceil(extents[lead] / count))
        yield Box(lead, inner, inside, tiles.step), lambda _, tiles=tiles: tiles


def _chunk_elements(
    rows: Factor, extents: Sequence[int], lead: int | None, inner: Sequence[int], k: Sequence[int], steps: int
) -> int:
    """How many elements the rows of one chunk of work lie among."""
    reach = {d: extents[d] for d in (*inner, *k)}
    if lead is not None:
        reach[lead] = extents[lead] if steps == 1 else steps
    return sum(access.footprint(reach) for _, access in rows.inputs)


def element_size(contraction: Contraction) -> int:
    """Bytes of an accumulator."""
    element = contraction.element
    return element.size  # type: ignore[attr-defined]


def _inner(dims: tuple[int, ...], extents: tuple[int, ...], *by: Factor | AffineAccess) -> int | None:
    """The dimension to tile: one that runs through neighbouring elements, or else the longest."""
    return max(dims, key=lambda d: (sum(a.contiguous(d) for a in by), extents[d]), default=None)


def _tiles_cost(tiles: Tiles, row_size: int, n_size: int, lanes: int, vectors: int, depth: int) -> float:
    full, rest = divmod(n_size, lanes * vectors)
    widths = [(full, vectors), (1 if rest else 0, ceil(rest / lanes))]
    total = 0.0
    for first, end, steps in tiles.kinds():
        rows = steps * row_size
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
            stride = access.stride(m) * size
            conflict = tiles.widest * gcd(stride, PAGE) > 4 * PAGE
            if panels < 4 or not conflict:
                return "direct"
        elif access.contiguous(m):
            stride = access.stride(k) * size
            conflict = k_size * gcd(stride, PAGE) > 8 * PAGE
            if panels < 4 or not conflict:
                return "direct"
        elif panels == 1:
            return "direct"
    return "copy" if rows.contiguous(k) or rows.contiguous(m) else "gather"


def _column_mode(
    columns: Factor, n: int | None, k: int | None, run: Run, m_tiles: int, panels: Tiles, k_size: int, size: int,
    target: Target,
) -> Mode:  # fmt: skip
    """Vectors come from neighbouring elements; many rows far apart are better packed if they are used often."""
    if columns.contiguous(n):
        access = columns.plain
        if access is None:
            return "copy"
        stride = access.stride(k) * size
        conflict = k_size * gcd(stride, 16 * PAGE) > 8 * 16 * PAGE
        large = k_size * panels.step * size > target.l1 // 2
        return "copy" if m_tiles >= 4 and (conflict or (large and m_tiles >= 12)) else "direct"
    return "transpose" if columns.contiguous(k) or run.backwards else "gather"


def _first_block(extent: int, rest: int, step_bytes: int, target: Target) -> int:
    """How much of the first of several K dimensions to take at once: a block of a panel fits the second cache."""
    limit = max(1, target.l2 // 4 // step_bytes // rest)
    if extent <= limit * 5 // 4 or rest * limit < LEAST_BLOCK:
        return extent
    return ceil(extent / ceil(extent / limit))


def _k_block(
    k_size: int, row_mode: Mode, column_mode: Mode, tiles: Tiles, row_size: int, n_size: int, size: int, target: Target
) -> int:
    """How many steps of K to take at once, in equal blocks."""
    if tiles.size * row_size <= 4 and column_mode == "direct" and n_size * size > target.l1 // 8:
        # Too little work for each element: memory decides, and wants few rows read side by side.
        limit = 16
    elif row_mode == "direct":
        # The rows of a tile stay in the first cache.
        limit = max(256, target.l1 * 6 // 10 // (tiles.widest * row_size * size))
    else:
        limit = 1024
    blocks = ceil(k_size / limit)
    return k_size if k_size <= limit * 5 // 4 else ceil(ceil(k_size / blocks) / 8) * 8


def _chain(steps: int, rest: int) -> int:
    """How to cut a block of K into equal chains."""
    count = ceil(steps * rest / (CHAIN * 5 // 4))
    count = next((n for n in range(count, min(count * 3 // 2, steps) + 1) if steps % n == 0), count)
    return max(1, ceil(steps / count))


def _chunk_counts(m_tiles: int, panels: int, repeats: int, tile_bytes: int, target: Target) -> tuple[int, int]:
    """How many blocks of rows and of columns make the chunks of work that threads share.

    A block of rows stays in the second cache while the panels pass; the chunks should come out even.
    """
    least = ceil(m_tiles * tile_bytes / (target.l2 // 2))
    best, choice = float("inf"), (1, 1)
    for m_chunks in range(min(least, m_tiles), m_tiles + 1):
        for n_chunks in range(1, panels + 1):
            chunks = repeats * m_chunks * n_chunks
            if chunks > max(8 * target.cores, repeats * least * 2):
                break
            largest = ceil(m_tiles / m_chunks) * ceil(panels / n_chunks)
            score = ceil(chunks / target.cores) * largest * (1 + 0.01 * m_chunks + 0.02 * (n_chunks - 1))
            if score < best:
                best, choice = score, (m_chunks, n_chunks)
        if m_chunks >= 4 * max(least, target.cores):
            break
    return choice
