"""The part of a contraction that one block computes: fetched to shared memory, multiplied by its threads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from xdsl.dialects import arith, memref
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import Attribute, SSAValue

from ....dialects.spmd import SPACE, BarrierOp
from ...utils.affine import LinearExpr
from ...utils.constants import memref_type
from ...utils.nest_emitter import NO_OPERANDS, NestEmitter
from ..contraction.classify import Contraction, Factor
from ..contraction.scalars import factor_scalar
from .block_tiles import BlockPlan
from .launches import BLOCK, TEAM

SLT = 2

Act = Callable[[LinearExpr, LinearExpr, SSAValue], None]
"""What is done to an element of the output: its row, its column, its value."""


@dataclass(frozen=True)
class Side:
    """One factor of the product, with the dimensions that it alone has, which the tile's rows or columns run along."""

    factor: Factor
    dims: tuple[int, ...]
    size: int
    along_k: bool
    """Whether neighbours in memory are neighbours in K."""


@dataclass(frozen=True)
class Product:
    """A contraction as rows by columns, and its arithmetic."""

    e: NestEmitter
    contraction: Contraction
    rows: Side
    columns: Side

    @property
    def element(self) -> Attribute:
        return self.contraction.element

    @property
    def depth(self) -> int:
        """Steps of K."""
        return prod(self.contraction.extents[d] for d in self.contraction.k)

    def split(self, dims: Sequence[int], flat: LinearExpr) -> dict[int, LinearExpr]:
        """The dimensions that a flat index stands for."""
        return dict(zip(dims, self.e.delinearize(flat, [self.contraction.extents[d] for d in dims]), strict=True))

    def add(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.e.op(arith.AddiOp if isinstance(self.element, IntegerType) else arith.AddfOp, a, b)

    def multiply(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.e.op(arith.MuliOp if isinstance(self.element, IntegerType) else arith.MulfOp, a, b)


@dataclass
class SharedTile(ABC):
    """The tile of one block, from the first of its rows and columns on."""

    product: Product
    plan: BlockPlan
    thread: LinearExpr
    point: dict[int, LinearExpr]
    """The block's place in the batch."""
    first_row: LinearExpr
    first_column: LinearExpr

    PADDING: ClassVar[int]
    """Elements at the end of a row in shared memory, so that what threads read at once lies in different banks."""

    def __post_init__(self) -> None:
        self.e = self.product.e
        tile = self.plan.tile
        self.fetches = (
            Fetch(self, self.product.rows, tile.rows, self.first_row),
            Fetch(self, self.product.columns, tile.columns, self.first_column),
        )

    @abstractmethod
    def finish(self, first: LinearExpr, end: LinearExpr, act: Act) -> None:
        """Adds up the products from one step of K to another, and acts on each element of the output."""

    @abstractmethod
    def registers(self) -> SSAValue:
        """This thread's sums, zero at first."""

    @abstractmethod
    def multiply(self, half: LinearExpr, sums: SSAValue) -> None:
        """Adds the products of what lies in one half of shared memory."""

    def sums(self, first: LinearExpr, end: LinearExpr) -> SSAValue:
        """The products from one step of K to another, added up in registers: while one half of shared memory is
        multiplied, the other one fills."""
        e, tile = self.e, self.plan.tile
        sums = self.registers()
        for fetch in self.fetches:
            fetch.load(first, end)
            fetch.put(LinearExpr())
        self.barrier()
        with e.for_(first, end, tile.depth, hint="k") as k:
            half = e.remainder(e.divide(k + first * -1, tile.depth), 2)
            following = k + tile.depth
            with e.when(e.compare(SLT, following, end)):
                for fetch in self.fetches:
                    fetch.load(following, end)
            self.multiply(half, sums)
            with e.when(e.compare(SLT, following, end)):
                for fetch in self.fetches:
                    fetch.put(half * -1 + 1)
            self.barrier()
        return sums

    def barrier(self) -> None:
        self.e.create(BarrierOp, [], properties={"scope": BLOCK})

    def inside(self, row: LinearExpr, column: LinearExpr) -> ExitStack:
        """A place for what is done to an element, if the output has it: the edges of tiles may lie outside."""
        e, tile, inside = self.e, self.plan.tile, ExitStack()
        sides = (row, self.product.rows.size, tile.rows), (column, self.product.columns.size, tile.columns)
        for index, size, step in sides:
            if size % step:
                inside.enter_context(e.when(e.compare(SLT, index, size)))
        return inside


@dataclass
class ThreadTile(SharedTile):
    """Each thread multiplies some rows by some columns, one step of K after the other."""

    PADDING: ClassVar = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        e, tile = self.e, self.plan.tile
        across = tile.columns // tile.thread_columns
        self.own_row = e.divide(self.thread, across) * tile.thread_rows
        self.own_column = e.remainder(self.thread, across) * tile.thread_columns

    def each(self) -> Iterable[tuple[LinearExpr, LinearExpr]]:
        """The rows and columns of a thread, written out."""
        e, tile = self.e, self.plan.tile
        with e.for_(0, tile.thread_rows, unroll=True) as i, e.for_(0, tile.thread_columns, unroll=True) as j:
            yield i, j

    def registers(self) -> SSAValue:
        e, tile = self.e, self.plan.tile
        sums = e.private(self.product.element, tile.thread_rows, tile.thread_columns, hint="sums")
        for i, j in self.each():
            e.store(e.zero(self.product.element), sums, [i, j])
        return sums

    def multiply(self, half: LinearExpr, sums: SSAValue) -> None:
        e, tile, product = self.e, self.plan.tile, self.product
        a = e.private(product.element, tile.thread_rows, hint="a")
        b = e.private(product.element, tile.thread_columns, hint="b")
        rows, columns = self.fetches
        with e.for_(0, tile.depth, unroll=True) as step:
            with e.for_(0, tile.thread_rows, unroll=True) as i:
                e.store(e.load(rows.shared, [half, step, self.own_row + i]), a, [i])
            with e.for_(0, tile.thread_columns, unroll=True) as j:
                e.store(e.load(columns.shared, [half, step, self.own_column + j]), b, [j])
            for i, j in self.each():
                value = product.multiply(e.load(a, [i]), e.load(b, [j]))
                e.store(product.add(e.load(sums, [i, j]), value), sums, [i, j])

    def finish(self, first: LinearExpr, end: LinearExpr, act: Act) -> None:
        sums = self.sums(first, end)
        for i, j in self.each():
            row, column = self.first_row + self.own_row + i, self.first_column + self.own_column + j
            with self.inside(row, column):
                act(row, column, self.e.load(sums, [i, j]))


class Fetch:
    """Brings a factor's part of a tile to shared memory, by way of registers: `shared[half][step of K][row]`."""

    def __init__(self, tile: SharedTile, side: Side, width: int, first: LinearExpr) -> None:
        self.tile, self.side, self.width, self.first = tile, side, width, first
        e, block_tile, element = tile.e, tile.plan.tile, tile.product.element
        self.count = width * block_tile.depth // block_tile.threads
        made = e.create(
            memref.AllocOp,
            [],
            [memref_type(element, (2, block_tile.depth, width + tile.PADDING))],
            {"operandSegmentSizes": NO_OPERANDS},
            {SPACE: TEAM},
        )
        self.shared = made.results[0]
        self.shared.name_hint = "rows" if side is tile.product.rows else "columns"
        self.fetched = e.private(element, self.count, hint="fetched")

    def places(self, number: LinearExpr) -> tuple[LinearExpr, LinearExpr]:
        """Step of K and row of this thread's element of a number; threads next to each other read neighbours."""
        e, tile = self.tile.e, self.tile.plan.tile
        flat = number * tile.threads + self.tile.thread
        if self.side.along_k:
            row, step = e.delinearize(flat, [self.width, tile.depth])
        else:
            step, row = e.delinearize(flat, [tile.depth, self.width])
        return step, row

    def load(self, k: LinearExpr, end: LinearExpr) -> None:
        """From memory to registers: what is outside of the matrix, or of this part of K, is zero."""
        e, product, plan = self.tile.e, self.tile.product, self.tile.plan
        with e.for_(0, self.count, unroll=True) as number:
            step, row = self.places(number)
            conditions: list[SSAValue] = []
            if self.side.size % self.width:
                conditions.append(e.compare(SLT, self.first + row, self.side.size))
            if product.depth % plan.part or plan.part % plan.tile.depth:
                conditions.append(e.compare(SLT, k + step, end))
            with ExitStack() as inside:
                if conditions:
                    e.store(e.zero(product.element), self.fetched, [number])
                for condition in conditions:
                    inside.enter_context(e.when(condition))
                e.store(self.tile_value(self.first + row, k + step), self.fetched, [number])

    def tile_value(self, row: LinearExpr, k: LinearExpr) -> SSAValue:
        """The factor at a row and a step of K."""
        product = self.tile.product
        rows, steps = product.split(self.side.dims, row), product.split(product.contraction.k, k)
        return factor_scalar(self.tile.e, self.side.factor, {**self.tile.point, **rows, **steps})

    def put(self, half: LinearExpr) -> None:
        """From registers to one half of shared memory."""
        e = self.tile.e
        with e.for_(0, self.count, unroll=True) as number:
            step, row = self.places(number)
            e.store(e.load(self.fetched, [number]), self.shared, [half, step, row])
