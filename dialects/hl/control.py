"""Control flow over whole tensors: a loop with carried values, so that a recurrent net is one op at any length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from xdsl.dialects.builtin import BoolAttr, DenseArrayBase, IntegerAttr, i32, i64
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    IRDLOperation,
    irdl_op_definition,
    prop_def,
    region_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsolatedFromAbove, IsTerminator, Pure, RecursiveMemoryEffect
from xdsl.utils.exceptions import VerifyException

from ..types import TensorSpec, spec_of, tensor_type
from .base import AnyTensor, check_types, show


@irdl_op_definition
class YieldOp(IRDLOperation):
    """The values that a body hands to the op that contains it

    hl.yield %h, %y : tensor<32x128xf32>, tensor<32x128xf32>
    """

    name = "hl.yield"
    values = var_operand_def(AnyTensor)
    traits = traits_def(IsTerminator(), Pure())
    assembly_format = "($values^ `:` type($values))? attr-dict"


@irdl_op_definition
class ScanOp(IRDLOperation):
    """Runs a body `length` times, carrying values from one run to the next

    h = h0; for t in 0 .. length: h, ys[t] = body(h, xs[t], w)          last to first where `reverse` is true

    %h, %ys = hl.scan 60 carry(%h0) over(%xs) with(%w)
        : tensor<32x128xf32>, tensor<60x32x16xf32>, tensor<16x128xf32> -> tensor<32x128xf32>, tensor<60x32x128xf32> {
    ^bb0(%h: tensor<32x128xf32>, %x: tensor<32x16xf32>, %w: tensor<16x128xf32>):
      ...
      hl.yield %h2, %y : tensor<32x128xf32>, tensor<32x128xf32>
    }

    The body sees the carried values, a slice of each of `xs` along their first dimension, and the `with` values, and
    nothing else. It yields the new carried values, then what is stacked along a new first dimension of the results.
    """

    name = "hl.scan"
    carried = var_operand_def(AnyTensor)
    xs = var_operand_def(AnyTensor)
    constants = var_operand_def(AnyTensor)
    length = prop_def(IntegerAttr)
    reverse = prop_def(BoolAttr)
    outputs = var_result_def(AnyTensor)
    body = region_def("single_block")
    traits = traits_def(RecursiveMemoryEffect(), IsolatedFromAbove())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    @classmethod
    def make(
        cls,
        carried: Sequence[SSAValue],
        xs: Sequence[SSAValue],
        constants: Sequence[SSAValue],
        length: int,
        body: Block,
        reverse: bool = False,
    ) -> Self:
        """A scan with a body that ends in hl.yield."""
        terminator = body.last_op
        assert isinstance(terminator, YieldOp), "a body ends in hl.yield"
        stacked = [_stacked(v.type, length) for v in terminator.values[len(carried) :]]
        segments = [len(carried), len(xs), len(constants)]
        return cls.create(
            operands=[*carried, *xs, *constants],
            result_types=[*(v.type for v in carried), *stacked],
            properties={
                "length": IntegerAttr(length, i64),
                "reverse": BoolAttr.from_bool(reverse),
                "operandSegmentSizes": DenseArrayBase.from_list(i32, segments),
            },
            regions=[Region(body)],
        )

    @property
    def steps(self) -> int:
        """How often the body runs."""
        return self.length.value.data

    @property
    def backwards(self) -> bool:
        """Whether it runs from the last slice to the first."""
        return bool(self.reverse.value.data)

    @property
    def terminator(self) -> YieldOp:
        """What the body ends in."""
        last = self.body.block.last_op
        assert isinstance(last, YieldOp)
        return last

    def verify_(self) -> None:
        last = self.body.block.last_op
        if not isinstance(last, YieldOp):
            raise VerifyException(f"{self.name}: expected a body that ends in hl.yield")
        for x in self.xs:
            shape = spec_of(x.type).shape
            if not shape or shape[0] != self.steps:
                raise VerifyException(
                    f"{self.name}: expected a first dimension of {self.steps}, the length, got {show(shape)}"
                )
        expected = [*self.carried.types, *(_slice(x.type) for x in self.xs), *self.constants.types]
        check_types(self, "arguments of the body", expected, list(self.body.block.arg_types))
        count = len(self.carried)
        check_types(
            self, "carried values that the body yields", list(self.carried.types), list(last.values.types[:count])
        )
        stacked = [_stacked(t, self.steps) for t in last.values.types[count:]]
        check_types(self, "results", [*self.carried.types, *stacked], list(self.outputs.types))

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.steps}")
        if self.backwards:
            printer.print_string(" reverse")
        for keyword, values in (("carry", self.carried), ("over", self.xs), ("with", self.constants)):
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
        printer.print_region(self.body)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        start = parser.pos
        length = parser.parse_integer(allow_boolean=False, allow_negative=False)
        reverse = parser.parse_optional_keyword("reverse") is not None
        groups = [
            parser.parse_comma_separated_list(parser.Delimiter.PAREN, parser.parse_unresolved_operand)
            if parser.parse_optional_keyword(keyword)
            else []
            for keyword in ("carry", "over", "with")
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
            properties={
                "length": IntegerAttr(length, i64),
                "reverse": BoolAttr.from_bool(reverse),
                "operandSegmentSizes": DenseArrayBase.from_list(i32, [len(group) for group in groups]),
            },
            attributes=dict(attributes.data) if attributes is not None else {},
            regions=[parser.parse_region()],
        )


def _stacked(type_: Attribute, length: int) -> Attribute:
    spec = spec_of(type_)
    return tensor_type(TensorSpec((length, *spec.shape), spec.dtype))


def _slice(type_: Attribute) -> Attribute:
    spec = spec_of(type_)
    return tensor_type(TensorSpec(spec.shape[1:], spec.dtype))


CONTROL = (ScanOp, YieldOp)
"""Ops with bodies, and what ends these."""
