"""The loops around the register tile: packing, this thread's chunks, blocks of K, panels, tiles, and finishing them.

pack rows and columns where needed; barrier
for (chunk: this thread's share)                 // outer dimensions x blocks of rows x blocks of panels
  for (block of K)
    for (panel) for (further dimensions of M) for (tile) {
      registers = 0 or the partial sums so far
      for (k) ...                                // microkernel.py
      store partial sums, or after the last block: epilogue, vector by vector
    }
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod

from xdsl.ir import Operation, SSAValue

from .....dialects.types import memref_of
from ....utils.affine import LinearExpr, LinearLike
from ....utils.constants import vector_type
from ....utils.nest_emitter import NestEmitter
from ...contraction.classify import AffineAccess, Contraction, Dim, dims_of
from ...contraction.epilogue import Epilogue
from ...contraction.finish import finish
from ...contraction.scalars import Point, shifted
from .microkernel import MicroKernel, Tile
from .pack import Packer, chunks, linearize, start
from .plan import Plan
from .vectors import evaluate, look_up, read, write

Span = tuple[LinearExpr, LinearExpr]
"""From a first number to before an end."""

UNROLLED_EPILOGUE = 64
"""Operations that an epilogue may have, repeated for every vector of the register tile."""


@dataclass(frozen=True)
class Rows:
    """A row-major place for finished or partial tiles: a private array, or a region of the scratch buffer."""

    buffer: SSAValue
    prefix: tuple[LinearLike, ...]

    def at(self, row: LinearLike, column: LinearLike) -> list[LinearLike]:
        """Indices of an element."""
        *outer, first = self.prefix
        return [*outer, LinearExpr.of(first) + row, column]


class Nest:
    """Emits one contraction and its epilogue."""

    def __init__(self, e: NestEmitter, contraction: Contraction, epilogue: Epilogue, plan: Plan):
        self.e, self.contraction, self.epilogue, self.plan = e, contraction, epilogue, plan
        self.packer = Packer(e, contraction, plan)
        self.kernel = MicroKernel(e, contraction, plan, self.packer)
        self.scratch: SSAValue | None = None
        self.along: Dim = plan.m if plan.transposed else plan.n
        """The dimension that vectors of the output run along."""
        self.adding = False
        """Whether tiles are the sums of blocks of K that have been computed separately."""

    def emit(self) -> None:
        """The whole nest."""
        e, plan, extents = self.e, self.plan, self.contraction.extents
        if plan.column_mode != "direct":
            self.kernel.panels = self.packer.columns()
        if plan.row_mode != "direct":
            self.kernel.strips = self.packer.rows()
        packed = self.kernel.panels is not None or self.kernel.strips is not None
        if packed and self.packer.parallel:
            e.barrier()
        shape = [extents[d] for d in plan.outer]
        if plan.k_blocks > 1:
            copies = prod(shape) * plan.across_size(extents) * (plan.k_blocks if plan.split else 1)
            sizes = (copies, plan.panels.count, plan.m_tiles.size * plan.row_size, plan.width)
            self.scratch = e.shared(self.contraction.element, *sizes, hint="partial")
        if plan.split:
            self._emit_split(shape)
            return
        blocks = [*shape, plan.m_chunks, plan.n_chunks]
        with chunks(e, prod(blocks), self.packer.parallel) as chunk:
            subscripts = e.delinearize(chunk, blocks)
            point = dict(zip(plan.outer, subscripts, strict=False))
            panels = self._range(subscripts[-1], plan.panels.count, plan.n_chunks)
            across, groups = (LinearExpr(), LinearExpr(1)), (LinearExpr(), LinearExpr(len_groups(plan)))
            if plan.across:
                across = self._range(subscripts[-2], plan.across_size(extents), plan.m_chunks)
            else:
                groups = self._range(subscripts[-2], len_groups(plan), plan.m_chunks)
            if plan.k_blocks > 1:
                with e.for_(0, plan.k_blocks, hint="block") as block:
                    self._panels(point, across, groups, panels, block)
            else:
                self._panels(point, across, groups, panels, None)

    def _emit_split(self, shape: list[int]) -> None:
        """Every block of K by itself; then, tile by tile, their sum and the epilogue."""
        e, plan = self.e, self.plan
        groups, panels = len_groups(plan), plan.panels.count
        across = plan.across_size(self.contraction.extents)
        with chunks(e, prod(shape) * plan.k_blocks, True) as chunk:
            *outer, block = e.delinearize(chunk, [*shape, plan.k_blocks])
            point = dict(zip(plan.outer, outer, strict=True))
            self._panels(
                point,
                (LinearExpr(), LinearExpr(across)),
                (LinearExpr(), LinearExpr(groups)),
                (LinearExpr(), LinearExpr(panels)),
                block,
            )
        e.barrier()
        self.adding = True
        with chunks(e, prod(shape) * across * groups * panels, True) as chunk:
            *outer, flat, group, panel = e.delinearize(chunk, [*shape, across, groups, panels])
            point = dict(zip(plan.outer, outer, strict=True))
            self._panels(point, (flat, flat + 1), (group, group + 1), (panel, panel + 1), None)

    def _range(self, chunk: LinearExpr, count: int, chunks: int) -> Span:
        if chunks == 1:
            return LinearExpr(), LinearExpr(count)
        return self.e.divide(chunk * count, chunks), self.e.divide((chunk + 1) * count, chunks)

    def _panels(self, point: Point, across: Span, groups: Span, panels: Span, block: LinearExpr | None) -> None:
        e, plan = self.e, self.plan
        further = [self.contraction.extents[d] for d in plan.across]
        for first, end, size in plan.panels.kinds():
            vectors = -(-size // plan.lanes)
            last = size % plan.lanes or None
            with e.for_(*self._clip(panels, first, end, plan.panels.count), hint="panel") as panel:
                here = shifted(point, plan.n, panel * plan.width) if plan.n is not None else point
                with e.for_(*across) as flat:
                    there = {**here, **dict(zip(plan.across, e.delinearize(flat, further), strict=True))}
                    for first_group, end_group, steps in group_kinds(plan):
                        bounds = self._clip(groups, first_group, end_group, len_groups(plan))
                        with e.for_(*bounds, hint="group" if plan.transposed else "row") as group:
                            self._group(there, group, panel, steps, vectors, last, block)

    def _clip(self, bounds: Span, first: int, end: int, count: int) -> Span:
        low = bounds[0] if first == 0 else self.e.maximum(bounds[0], first)
        return low, bounds[1] if end == count else self.e.minimum(bounds[1], end)

    def _group(
        self,
        point: Point,
        group: LinearExpr,
        panel: LinearExpr,
        steps: int,
        vectors: int,
        last: int | None,
        block: LinearExpr | None,
    ) -> None:
        """One tile; or as many as make a square that can be transposed."""
        e, plan, size = self.e, self.plan, self.plan.row_size
        first = group * plan.square if plan.transposed else start(e, plan.m_tiles, group)
        here, rows = shifted(point, plan.lead, first), steps * size
        if block is None:
            self._fetch(here, rows, vectors)
        if not plan.transposed and block is None and not self.kernel.chained and self._unrolled():
            tile = Tile(rows, vectors, last, here, group, panel)
            with self.kernel.sums(tile, LinearExpr(), LinearExpr(plan.blocked_size)) as registers:
                self._store_registers(tile, registers)
            return
        if self.adding:
            self._finish(here, self._add_up(point, panel, first * size, rows, vectors), rows, vectors, last)
            return
        place = self._place(point, panel, first * size, rows, vectors, block)
        step = plan.m_tiles.step if plan.transposed else steps
        number = group * (plan.square // step) if plan.transposed else group
        if steps >= step:
            with e.for_(0, steps // step) as part:
                there = shifted(here, plan.lead, part * step)
                tile = Tile(step * size, vectors, last, there, number + part, panel)
                self._keep(tile, place, part * step * size, block)
        if rest := steps % step:
            done = steps // step
            there = shifted(here, plan.lead, done * step)
            tile = Tile(rest * size, vectors, last, there, number + done, panel)
            self._keep(tile, place, LinearExpr(done * step * size), block)
        if block is None:
            self._finish(here, place, rows, vectors, last)
        elif not plan.split:
            with e.when(e.equal(block, plan.k_blocks - 1)):
                self._finish(here, place, rows, vectors, last)

    def _place(
        self, point: Point, panel: LinearExpr, first: LinearExpr, rows: int, vectors: int, block: LinearLike | None
    ) -> Rows:
        plan = self.plan
        if self.scratch is None:
            return Rows(self.e.private(self.contraction.element, rows, vectors * plan.lanes, hint="finished"), (0,))
        outer = linearize(point, plan.around, self.contraction.extents)
        if plan.split and block is not None:
            outer = outer * plan.k_blocks + block
        return Rows(self.scratch, (outer, panel, first))

    def _fetch(self, point: Point, rows: int, vectors: int) -> None:
        """Asks for what the epilogue will read, one cache line for a vector, so that it comes while K runs."""
        e, plan = self.e, self.plan
        made, wanted = {self.contraction.out.buffer}, dict[SSAValue, AffineAccess]()
        for stage in self.epilogue.stages:
            for _, access in stage.inputs:
                within = {*dims_of(plan.m), *dims_of(plan.n)} <= access.dims
                if access.contiguous(self.along) and within and access.buffer not in made:
                    wanted[access.buffer] = access
            made |= {access.buffer for _, access in stage.outputs}
        if not wanted:
            return
        with ExitStack() as loops:
            if plan.transposed:
                i = loops.enter_context(e.for_(0, vectors * plan.lanes))
                starts = [shifted(point, plan.n, i)]
            else:
                _, there = loops.enter_context(self.kernel.rows(point, rows))
                starts = [shifted(there, plan.n, j * plan.lanes) for j in range(vectors)]
            for access in wanted.values():
                for there in starts:
                    e.prefetch(access.buffer, access.at(there), access.buffer in made)

    def _add_up(self, point: Point, panel: LinearExpr, first: LinearExpr, rows: int, vectors: int) -> Rows:
        """The sum of all blocks of K, first to last, for one group of rows."""
        e, plan = self.e, self.plan
        lanes, element = plan.lanes, self.contraction.element
        total = Rows(e.private(element, rows, vectors * lanes, hint="finished"), (0,))
        with e.for_(0, rows) as i, e.for_(0, vectors) as j:
            value = e.private(vector_type(lanes, element), hint="sum")
            e.store(e.broadcast(e.zero(element), lanes), value, [])
            with e.for_(0, plan.k_blocks, hint="block") as block:
                part = self._place(point, panel, first, rows, vectors, block)
                more = e.load_vector(part.buffer, part.at(i, j * lanes), lanes)
                e.store(self.kernel.add(e.load(value, []), more), value, [])
            e.store_vector(e.load(value, []), total.buffer, total.at(i, j * lanes), lanes)
        return total

    def _keep(self, tile: Tile, place: Rows, row: LinearExpr, block: LinearExpr | None) -> None:
        """The sums of a tile, or of its block of K, in a place of their own, or added to what lies there."""
        e, plan, kernel, lanes = self.e, self.plan, self.kernel, self.plan.lanes
        separate = block is None or plan.split
        adds = kernel.chained or not separate
        if adds:
            nothing = e.broadcast(e.zero(self.contraction.element), lanes)
            with ExitStack() as inside:
                if block is not None and not separate:
                    inside.enter_context(e.when(e.equal(block, 0)))
                i = inside.enter_context(e.for_(0, tile.rows))
                j = inside.enter_context(e.for_(0, tile.vectors))
                e.store_vector(nothing, place.buffer, place.at(row + i, j * lanes), lanes)
        first = LinearExpr() if block is None else block * plan.k_block
        end = LinearExpr(plan.blocked_size) if block is None else e.minimum(first + plan.k_block, plan.blocked_size)
        with kernel.sums(tile, first, end) as registers, kernel.each(tile) as (i, j):
            at = place.at(row + i, j * lanes)
            value = e.load(registers, [i, j])
            if adds:
                value = kernel.add(e.load_vector(place.buffer, at, lanes), value)
            e.store_vector(value, place.buffer, at, lanes)

    # Finishing

    def _unrolled(self) -> bool:
        plan = self.plan
        copies = plan.m_tiles.widest * plan.row_size * plan.vectors
        return self.epilogue.ops * copies <= UNROLLED_EPILOGUE

    def _store_registers(self, tile: Tile, registers: SSAValue) -> None:
        """The epilogue on every vector of the register tile."""
        e, plan = self.e, self.plan
        whole = tile.vectors - (tile.last is not None)
        with self.kernel.rows(tile.point, tile.rows, unroll=True) as (i, row):
            if whole:
                with e.for_(0, whole, unroll=True) as j:
                    there = shifted(row, plan.n, j * plan.lanes)
                    self._vector(e.load(registers, [i, j]), there, None)
            if tile.last is not None:
                there = shifted(row, plan.n, whole * plan.lanes)
                self._vector(e.load(registers, [i, whole]), there, tile.last)

    def _finish(self, point: Point, place: Rows, rows: int, vectors: int, last: int | None) -> None:
        (self._finish_transposed if self.plan.transposed else self._finish_rows)(point, place, rows, vectors, last)

    def _finish_rows(self, point: Point, place: Rows, rows: int, vectors: int, last: int | None) -> None:
        """The epilogue row by row."""
        e, plan, lanes = self.e, self.plan, self.plan.lanes
        whole = vectors - (last is not None)
        with self.kernel.rows(point, rows) as (i, row):
            if whole:
                with e.for_(0, whole) as j:
                    value = e.load_vector(place.buffer, place.at(i, j * lanes), lanes)
                    self._vector(value, shifted(row, plan.n, j * lanes), None)
            if last is not None:
                value = e.load_vector(place.buffer, place.at(i, whole * lanes), lanes)
                self._vector(value, shifted(row, plan.n, whole * lanes), last)

    def _finish_transposed(self, point: Point, place: Rows, rows: int, vectors: int, last: int | None) -> None:
        """Transposes one square after the other, then the epilogue column by column."""
        e, plan, lanes = self.e, self.plan, self.plan.lanes
        columns = e.private(self.contraction.element, lanes, lanes, hint="columns")
        with e.for_(0, vectors) as j:
            width = memref_of(place.buffer).get_shape()[-1]
            e.transpose(place.buffer, place.at(0, j * lanes), width, columns, [0, 0], lanes, rows, lanes, lanes)
            left = lanes if last is None else e.minimum(lanes, j * -lanes + ((vectors - 1) * lanes + last))
            with e.for_(0, left) as c:
                value = e.load_vector(columns, [c, 0], lanes)
                self._vector(value, shifted(point, plan.n, j * lanes + c), rows if rows < lanes else None)

    def _vector(self, value: SSAValue, point: Point, count: int | None) -> None:
        """Initial value, stages and stores for one vector of finished sums."""
        lanes = _Lanes(self.e, self.kernel, point, self.along, self.plan.lanes, count)
        finish(self.contraction, self.epilogue, value, lanes)


@dataclass(frozen=True)
class _Lanes:
    """The elements from a point on along a dimension, those of one vector."""

    e: NestEmitter
    kernel: MicroKernel
    point: Point
    along: Dim
    lanes: int
    count: int | None

    def add(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.kernel.add(a, b)

    def read(self, access: AffineAccess) -> SSAValue:
        return read(self.e, access, self.point, self.along, self.lanes, self.count)

    def write(self, value: SSAValue, access: AffineAccess) -> None:
        write(self.e, value, access, self.point, self.along, self.lanes, self.count)

    def evaluate(self, ops: Iterable[Operation], values: dict[SSAValue, SSAValue]) -> None:
        evaluate(self.e, ops, values, self.lanes)

    def look_up(self, values: dict[SSAValue, SSAValue], value: SSAValue) -> SSAValue:
        return look_up(self.e, values, value, self.lanes)


def len_groups(plan: Plan) -> int:
    """How many groups of rows there are: tiles, or squares of `lanes` rows if tiles are transposed."""
    return -(-plan.m_tiles.size // plan.square) if plan.transposed else plan.m_tiles.count


def group_kinds(plan: Plan) -> list[tuple[int, int, int]]:
    """(first group, end, steps of the first dimension of M) of each run of equal groups."""
    if not plan.transposed:
        return plan.m_tiles.kinds()
    whole, rest = divmod(plan.m_tiles.size, plan.square)
    runs = [(0, whole, plan.square)] if whole else []
    return [*runs, (whole, whole + 1, rest)] if rest else runs
