"""The register tile: a block of the output held in vectors while K runs.

    for (k) {
      for (j: unrolled)  b[j] = columns[k][j]                      // `vectors` loads
      for (i: unrolled)                                            // `rows` broadcasts
        for (j: unrolled)  tile[i][j] += rows[i][k] * b[j]         // fused multiply-adds
    }

The tile is an array of vectors that only unrolled loops index, which compilers keep in registers.
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from xdsl.dialects import arith, vector
from xdsl.dialects.builtin import AnyFloat
from xdsl.ir import SSAValue

from .classify import Contraction
from .emit import Emitter, Index, Lin, vector_type
from .pack import Packer, linearize
from .plan import Plan
from .vectors import Point, shifted

AHEAD = 16
"""How many steps of K ahead a packed panel is fetched."""


@dataclass(frozen=True)
class Tile:
    """Where a register tile lies: sizes are known, places are values."""

    rows: int
    vectors: int
    last: int | None
    """How many lanes of the last vector count, if not all."""
    point: Point
    """The outer dimensions, and the first row and column."""
    number: Index
    """Which tile of rows this is."""
    panel: Index


@dataclass
class MicroKernel:
    """Emits the loop over K for tiles of one contraction."""

    e: Emitter
    contraction: Contraction
    plan: Plan
    packer: Packer
    strips: SSAValue | None = None
    """The packed rows, if they are."""
    panels: SSAValue | None = None
    """The packed columns, if they are."""

    def accumulators(self, tile: Tile) -> SSAValue:
        """The tile's registers, not yet set."""
        type_ = vector_type(self.contraction.element, self.plan.lanes)
        return self.e.private(type_, tile.rows, tile.vectors, hint="tile")

    @contextmanager
    def each(self, tile: Tile) -> Iterator[tuple[Lin, Lin]]:
        """Loops over the vectors of a tile, unrolled."""
        with self.e.loop(0, tile.rows, unroll=True) as i, self.e.loop(0, tile.vectors, unroll=True) as j:
            yield i, j

    def clear(self, tile: Tile, accumulators: SSAValue) -> None:
        """Starts from zero."""
        nothing = self.e.broadcast(self.e.zero(self.contraction.element), self.plan.lanes)
        with self.each(tile) as where:
            self.e.store(nothing, accumulators, where)

    def run(self, tile: Tile, accumulators: SSAValue, first: Index, end: Index) -> None:
        """Adds the products of steps `first` to `end` of K."""
        e, plan = self.e, self.plan
        with self._reduced(tile.point) as point, e.loop(first, end, hint="k") as k:
            here = shifted(point, plan.k, k)
            columns = e.private(vector_type(self.contraction.element, plan.lanes), tile.vectors, hint="column")
            whole = tile.vectors - (tile.last is not None and self.panels is None)
            if whole:
                with e.loop(0, whole, unroll=True) as j:
                    e.store(self._column(tile, here, j), columns, [j])
            if whole < tile.vectors:
                e.store(self._column(tile, here, Lin(whole), tile.last), columns, [whole])
            with e.loop(0, tile.rows, unroll=True) as i:
                row = e.broadcast(self._row(tile, here, i), plan.lanes)
                with e.loop(0, tile.vectors, unroll=True) as j:
                    total = self._multiply_add(row, e.load(columns, [j]), e.load(accumulators, [i, j]))
                    e.store(total, accumulators, [i, j])

    @contextmanager
    def _reduced(self, point: Point) -> Iterator[Point]:
        """Loops over the further K dimensions."""
        with ExitStack() as loops:
            for dim in self.plan.reduced:
                point = {**point, dim: loops.enter_context(self.e.loop(0, self.contraction.extents[dim]))}
            yield point

    def _column(self, tile: Tile, point: Point, j: Lin, count: int | None = None) -> SSAValue:
        e, plan = self.e, self.plan
        if self.panels is None:
            access = plan.columns.plain
            assert access is not None
            return e.load_vector(access.buffer, access.at(shifted(point, plan.n, j * plan.lanes)), plan.lanes, count)
        outer, depth = self._place(self.packer.outer_dims(plan.columns), point)
        e.prefetch(self.panels, [outer, tile.panel, depth + AHEAD, j * plan.lanes])
        return e.load_vector(self.panels, [outer, tile.panel, depth, j * plan.lanes], plan.lanes)

    def _row(self, tile: Tile, point: Point, i: Lin) -> SSAValue:
        e, plan = self.e, self.plan
        if self.strips is None:
            access = plan.rows.plain
            assert access is not None
            return e.load(access.buffer, access.at(shifted(point, plan.m, i)))
        outer, depth = self._place(self.packer.outer_dims(plan.rows), point)
        inner = [i, depth] if self.packer.rows_along_k else [depth, i]
        return e.load(self.strips, [outer, tile.number, *inner])

    def _place(self, outer: tuple[int, ...], point: Point) -> tuple[Lin, Lin]:
        extents = self.contraction.extents
        return linearize(point, outer, extents), linearize(point, self.packer.k_dims(), extents)

    def _multiply_add(self, x: SSAValue, y: SSAValue, total: SSAValue) -> SSAValue:
        if isinstance(self.contraction.element, AnyFloat):
            return self.e.op(vector.FMAOp, (x, y, total), total.type)
        product = self.e.op(arith.MuliOp, (x, y), total.type)
        return self.e.op(arith.AddiOp, (total, product), total.type)
