"""The register tile: a block of the output held in vectors while K runs.

    for (k) {
      for (j: unrolled)  b[j] = columns[k][j]                      // `vectors` loads
      for (i: unrolled)                                            // `rows` broadcasts
        for (j: unrolled)  tile[i][j] += rows[i][k] * b[j]         // fused multiply-adds
    }

The tile is an array of vectors that only unrolled loops index, which compilers keep in registers.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from xdsl.dialects import arith, vector
from xdsl.dialects.builtin import AnyFloat
from xdsl.ir import SSAValue

from ....utils.affine import LinearExpr, LinearLike
from ....utils.constants import vector_type
from ....utils.nest_emitter import NestEmitter
from ...contraction.classify import Box, Contraction
from ...contraction.scalars import Point, shifted
from .pack import Packer, linearize
from .plan import Plan

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
    number: LinearLike
    """Which tile of rows this is."""
    panel: LinearLike


@dataclass
class MicroKernel:
    """Emits the loop over K for tiles of one contraction."""

    e: NestEmitter
    contraction: Contraction
    plan: Plan
    packer: Packer
    strips: SSAValue | None = None
    """The packed rows, if they are."""
    panels: SSAValue | None = None
    """The packed columns, if they are."""

    def accumulators(self, tile: Tile) -> SSAValue:
        """The tile's registers, not yet set."""
        type_ = vector_type(self.plan.lanes, self.contraction.element)
        return self.e.private(type_, tile.rows, tile.vectors, hint="tile")

    @contextmanager
    def rows(self, point: Point, count: int, unroll: bool = False) -> Generator[tuple[LinearExpr, Point]]:
        """Loops over the rows of a tile: the number and the point of each."""
        e, plan = self.e, self.plan
        inner, extents = (plan.m.inner, plan.m.extents) if isinstance(plan.m, Box) else ((), ())
        with ExitStack() as loops:
            i = loops.enter_context(e.for_(0, count // plan.row_size, unroll=unroll))
            point = shifted(point, plan.lead, i)
            for dim, extent in zip(inner, extents, strict=True):
                at = loops.enter_context(e.for_(0, extent, unroll=unroll))
                i = i * extent + at
                point = {**point, dim: at}
            yield i, point

    @contextmanager
    def each(self, tile: Tile) -> Generator[tuple[LinearExpr, LinearExpr]]:
        """Loops over the vectors of a tile, unrolled."""
        with self.e.for_(0, tile.rows, unroll=True) as i, self.e.for_(0, tile.vectors, unroll=True) as j:
            yield i, j

    def clear(self, tile: Tile, accumulators: SSAValue) -> None:
        """Starts from zero."""
        nothing = self.e.broadcast(self.e.zero(self.contraction.element), self.plan.lanes)
        with self.each(tile) as where:
            self.e.store(nothing, accumulators, where)

    @property
    def chained(self) -> bool:
        """Whether a block of K is added up in several chains."""
        return self.plan.chain < self.plan.k_block

    @contextmanager
    def sums(self, tile: Tile, first: LinearExpr, end: LinearExpr) -> Generator[SSAValue]:
        """The products of `first` to `end` of the first dimension of K and all of the others, added up.

        Long sums are made of chains, each by itself and to be added by the caller: rounding errors grow with the length
        of a chain.
        """
        e, chain = self.e, self.plan.chain
        registers = self.accumulators(tile)
        with ExitStack() as chains:
            if self.chained:
                even = self.plan.k_block % chain == 0 and self.plan.blocked_size % chain == 0
                first = chains.enter_context(e.for_(first, end, step=chain, hint="chain"))
                end = first + chain if even else e.minimum(first + chain, end)
            self.clear(tile, registers)
            self._run(tile, registers, first, end)
            yield registers

    def _run(self, tile: Tile, accumulators: SSAValue, first: LinearLike, end: LinearLike) -> None:
        e, plan = self.e, self.plan
        with self._steps(tile.point, first, end) as here:
            columns = e.private(vector_type(plan.lanes, self.contraction.element), tile.vectors, hint="column")
            whole = tile.vectors - (tile.last is not None and self.panels is None)
            if whole:
                with e.for_(0, whole, unroll=True) as j:
                    e.store(self._column(tile, here, j), columns, [j])
            if whole < tile.vectors:
                e.store(self._column(tile, here, LinearExpr(whole), tile.last), columns, [whole])
            with self.rows(here, tile.rows, unroll=True) as (i, there):
                row = e.broadcast(self._row(tile, there, i), plan.lanes)
                with e.for_(0, tile.vectors, unroll=True) as j:
                    total = self._multiply_add(row, e.load(columns, [j]), e.load(accumulators, [i, j]))
                    e.store(total, accumulators, [i, j])

    @contextmanager
    def _steps(self, point: Point, first: LinearLike, end: LinearLike) -> Generator[Point]:
        """Loops over K; the first dimension runs from `first` to `end`."""
        with ExitStack() as loops:
            for dim in self.packer.k_dims():
                bounds = (first, end) if dim == self.plan.blocked else (0, self.contraction.extents[dim])
                hint = "k" if dim == self.plan.k else ""
                point = {**point, dim: loops.enter_context(self.e.for_(*bounds, hint=hint))}
            yield point

    def _column(self, tile: Tile, point: Point, j: LinearExpr, count: int | None = None) -> SSAValue:
        e, plan = self.e, self.plan
        if self.panels is None:
            access = plan.columns.plain
            assert access is not None
            return e.load_vector(access.buffer, access.at(shifted(point, plan.n, j * plan.lanes)), plan.lanes, count)
        outer, depth = self._place(self.packer.outer_dims(plan.columns), point)
        e.prefetch(self.panels, [outer, tile.panel, depth + AHEAD, j * plan.lanes])
        return e.load_vector(self.panels, [outer, tile.panel, depth, j * plan.lanes], plan.lanes)

    def _row(self, tile: Tile, point: Point, i: LinearExpr) -> SSAValue:
        e, plan = self.e, self.plan
        if self.strips is None:
            access = plan.rows.plain
            assert access is not None
            return e.load(access.buffer, access.at(point))
        outer, depth = self._place(self.packer.outer_dims(plan.rows), point)
        inner = [i, depth] if self.packer.rows_along_k else [depth, i]
        return e.load(self.strips, [outer, tile.number, *inner])

    def _place(self, outer: tuple[int, ...], point: Point) -> tuple[LinearExpr, LinearExpr]:
        extents = self.contraction.extents
        return linearize(point, outer, extents), linearize(point, self.packer.k_dims(), extents)

    def _multiply_add(self, x: SSAValue, y: SSAValue, total: SSAValue) -> SSAValue:
        if isinstance(self.contraction.element, AnyFloat):
            return self.e.op(vector.FMAOp, x, y, total, type=total.type)
        return self.add(total, self.e.op(arith.MuliOp, x, y, type=total.type))

    def add(self, x: SSAValue, y: SSAValue) -> SSAValue:
        """The sum of two vectors."""
        kind = arith.AddfOp if isinstance(self.contraction.element, AnyFloat) else arith.AddiOp
        return self.e.op(kind, x, y)
