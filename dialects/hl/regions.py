"""Ops whose body says how they are differentiated: gradients written by hand, and results that are computed twice.

`differentiate` uses the bodies and removes the ops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

from xdsl.dialects.builtin import DenseArrayBase, i32
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    region_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, Pure
from xdsl.utils.exceptions import VerifyException

from .base import AnyTensor, check_types
from .control import YieldOp


class RegionOp(IRDLOperation):
    """Common text: `hl.name word(%a) word(%b) : types -> types { body }`, the body seeing its arguments only."""

    GROUPS: ClassVar[tuple[str, ...]] = ()
    """A word for each group of operands."""

    @classmethod
    def _segments(cls, sizes: Sequence[int]) -> Mapping[str, Attribute]:
        return {"operandSegmentSizes": DenseArrayBase.from_list(i32, list(sizes))} if len(cls.GROUPS) > 1 else {}

    def _groups(self) -> Sequence[Sequence[SSAValue]]:
        raise NotImplementedError

    @property
    def terminator(self) -> YieldOp:
        """What the body ends in."""
        last = self.regions[0].block.last_op
        if not isinstance(last, YieldOp):
            raise VerifyException(f"{self.name}: expected a body that ends in hl.yield")
        return last

    def print(self, printer: Printer) -> None:
        for keyword, values in zip(self.GROUPS, self._groups(), strict=True):
            if values:
                printer.print_string(f" {keyword}(")
                printer.print_list(values, printer.print_ssa_value)
                printer.print_string(")")
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" : ")
        printer.print_list(self.operand_types, printer.print_attribute)
        printer.print_string(" -> ")
        printer.print_list(self.result_types, printer.print_attribute)
        printer.print_string(" ")
        printer.print_region(self.regions[0])

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        start = parser.pos
        groups = [
            parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_unresolved_operand)
            if parser.parse_optional_keyword(keyword)
            else []
            for keyword in cls.GROUPS
        ]
        attributes = parser.parse_optional_attr_dict_with_keyword()
        operands = [operand for group in groups for operand in group]
        types: list[Attribute] = []
        parser.parse_punctuation(":")
        if operands:
            types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        if len(types) != len(operands):
            parser.raise_error(f"{cls.name} has {len(operands)} operands but {len(types)} types", start, parser.pos)
        parser.parse_punctuation("->")
        results = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        return cls.create(
            operands=parser.resolve_operands(operands, types, start),
            result_types=results,
            properties=cls._segments([len(group) for group in groups]),
            attributes=dict(attributes.data) if attributes is not None else {},
            regions=[parser.parse_region()],
        )


@irdl_op_definition
class CustomGradientOp(RegionOp):
    """Values, as a function of `inputs` whose gradient is the body

    %y = hl.custom_gradient value(%0) of(%x) with(%x) : tensor<4xf32>, tensor<4xf32>, tensor<4xf32> -> tensor<4xf32> {
    ^bb0(%y0: tensor<4xf32>, %dy: tensor<4xf32>, %x0: tensor<4xf32>):
      %dx = hl.mul %dy, %x0 : tensor<4xf32>
      hl.yield %dx : tensor<4xf32>
    }

    The body gets the results, their cotangents and the `with` values, and yields a cotangent for each of the inputs. It
    can itself be differentiated.
    """

    name = "hl.custom_gradient"
    GROUPS: ClassVar[tuple[str, ...]] = ("value", "of", "with")
    values = var_operand_def(AnyTensor)
    inputs = var_operand_def(AnyTensor)
    captured = var_operand_def(AnyTensor)
    outputs = var_result_def(AnyTensor)
    body = region_def("single_block")
    traits = traits_def(Pure(), IsolatedFromAbove())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    @classmethod
    def make(
        cls, values: Sequence[SSAValue], inputs: Sequence[SSAValue], captured: Sequence[SSAValue], body: Block
    ) -> Self:
        """The op with a body that ends in hl.yield."""
        return cls.create(
            operands=[*values, *inputs, *captured],
            result_types=[v.type for v in values],
            properties=cls._segments([len(values), len(inputs), len(captured)]),
            regions=[Region(body)],
        )

    def _groups(self) -> Sequence[Sequence[SSAValue]]:
        return self.values, self.inputs, self.captured

    def verify_(self) -> None:
        types = [*self.outputs.types, *self.outputs.types, *self.captured.types]
        check_types(self, "results", list(self.values.types), list(self.outputs.types))
        check_types(self, "arguments of the body", types, list(self.body.block.arg_types))
        check_types(self, "what the body yields", list(self.inputs.types), list(self.terminator.values.types))


@irdl_op_definition
class CheckpointOp(RegionOp):
    """The results of a body, which the gradient computes again from the operands instead of keeping what is inside

    %y = hl.checkpoint of(%x, %w) : tensor<4xf32>, tensor<4xf32> -> tensor<4xf32> {
    ^bb0(%x0: tensor<4xf32>, %w0: tensor<4xf32>):
      %0 = hl.mul %x0, %w0 : tensor<4xf32>
      %1 = hl.tanh %0 : tensor<4xf32>
      hl.yield %1 : tensor<4xf32>
    }
    """

    name = "hl.checkpoint"
    GROUPS: ClassVar[tuple[str, ...]] = ("of",)
    xs = var_operand_def(AnyTensor)
    outputs = var_result_def(AnyTensor)
    body = region_def("single_block")
    traits = traits_def(Pure(), IsolatedFromAbove())

    @classmethod
    def make(cls, xs: Sequence[SSAValue], body: Block) -> Self:
        """The op with a body that ends in hl.yield."""
        last = body.last_op
        assert isinstance(last, YieldOp), "a body ends in hl.yield"
        return cls.create(operands=xs, result_types=[v.type for v in last.values], regions=[Region(body)])

    def _groups(self) -> Sequence[Sequence[SSAValue]]:
        return (self.xs,)

    def verify_(self) -> None:
        check_types(self, "arguments of the body", list(self.xs.types), list(self.body.block.arg_types))
        check_types(self, "results", list(self.terminator.values.types), list(self.outputs.types))


def copy_body(op: RegionOp, arguments: Sequence[SSAValue], insert: Block, before: Operation | None) -> list[SSAValue]:
    """Puts a copy of an op's body into a block, with values in the place of its arguments; what it yields."""
    source = op.regions[0].block
    mapping: dict[SSAValue, SSAValue] = dict(zip(source.args, arguments, strict=True))
    end = op.terminator
    for inner in source.ops:
        if inner is end:
            break
        copied = inner.clone(mapping)
        if before is None:
            insert.add_op(copied)
        else:
            insert.insert_op_before(copied, before)
    return [mapping[v] for v in end.values]


REGIONS = (CustomGradientOp, CheckpointOp)
"""Ops that `differentiate` replaces by what their bodies say."""
