"""The loops around the register tile: packing, this thread's pieces, blocks of K, panels, tiles, and finishing them.

pack rows and columns where needed; barrier
for (piece: this thread's share)                 // outer dimensions x blocks of rows x blocks of panels
  for (block of K)
    for (panel) for (further dimensions of M) for (tile) {
      registers = 0 or the partial sums so far
      for (k) ...                                // microkernel.py
      store partial sums, or after the last block: epilogue, vector by vector
    }
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod

from xdsl.ir import SSAValue

from ..build import vector_type
from .classify import Access, Contraction, Dim, dims_of
from .emit import Emitter, Index, Lin
from .epilogue import Epilogue
from .microkernel import MicroKernel, Tile
from .pack import Packer, linearize, pieces, start
from .plan import Plan
from .vectors import Point, evaluate, look_up, read, shifted, write

Span = tuple[Lin, Lin]
"""From a first number to before an end."""

UNROLLED_EPILOGUE = 64
"""Operations that an epilogue may have, repeated for every vector of the register tile."""


@dataclass(frozen=True)
class Rows:
    """A row-major place for finished or partial tiles: a private array, or a region of the scratch buffer."""

    buffer: SSAValue
    prefix: tuple[Index, ...]

    def at(self, row: Index, column: Index) -> list[Index]:
        """Indices of an element."""
        *outer, first = self.prefix
        return [*outer, Lin.of(first) + row, column]


class Nest:
    """Emits one contraction and its epilogue."""

    def __init__(self, e: Emitter, contraction: Contraction, epilogue: Epilogue, plan: Plan):
        self.e, self.contraction, self.epilogue, self.plan = e, contraction, epilogue, plan
        self.packer = Packer(e, contraction, plan)
        self.kernel = MicroKernel(e, contraction, plan, self.packer)
        self.scratch: SSAValue | None = None
        self.along: Dim = plan.m if plan.turned else plan.n
        """The dimension that vectors of the output run along."""
        self.adding = False
        """Whether tiles are the sums of blocks of K that have been computed apart."""

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
        blocks = [*shape, plan.m_units, plan.n_units]
        with pieces(e, prod(blocks), self.packer.parallel) as piece:
            subscripts = e.delinearize(piece, blocks)
            point = dict(zip(plan.outer, subscripts, strict=False))
            panels = self._range(subscripts[-1], plan.panels.count, plan.n_units)
            across, groups = (Lin(), Lin(1)), (Lin(), Lin(len_groups(plan)))
            if plan.across:
                across = self._range(subscripts[-2], plan.across_size(extents), plan.m_units)
            else:
                groups = self._range(subscripts[-2], len_groups(plan), plan.m_units)
            if plan.k_blocks > 1:
                with e.loop(0, plan.k_blocks, hint="block") as block:
                    self._panels(point, across, groups, panels, block)
            else:
                self._panels(point, across, groups, panels, None)

    def _emit_split(self, shape: list[int]) -> None:
        """Every block of K by itself; then, tile by tile, their sum and the epilogue."""
        e, plan = self.e, self.plan
        groups, panels = len_groups(plan), plan.panels.count
        across = plan.across_size(self.contraction.extents)
        with pieces(e, prod(shape) * plan.k_blocks, True) as piece:
            *outer, block = e.delinearize(piece, [*shape, plan.k_blocks])
            point = dict(zip(plan.outer, outer, strict=True))
            self._panels(point, (Lin(), Lin(across)), (Lin(), Lin(groups)), (Lin(), Lin(panels)), block)
        e.barrier()
        self.adding = True
        with pieces(e, prod(shape) * across * groups * panels, True) as piece:
            *outer, flat, group, panel = e.delinearize(piece, [*shape, across, groups, panels])
            point = dict(zip(plan.outer, outer, strict=True))
            self._panels(point, (flat, flat + 1), (group, group + 1), (panel, panel + 1), None)

    def _range(self, unit: Lin, count: int, units: int) -> Span:
        if units == 1:
            return Lin(), Lin(count)
        return self.e.divide(unit * count, units), self.e.divide((unit + 1) * count, units)

    def _panels(self, point: Point, across: Span, groups: Span, panels: Span, block: Lin | None) -> None:
        e, plan = self.e, self.plan
        further = [self.contraction.extents[d] for d in plan.across]
        for first, end, size in plan.panels.kinds():
            vectors = -(-size // plan.lanes)
            last = size % plan.lanes or None
            with e.loop(*self._clip(panels, first, end, plan.panels.count), hint="panel") as panel:
                here = shifted(point, plan.n, panel * plan.width) if plan.n is not None else point
                with e.loop(*across) as flat:
                    there = {**here, **dict(zip(plan.across, e.delinearize(flat, further), strict=True))}
                    for first_group, end_group, steps in group_kinds(plan):
                        bounds = self._clip(groups, first_group, end_group, len_groups(plan))
                        with e.loop(*bounds, hint="group" if plan.turned else "row") as group:
                            self._group(there, group, panel, steps, vectors, last, block)

    def _clip(self, bounds: Span, first: int, end: int, count: int) -> Span:
        low = bounds[0] if first == 0 else self.e.maximum(bounds[0], first)
        return low, bounds[1] if end == count else self.e.minimum(bounds[1], end)

    def _group(
        self, point: Point, group: Lin, panel: Lin, steps: int, vectors: int, last: int | None, block: Lin | None
    ) -> None:
        """One tile; or as many as make a square that can be turned."""
        e, plan, size = self.e, self.plan, self.plan.row_size
        first = group * plan.square if plan.turned else start(e, plan.m_tiles, group)
        here, rows = shifted(point, plan.lead, first), steps * size
        if block is None:
            self._fetch(here, rows, vectors)
        if not plan.turned and block is None and not self.kernel.chained and self._unrolled():
            tile = Tile(rows, vectors, last, here, group, panel)
            with self.kernel.sums(tile, Lin(), Lin(plan.blocked_size)) as registers:
                self._store_registers(tile, registers)
            return
        if self.adding:
            self._finish(here, self._add_up(point, panel, first * size, rows, vectors), rows, vectors, last)
            return
        place = self._place(point, panel, first * size, rows, vectors, block)
        step = plan.m_tiles.step if plan.turned else steps
        number = group * (plan.square // step) if plan.turned else group
        if steps >= step:
            with e.loop(0, steps // step) as part:
                there = shifted(here, plan.lead, part * step)
                tile = Tile(step * size, vectors, last, there, number + part, panel)
                self._keep(tile, place, part * step * size, block)
        if rest := steps % step:
            done = steps // step
            there = shifted(here, plan.lead, done * step)
            tile = Tile(rest * size, vectors, last, there, number + done, panel)
            self._keep(tile, place, Lin(done * step * size), block)
        if block is None:
            self._finish(here, place, rows, vectors, last)
        elif not plan.split:
            with e.when(e.equal(block, plan.k_blocks - 1)):
                self._finish(here, place, rows, vectors, last)

    def _place(self, point: Point, panel: Lin, first: Lin, rows: int, vectors: int, block: Index | None) -> Rows:
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
        made, wanted = {self.contraction.out.buffer}, dict[SSAValue, Access]()
        for stage in self.epilogue.stages:
            for _, access in stage.inputs:
                within = {*dims_of(plan.m), *dims_of(plan.n)} <= access.dims
                if access.contiguous(self.along) and within and access.buffer not in made:
                    wanted[access.buffer] = access
            made |= {access.buffer for _, access in stage.outputs}
        if not wanted:
            return
        with ExitStack() as loops:
            if plan.turned:
                i = loops.enter_context(e.loop(0, vectors * plan.lanes))
                starts = [shifted(point, plan.n, i)]
            else:
                _, there = loops.enter_context(self.kernel.rows(point, rows))
                starts = [shifted(there, plan.n, j * plan.lanes) for j in range(vectors)]
            for access in wanted.values():
                for there in starts:
                    e.prefetch(access.buffer, access.at(there), access.buffer in made)

    def _add_up(self, point: Point, panel: Lin, first: Lin, rows: int, vectors: int) -> Rows:
        """The sum of all blocks of K, first to last, for one group of rows."""
        e, plan = self.e, self.plan
        lanes, element = plan.lanes, self.contraction.element
        total = Rows(e.private(element, rows, vectors * lanes, hint="finished"), (0,))
        with e.loop(0, rows) as i, e.loop(0, vectors) as j:
            value = e.private(vector_type(lanes, element), hint="sum")
            e.store(e.broadcast(e.zero(element), lanes), value, [])
            with e.loop(0, plan.k_blocks, hint="block") as block:
                part = self._place(point, panel, first, rows, vectors, block)
                more = e.load_vector(part.buffer, part.at(i, j * lanes), lanes)
                e.store(self.kernel.add(e.load(value, []), more), value, [])
            e.store_vector(e.load(value, []), total.buffer, total.at(i, j * lanes), lanes)
        return total

    def _keep(self, tile: Tile, place: Rows, row: Lin, block: Lin | None) -> None:
        """The sums of a tile, or of its block of K, in a place of their own, or added to what lies there."""
        e, plan, kernel, lanes = self.e, self.plan, self.kernel, self.plan.lanes
        apart = block is None or plan.split
        adds = kernel.chained or not apart
        if adds:
            nothing = e.broadcast(e.zero(self.contraction.element), lanes)
            with ExitStack() as inside:
                if block is not None and not apart:
                    inside.enter_context(e.when(e.equal(block, 0)))
                i = inside.enter_context(e.loop(0, tile.rows))
                j = inside.enter_context(e.loop(0, tile.vectors))
                e.store_vector(nothing, place.buffer, place.at(row + i, j * lanes), lanes)
        first = Lin() if block is None else block * plan.k_block
        end = Lin(plan.blocked_size) if block is None else e.minimum(first + plan.k_block, plan.blocked_size)
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
                with e.loop(0, whole, unroll=True) as j:
                    there = shifted(row, plan.n, j * plan.lanes)
                    self._vector(e.load(registers, [i, j]), there, None)
            if tile.last is not None:
                there = shifted(row, plan.n, whole * plan.lanes)
                self._vector(e.load(registers, [i, whole]), there, tile.last)

    def _finish(self, point: Point, place: Rows, rows: int, vectors: int, last: int | None) -> None:
        (self._finish_turned if self.plan.turned else self._finish_rows)(point, place, rows, vectors, last)

    def _finish_rows(self, point: Point, place: Rows, rows: int, vectors: int, last: int | None) -> None:
        """The epilogue row by row."""
        e, plan, lanes = self.e, self.plan, self.plan.lanes
        whole = vectors - (last is not None)
        with self.kernel.rows(point, rows) as (i, row):
            if whole:
                with e.loop(0, whole) as j:
                    value = e.load_vector(place.buffer, place.at(i, j * lanes), lanes)
                    self._vector(value, shifted(row, plan.n, j * lanes), None)
            if last is not None:
                value = e.load_vector(place.buffer, place.at(i, whole * lanes), lanes)
                self._vector(value, shifted(row, plan.n, whole * lanes), last)

    def _finish_turned(self, point: Point, place: Rows, rows: int, vectors: int, last: int | None) -> None:
        """Turns one square after the other around, then the epilogue column by column."""
        e, plan, lanes = self.e, self.plan, self.plan.lanes
        columns = e.private(self.contraction.element, lanes, lanes, hint="columns")
        with e.loop(0, vectors) as j:
            width = place.buffer.type.get_shape()[-1]  # type: ignore[attr-defined]
            e.transpose(place.buffer, place.at(0, j * lanes), width, columns, [0, 0], lanes, rows, lanes, lanes)
            left = lanes if last is None else e.minimum(lanes, j * -lanes + ((vectors - 1) * lanes + last))
            with e.loop(0, left) as c:
                value = e.load_vector(columns, [c, 0], lanes)
                self._vector(value, shifted(point, plan.n, j * lanes + c), rows if rows < lanes else None)

    def _vector(self, value: SSAValue, point: Point, count: int | None) -> None:
        """Initial value, stages and stores for one vector of finished sums."""
        e, lanes, along = self.e, self.plan.lanes, self.along
        out = self.contraction.out
        if self.contraction.fill is None:
            value = self.kernel.add(read(e, out, point, along, lanes, count), value)
        current: dict[SSAValue, SSAValue] = {out.buffer: value}
        stores: list[tuple[SSAValue, Access]] = [(value, out)]
        for stage in self.epilogue.stages:
            values: dict[SSAValue, SSAValue] = {}
            for argument, access in stage.inputs:
                known = current.get(access.buffer)
                values[argument] = known if known is not None else read(e, access, point, along, lanes, count)
            evaluate(e, stage.ops, values, lanes)
            for result, access in stage.outputs:
                current[access.buffer] = look_up(e, values, result, lanes)
                stores.append((current[access.buffer], access))
        self._store_last(stores, current, point, count)

    def _store_last(
        self,
        stores: Sequence[tuple[SSAValue, Access]],
        current: dict[SSAValue, SSAValue],
        point: Point,
        count: int | None,
    ) -> None:
        for value, access in stores:
            if access.buffer in self.epilogue.stored and current[access.buffer] is value:
                write(self.e, value, access, point, self.along, self.plan.lanes, count)


def len_groups(plan: Plan) -> int:
    """How many groups of rows there are: tiles, or squares of `lanes` rows if tiles are turned."""
    return -(-plan.m_tiles.size // plan.square) if plan.turned else plan.m_tiles.count


def group_kinds(plan: Plan) -> list[tuple[int, int, int]]:
    """(first group, end, steps of the first dimension of M) of each run of equal groups."""
    if not plan.turned:
        return plan.m_tiles.kinds()
    whole, rest = divmod(plan.m_tiles.size, plan.square)
    runs = [(0, whole, plan.square)] if whole else []
    return [*runs, (whole, whole + 1, rest)] if rest else runs
