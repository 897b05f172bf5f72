"""Tiles of attention: rows that a block owns, columns that pass by in shared memory, numbers in registers.

A block has `rows` queries, or keys, and goes through the others, `columns` at a time. Of the products of both, and of
what it computes of each row, a thread has some neighbouring rows, and every sixteenth column:

    rows 0..3    columns 0 16 32 …      thread 0
    rows 0..3    columns 1 17 33 …      thread 1
    rows 4..7    columns 0 16 32 …      thread 16
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from xdsl.dialects import arith, memref
from xdsl.ir import Attribute, SSAValue

from ....dialects.spmd import SPACE, BarrierOp
from ....dialects.types import memref_of
from ...utils.affine import LinearExpr, LinearLike
from ...utils.constants import memref_type
from ...utils.nest_emitter import NO_OPERANDS, NestEmitter
from .launches import BLOCK, TEAM

ACROSS = 16
"""Threads of a row."""
ROWS = 4
"""Of a thread."""
SLT, SLE = 2, 3

Read = Callable[[LinearExpr, LinearExpr], SSAValue]
"""An element of a factor: at a column, and a step of what is summed over."""


@dataclass(frozen=True)
class AttentionPlan:
    """What a block has at a time."""

    rows: int
    columns: int

    @property
    def threads(self) -> int:
        return self.rows // ROWS * ACROSS


PLANS = tuple(AttentionPlan(*sizes) for sizes in ((64, 64), (64, 32), (32, 32), (32, 16), (16, 16)))


def padded(width: int) -> int:
    """Columns of a row in shared memory that threads look at: whole parts of all threads."""
    return -(-width // ACROSS) * ACROSS


def stride(width: int) -> int:
    """Elements from one row in shared memory to the next: odd, so that a column lies in different banks."""
    return padded(width) + 1


def plan_attention(rows: int, room: int, size: Callable[[AttentionPlan], int]) -> AttentionPlan:
    """The largest plan for so many rows that shared memory has room for."""
    fitting = [plan for plan in PLANS if size(plan) <= room] or [PLANS[-1]]
    return next((plan for plan in fitting if plan.rows < 2 * rows), fitting[-1])


@dataclass
class AttentionTile:
    """The tile of a block, and what its threads do together."""

    e: NestEmitter
    element: Attribute
    plan: AttentionPlan
    thread: LinearExpr
    batch: Sequence[LinearExpr]
    first: LinearExpr
    """Of the rows."""

    def __post_init__(self) -> None:
        self.row = self.e.divide(self.thread, ACROSS) * ROWS
        self.member = self.e.remainder(self.thread, ACROSS)

    # Memory

    def shared(self, rows: int, width: int, hint: str) -> SSAValue:
        """Rows that the threads of the block share."""
        type_ = memref_type(self.element, (rows, stride(width)))
        made = self.e.create(memref.AllocOp, [], [type_], {"operandSegmentSizes": NO_OPERANDS}, {SPACE: TEAM})
        made.results[0].name_hint = hint
        return made.results[0]

    def registers(self, value: float, columns: int | None, hint: str) -> SSAValue:
        """A number of this thread for each of its rows, and each of its columns of so many."""
        e = self.e
        shape = (ROWS,) if columns is None else (ROWS, padded(columns) // ACROSS)
        made = e.private(self.element, *shape, hint=hint)
        number = e.constants.scalar(self.element, value)
        with ExitStack() as loops:
            e.store(number, made, [loops.enter_context(e.for_(0, n, unroll=True)) for n in shape])
        return made

    def stage(self, buffer: SSAValue, first: LinearExpr, rows: int, shared: SSAValue) -> None:
        """Copies rows of a matrix to shared memory; what lies outside of it is zero."""
        e = self.e
        extent, width = memref_of(buffer).get_shape()[-2:]
        across = padded(width)
        with e.for_(self.thread, rows * across, self.plan.threads, hint="place") as place:
            row, column = e.delinearize(place, [rows, across])
            inside = [(first + row, extent)] if extent % rows else []
            inside += [(column, width)] if width % ACROSS else []
            conditions = [e.compare(SLT, e.value(index), e.index(size)) for index, size in inside]

            def outside() -> None:
                e.store(e.zero(self.element), shared, [row, column])

            with ExitStack() as stack:
                if conditions:
                    stack.enter_context(e.when(self.all_of(conditions), outside))
                e.store(e.load(buffer, [*self.batch, first + row, column]), shared, [row, column])

    def barrier(self) -> None:
        self.e.create(BarrierOp, [], properties={"scope": BLOCK})

    # A thread's part

    def rows(self) -> Iterator[tuple[LinearExpr, LinearExpr]]:
        """Its rows: their numbers among its own, and in the block."""
        with self.e.for_(0, ROWS, unroll=True) as i:
            yield i, self.row + i

    def columns(self, width: int) -> Iterator[tuple[LinearExpr, LinearExpr]]:
        """Its columns of so many, likewise."""
        with self.e.for_(0, padded(width) // ACROSS, unroll=True) as j:
            yield j, self.member + j * ACROSS

    def multiply(self, rows: SSAValue, columns: SSAValue, width: int, depth: int, hint: str) -> SSAValue:
        """Products of rows with rows, both in shared memory: for each of the thread's rows and columns the sum."""
        sums = self.registers(0, width, hint)
        self.add_products(sums, rows, width, depth, lambda column, k: self.e.load(columns, [column, k]))
        return sums

    def accumulate(self, sums: SSAValue, factors: SSAValue, rows: SSAValue, width: int) -> None:
        """Adds rows, as often as factors say. Those of this tile are added up by themselves first: sums of sums lose
        less."""
        e = self.e
        part = self.registers(0, width, "part")
        self.add_products(part, factors, width, self.plan.columns, lambda column, k: e.load(rows, [k, column]))
        for i, _ in self.rows():
            for j, _ in self.columns(width):
                self.add(e.load(part, [i, j]), sums, [i, j])

    def add_products(self, sums: SSAValue, left: SSAValue, width: int, depth: int, right: Read) -> None:
        """Each element of the factors is read once into registers, for all sums of the thread that take it."""
        e = self.e
        a = e.private(self.element, ROWS, hint="a")
        b = e.private(self.element, padded(width) // ACROSS, hint="b")
        with e.for_(0, depth, hint="k") as k:
            for i, row in self.rows():
                e.store(e.load(left, [row, k]), a, [i])
            for j, column in self.columns(width):
                e.store(right(column, k), b, [j])
            for i, _ in self.rows():
                for j, _ in self.columns(width):
                    product = e.op(arith.MulfOp, e.load(a, [i]), e.load(b, [j]))
                    self.add(product, sums, [i, j])

    def write(self, buffer: SSAValue, value: Callable[[LinearExpr, LinearExpr], SSAValue]) -> None:
        """Stores a number for each row and column of a matrix that this thread has."""
        e = self.e
        extent, width = memref_of(buffer).get_shape()[-2:]
        for i, row in self.rows():
            with ExitStack() as inside:
                if extent % self.plan.rows:
                    inside.enter_context(e.when(e.compare(SLT, e.value(self.first + row), e.index(extent))))
                for j, column in self.columns(width):
                    with ExitStack() as within:
                        if width % ACROSS:
                            within.enter_context(e.when(e.compare(SLT, e.value(column), e.index(width))))
                        e.store(value(i, j), buffer, [*self.batch, self.first + row, column])

    # Arithmetic

    def all_of(self, conditions: Sequence[SSAValue]) -> SSAValue:
        """Whether all hold."""
        result = conditions[0]
        for condition in conditions[1:]:
            result = self.e.op(arith.AndIOp, result, condition)
        return result

    def within(self, index: LinearExpr, extent: int, step: int) -> LinearExpr:
        """An index that may lie behind the last one, as one that does not."""
        return index if extent % step == 0 else self.e.minimum(index, extent - 1)

    def add(self, value: SSAValue, buffer: SSAValue, at: Sequence[LinearLike]) -> None:
        """Adds to a number in registers."""
        self.e.store(self.e.op(arith.AddfOp, self.e.load(buffer, at), value), buffer, at)
