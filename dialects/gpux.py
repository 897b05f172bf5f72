"""What the threads of a block do together on a GPU, beyond what upstream's `gpu` has: an op for each primitive of the
header that generated CUDA C includes.

    %max = gpux.reduce maximumf %m : f32

combines the values of all threads of the block, in an order that only the number of threads decides, and gives each
the result. Where it says `{threads = 128}`, and a barrier of the block does, the first threads of the block meet alone.

    %best, %where = gpux.reduce first_maximumf %b, %w : f32, i64
    %upto, %all = gpux.scan add %x : f64

Some kinds combine pairs: the largest number with its place, the first of equals. A scan gives each thread what has come
together up to it, in the order of the threads, and what all give together.

    %big = gpux.round_to_tf32 %x : f32
    gpux.mma %a[%i], %b[%j], %sums[%i, %j] : memref<4x4xi32>, memref<4x2xi32>, memref<4x4x4xf32>

A float with the 10 bits of mantissa that tensor cores read, as the bits that they take; and the product of two small
matrices that the lanes of a warp hold together, 16x8 by 8x8, added to a third: each lane has 4, 2 and 4 elements, those
that `mma.sync.m16n8k8` of the PTX ISA lays down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self, cast

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
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect, Pure
from xdsl.utils.exceptions import VerifyException

__all__ = ["GPUX", "KINDS", "THREADS", "CollectiveOp", "MmaOp", "ReduceOp", "RoundToTF32Op", "ScanOp"]

THREADS = "threads"
"""The attribute of a reduction or a barrier that the first threads of the block come to, and no others."""

FIRST = ("maximumf", "minimumf", "maxsi", "minsi", "maxui", "minui")
"""Extrema that also come with a place: (number, place), NaN before all numbers, the least place of equals."""
KINDS: dict[str, int] = {
    **dict.fromkeys(("add", "mul", "maxnumf", "minnumf", "and", "or", "xor", *FIRST), 1),
    **{f"first_{kind}": 2 for kind in FIRST},
    "recurrence": 2,
}
"""What threads combine with -> how many values of each. Most have the names of `vector.reduction`; `recurrence` makes
of the steps y -> a y + x and then y -> b y + z the step y -> b a y + (b x + z)."""


class CollectiveOp(IRDLOperation):
    """Combines what each thread of the block has. All its threads come here."""

    kind = prop_def(StringAttr)
    values = var_operand_def()
    res = var_result_def()
    # Threads wait for one another: nothing moves across, and nobody deletes it.
    traits = traits_def(MemoryReadEffect(), MemoryWriteEffect())
    TIMES: ClassVar[int] = 1
    """How many results there are for each value."""

    def __init__(self, kind: str, values: Sequence[SSAValue]) -> None:
        types = [value.type for value in values] * self.TIMES
        super().__init__(operands=[values], result_types=[types], properties={"kind": StringAttr(kind)})

    def verify_(self) -> None:
        count = KINDS.get(self.kind.data)
        if count is None:
            raise VerifyException(f"expected one of {', '.join(KINDS)}, given {self.kind.data}")
        types = [value.type for value in self.values]
        if len(types) != count:
            raise VerifyException(f"expected {count} of each thread for {self.kind.data}, given {len(types)}")
        if [result.type for result in self.res] != types * self.TIMES:
            raise VerifyException(f"expected results of type {', '.join(map(str, types * self.TIMES))}")

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.kind.data} ")
        printer.print_list(self.values, printer.print_ssa_value)
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_list([value.type for value in self.values], printer.print_attribute)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        kind = parser.parse_identifier()
        none = parser.Delimiter.NONE
        unresolved = parser.parse_comma_separated_list(none, parser.parse_unresolved_operand)
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        types = parser.parse_comma_separated_list(none, parser.parse_type)
        op = cls(kind, parser.resolve_operands(unresolved, types, parser.pos))
        op.attributes |= attributes
        return op


@irdl_op_definition
class ReduceOp(CollectiveOp):
    """What all threads give together."""

    name = "gpux.reduce"


@irdl_op_definition
class ScanOp(CollectiveOp):
    """What the threads up to each give together, itself included; then what all of them give."""

    name = "gpux.scan"
    TIMES: ClassVar = 2


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


GPUX = Dialect("gpux", [MmaOp, ReduceOp, RoundToTF32Op, ScanOp], [])
