"""Packing: a factor copied, through its maps, into the order in which the micro-kernel reads it.

    columns: panel[o, p, k, j]  = f(w[.., n = p * width + j, k])             vectors along j, whatever the map
    rows:    strip[o, t, i, k] or strip[o, t, k, i] = g(a[.., m = start(t) + i, k])

Elementwise producers of a factor (`f`, `g`) are applied on the way. Edges of panels are padded.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from math import ceil, prod

from xdsl.ir import SSAValue

from ....utils.affine import LinearExpr, LinearLike
from ....utils.nest_emitter import NestEmitter
from ...contraction.classify import AffineAccess, Contraction, Factor
from ...contraction.scalars import Point, factor_scalar, shifted
from ...contraction.tiles import Tiles
from .plan import LINE, PAGE, Plan, element_size
from .vectors import factor_vector, place

CHUNK = 64
"""Steps of K in one chunk of packing work."""


def linearize(point: Point, dims: Sequence[int], extents: Sequence[int]) -> LinearExpr:
    """The flat index of some dimensions of a point."""
    flat = LinearExpr()
    for dim in dims:
        flat = flat * extents[dim] + point.get(dim, 0)
    return flat


def start(e: NestEmitter, tiles: Tiles, tile: LinearLike) -> LinearExpr:
    """The first element of a tile."""
    first = LinearExpr.of(tile) * tiles.step
    return first + e.minimum(tile, tiles.large) if tiles.large else first


@contextmanager
def chunks(e: NestEmitter, total: int, parallel: bool) -> Generator[LinearExpr]:
    """This thread's share of `total` chunks of work; all of them on one thread if that is not worth a team."""
    if parallel:
        with e.for_(*e.own_share(total), hint="chunk") as chunk:
            yield chunk
    else:
        with e.alone(), e.for_(0, total, hint="chunk") as chunk:
            yield chunk


