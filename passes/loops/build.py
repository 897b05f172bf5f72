"""Building loops-level IR cheaply: interned constants, folded index arithmetic, operations made by `create`.

`create` costs a third of an operation's constructor, and IR that is built simplified need not be simplified later.
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from xdsl.dialects import arith, func, memref, scf, vector
from xdsl.dialects.builtin import (
    UNKNOWN_LOC,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IndexType,
    IntegerAttr,
    IntegerType,
    LocationAttr,
    MemRefType,
    UnitAttr,
    VectorType,
    i1,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.irdl import IRDLOperation

from ...dialects.spmd import ShareOp, SingleOp

INDEX = IndexType()
PARALLEL = "parallel"
"""On an `scf.for`: iterations touch no memory of one another's, and what they carry may be combined in any order."""


def kernels(module: Operation) -> list[func.FuncOp]:
    """The kernels of a module, in order."""
    found: list[func.FuncOp] = []
    for op in module.regions[0].block.ops:
        if isinstance(op, func.FuncOp) and "irtool.kernel" in op.attributes and op.body.blocks:
            found.append(op)
    return found


@cache
def _defaults(op: type[IRDLOperation]) -> dict[str, Attribute]:
    definition = op.get_irdl_definition()
    return {name: p.default_value for name, p in definition.properties.items() if p.default_value is not None}


@cache
def vector_type(lanes: int, element: Attribute) -> VectorType:
    """The interned type of a 1-D vector."""
    return VectorType(element, [lanes])


@cache
def memref_type(element: Attribute, shape: tuple[int, ...]) -> MemRefType:
    """The interned type of a row-major buffer."""
    return MemRefType(element, shape)


@cache
def splat(type_: VectorType, value: IntegerAttr | FloatAttr) -> DenseIntOrFPElementsAttr:
    """A vector constant with all elements equal."""
    return DenseIntOrFPElementsAttr.from_list(type_, [value.value.data])  # pyright: ignore


def constant_value(value: SSAValue) -> int | None:
    """The integer that a value is known to be, or None."""
    op = value.owner
    if type(op) is arith.ConstantOp and type(op.value) is IntegerAttr:
        return op.value.value.data
    return None


class Constants:
    """The constants of a function, or of its only block, each made once, at its top."""

    def __init__(self, function: func.FuncOp | Block) -> None:
        self.block = function if isinstance(function, Block) else function.body.block
        self.last: Operation | None = None
        self.values: dict[Attribute, SSAValue] = {}
        for op in self.block.ops:
            if type(op) is not arith.ConstantOp:
                break
            self.values.setdefault(op.value, op.result)
            self.last = op

    def get(self, attribute: Any) -> SSAValue:
        """The value of a typed attribute."""
        found = self.values.get(attribute)
        if found is None:
            op = arith.ConstantOp.create(properties={"value": attribute}, result_types=[attribute.get_type()])
            if self.last is not None:
                self.block.insert_op_after(op, self.last)
            elif self.block.first_op is not None:
                self.block.insert_op_before(op, self.block.first_op)
            else:
                self.block.add_op(op)
            self.last = op
            found = self.values[attribute] = op.result
        return found

    def index(self, value: int) -> SSAValue:
        return self.get(_index_attribute(value))

    def scalar(self, element: Attribute, value: int | float) -> SSAValue:
        """A constant of a scalar element type."""
        return self.get(scalar_attribute(element, value))


@cache
def _index_attribute(value: int) -> IntegerAttr:
    return IntegerAttr(value, INDEX)


def scalar_attribute(element: Attribute, value: int | float) -> IntegerAttr | FloatAttr:
    """`value` as an attribute of an integer, index or float type."""
    if isinstance(element, IntegerType | IndexType):
        return IntegerAttr(int(value), element)
    return FloatAttr(float(value), element)  # pyright: ignore


class Emitter:
    """Appends operations at one point of a function, folding index arithmetic as it goes."""

    __slots__ = ("before", "block", "constants", "location")

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

    def add(self, a: SSAValue, b: SSAValue) -> SSAValue:
        x, y = constant_value(a), constant_value(b)
        if x is not None and y is not None:
            return self.index(x + y)
        if x == 0:
            return b
        return a if y == 0 else self.op(arith.AddiOp, a, b)

    def sub(self, a: SSAValue, b: SSAValue) -> SSAValue:
        x, y = constant_value(a), constant_value(b)
        if x is not None and y is not None:
            return self.index(x - y)
        return a if y == 0 else self.op(arith.SubiOp, a, b)

    def mul(self, a: SSAValue, b: SSAValue) -> SSAValue:
        x, y = constant_value(a), constant_value(b)
        if x is not None and y is not None:
            return self.index(x * y)
        if x == 0 or y == 1:
            return a
        return b if y == 0 or x == 1 else self.op(arith.MuliOp, a, b)

    def div(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """Quotient of indices that are not negative."""
        x, y = constant_value(a), constant_value(b)
        if x is not None and y:
            return self.index(x // y)
        return a if y == 1 else self.op(arith.DivUIOp, a, b)

    def rem(self, a: SSAValue, b: SSAValue) -> SSAValue:
        """Remainder of indices that are not negative."""
        x, y = constant_value(a), constant_value(b)
        if x is not None and y:
            return self.index(x % y)
        return self.index(0) if y == 1 else self.op(arith.RemUIOp, a, b)

    def min(self, a: SSAValue, b: SSAValue) -> SSAValue:
        x, y = constant_value(a), constant_value(b)
        if x is not None and y is not None:
            return self.index(min(x, y))
        return self.op(arith.MinSIOp, a, b)

    # Memory, control flow, vectors.

    def load(self, buffer: SSAValue, indices: Sequence[SSAValue]) -> SSAValue:
        return self.create(memref.LoadOp, [buffer, *indices], [buffer.type.element_type]).results[0]  # pyright: ignore[reportAttributeAccessIssue]

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

    def share(self, extent: int, granule: int = 1) -> tuple[SSAValue, SSAValue]:
        """This thread's [low, high) of `extent` iterations, in multiples of `granule`."""
        made = self.create(ShareOp, [self.index(extent)], [INDEX, INDEX], {"granule": IntegerAttr(granule, i64)})
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


def static_range(loop: scf.ForOp) -> tuple[int, int, int] | None:
    """The constant (lower, upper, step) of a loop, or None."""
    lower, upper, step = (constant_value(value) for value in (loop.lb, loop.ub, loop.step))
    if lower is None or upper is None or step is None:
        return None
    return lower, upper, step


def trip_count(loop: scf.ForOp) -> int | None:
    """How often a loop runs, where that is known."""
    found = static_range(loop)
    return None if found is None else max(0, -(-(found[1] - found[0]) // found[2]))


def is_parallel(op: Operation) -> bool:
    return type(op) is scf.ForOp and PARALLEL in op.attributes


UNIT = UnitAttr()
