"""Building loops-level IR cheaply: interned constants, folded index arithmetic, operations made by `create`.

`create` costs a third of an operation's constructor, and IR that is built simplified need not be simplified later.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import cache
from math import prod

from xdsl.dialects import arith, memref, scf, vector
from xdsl.dialects.builtin import (
    UNKNOWN_LOC,
    ArrayAttr,
    FloatAttr,
    IntegerAttr,
    LocationAttr,
    i1,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.irdl import IRDLOperation

from ...dialects.spmd import ShareOp, SingleOp
from ...dialects.types import is_memref, memref_of
from .constants import INDEX, Constants, constant_value, memref_type, splat, vector_type

FOLDS: dict[type[Operation], Callable[[int, int], int]] = {
    arith.AddiOp: operator.add,
    arith.SubiOp: operator.sub,
    arith.MuliOp: operator.mul,
    arith.DivUIOp: int.__floordiv__,
    arith.RemUIOp: operator.mod,
    arith.MinSIOp: min,
    arith.MaxSIOp: max,
}
"""Index arithmetic on numbers that are known."""
_DIVISIONS = (arith.DivUIOp, arith.RemUIOp)


def flat_view(buffer: SSAValue, kept: int) -> memref.CollapseShapeOp:
    """A view of a buffer whose dimensions from `kept` on are one."""
    assert is_memref(buffer.type)
    shape = buffer.type.get_shape()
    groups = [*([d] for d in range(kept)), list(range(kept, len(shape)))]
    reassociation = ArrayAttr([ArrayAttr([IntegerAttr(d, i64) for d in group]) for group in groups])
    type_ = memref_type(buffer.type.element_type, (*shape[:kept], prod(shape[kept:])))
    return memref.CollapseShapeOp.create(
        operands=[buffer], result_types=[type_], properties={"reassociation": reassociation}
    )


@cache
def _defaults(op: type[IRDLOperation]) -> dict[str, Attribute]:
    definition = op.get_irdl_definition()
    return {name: p.default_value for name, p in definition.properties.items() if p.default_value is not None}


class Emitter:
    """Appends operations at one point of a function, folding index arithmetic as it goes."""

    __slots__ = ("before", "block", "constants", "location")
    before: Operation | None

    def __init__(
        self,
        constants: Constants,
        block: Block,
        before: Operation | None = None,
        location: LocationAttr = UNKNOWN_LOC,
    ) -> None:
        self.constants = constants
        self.block = block
        self.before = before
        self.location = location

    def inside(self, block: Block, before: Operation | None = None) -> Emitter:
        """An emitter for another place of the same function."""
        return Emitter(self.constants, block, before, self.location)

    def insert(self, op: Operation) -> Operation:
        """Puts an existing, detached operation here."""
        if self.before is None:
            self.block.add_op(op)
        else:
            self.block.insert_op_before(op, self.before)
        return op

    def create(
        self,
        op: type[IRDLOperation],
        operands: Sequence[SSAValue],
        results: Sequence[Attribute] = (),
        properties: dict[str, Attribute] | None = None,
        attributes: dict[str, Attribute] | None = None,
        regions: Sequence[Region] = (),
    ) -> Operation:
        """Builds and inserts an operation; properties not given take their defaults."""
        new = op.create(
            operands=operands,
            result_types=results,
            properties={**_defaults(op), **(properties or {})},
            attributes=attributes or {},
            regions=regions,
            location=self.location,
        )
        return self.insert(new)

    def op(
        self,
        op: type[IRDLOperation],
        *operands: SSAValue,
        type: Attribute | None = None,
        **properties: Attribute,
    ) -> SSAValue:
        """An operation with one result, of the first operand's type unless given."""
        return self.create(op, operands, [operands[0].type if type is None else type], properties).results[0]

    # Index arithmetic, folded.

    def index(self, value: int) -> SSAValue:
        return self.constants.index(value)

    def _binary(self, kind: type[IRDLOperation], a: SSAValue, b: SSAValue, neutral: int | None = None) -> SSAValue:
        """The number where both are known, `a` where `b` is neutral."""
        x, y = constant_value(a), constant_value(b)
        if x is not None and y is not None and (y or kind not in _DIVISIONS):
            return self.index(FOLDS[kind](x, y))
        return a if neutral is not None and y == neutral else self.op(kind, a, b)

    def add(self, a: SSAValue, b: SSAValue) -> SSAValue:
        if constant_value(a) == 0 and constant_value(b) is None:
            return b
        return self._binary(arith.AddiOp, a, b, neutral=0)

    def sub(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._binary(arith.SubiOp, a, b, neutral=0)

    def mul(self, a: SSAValue, b: SSAValue) -> SSAValue:
        x, y = constant_value(a), constant_value(b)
        if (x is None and y == 0) or (y is None and x == 1):
            return b
        return a if x == 0 and y is None else self._binary(arith.MuliOp, a, b, neutral=1)

    def div(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """Quotient of indices that are not negative."""
        return self._binary(arith.DivUIOp, a, b, neutral=1)

    def rem(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """Remainder of indices that are not negative."""
        return self.index(0) if constant_value(b) == 1 else self._binary(arith.RemUIOp, a, b)

    def min(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self._binary(arith.MinSIOp, a, b)

    # Memory, control flow, vectors.

    def load(self, buffer: SSAValue, indices: Sequence[SSAValue]) -> SSAValue:
        return self.create(memref.LoadOp, [buffer, *indices], [memref_of(buffer).element_type]).results[0]

    def store(self, value: SSAValue, buffer: SSAValue, indices: Sequence[SSAValue]) -> Operation:
        return self.create(memref.StoreOp, [value, buffer, *indices])

    def loop(
        self,
        lower: SSAValue,
        upper: SSAValue,
        step: SSAValue,
        carried: Sequence[SSAValue] = (),
        attributes: dict[str, Attribute] | None = None,
        name: str | None = None,
    ) -> scf.ForOp:
        """An empty loop: the caller fills its block and yields what it carries."""
        types = [value.type for value in carried]
        block = Block(arg_types=[INDEX, *types])
        block.args[0].name_hint = name
        op = self.create(
            scf.ForOp, [lower, upper, step, *carried], types, attributes=attributes, regions=[Region(block)]
        )
        assert isinstance(op, scf.ForOp)
        return op

    def yield_(self, values: Sequence[SSAValue] = ()) -> None:
        self.create(scf.YieldOp, values)

    def if_(self, condition: SSAValue) -> scf.IfOp:
        """An empty `scf.if` without results: the caller fills its block and yields."""
        op = self.create(scf.IfOp, [condition], regions=[Region(Block()), Region()])
        assert isinstance(op, scf.IfOp)
        return op

    def single(self) -> SingleOp:
        """An empty section for one thread of the team: the caller fills its block."""
        op = self.create(SingleOp, [], regions=[Region(Block())])
        assert isinstance(op, SingleOp)
        return op

    def share(self, extent: int, chunk: int = 1) -> tuple[SSAValue, SSAValue]:
        """This thread's [low, high) of `extent` iterations, in multiples of `chunk`."""
        made = self.create(ShareOp, [self.index(extent)], [INDEX, INDEX], {"chunk": IntegerAttr(chunk, i64)})
        low, high = made.results
        low.name_hint, high.name_hint = "low", "high"
        return low, high

    def compare(self, predicate: int, a: SSAValue, b: SSAValue) -> SSAValue:
        """`arith.cmpi` with a numbered predicate (2 slt, 3 sle, 4 sgt, 5 sge, 0 eq, 1 ne)."""
        return self.op(arith.CmpiOp, a, b, type=i1, predicate=IntegerAttr(predicate, 64))

    def broadcast(self, value: SSAValue, lanes: int) -> SSAValue:
        """A scalar in all lanes; constants become vector constants."""
        type_ = vector_type(lanes, value.type)
        op = value.owner
        if type(op) is arith.ConstantOp and isinstance(op.value, IntegerAttr | FloatAttr) and value.type != i1:
            number = op.value.value.data
            # The text form of a dense constant cannot hold infinities and NaN.
            if number - number == 0:
                return self.constants.get(splat(type_, op.value))
        return self.op(vector.BroadcastOp, value, type=type_)
