"""Vector operations that upstream lacks.

    %r = vectorx.select %mask, %a, %b : vector<16xf32>

takes each lane from `%a` where the mask is set, from `%b` where not. (`arith.select` takes a single condition.)
"""

from __future__ import annotations

from xdsl.dialects.builtin import VectorType, i1
from xdsl.ir import Dialect, Operation, SSAValue
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, result_def, traits_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

__all__ = ["VECTORX", "SelectOp"]


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
        type_ = parser.parse_type()
        if not isinstance(type_, VectorType):
            parser.raise_error(f"expected a vector type, given {type_}")
        types = [VectorType(i1, type_.get_shape()), type_, type_]
        operands = parser.resolve_operands(unresolved, types, parser.pos)
        return cls.create(operands=operands, result_types=[type_], attributes=attributes)


VECTORX = Dialect("vectorx", [SelectOp], [])
