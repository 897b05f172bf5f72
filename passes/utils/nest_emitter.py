"""Builds nests of loops in order, outermost first: index arithmetic that folds as it is written, loops, accesses.

Where `Emitter` puts operations at one place, this one writes code from front to back, as a person would. An index is a
`LinearExpr`, a constant plus multiples of SSA values. It becomes operations where it is used, once per block:

    e.load(x, [row * 14 + i, k])        ->   %0 = arith.muli %row, %c14
                                             %1 = arith.addi %0, %i
                                             %2 = memref.load %x[%1, %k]
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from xdsl.dialects import arith, memref, scf, vector
from xdsl.dialects.builtin import (
    BoolAttr,
    DenseArrayBase,
    LocationAttr,
    UnitAttr,
    i1,
    i32,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.irdl import IRDLOperation

from ...dialects import spmd, vectorx
from ...dialects.types import is_memref
from ..pass_base import parent_block
from .affine import LinearExpr, LinearLike
from .constants import Constants, memref_type, vector_type
from .emitter import FOLDS, Emitter, flat_view

NO_OPERANDS = DenseArrayBase.from_list(i32, [0, 0])
"""Segment sizes of an allocation of static shape."""


class NestConstants(Constants):
    """What is made once, before everything else of a nest."""

    def __init__(self, anchor: Operation, location: LocationAttr) -> None:
        self.first = anchor
        """The first operation of the nest so far; the one behind it while there is none."""
        self.location = location
        self.made: dict[object, SSAValue] = {}

    def get(self, attribute: Any) -> SSAValue:
        """The value of a typed attribute."""
        return self.once(
            attribute,
            lambda: arith.ConstantOp.create(result_types=(attribute.get_type(),), properties={"value": attribute}),
        )

    def once(self, key: object, make: Callable[[], Operation]) -> SSAValue:
        """The first result of an operation that is made for a key at most once."""
        found = self.made.get(key)
        if found is None:
            op = make()
            op.location = self.location
            parent_block(self.first).insert_op_before(op, self.first)
            found = self.made[key] = op.results[0]
        return found


class NestEmitter(Emitter):
    """Inserts operations before an anchor, or at the end of the loop body that is open."""

    def __init__(self, anchor: Operation, location: LocationAttr) -> None:
        self.hoisted = NestConstants(anchor, location)
        super().__init__(self.hoisted, parent_block(anchor), anchor, location)
        self.anchor = anchor
        self.scopes: list[dict[object, SSAValue]] = [{}]

    def insert(self, op: Operation) -> Operation:
        if self.before is self.anchor and self.hoisted.first is self.anchor:
            self.hoisted.first = op
        return super().insert(op)

    # Values

    def zero(self, element: Attribute) -> SSAValue:
        """The scalar zero of an element type."""
        return self.constants.scalar(element, 0)

    def splat(self, attribute: Attribute, type_: Attribute, lanes: int) -> SSAValue:
        """A vector constant of equal lanes."""
        value = self.constants.get(attribute)
        return self.hoisted.once(
            ("splat", attribute, lanes),
            lambda: vector.BroadcastOp.create(operands=(value,), result_types=(vector_type(lanes, type_),)),
        )

    def mask(self, count: int, lanes: int) -> SSAValue:
        """The mask whose first lanes are on."""
        size = self.index(count)
        return self.hoisted.once(
            ("mask", count, lanes),
            lambda: vector.CreateMaskOp.create(operands=(size,), result_types=(vector_type(lanes, i1),)),
        )

    def value(self, index: LinearLike) -> SSAValue:
        """The SSA value of an index, made at most once where it can be seen."""
        if isinstance(index, int):
            return self.index(index)
        if isinstance(index, SSAValue):
            return index
        if not index.terms:
            return self.index(index.const)
        for scope in self.scopes:
            if (found := scope.get(index)) is not None:
                return found
        total: SSAValue | None = None
        for term, factor in index.terms:
            part = term if factor == 1 else self.op(arith.MuliOp, term, self.index(factor))
            total = part if total is None else self.op(arith.AddiOp, total, part)
        assert total is not None
        if index.const:
            total = self.op(arith.AddiOp, total, self.index(index.const))
        self.scopes[-1][index] = total
        return total

    def _derived(self, kind: type[IRDLOperation], left: LinearLike, right: LinearLike) -> LinearExpr:
        left, right = LinearExpr.of(left), LinearExpr.of(right)
        if not left.terms and not right.terms:
            return LinearExpr(FOLDS[kind](left.const, right.const))
        key = (kind, left, right)
        for scope in self.scopes:
            if (found := scope.get(key)) is not None:
                return LinearExpr.of(found)
        result = self.op(kind, self.value(left), self.value(right))
        self.scopes[-1][key] = result
        return LinearExpr.of(result)

    def minimum(self, left: LinearLike, right: LinearLike) -> LinearExpr:
        """The smaller of two indices."""
        return self._derived(arith.MinSIOp, left, right)

    def maximum(self, left: LinearLike, right: LinearLike) -> LinearExpr:
        """The larger of two indices."""
        return self._derived(arith.MaxSIOp, left, right)

    def divide(self, left: LinearLike, right: LinearLike) -> LinearExpr:
        """A quotient of indices that are not negative."""
        return LinearExpr.of(left) if right == 1 else self._derived(arith.DivUIOp, left, right)

    def remainder(self, left: LinearLike, right: LinearLike) -> LinearExpr:
        """A remainder of indices that are not negative."""
        return LinearExpr() if right == 1 else self._derived(arith.RemUIOp, left, right)

    def delinearize(self, index: LinearLike, shape: Sequence[int]) -> list[LinearExpr]:
        """The subscripts of a flat index, last one fastest."""
        subscripts: list[LinearExpr] = []
        rest = LinearExpr.of(index)
        outermost = next((place for place, extent in enumerate(shape) if extent > 1), 0)
        for place in reversed(range(len(shape))):
            if place < outermost or shape[place] == 1:
                subscripts.append(LinearExpr())
            elif place == outermost:
                subscripts.append(rest)
            else:
                subscripts.append(self.remainder(rest, shape[place]))
                rest = self.divide(rest, shape[place])
        return subscripts[::-1]

    # Control

    @contextmanager
    def for_(
        self, low: LinearLike, high: LinearLike, step: int = 1, unroll: bool = False, hint: str = ""
    ) -> Generator[LinearExpr]:
        """`for (i = low; i < high; i += step)`; a loop of exactly one iteration becomes its body."""
        low, high = LinearExpr.of(low), LinearExpr.of(high)
        distance = high + low * -1
        if not distance.terms and 0 < distance.const <= step:
            yield low
            return
        marks: dict[str, Attribute] = {"unroll": UnitAttr()} if unroll else {}
        bounds = self.value(low), self.value(high), self.index(step)
        block = self.loop(*bounds, attributes=marks, name=hint or None).body.block
        with self.within(block):
            yield LinearExpr.of(block.args[0])

    @contextmanager
    def when(self, condition: SSAValue, otherwise: Callable[[], None] | None = None) -> Generator[None]:
        """`if (condition) … else otherwise()`."""
        yes, no = Block(), Block()
        regions = (Region(yes), Region(no) if otherwise else Region())
        self.create(scf.IfOp, (condition,), regions=regions)
        with self.within(yes):
            yield
        if otherwise:
            with self.within(no):
                otherwise()

    @contextmanager
    def within(self, block: Block, ends: bool = True) -> Generator[None]:
        """Puts what is built at the end of a block, and a yield after it where the block `ends`."""
        around = self.block, self.before
        self.block, self.before = block, None
        self.scopes.append({})
        yield
        if ends:
            self.yield_()
        self.block, self.before = around
        self.scopes.pop()

    def compare(self, predicate: int, a: LinearLike, b: LinearLike) -> SSAValue:
        return super().compare(predicate, self.value(a), self.value(b))

    def equal(self, left: LinearLike, right: LinearLike) -> SSAValue:
        """Whether two indices are equal."""
        return self.compare(0, left, right)

    def at_most(self, left: LinearLike, right: LinearLike) -> SSAValue:
        """Whether one index is not larger than another."""
        return self.compare(3, left, right)

    def barrier(self) -> None:
        """Waits for the team."""
        self.create(spmd.BarrierOp, ())

    def own_share(self, count: int) -> tuple[LinearExpr, LinearExpr]:
        """This thread's part of `count` chunks of work."""
        made = self.hoisted.once(("share", count), lambda: spmd.ShareOp(self.index(count))).owner
        assert isinstance(made, spmd.ShareOp)
        return LinearExpr.of(made.low), LinearExpr.of(made.high)

    @contextmanager
    def alone(self) -> Generator[None]:
        """What the first thread does alone."""
        with self.within(self.single().body.block, ends=False):
            yield

    # Memory

    def shared(self, element: Attribute, *shape: int, hint: str = "") -> SSAValue:
        """A temporary of the whole team."""
        return self._buffer(memref.AllocOp, element, shape, hint)

    def private(self, element: Attribute, *shape: int, hint: str = "") -> SSAValue:
        """A small array of this thread."""
        return self._buffer(memref.AllocaOp, element, shape, hint)

    def _buffer(self, kind: type[IRDLOperation], element: Attribute, shape: Sequence[int], hint: str) -> SSAValue:
        result = self.op(kind, type=memref_type(element, tuple(shape)), operandSegmentSizes=NO_OPERANDS)
        result.name_hint = hint or None
        return result

    def flat(self, buffer: SSAValue, kept: int) -> SSAValue:
        """A buffer whose dimensions from `kept` on are one."""
        assert is_memref(buffer.type)
        if kept == len(buffer.type.get_shape()) - 1:
            return buffer
        return self.hoisted.once(("flat", buffer, kept), lambda: flat_view(buffer, kept))

    def load(self, buffer: SSAValue, indices: Sequence[LinearLike]) -> SSAValue:
        """One element."""
        return super().load(buffer, [self.value(index) for index in indices])

    def store(self, value: SSAValue, buffer: SSAValue, indices: Sequence[LinearLike]) -> Operation:
        """One element."""
        return super().store(value, buffer, [self.value(index) for index in indices])

    def load_vector(
        self, buffer: SSAValue, indices: Sequence[LinearLike], lanes: int, count: int | None = None
    ) -> SSAValue:
        """Neighbouring elements of the last dimension; lanes from `count` on are not touched and read as zero."""
        assert is_memref(buffer.type)
        element = buffer.type.element_type
        type_ = vector_type(lanes, element)
        where = (buffer, *map(self.value, indices))
        if count is None or count >= lanes:
            return self.op(vector.LoadOp, *where, type=type_)
        other = self.broadcast(self.zero(element), lanes)
        return self.op(vector.MaskedLoadOp, *where, self.mask(count, lanes), other, type=type_)

    def store_vector(
        self, value: SSAValue, buffer: SSAValue, indices: Sequence[LinearLike], lanes: int, count: int | None = None
    ) -> None:
        """Neighbouring elements of the last dimension; lanes from `count` on are left alone."""
        where = (buffer, *map(self.value, indices))
        if count is None or count >= lanes:
            self.create(vector.StoreOp, (value, *where))
        else:
            self.create(vector.MaskedStoreOp, (*where, self.mask(count, lanes), value))

    def transpose(
        self,
        source: SSAValue,
        at: Sequence[LinearLike],
        step: int,
        target: SSAValue,
        to: Sequence[LinearLike],
        to_step: int,
        rows: LinearLike,
        columns: LinearLike,
        lanes: int,
    ) -> None:
        """Transposes a block: rows and columns at most `lanes`, elements from one row to the next."""
        places = [[self.value(index) for index in indices] for indices in (at, to)]
        counts = self.value(rows), self.value(columns)
        op = vectorx.TransposeOp(source, places[0], target, places[1], *counts, step, to_step, lanes)
        op.location = self.location
        self.insert(op)

    def broadcast(self, value: SSAValue, lanes: int) -> SSAValue:
        """A vector of equal lanes."""
        return self.op(vector.BroadcastOp, value, type=vector_type(lanes, value.type))

    def prefetch(self, buffer: SSAValue, indices: Sequence[LinearLike], write: bool = False) -> None:
        """A hint that a cache line will be read soon, or updated."""
        mark: dict[str, Attribute] = {"write": BoolAttr(True, i1)} if write else {}
        self.create(spmd.PrefetchOp, (buffer, *map(self.value, indices)), properties=mark)
