"""Destination-passing operations that linalg lacks.

    %r = linalgx.scatter_add axis 0 batch_dims 0
           ins(%indices, %updates : tensor<5xi64>, tensor<5x8xf32>) outs(%base : tensor<10x8xf32>) -> tensor<10x8xf32>

adds row `i` of the updates onto row `indices[i]` of the base: the transpose of a gather. On memrefs the base is
updated in place and there is no result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from xdsl.dialects.builtin import DYNAMIC_INDEX, IntegerAttr, IntegerType, MemRefType, TensorType, i64
from xdsl.ir import Attribute, Dialect, Operation, SSAValue
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, opt_result_def, prop_def, traits_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from .effects import DestinationEffects

__all__ = ["LINALGX", "ScatterAddOp"]


@irdl_op_definition
class ScatterAddOp(IRDLOperation):
    """`base[..., indices[...], ...] += updates`: duplicates add up, indices out of range are dropped.

    Shapes follow gather's: updates = base[:axis] + indices[batch_dims:] + base[axis+1:], where the first `batch_dims`
    dimensions of base and indices are shared.
    """

    name = "linalgx.scatter_add"
    indices = operand_def(MemRefType | TensorType)
    updates = operand_def(MemRefType | TensorType)
    base = operand_def(MemRefType | TensorType)
    res = opt_result_def(TensorType)
    axis = prop_def(IntegerAttr)
    batch_dims = prop_def(IntegerAttr)
    traits = traits_def(DestinationEffects())

    def __init__(
        self,
        indices: SSAValue | Operation,
        updates: SSAValue | Operation,
        base: SSAValue | Operation,
        axis: int,
        batch_dims: int = 0,
    ) -> None:
        base = SSAValue.get(base)
        super().__init__(
            operands=[indices, updates, base],
            result_types=[[base.type] if base.type.name == TensorType.name else []],
            properties={"axis": IntegerAttr(axis, i64), "batch_dims": IntegerAttr(batch_dims, i64)},
        )

    @property
    def inputs(self) -> Sequence[SSAValue]:
        """The operands that are only read, as linalg calls them."""
        return self.operands[:2]

    @property
    def outputs(self) -> Sequence[SSAValue]:
        """The destination, as linalg calls it."""
        return self.operands[2:]

    def verify_(self) -> None:
        indices, updates, base = (cast("MemRefType | TensorType", operand.type) for operand in self.operands)
        axis, batch = self.axis.value.data, self.batch_dims.value.data
        kinds = {type(indices), type(updates), type(base)}
        if len(kinds) != 1:
            raise VerifyException("expected operands that are all tensors or all memrefs")
        if isinstance(base, TensorType) != (self.res is not None):
            raise VerifyException("expected one result on tensors and none on memrefs")
        if self.res is not None and self.res.type != base:
            raise VerifyException(f"expected a result of the base's type {base}, given {self.res.type}")
        if not isinstance(indices.get_element_type(), IntegerType):
            raise VerifyException(f"expected integer indices, given {indices}")
        if updates.get_element_type() != base.get_element_type():
            raise VerifyException(f"expected updates of the base's element type, given {updates} and {base}")
        base_shape, index_shape = base.get_shape(), indices.get_shape()
        if not 0 <= batch <= axis < len(base_shape) or batch > len(index_shape):
            raise VerifyException(
                f"expected 0 <= batch_dims <= axis < {len(base_shape)}, given batch_dims {batch}, axis {axis}"
            )
        expected = (*base_shape[:axis], *index_shape[batch:], *base_shape[axis + 1 :])
        if not _same_shape(expected, updates.get_shape()) or not _same_shape(base_shape[:batch], index_shape[:batch]):
            raise VerifyException(
                f"expected updates of shape {list(expected)} for base {list(base_shape)}, indices {list(index_shape)}, "
                f"axis {axis}, batch_dims {batch}; given {list(updates.get_shape())}"
            )

    def print(self, printer: Printer) -> None:
        printer.print_string(f" axis {self.axis.value.data} batch_dims {self.batch_dims.value.data} ins(")
        printer.print_list(self.inputs, printer.print_ssa_value)
        printer.print_string(" : ")
        printer.print_list((value.type for value in self.inputs), printer.print_attribute)
        printer.print_string(") outs(")
        printer.print_ssa_value(self.base)
        printer.print_string(" : ")
        printer.print_attribute(self.base.type)
        printer.print_string(")")
        printer.print_op_attributes(self.attributes)
        if self.res is not None:
            printer.print_string(" -> ")
            printer.print_attribute(self.res.type)

    @classmethod
    def parse(cls, parser: Parser) -> ScatterAddOp:
        parser.parse_keyword("axis")
        axis = parser.parse_integer()
        parser.parse_keyword("batch_dims")
        batch_dims = parser.parse_integer()
        inputs = _parse_operands(parser, "ins")
        outputs = _parse_operands(parser, "outs")
        if len(inputs) != 2 or len(outputs) != 1:
            parser.raise_error("expected ins(indices, updates) and outs(base)")
        attributes = parser.parse_optional_attr_dict()
        results: list[Attribute] = []
        if parser.parse_optional_punctuation("->"):
            results.append(parser.parse_type())
        op = cls.create(
            operands=[*inputs, *outputs],
            result_types=results,
            properties={"axis": IntegerAttr(axis, i64), "batch_dims": IntegerAttr(batch_dims, i64)},
            attributes=attributes,
        )
        return op


def _same_shape(a: Sequence[int], b: Sequence[int]) -> bool:
    """Equal, where an unknown size equals any."""
    return len(a) == len(b) and all(x == y or DYNAMIC_INDEX in (x, y) for x, y in zip(a, b, strict=True))


def _parse_operands(parser: Parser, keyword: str) -> Sequence[SSAValue]:
    """`keyword(%a, %b : type, type)`"""
    parser.parse_keyword(keyword)
    parser.parse_punctuation("(")
    pos = parser.pos
    operands = parser.parse_comma_separated_list(Parser.Delimiter.NONE, parser.parse_unresolved_operand)
    parser.parse_punctuation(":")
    types = parser.parse_comma_separated_list(Parser.Delimiter.NONE, parser.parse_type)
    parser.parse_punctuation(")")
    return parser.resolve_operands(operands, types, pos)


LINALGX = Dialect("linalgx", [ScatterAddOp], [])