@dataclass
class Packer:
    """Packs the factors of one contraction."""

    e: NestEmitter
    contraction: Contraction
    plan: Plan

    @property
    def parallel(self) -> bool:
        """Whether the work is split over threads."""
        plan = self.plan
        return plan.split or plan.m_chunks * plan.n_chunks * prod(self.contraction.extents[d] for d in plan.outer) > 1

    def outer_dims(self, factor: Factor) -> tuple[int, ...]:
        """The outer dimensions that a factor depends on."""
        return tuple(d for d in self.plan.around if d in factor.dims)

    def k_dims(self) -> tuple[int, ...]:
        """All dimensions of K, the tiled one last."""
        return (*self.plan.reduced, *(() if self.plan.k is None else (self.plan.k,)))

    def depth(self) -> int:
        """The product of all extents of K."""
        return prod(self.contraction.extents[d] for d in self.k_dims())

    def point(self, dims: Sequence[int], subscripts: Sequence[LinearExpr]) -> dict[int, LinearLike]:
        """A point from subscripts."""
        return dict(zip(dims, subscripts, strict=True))

    # Columns

    def columns(self) -> SSAValue:
        """panel[outer, panel, k, column]"""
        e, plan, extents = self.e, self.plan, self.contraction.extents
        outer = self.outer_dims(plan.columns)
        shape = [extents[d] for d in outer]
        panels = plan.panels.count
        element = self.contraction.element
        buffer = e.shared(element, prod(shape), panels, self.depth(), plan.width, hint="panels")
        transposed = plan.column_mode == "transpose"
        k_chunk = plan.lanes if transposed else min(CHUNK, plan.k_size)
        k_chunks = ceil((plan.run.size if transposed else plan.k_size) / k_chunk)
        reduced = tuple(d for d in plan.reduced if d not in plan.run.dims) if transposed else plan.reduced
        inner = [extents[d] for d in reduced]
        with chunks(e, prod(shape) * panels * prod(inner) * k_chunks, self.parallel) as chunk:
            subscripts = e.delinearize(chunk, [*shape, panels, *inner, k_chunks])
            panel = subscripts[len(shape)]
            dims = (*outer, *reduced)
            point = self.point(dims, [*subscripts[: len(shape)], *subscripts[len(shape) + 1 : -1]])
            first = subscripts[-1] * k_chunk
            target = _PackedPanel(self, buffer, linearize(point, outer, extents), panel)
            if transposed:
                self._transpose_chunk(target, point, first)
            elif plan.column_mode == "copy":
                self._copy_chunk(target, point, first, e.minimum(first + k_chunk, plan.k_size))
            else:
                self._gather_chunk(target, point, first, e.minimum(first + k_chunk, plan.k_size))
        return buffer

    def _vectors(self, panel: LinearExpr) -> Iterator[tuple[LinearExpr, LinearExpr, int | None]]:
        """(first, end, lanes that count) of the vectors of a panel: whole ones, then the last of all if it is not."""
        plan = self.plan
        whole, rest = divmod(plan.panels.size, plan.lanes)
        full = self.e.minimum(plan.vectors, panel * -plan.vectors + whole)
        if whole:
            yield LinearExpr(), full, None
        if rest:
            yield full, self.e.minimum(plan.vectors, panel * -plan.vectors + (whole + 1)), rest

    def _copy_chunk(self, target: _PackedPanel, point: Point, first: LinearExpr, end: LinearExpr) -> None:
        e, plan = self.e, self.plan
        with e.for_(first, end) as k:
            here = shifted(point, plan.k, k)
            for low, high, count in self._vectors(target.panel):
                with e.for_(low, high) as j:
                    there = shifted(here, plan.n, target.panel * plan.width + j * plan.lanes)
                    value = factor_vector(e, plan.columns, there, plan.n, plan.lanes, count)
                    e.store_vector(value, target.buffer, target.at(here, j), plan.lanes)

    def _transpose_chunk(self, target: _PackedPanel, point: Point, first: LinearExpr) -> None:
        plan, lanes, run = self.plan, self.plan.lanes, self.plan.run
        if plan.columns.plain is not None:
            self._transpose_plain(plan.columns.plain, target, point, first)
            return
        rest = run.size % lanes
        whole = run.size - rest
        if whole:
            self._transpose_made(target, point, first, self.e.minimum(first + lanes, whole), lanes)
        if rest:
            self._transpose_made(
                target, point, self.e.maximum(first, whole), self.e.minimum(first + lanes, run.size), rest
            )

    def _transpose_plain(self, access: AffineAccess, target: _PackedPanel, point: Point, first: LinearExpr) -> None:
        """Squares as they lie in memory, with what is left at the edges."""
        e, plan, lanes, run = self.e, self.plan, self.plan.lanes, self.plan.run
        size = plan.panels.size
        here = shifted(point, plan.k, first)
        depth = e.minimum(lanes, first * -1 + run.size) if run.size % lanes else LinearExpr(lanes)
        last = depth + -1 if run.backwards else LinearExpr()
        step = -plan.width if run.backwards else plan.width
        count = e.minimum(plan.vectors, target.panel * -plan.vectors + ceil(size / lanes))
        with e.for_(0, count if size % plan.width else plan.vectors) as j:
            n = target.panel * plan.width + j * lanes
            rows = e.minimum(lanes, n * -1 + size) if size % lanes else LinearExpr(lanes)
            there = shifted(shifted(here, plan.n, n), plan.k, last)
            to = target.at(shifted(here, plan.k, last), j)
            source, at = place(e, access, there, run.dim)
            e.transpose(source, at, access.stride(plan.n), target.buffer, to, step, rows, depth, lanes)

    def _transpose_made(
        self, target: _PackedPanel, point: Point, low: LinearExpr, high: LinearExpr, depth: int
    ) -> None:
        """Squares of what elementwise operations make of the factor."""
        e, plan, lanes = self.e, self.plan, self.plan.lanes
        with e.for_(low, high, step=lanes) as k:
            here = shifted(point, plan.k, k)
            for first_vector, end, count in self._vectors(target.panel):
                with e.for_(first_vector, end) as j:
                    there = shifted(here, plan.n, target.panel * plan.width + j * lanes)
                    square = e.private(self.contraction.element, lanes, lanes, hint="square")
                    with e.for_(0, count or lanes) as i:
                        row = factor_vector(e, plan.columns, shifted(there, plan.n, i), plan.k, lanes, depth)
                        e.store_vector(row, square, [i, 0], lanes)
                    to = target.at(here, j)
                    e.transpose(square, [0, 0], lanes, target.buffer, to, plan.width, count or lanes, depth, lanes)

    def _gather_chunk(self, target: _PackedPanel, point: Point, first: LinearExpr, end: LinearExpr) -> None:
        e, plan = self.e, self.plan
        left = target.panel * -plan.width + plan.panels.size
        with e.for_(first, end) as k, e.for_(0, e.minimum(plan.width, left)) as j:
            here = shifted(point, plan.k, k)
            value = factor_scalar(e, plan.columns, shifted(here, plan.n, target.panel * plan.width + j))
            outer, panel, depth, _ = target.at(here, 0)
            e.store(value, target.buffer, [outer, panel, depth, j])

    # Rows

    @property
    def rows_along_k(self) -> bool:
        """Whether strips are laid out [.., row, k]; else [.., k, row]."""
        return self.plan.row_mode == "copy" and self.plan.rows.contiguous(self.plan.k)

    @property
    def strip_width(self) -> int:
        """Elements in a row of a strip [.., k, row]: those of a tile, or a few more for the sake of whole vectors."""
        return max(2, 1 << (self.plan.m_tiles.widest - 1).bit_length())

    def rows(self) -> SSAValue:
        """strip[outer, tile, row, k] or strip[outer, tile, k, row]"""
        e, plan, extents = self.e, self.plan, self.contraction.extents
        outer = self.outer_dims(plan.rows)
        shape = [extents[d] for d in outer]
        tiles = plan.m_tiles
        element, size = self.contraction.element, element_size(self.contraction)
        depth = self.depth()
        if self.rows_along_k:
            padding = LINE // size if depth * size % (PAGE // 4) == 0 else 0
            sizes = (tiles.widest, depth + padding)
        else:
            sizes = (depth, self.strip_width)
        buffer = e.shared(element, prod(shape), tiles.count, *sizes, hint="strips")
        with chunks(e, prod(shape) * tiles.count, self.parallel) as chunk:
            subscripts = e.delinearize(chunk, [*shape, tiles.count])
            point = self.point(outer, subscripts[:-1])
            tile = subscripts[-1]
            first = start(e, tiles, tile)
            size_here = e.minimum(start(e, tiles, tile + 1), tiles.size) + first * -1
            target = _PackedPanel(self, buffer, linearize(point, outer, extents), tile)
            if self.rows_along_k:
                self._copy_rows(target, shifted(point, plan.lead, first), size_here)
            else:
                self._copy_steps(target, point, first, size_here)
        return buffer

    @contextmanager
    def _reduced(self, point: Point) -> Generator[Point]:
        """Loops over the further K dimensions."""
        with ExitStack() as loops:
            for dim in self.plan.reduced:
                point = {**point, dim: loops.enter_context(self.e.for_(0, self.contraction.extents[dim]))}
            yield point

    def _copy_rows(self, target: _PackedPanel, point: Point, count: LinearExpr) -> None:
        e, plan, lanes = self.e, self.plan, self.plan.lanes
        whole = plan.k_size // lanes * lanes
        spans = [(0, whole, None), (whole, plan.k_size, plan.k_size - whole)]
        with e.for_(0, count) as i, self._reduced(point) as here:
            for low, high, lanes_here in spans:
                if low < high:
                    with e.for_(low, high, step=lanes) as k:
                        there = shifted(here, plan.k, k)
                        value = factor_vector(e, plan.rows, shifted(there, plan.lead, i), plan.k, lanes, lanes_here)
                        outer, tile, depth, _ = target.at(there, 0)
                        e.store_vector(value, target.buffer, [outer, tile, i, depth], lanes, lanes_here)

    def _copy_steps(self, target: _PackedPanel, point: Point, first: LinearExpr, count: LinearExpr) -> None:
        """One step of K at a time: a whole vector where that many rows are left, else row by row."""
        e, plan, lanes = self.e, self.plan, self.strip_width

        def by_row() -> None:
            with self._reduced(point) as here, e.for_(0, plan.k_size) as k, e.for_(0, count) as i:
                there = shifted(shifted(here, plan.k, k), plan.lead, first + i)
                outer, tile, depth, _ = target.at(there, 0)
                e.store(factor_scalar(e, plan.rows, there), target.buffer, [outer, tile, depth, i])

        if plan.row_mode != "copy" or plan.m_tiles.size < lanes:
            by_row()
            return
        all_whole = plan.m_tiles.kinds() == [(0, plan.m_tiles.count, lanes)]
        with (
            nullcontext() if all_whole else e.when(e.at_most(first, plan.m_tiles.size - lanes), by_row),
            self._reduced(point) as here,
            e.for_(0, plan.k_size) as k,
        ):
            there = shifted(shifted(here, plan.k, k), plan.lead, first)
            value = factor_vector(e, plan.rows, there, plan.lead, lanes)
            e.store_vector(value, target.buffer, target.at(there, 0), lanes)


@dataclass
class _PackedPanel:
    """A place in a packed buffer."""

    packer: Packer
    buffer: SSAValue
    outer: LinearExpr
    panel: LinearExpr

    def at(self, point: Point, vector: LinearLike) -> list[LinearExpr]:
        """Indices of a vector of the panel, at the step of K that a point names."""
        extents = self.packer.contraction.extents
        depth = linearize(point, self.packer.k_dims(), extents)
        return [self.outer, self.panel, depth, LinearExpr.of(vector) * self.packer.plan.lanes]
