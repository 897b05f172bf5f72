"""Constants, made once and folded; the interned types that go with them."""

from __future__ import annotations

from functools import cache
from typing import Any

from xdsl.dialects import arith, func
from xdsl.dialects.builtin import (
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IndexType,
    IntegerAttr,
    MemRefType,
    VectorType,
)
from xdsl.ir import Attribute, Block, Operation, SSAValue

from ...dialects.types import is_integer

INDEX = IndexType()


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
    if is_integer(element) or isinstance(element, IndexType):
        return IntegerAttr(int(value), element)
    return FloatAttr(float(value), element)  # pyright: ignore
