"""Elementwise ops: one value in, one value out, at every index alike."""

from __future__ import annotations

from typing import ClassVar, Literal

from xdsl.dialects.builtin import StringAttr
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, result_def, traits_def
from xdsl.traits import Pure

from ..types import DType, TensorSpec, i1
from .base import AnyTensor, HLOp, known, mismatch, same_shape, show
from .pointwise import BinaryOp, CommutativeOp, UnaryOp
from .rules import ANY, FLOAT, INTEGER, NUMBER, check_kind, common


@irdl_op_definition
class NegOp(UnaryOp):
    """-x"""

    name = "hl.neg"
    KINDS: ClassVar = NUMBER


@irdl_op_definition
class AbsOp(UnaryOp):
    """|x|"""

    name = "hl.abs"
    KINDS: ClassVar = NUMBER


@irdl_op_definition
class SignOp(UnaryOp):
    """-1, 0 or 1 by the sign of x; 0 for NaN"""

    name = "hl.sign"
    KINDS: ClassVar = NUMBER


@irdl_op_definition
class ExpOp(UnaryOp):
    """e ** x"""

    name = "hl.exp"


@irdl_op_definition
class Expm1Op(UnaryOp):
    """e ** x - 1, accurate near 0"""

    name = "hl.expm1"


@irdl_op_definition
class LogOp(UnaryOp):
    """natural logarithm"""

    name = "hl.log"


@irdl_op_definition
class Log1POp(UnaryOp):
    """log(1 + x), accurate near 0"""

    name = "hl.log1p"


@irdl_op_definition
class SqrtOp(UnaryOp):
    """square root"""

    name = "hl.sqrt"


@irdl_op_definition
class RsqrtOp(UnaryOp):
    """1 / sqrt(x)"""

    name = "hl.rsqrt"


@irdl_op_definition
class SinOp(UnaryOp):
    """sine of x radians"""

    name = "hl.sin"


@irdl_op_definition
class CosOp(UnaryOp):
    """cosine of x radians"""

    name = "hl.cos"


@irdl_op_definition
class TanOp(UnaryOp):
    """tangent of x radians"""

    name = "hl.tan"


@irdl_op_definition
class AsinOp(UnaryOp):
    """arc sine, in radians"""

    name = "hl.asin"


@irdl_op_definition
class AcosOp(UnaryOp):
    """arc cosine, in radians"""

    name = "hl.acos"


@irdl_op_definition
class AtanOp(UnaryOp):
    """arc tangent, in radians"""

    name = "hl.atan"


@irdl_op_definition
class SinhOp(UnaryOp):
    """hyperbolic sine"""

    name = "hl.sinh"


@irdl_op_definition
class CoshOp(UnaryOp):
    """hyperbolic cosine"""

    name = "hl.cosh"


@irdl_op_definition
class TanhOp(UnaryOp):
    """hyperbolic tangent"""

    name = "hl.tanh"


@irdl_op_definition
class SigmoidOp(UnaryOp):
    """1 / (1 + exp(-x))"""

    name = "hl.sigmoid"


@irdl_op_definition
class ErfOp(UnaryOp):
    """error function"""

    name = "hl.erf"


@irdl_op_definition
class FloorOp(UnaryOp):
    """the largest integer <= x"""

    name = "hl.floor"


@irdl_op_definition
class CeilOp(UnaryOp):
    """the smallest integer >= x"""

    name = "hl.ceil"


@irdl_op_definition
class RoundOp(UnaryOp):
    """the nearest integer, halves to even"""

    name = "hl.round"


@irdl_op_definition
class TruncOp(UnaryOp):
    """the integer part"""

    name = "hl.trunc"


@irdl_op_definition
class ReluOp(UnaryOp):
    """max(x, 0); NaN stays NaN"""

    name = "hl.relu"
    KINDS: ClassVar = NUMBER


@irdl_op_definition
class LogicalNotOp(UnaryOp):
    """not x"""

    name = "hl.logical_not"
    KINDS: ClassVar = ("bool",)


@irdl_op_definition
class CopyOp(UnaryOp):
    """x, in bytes of its own"""

    name = "hl.copy"
    KINDS: ClassVar = ANY


@irdl_op_definition
class IsNanOp(UnaryOp):
    """whether x is not a number, as i1"""

    name = "hl.is_nan"

    @classmethod
    def infer(cls, x: TensorSpec) -> tuple[TensorSpec, ...]:
        check_kind(x.dtype, FLOAT)
        return (TensorSpec(x.shape, i1),)


@irdl_op_definition
class AddOp(CommutativeOp):
    """x + y; integers wrap"""

    name = "hl.add"


@irdl_op_definition
class SubOp(BinaryOp):
    """x - y; integers wrap"""

    name = "hl.sub"


