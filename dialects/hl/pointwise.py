"""What elementwise ops derive from: one or two operands of one shape and element type, and a result like them."""

from __future__ import annotations

from typing import ClassVar

from xdsl.irdl import operand_def, result_def, traits_def
from xdsl.traits import Commutative, Pure

from ..types import Kind, TensorSpec
from .base import AnyTensor, HLOp
from .rules import FLOAT, NUMBER, check_kind, common


class UnaryOp(HLOp):
    """result[i...] = f(x[i...])"""

    x = operand_def(AnyTensor)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    KINDS: ClassVar[tuple[Kind, ...]] = FLOAT

    @classmethod
    def infer(cls, x: TensorSpec) -> tuple[TensorSpec, ...]:
        check_kind(x.dtype, cls.KINDS)
        return (x,)


class BinaryOp(HLOp):
    """result[i...] = f(x[i...], y[i...])"""

    x = operand_def(AnyTensor)
    y = operand_def(AnyTensor)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    KINDS: ClassVar[tuple[Kind, ...]] = NUMBER

    @classmethod
    def infer(cls, x: TensorSpec, y: TensorSpec) -> tuple[TensorSpec, ...]:
        check_kind(x.dtype, cls.KINDS)
        return (common(x, y),)


class CommutativeOp(BinaryOp):
    """A binary op whose operands may be exchanged."""

    traits = traits_def(Pure(), Commutative())
