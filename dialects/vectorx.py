"""Vector operations that upstream lacks.

    %mask = vectorx.cmpf olt, %a, %b : vector<16xf32>
    %r = vectorx.select %mask, %a, %b : vector<16xf32>

compare lane by lane, and take each lane from `%a` where the mask is set, from `%b` where not;

    %w = vectorx.extf %a : vector<16xf32> to vector<16xf64>

converts. In xDSL the operations of arith with these names know scalars only. Meaning and predicates are theirs.

    vectorx.transpose %x[%i, %j], %y[%k, %l], %rows, %columns {step = 64, to_step = 32, lanes = 16} : …

turns a small block of a matrix around in registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self, cast

from xdsl.dialects.arith import CMPF_COMPARISON_OPERATIONS, CMPI_COMPARISON_OPERATIONS
from xdsl.dialects.builtin import IndexType, IntegerAttr, MemRefType, VectorType, i1, i64
from xdsl.ir import Attribute, Dialect, Operation, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import EffectInstance, MemoryEffect, MemoryEffectKind, Pure
from xdsl.utils.exceptions import VerifyException

__all__ = ["CONVERSIONS", "VECTORX", "CmpfOp", "CmpiOp", "SelectOp", "TransposeOp"]


def _parse_vector_type(parser: Parser) -> VectorType[Attribute]:
    type_ = parser.parse_type()
    if not isinstance(type_, VectorType):
        parser.raise_error(f"expected a vector type, given {type_}")
    return cast("VectorType[Attribute]", type_)


class _Compare(IRDLOperation):
    """A comparison with one bit per lane as its result."""

    predicate = prop_def(IntegerAttr)
    lhs = operand_def(VectorType)
    rhs = operand_def(VectorType)
    result = result_def(VectorType)
    traits = traits_def(Pure())
    NAMES: ClassVar[list[str]]

    def __init__(self, lhs: SSAValue | Operation, rhs: SSAValue | Operation, predicate: int) -> None:
        type_ = SSAValue.get(lhs).type
        assert isinstance(type_, VectorType)
        super().__init__(
            operands=[lhs, rhs],
            result_types=[VectorType(i1, type_.get_shape())],
            properties={"predicate": IntegerAttr(predicate, i64)},
        )

    def verify_(self) -> None:
        type_ = self.lhs.type
        assert isinstance(type_, VectorType)
        mask = VectorType(i1, type_.get_shape())
        if self.rhs.type != type_:
            raise VerifyException(f"expected two vectors of type {type_}, given {self.rhs.type}")
        if self.result.type != mask:
            raise VerifyException(f"expected a result of type {mask}, given {self.result.type}")
        if not 0 <= self.predicate.value.data < len(self.NAMES):
            raise VerifyException(f"expected a predicate below {len(self.NAMES)}, given {self.predicate.value.data}")

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.NAMES[self.predicate.value.data]}, ")
        printer.print_list(self.operands, printer.print_ssa_value)
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_attribute(self.lhs.type)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        pos = parser.pos
        name = parser.parse_identifier()
        if name not in cls.NAMES:
            parser.raise_error(f"expected one of {', '.join(cls.NAMES)}", pos, parser.pos)
        parser.parse_punctuation(",")
        unresolved = [parser.parse_unresolved_operand()]
        parser.parse_punctuation(",")
        unresolved.append(parser.parse_unresolved_operand())
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        type_ = _parse_vector_type(parser)
        lhs, rhs = parser.resolve_operands(unresolved, [type_, type_], parser.pos)
        op = cls(lhs, rhs, cls.NAMES.index(name))
        op.attributes |= attributes
        return op


@irdl_op_definition
class CmpiOp(_Compare):
    """Compares integers."""

    name = "vectorx.cmpi"
    NAMES: ClassVar[list[str]] = CMPI_COMPARISON_OPERATIONS


@irdl_op_definition
class CmpfOp(_Compare):
    """Compares floats."""

    name = "vectorx.cmpf"
    NAMES: ClassVar[list[str]] = CMPF_COMPARISON_OPERATIONS


@irdl_op_definition
class SelectOp(IRDLOperation):
    """Chooses lane by lane."""

    name = "vectorx.select"
    cond = operand_def(VectorType)
    lhs = operand_def(VectorType)
    rhs = operand_def(VectorType)
    result = result_def(VectorType)
    traits = traits_def(Pure())

    def __init__(self, cond: SSAValue | Operation, lhs: SSAValue | Operation, rhs: SSAValue | Operation) -> None:
        super().__init__(operands=[cond, lhs, rhs], result_types=[SSAValue.get(lhs).type])

    def verify_(self) -> None:
        type_ = self.result.type
        assert isinstance(type_, VectorType)
        mask = VectorType(i1, type_.get_shape())
        if self.lhs.type != type_ or self.rhs.type != type_:
            raise VerifyException(f"expected two vectors of type {type_}, given {self.lhs.type} and {self.rhs.type}")
        if self.cond.type != mask:
            raise VerifyException(f"expected a mask of type {mask}, given {self.cond.type}")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_list(self.operands, printer.print_ssa_value)
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_attribute(self.result.type)

    @classmethod
    def parse(cls, parser: Parser) -> SelectOp:
        unresolved = [parser.parse_unresolved_operand()]
        for _ in range(2):
            parser.parse_punctuation(",")
            unresolved.append(parser.parse_unresolved_operand())
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        type_ = _parse_vector_type(parser)
        types: list[Attribute] = [VectorType(i1, type_.get_shape()), type_, type_]
        operands = parser.resolve_operands(unresolved, types, parser.pos)
        return cls.create(operands=operands, result_types=[type_], attributes=attributes)


class _Convert(IRDLOperation):
    """Another element type, lane by lane."""

    input = operand_def(VectorType)
    result = result_def(VectorType)
    traits = traits_def(Pure())
    assembly_format = "$input attr-dict `:` type($input) `to` type($result)"

    def __init__(self, value: SSAValue | Operation, type_: VectorType) -> None:
        super().__init__(operands=[value], result_types=[type_])

    def verify_(self) -> None:
        have, want = self.input.type, self.result.type
        assert isinstance(have, VectorType) and isinstance(want, VectorType)
        if have.get_shape() != want.get_shape():
            raise VerifyException(f"expected as many lanes as {have} has, given {want}")


@irdl_op_definition
class ExtFOp(_Convert):
    name = "vectorx.extf"


@irdl_op_definition
class TruncFOp(_Convert):
    name = "vectorx.truncf"


@irdl_op_definition
class ExtSIOp(_Convert):
    name = "vectorx.extsi"


@irdl_op_definition
class ExtUIOp(_Convert):
    name = "vectorx.extui"


@irdl_op_definition
class TruncIOp(_Convert):
    name = "vectorx.trunci"


@irdl_op_definition
class SIToFPOp(_Convert):
    name = "vectorx.sitofp"


@irdl_op_definition
class UIToFPOp(_Convert):
    name = "vectorx.uitofp"


@irdl_op_definition
class FPToSIOp(_Convert):
    name = "vectorx.fptosi"


@irdl_op_definition
class FPToUIOp(_Convert):
    name = "vectorx.fptoui"


CONVERSIONS: tuple[type[Operation], ...] = (
    ExtFOp, TruncFOp, ExtSIOp, ExtUIOp, TruncIOp, SIToFPOp, UIToFPOp, FPToSIOp, FPToUIOp,
)  # fmt: skip
"""The conversions, each named as its scalar form in arith."""


class _ReadsSourceWritesTarget(MemoryEffect):
    @classmethod
    def get_effects(cls, op: Operation) -> set[EffectInstance]:
        assert isinstance(op, TransposeOp)
        return {
            EffectInstance(MemoryEffectKind.READ, op.source), EffectInstance(MemoryEffectKind.WRITE, op.target),
        }  # fmt: skip


@irdl_op_definition
class TransposeOp(IRDLOperation):
    """Reads `rows` rows of `columns` neighbouring elements, each row `step` elements after the one before, and writes
    column after column, `to_step` elements apart. Of each column `lanes` elements are written: those from `rows` on are
    zero. At most `lanes` rows and columns; all elements lie in the buffers.
    """

    name = "vectorx.transpose"
    source = operand_def(MemRefType)
    indices = var_operand_def(IndexType())
    target = operand_def(MemRefType)
    target_indices = var_operand_def(IndexType())
    rows = operand_def(IndexType())
    columns = operand_def(IndexType())
    step = prop_def(IntegerAttr)
    to_step = prop_def(IntegerAttr)
    lanes = prop_def(IntegerAttr)
    traits = traits_def(_ReadsSourceWritesTarget())
    irdl_options = (AttrSizedOperandSegments(as_property=True), ParsePropInAttrDict())
    assembly_format = (
        "$source `[` $indices `]` `,` $target `[` $target_indices `]` `,` $rows `,` $columns attr-dict `:` "
        "type($source) `,` type($target)"
    )

    def __init__(
        self,
        source: SSAValue,
        indices: Sequence[SSAValue],
        target: SSAValue,
        target_indices: Sequence[SSAValue],
        rows: SSAValue,
        columns: SSAValue,
        step: int,
        to_step: int,
        lanes: int,
    ) -> None:
        numbers = {"step": step, "to_step": to_step, "lanes": lanes}
        super().__init__(
            operands=[source, indices, target, target_indices, rows, columns],
            properties={name: IntegerAttr(number, i64) for name, number in numbers.items()},
        )

    def verify_(self) -> None:
        have, want = cast("MemRefType", self.source.type), cast("MemRefType", self.target.type)
        if have.element_type != want.element_type:
            raise VerifyException(f"expected buffers of equal elements, given {have} and {want}")
        for type_, indices in ((have, self.indices), (want, self.target_indices)):
            if len(indices) != type_.get_num_dims():
                raise VerifyException(f"expected {type_.get_num_dims()} indices for {type_}, given {len(indices)}")
        lanes = self.lanes.value.data
        if lanes < 2 or lanes & (lanes - 1):
            raise VerifyException(f"expected a power of two as the number of lanes, given {lanes}")


VECTORX = Dialect("vectorx", [CmpfOp, CmpiOp, SelectOp, TransposeOp, *CONVERSIONS], [])