@irdl_op_definition
class MulOp(CommutativeOp):
    """x * y; integers wrap"""

    name = "hl.mul"


@irdl_op_definition
class DivOp(BinaryOp):
    """x / y; integers round toward zero, and x / 0 is 0"""

    name = "hl.div"


@irdl_op_definition
class FloorDivOp(BinaryOp):
    """x / y rounded down; integer x / 0 is 0"""

    name = "hl.floor_div"


@irdl_op_definition
class RemainderOp(BinaryOp):
    """x - y * floor(x / y): the sign is y's; integer x mod 0 is 0"""

    name = "hl.remainder"


@irdl_op_definition
class FmodOp(BinaryOp):
    """x - y * trunc(x / y): the sign is x's; integer x mod 0 is 0"""

    name = "hl.fmod"


@irdl_op_definition
class PowOp(BinaryOp):
    """x ** y; a negative integer exponent gives 0 unless |x| is 1"""

    name = "hl.pow"


@irdl_op_definition
class MaximumOp(CommutativeOp):
    """the larger one; NaN if either is"""

    name = "hl.maximum"


@irdl_op_definition
class MinimumOp(CommutativeOp):
    """the smaller one; NaN if either is"""

    name = "hl.minimum"


@irdl_op_definition
class Atan2Op(BinaryOp):
    """the angle of the point (y, x) = (first, second operand), in radians"""

    name = "hl.atan2"
    KINDS: ClassVar = FLOAT


@irdl_op_definition
class BitwiseAndOp(CommutativeOp):
    """x & y"""

    name = "hl.bitwise_and"
    KINDS: ClassVar = INTEGER


@irdl_op_definition
class BitwiseOrOp(CommutativeOp):
    """x | y"""

    name = "hl.bitwise_or"
    KINDS: ClassVar = INTEGER


@irdl_op_definition
class BitwiseXorOp(CommutativeOp):
    """x ^ y"""

    name = "hl.bitwise_xor"
    KINDS: ClassVar = INTEGER


@irdl_op_definition
class ShiftLeftOp(BinaryOp):
    """x << y, 0 where y is not in [0, bits)"""

    name = "hl.shift_left"
    KINDS: ClassVar = ("int",)


@irdl_op_definition
class ShiftRightLogicalOp(BinaryOp):
    """x >> y with zeros shifted in, 0 where y is not in [0, bits)"""

    name = "hl.shift_right_logical"
    KINDS: ClassVar = ("int",)


Predicate = Literal["eq", "ne", "lt", "le", "gt", "ge"]
PREDICATES: tuple[Predicate, ...] = ("eq", "ne", "lt", "le", "gt", "ge")


@irdl_op_definition
class CompareOp(HLOp):
    """result = x <predicate> y, as i1; false where either is NaN, but for `ne`

    %2 = hl.compare %0, %1 is "lt" : tensor<4xf32>, tensor<4xf32> -> tensor<4xi1>
    """

    name = "hl.compare"
    x = operand_def(AnyTensor)
    y = operand_def(AnyTensor)
    predicate = prop_def(StringAttr)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"predicate": "is"}

    @classmethod
    def infer(cls, x: TensorSpec, y: TensorSpec, *, predicate: str) -> tuple[TensorSpec, ...]:
        if predicate not in PREDICATES:
            mismatch(", ".join(PREDICATES), predicate, "predicate")
        return (TensorSpec(common(x, y).shape, i1),)


@irdl_op_definition
class SelectOp(HLOp):
    """result = x where the condition holds, else y"""

    name = "hl.select"
    condition = operand_def(AnyTensor)
    x = operand_def(AnyTensor)
    y = operand_def(AnyTensor)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())

    @classmethod
    def infer(cls, condition: TensorSpec, x: TensorSpec, y: TensorSpec) -> tuple[TensorSpec, ...]:
        if condition.dtype is not i1:
            mismatch("i1", condition.dtype.name, "element type of the condition")
        result = common(x, y)
        if not same_shape(condition.shape, result.shape):
            mismatch(show(result.shape), show(condition.shape), "shape of the condition")
        return (TensorSpec(tuple(map(known, result.shape, condition.shape)), x.dtype),)


@irdl_op_definition
class CastOp(HLOp):
    """The values as another element type: floats truncate toward zero to integers, anything but 0 is true

    %1 = hl.cast %0 : tensor<4xi64> -> tensor<4xf32>
    """

    name = "hl.cast"
    x = operand_def(AnyTensor)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    FROM_RESULT: ClassVar = ("dtype",)

    @classmethod
    def infer(cls, x: TensorSpec, *, dtype: DType) -> tuple[TensorSpec, ...]:
        return (TensorSpec(x.shape, dtype),)
