"""Derivatives as ops, and the ops that say what other passes must leave alone."""

from __future__ import annotations

import math
from collections.abc import Set
from typing import Self

from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.irdl import irdl_op_definition, operand_def, result_def, traits_def, var_operand_def, var_result_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import EffectInstance, MemoryEffect, MemoryEffectKind, Pure
from xdsl.utils.exceptions import VerifyException

from ..types import DYNAMIC, TensorSpec
from .base import AnyTensor, HLOp, mismatch, show
from .rules import FLOAT, check_kind


class FreshResults(MemoryEffect):
    """Each execution makes results of its own: never merged with an equal op, but removed when nobody uses them."""

    @classmethod
    def get_effects(cls, op: Operation) -> Set[EffectInstance]:
        return {EffectInstance(MemoryEffectKind.ALLOC, result) for result in op.results}


class IdentityOp(HLOp):
    """result = x"""

    x = operand_def(AnyTensor)
    result = result_def(AnyTensor)

    @classmethod
    def infer(cls, x: TensorSpec) -> tuple[TensorSpec, ...]:
        return (x,)


@irdl_op_definition
class VariableOp(IdentityOp):
    """x, as something that `hl.gradient` can name: nobody folds or merges it before differentiation"""

    name = "hl.variable"
    traits = traits_def(FreshResults())


@irdl_op_definition
class StopGradientOp(IdentityOp):
    """x, as a constant for derivatives"""

    name = "hl.stop_gradient"
    traits = traits_def(Pure())


@irdl_op_definition
class BarrierOp(HLOp):
    """The operands, as values that CSE does not recognize: what is recomputed from them stays recomputed

    %2, %3 = hl.barrier %0, %1 : tensor<4xf32>, tensor<8xf32> -> tensor<4xf32>, tensor<8xf32>
    """

    name = "hl.barrier"
    xs = var_operand_def(AnyTensor)
    outputs = var_result_def(AnyTensor)
    traits = traits_def(FreshResults())

    @classmethod
    def infer(cls, *xs: TensorSpec) -> tuple[TensorSpec, ...]:
        if not xs:
            mismatch("at least one", "none", "operands of barrier")
        return xs


@irdl_op_definition
class GradientOp(HLOp):
    """The derivative of y, a single number, by each of `xs`: function arguments or results of `hl.variable`

    %db, %dw = hl.gradient %loss wrt %b, %w : tensor<10xf32>, tensor<10x784xf32>
    """

    name = "hl.gradient"
    y = operand_def(AnyTensor)
    xs = var_operand_def(AnyTensor)
    gradients = var_result_def(AnyTensor)
    traits = traits_def(Pure())

    @classmethod
    def infer(cls, y: TensorSpec, *xs: TensorSpec) -> tuple[TensorSpec, ...]:
        check_kind(y.dtype, FLOAT)
        if DYNAMIC not in y.shape and math.prod(y.shape) != 1:
            mismatch("one element", show(y.shape), "what a gradient is taken of")
        if not xs:
            mismatch("at least one", "none", "values to differentiate by")
        for x in xs:
            check_kind(x.dtype, FLOAT)
        return xs

    def verify_(self) -> None:
        super().verify_()
        for x in self.xs:
            if not isinstance(x, BlockArgument) and not isinstance(x.owner, VariableOp):
                made_by = x.owner.name if isinstance(x.owner, Operation) else "nothing"
                raise VerifyException(
                    f"{self.name}: derivatives are taken by function arguments or results of hl.variable: "
                    f"expected one of these, got a result of {made_by}"
                )

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_ssa_value(self.y)
        printer.print_string(" wrt ")
        printer.print_list(self.xs, printer.print_ssa_value)
        self.print_braces(printer, {})
        printer.print_string(" : ")
        printer.print_list(self.result_types, printer.print_attribute)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        start = parser.pos
        y = cls._parse_defined(parser)
        parser.parse_keyword("wrt")
        xs = [parser.parse_unresolved_operand()]
        while parser.parse_optional_punctuation(","):
            xs.append(parser.parse_unresolved_operand())
        attributes = cls.parse_braces(parser)[1]
        parser.parse_punctuation(":")
        types = cls.parse_types(parser)
        if len(types) != len(xs):
            parser.raise_error(f"{cls.name} is by {len(xs)} values but has {len(types)} types", start, parser.pos)
        operands: list[SSAValue] = [y, *parser.resolve_operands(xs, types, start)]
        return cls.create(operands=operands, result_types=types, attributes=attributes)

    @staticmethod
    def _parse_defined(parser: Parser) -> SSAValue:
        """An operand whose type need not be written, since it stands above."""
        start = parser.pos
        operand = parser.parse_unresolved_operand()
        values = parser.ssa_values.get(operand.operand_name, ())
        if operand.index >= len(values):
            parser.raise_error(f"%{operand.operand_name} is used before it is defined", start, parser.pos)
        return values[operand.index]
