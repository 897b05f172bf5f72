"""Builds nests of loops in order, outermost first: index arithmetic that folds as it is written, loops, accesses.

Where `../build.Emitter` puts operations at any place, this one writes code from front to back, as a person would. An
index is a `Lin`, a constant plus multiples of SSA values. It becomes operations where it is used, once per block:

    e.load(x, [row * 14 + i, k])        ->   %0 = arith.muli %row, %c14
                                             %1 = arith.addi %0, %i
                                             %2 = memref.load %x[%1, %k]
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod

from xdsl.dialects import arith, memref, scf, vector
from xdsl.dialects.builtin import (
    AnyFloat,
    ArrayAttr,
    BoolAttr,
    DenseArrayBase,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    LocationAttr,
    MemRefType,
    UnitAttr,
    i1,
    i32,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from ....dialects import spmd, vectorx
from ..build import INDEX, memref_type, vector_type

NO_OPERANDS = DenseArrayBase.from_list(i32, [0, 0])
"""Segment sizes of an allocation of static shape."""


@dataclass(frozen=True)
class Lin:
    """A constant plus multiples of index values; terms are in order of first use."""

    const: int = 0
    terms: tuple[tuple[SSAValue, int], ...] = ()

    @staticmethod
    def of(value: Index) -> Lin:
        """An index as a linear expression."""
        if isinstance(value, Lin):
            return value
        return Lin(value) if isinstance(value, int) else Lin(0, ((value, 1),))

    def __add__(self, other: Index) -> Lin:
        right = Lin.of(other)
        terms = dict(self.terms)
        for value, factor in right.terms:
            terms[value] = terms.get(value, 0) + factor
        return Lin(self.const + right.const, tuple((v, f) for v, f in terms.items() if f))

    def __mul__(self, factor: int) -> Lin:
        if factor == 0:
            return Lin()
        return Lin(self.const * factor, tuple((v, f * factor) for v, f in self.terms))


Index = Lin | SSAValue | int


class Emitter:
    """Inserts operations before an anchor, or at the end of the loop body that is open."""

    def __init__(self, anchor: Operation, location: LocationAttr):
        self.anchor = anchor
        self.location = location
        self.blocks: list[Block] = []
        self.scopes: list[dict[object, SSAValue]] = [{}]
        self.top: Operation | None = None
        """The first operation at the outermost level: constants go before it."""
        self.constants: dict[object, SSAValue] = {}

    # Operations

    def add(self, op: Operation) -> Operation:
        """Inserts an operation at the current place."""
        op.location = self.location
        if self.blocks:
            self.blocks[-1].add_op(op)
        else:
            block = self.anchor.parent
            assert block is not None
            block.insert_ops_before((op,), self.anchor)
            self.top = self.top or op
        return op

    def op(
        self,
        kind: type[Operation],
        operands: Sequence[SSAValue],
        result: Attribute | None = None,
        properties: Mapping[str, Attribute] | None = None,
    ) -> SSAValue:
        """Inserts an operation with at most one result, and returns it."""
        types = () if result is None else (result,)
        made = kind.create(operands=operands, result_types=types, properties=properties or {})
        self.add(made)
        return made.results[0] if result is not None else made  # type: ignore[return-value]

    def _constant(self, key: object, make: Callable[[], Operation]) -> SSAValue:
        """A value made once, before everything else of the nest."""
        found = self.constants.get(key)
        if found is None:
            op = make()
            op.location = self.location
            first = self.top or self.anchor
            block = first.parent
            assert block is not None
            block.insert_ops_before((op,), first)
            found = self.constants[key] = op.results[0]
        return found

    # Values

    def index(self, value: int) -> SSAValue:
        """An index constant."""
        return self._constant(
            ("index", value),
            lambda: arith.ConstantOp.create(result_types=(INDEX,), properties={"value": IntegerAttr(value, INDEX)}),
        )

    def scalar(self, attribute: Attribute, type_: Attribute) -> SSAValue:
        """A scalar constant."""
        return self._constant(
            ("scalar", attribute),
            lambda: arith.ConstantOp.create(result_types=(type_,), properties={"value": attribute}),
        )

    def zero(self, element: Attribute) -> SSAValue:
        """The scalar zero of an element type."""
        if isinstance(element, IntegerType):
            return self.scalar(IntegerAttr(0, element), element)
        assert isinstance(element, AnyFloat)
        return self.scalar(FloatAttr(0.0, element), element)

    def splat(self, attribute: Attribute, type_: Attribute, lanes: int) -> SSAValue:
        """A vector constant of equal lanes."""
        value = self.scalar(attribute, type_)
        return self._constant(
            ("splat", attribute, lanes),
            lambda: vector.BroadcastOp.create(operands=(value,), result_types=(vector_type(lanes, type_),)),
        )

    def mask(self, count: int, lanes: int) -> SSAValue:
        """The mask whose first lanes are on."""
        size = self.index(count)
        return self._constant(
            ("mask", count, lanes),
            lambda: vector.CreateMaskOp.create(operands=(size,), result_types=(vector_type(lanes, i1),)),
        )

    def value(self, index: Index) -> SSAValue:
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
            part = term if factor == 1 else self.op(arith.MuliOp, (term, self.index(factor)), INDEX)
            total = part if total is None else self.op(arith.AddiOp, (total, part), INDEX)
        assert total is not None
        if index.const:
            total = self.op(arith.AddiOp, (total, self.index(index.const)), INDEX)
        self.scopes[-1][index] = total
        return total

    def _binary(self, kind: type[Operation], fold: Callable[[int, int], int], left: Index, right: Index) -> Lin:
        left, right = Lin.of(left), Lin.of(right)
        if not left.terms and not right.terms:
            return Lin(fold(left.const, right.const))
        key = (kind, left, right)
        for scope in self.scopes:
            if (found := scope.get(key)) is not None:
                return Lin.of(found)
        result = self.op(kind, (self.value(left), self.value(right)), INDEX)
        self.scopes[-1][key] = result
        return Lin.of(result)

    def minimum(self, left: Index, right: Index) -> Lin:
        """The smaller of two indices."""
        return self._binary(arith.MinSIOp, min, left, right)

    def maximum(self, left: Index, right: Index) -> Lin:
        """The larger of two indices."""
        return self._binary(arith.MaxSIOp, max, left, right)

    def divide(self, left: Index, right: Index) -> Lin:
        """A quotient of indices that are not negative."""
        return Lin.of(left) if right == 1 else self._binary(arith.DivUIOp, lambda a, b: a // b, left, right)

    def remainder(self, left: Index, right: Index) -> Lin:
        """A remainder of indices that are not negative."""
        return Lin() if right == 1 else self._binary(arith.RemUIOp, lambda a, b: a % b, left, right)

    def delinearize(self, index: Index, shape: Sequence[int]) -> list[Lin]:
        """The subscripts of a flat index, last one fastest."""
        subscripts: list[Lin] = []
        rest = Lin.of(index)
        outermost = next((place for place, extent in enumerate(shape) if extent > 1), 0)
        for place in reversed(range(len(shape))):
            if place < outermost or shape[place] == 1:
                subscripts.append(Lin())
            elif place == outermost:
                subscripts.append(rest)
            else:
                subscripts.append(self.remainder(rest, shape[place]))
                rest = self.divide(rest, shape[place])
        return subscripts[::-1]

    # Control

    @contextmanager
    def loop(self, low: Index, high: Index, step: int = 1, unroll: bool = False, hint: str = "") -> Iterator[Lin]:
        """`for (i = low; i < high; i += step)`; a loop of exactly one iteration becomes its body."""
        low, high = Lin.of(low), Lin.of(high)
        distance = high + low * -1
        if not distance.terms and 0 < distance.const <= step:
            yield low
            return
        bounds = (self.value(low), self.value(high), self.index(step))
        block = Block(arg_types=(INDEX,))
        if hint:
            block.args[0].name_hint = hint
        marks = {"unroll": UnitAttr()} if unroll else {}
        self.add(scf.ForOp.create(operands=bounds, regions=(Region(block),), attributes=marks))
        with self._inside(block):
            yield Lin.of(block.args[0])

    @contextmanager
    def when(self, condition: SSAValue, otherwise: Callable[[], None] | None = None) -> Iterator[None]:
        """`if (condition) … else otherwise()`."""
        yes, no = Block(), Block()
        regions = (Region(yes), Region(no) if otherwise else Region())
        self.add(scf.IfOp.create(operands=(condition,), regions=regions))
        with self._inside(yes):
            yield
        if otherwise:
            with self._inside(no):
                otherwise()

    @contextmanager
    def _inside(self, block: Block, ends: bool = True) -> Iterator[None]:
        self.blocks.append(block)
        self.scopes.append({})
        yield
        if ends:
            self.add(scf.YieldOp.create())
        self.blocks.pop()
        self.scopes.pop()

    def compare(self, predicate: int, left: Index, right: Index) -> SSAValue:
        """A comparison of indices by its number in `arith.cmpi`."""
        number = IntegerAttr(predicate, i64)
        return self.op(arith.CmpiOp, (self.value(left), self.value(right)), i1, {"predicate": number})

    def equal(self, left: Index, right: Index) -> SSAValue:
        """Whether two indices are equal."""
        return self.compare(0, left, right)

    def at_most(self, left: Index, right: Index) -> SSAValue:
        """Whether one index is not larger than another."""
        return self.compare(3, left, right)

    def barrier(self) -> None:
        """Waits for the team."""
        self.add(spmd.BarrierOp())

    def share(self, count: int) -> tuple[Lin, Lin]:
        """This thread's part of `count` pieces of work."""
        made = self._constant(("share", count), lambda: spmd.ShareOp(self.index(count))).owner
        assert isinstance(made, spmd.ShareOp)
        return Lin.of(made.low), Lin.of(made.high)

    @contextmanager
    def single(self) -> Iterator[None]:
        """What the first thread does alone."""
        body = Block()
        self.add(spmd.SingleOp(Region(body)))
        with self._inside(body, ends=False):
            yield

    # Memory

    def shared(self, element: Attribute, *shape: int, hint: str = "") -> SSAValue:
        """A temporary of the whole team."""
        return self._buffer(memref.AllocOp, element, shape, hint)

    def private(self, element: Attribute, *shape: int, hint: str = "") -> SSAValue:
        """A small array of this thread."""
        return self._buffer(memref.AllocaOp, element, shape, hint)

    def _buffer(self, kind: type[Operation], element: Attribute, shape: Sequence[int], hint: str) -> SSAValue:
        result = self.op(kind, (), memref_type(element, tuple(shape)), {"operandSegmentSizes": NO_OPERANDS})
        result.name_hint = hint or None
        return result

    def flat(self, buffer: SSAValue, kept: int) -> SSAValue:
        """A buffer whose dimensions from `kept` on are one."""
        assert isinstance(buffer.type, MemRefType)
        shape = buffer.type.get_shape()
        if kept == len(shape) - 1:
            return buffer
        groups = [*([d] for d in range(kept)), list(range(kept, len(shape)))]
        reassociation = ArrayAttr([ArrayAttr([IntegerAttr(d, i64) for d in group]) for group in groups])
        type_ = memref_type(buffer.type.element_type, (*shape[:kept], prod(shape[kept:])))
        return self._constant(
            ("flat", buffer, kept),
            lambda: memref.CollapseShapeOp.create(
                operands=(buffer,), result_types=(type_,), properties={"reassociation": reassociation}
            ),
        )

    def load(self, buffer: SSAValue, indices: Sequence[Index]) -> SSAValue:
        """One element."""
        assert isinstance(buffer.type, MemRefType)
        return self.op(memref.LoadOp, (buffer, *map(self.value, indices)), buffer.type.element_type)

    def store(self, value: SSAValue, buffer: SSAValue, indices: Sequence[Index]) -> None:
        """One element."""
        self.op(memref.StoreOp, (value, buffer, *map(self.value, indices)))

    def load_vector(self, buffer: SSAValue, indices: Sequence[Index], lanes: int, count: int | None = None) -> SSAValue:
        """Neighbouring elements of the last dimension; lanes from `count` on are not touched and read as zero."""
        assert isinstance(buffer.type, MemRefType)
        element = buffer.type.element_type
        type_ = vector_type(lanes, element)
        where = (buffer, *map(self.value, indices))
        if count is None or count >= lanes:
            return self.op(vector.LoadOp, where, type_)
        other = self.broadcast(self.zero(element), lanes)
        return self.op(vector.MaskedLoadOp, (*where, self.mask(count, lanes), other), type_)

    def store_vector(
        self, value: SSAValue, buffer: SSAValue, indices: Sequence[Index], lanes: int, count: int | None = None
    ) -> None:
        """Neighbouring elements of the last dimension; lanes from `count` on are left alone."""
        where = (buffer, *map(self.value, indices))
        if count is None or count >= lanes:
            self.op(vector.StoreOp, (value, *where))
        else:
            self.op(vector.MaskedStoreOp, (*where, self.mask(count, lanes), value))

    def transpose(
        self,
        source: SSAValue,
        at: Sequence[Index],
        step: int,
        target: SSAValue,
        to: Sequence[Index],
        to_step: int,
        rows: Index,
        columns: Index,
        lanes: int,
    ) -> None:
        """Turns a block around: rows and columns at most `lanes`, elements from one row to the next."""
        places = [[self.value(index) for index in indices] for indices in (at, to)]
        counts = self.value(rows), self.value(columns)
        self.add(vectorx.TransposeOp(source, places[0], target, places[1], *counts, step, to_step, lanes))

    def broadcast(self, value: SSAValue, lanes: int) -> SSAValue:
        """A vector of equal lanes."""
        return self.op(vector.BroadcastOp, (value,), vector_type(lanes, value.type))

    def prefetch(self, buffer: SSAValue, indices: Sequence[Index], write: bool = False) -> None:
        """A hint that a cache line will be read soon, or updated."""
        mark = {"write": BoolAttr(True, i1)} if write else {}
        self.op(spmd.PrefetchOp, (buffer, *map(self.value, indices)), None, mark)
