"""What the threads of a block do together on a GPU, beyond what upstream's `gpu` has: an op for each primitive of the
header that generated CUDA C includes.

    %max = gpux.reduce maximumf %m : f32

combines the values of all threads of the block, in an order that only the number of threads decides, and gives each
the result.

    %big = gpux.round_to_tf32 %x : f32
    gpux.mma %a[%i], %b[%j], %sums[%i, %j] : memref<4x4xi32>, memref<4x2xi32>, memref<4x4x4xf32>

A float with the 10 bits of mantissa that tensor cores read, as the bits that they take; and the product of two small
matrices that the lanes of a warp hold together, 16x8 by 8x8, added to a third: each lane has 4, 2 and 4 elements, those
that `mma.sync.m16n8k8` of the PTX ISA lays down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, cast

from xdsl.dialects.builtin import IndexType, MemRefType, StringAttr, f32, i32
from xdsl.ir import Attribute, Dialect, Operation, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect, Pure
from xdsl.utils.exceptions import VerifyException

__all__ = ["GPUX", "KINDS", "MmaOp", "ReduceOp", "RoundToTF32Op"]

KINDS = (
    "add", "mul", "maximumf", "minimumf", "maxnumf", "minnumf", "maxsi", "minsi", "maxui", "minui", "and", "or", "xor",
)  # fmt: skip
"""Kinds of reductions, by the names of `vector.reduction`."""


@irdl_op_definition
class ReduceOp(IRDLOperation):
    """Combines a number of each thread of the block. All its threads come here."""

    name = "gpux.reduce"
    kind = prop_def(StringAttr)
    value = operand_def()
    result = result_def()
    # Threads wait for one another: nothing moves across, and nobody deletes it.
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())

    def __init__(self, kind: str, value: SSAValue | Operation) -> None:
        value = SSAValue.get(value)
        super().__init__(operands=[value], result_types=[value.type], properties={"kind": StringAttr(kind)})

    def verify_(self) -> None:
        if self.kind.data not in KINDS:
            raise VerifyException(f"expected one of {', '.join(KINDS)}, given {self.kind.data}")
        if self.value.type != self.result.type:
            raise VerifyException(f"expected a result of type {self.value.type}, given {self.result.type}")

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.kind.data} ")
        printer.print_ssa_value(self.value)
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_attribute(self.value.type)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        kind = parser.parse_identifier()
        unresolved = parser.parse_unresolved_operand()
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        type_: Attribute = parser.parse_type()
        op = cls(kind, parser.resolve_operand(unresolved, type_))
        op.attributes |= attributes
        return op


@irdl_op_definition
class RoundToTF32Op(IRDLOperation):
    """The nearest float of 10 bits of mantissa, as bits."""

    name = "gpux.round_to_tf32"
    value = operand_def(f32)
    result = result_def(i32)
    traits = traits_def(Pure())
    assembly_format = "$value attr-dict `:` type($value)"

    def __init__(self, value: SSAValue | Operation) -> None:
        super().__init__(operands=[value], result_types=[i32])


@irdl_op_definition
class MmaOp(IRDLOperation):
    """sums += a b, by all lanes of a warp. Indices name all but the last dimension of each buffer."""

    name = "gpux.mma"
    a = operand_def(MemRefType)
    a_indices = var_operand_def(IndexType())
    b = operand_def(MemRefType)
    b_indices = var_operand_def(IndexType())
    sums = operand_def(MemRefType)
    sums_indices = var_operand_def(IndexType())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    assembly_format = (
        "$a `[` $a_indices `]` `,` $b `[` $b_indices `]` `,` $sums `[` $sums_indices `]` attr-dict `:` "
        "type($a) `,` type($b) `,` type($sums)"
    )

    def __init__(
        self,
        a: SSAValue,
        a_indices: Sequence[SSAValue],
        b: SSAValue,
        b_indices: Sequence[SSAValue],
        sums: SSAValue,
        sums_indices: Sequence[SSAValue],
    ) -> None:
        super().__init__(operands=[a, a_indices, b, b_indices, sums, sums_indices])

    def verify_(self) -> None:
        for buffer, indices, element, size in (
            (self.a, self.a_indices, i32, 4),
            (self.b, self.b_indices, i32, 2),
            (self.sums, self.sums_indices, f32, 4),
        ):
            type_ = cast("MemRefType[Attribute]", buffer.type)
            shape = type_.get_shape()
            if type_.element_type != element or len(shape) != len(indices) + 1 or shape[-1] != size:
                raise VerifyException(
                    f"expected {len(indices) + 1} dimensions, the last of {size} {element}, given {type_}"
                )


GPUX = Dialect("gpux", [MmaOp, ReduceOp, RoundToTF32Op], [])
