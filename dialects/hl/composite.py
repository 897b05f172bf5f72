"""Composites: ops that stay whole while that helps, and are defined by a decomposition into simpler ones."""

from __future__ import annotations

from typing import ClassVar, Literal

from xdsl.dialects.builtin import FloatAttr, StringAttr
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, result_def, traits_def
from xdsl.traits import Pure

from ..types import TensorSpec, i64
from .base import INT_PROPERTY, AnyTensor, HLOp, check_axis, mismatch, same_extent, show
from .pointwise import UnaryOp
from .rules import FLOAT, check_kind

Reduction = Literal["mean", "sum", "none"]
REDUCTIONS: tuple[Reduction, ...] = ("mean", "sum", "none")
Approximation = Literal["none", "tanh"]
APPROXIMATIONS: tuple[Approximation, ...] = ("none", "tanh")


class NormalizeOp(HLOp):
    """A function of x and of all others along one dimension"""

    x = operand_def(AnyTensor)
    dimension = prop_def(INT_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"dimension": "along"}

    @classmethod
    def infer(cls, x: TensorSpec, *, dimension: int) -> tuple[TensorSpec, ...]:
        check_kind(x.dtype, FLOAT)
        check_axis(dimension, len(x.shape))
        return (x,)


@irdl_op_definition
class SoftmaxOp(NormalizeOp):
    """exp(x) / sum(exp(x)), computed on x - max(x)

    %1 = hl.softmax %0 along 1 : tensor<64x10xf32>
    """

    name = "hl.softmax"


@irdl_op_definition
class LogSoftmaxOp(NormalizeOp):
    """x - log(sum(exp(x))), computed on x - max(x)"""

    name = "hl.log_softmax"


@irdl_op_definition
class CrossEntropyOp(HLOp):
    """-log_softmax(logits)[n, target[n]], over the rows whose target is not `ignore_index`

    With label smoothing s over C classes, a row is (1 - s) * its loss + s / C * the sum of all -log_softmax.
    "none" keeps a value a row (0 where ignored), "sum" adds them up, "mean" divides by the number of rows not ignored.
    A target out of range that is not `ignore_index` is clamped into it.

    %2 = hl.cross_entropy %0, %1 {reduction = "mean"} : tensor<64x10xf32>, tensor<64xi64> -> tensor<f32>
    """

    name = "hl.cross_entropy"
    logits = operand_def(AnyTensor)
    target = operand_def(AnyTensor)
    reduction = prop_def(StringAttr)
    ignore_index = prop_def(INT_PROPERTY)
    label_smoothing = prop_def(FloatAttr)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    DEFAULTS: ClassVar = {"ignore_index": -100, "label_smoothing": 0.0}

    @classmethod
    def infer(
        cls, logits: TensorSpec, target: TensorSpec, *, reduction: str, ignore_index: int, label_smoothing: float
    ) -> tuple[TensorSpec, ...]:
        check_kind(logits.dtype, FLOAT)
        if target.dtype is not i64:
            mismatch("i64", target.dtype.name, "element type of the target")
        if len(logits.shape) != 2 or len(target.shape) != 1 or not same_extent(logits.shape[0], target.shape[0]):
            mismatch("logits [n, classes] and target [n]", f"{show(logits.shape)} and {show(target.shape)}", "shapes")
        if logits.shape[1] == 0:
            mismatch("at least one class", show(logits.shape), "shape of logits")
        if reduction not in REDUCTIONS:
            mismatch(", ".join(REDUCTIONS), reduction, "reduction")
        if not 0.0 <= label_smoothing <= 1.0:
            mismatch("from 0 to 1", label_smoothing, "label_smoothing")
        return (TensorSpec(target.shape if reduction == "none" else (), logits.dtype),)


@irdl_op_definition
class GeluOp(HLOp):
    """x * Phi(x), Phi being the standard normal distribution; or its approximation by tanh

    none: 0.5 * x * (1 + erf(x / sqrt(2)))
    tanh: 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))
    """

    name = "hl.gelu"
    x = operand_def(AnyTensor)
    approximate = prop_def(StringAttr)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    DEFAULTS: ClassVar = {"approximate": "none"}

    @classmethod
    def infer(cls, x: TensorSpec, *, approximate: str) -> tuple[TensorSpec, ...]:
        check_kind(x.dtype, FLOAT)
        if approximate not in APPROXIMATIONS:
            mismatch(", ".join(APPROXIMATIONS), approximate, "approximate")
        return (x,)


@irdl_op_definition
class SiluOp(UnaryOp):
    """x * sigmoid(x)"""

    name = "hl.silu"


@irdl_op_definition
class SoftplusOp(UnaryOp):
    """log(1 + exp(x)), computed as max(x, 0) + log1p(exp(-|x|))"""

    name = "hl.softplus"
