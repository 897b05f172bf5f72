"""Reductions: they drop the dimensions that they run over."""

from __future__ import annotations

from typing import ClassVar

from xdsl.irdl import irdl_op_definition, operand_def, prop_def, result_def, traits_def
from xdsl.traits import Pure

from ..types import Kind, TensorSpec, i64
from .base import INT_PROPERTY, INTS_PROPERTY, AnyTensor, HLOp, check_axes, check_axis, mismatch, show
from .rules import NUMBER, check_kind


def check_not_empty(shape: tuple[int, ...], dimensions: tuple[int, ...]) -> None:
    """Raises ShapeError where a reduction that has no neutral element would run over nothing."""
    for d in dimensions:
        if shape[d] == 0:
            mismatch(
                f"at least one element in dimension {d}",
                f"shape {show(shape)}",
                "a maximum or minimum of nothing is undefined",
            )


class ReduceOp(HLOp):
    """result[i...] = f over x[i... with `dimensions` inserted]"""

    x = operand_def(AnyTensor)
    dimensions = prop_def(INTS_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"dimensions": "over"}
    KINDS: ClassVar[tuple[Kind, ...]] = NUMBER
    NEUTRAL: ClassVar[bool] = True
    """Whether a reduction of nothing has a value."""

    @classmethod
    def infer(cls, x: TensorSpec, *, dimensions: tuple[int, ...]) -> tuple[TensorSpec, ...]:
        check_kind(x.dtype, cls.KINDS)
        check_axes(dimensions, len(x.shape))
        if not cls.NEUTRAL:
            check_not_empty(x.shape, dimensions)
        return (TensorSpec(tuple(n for d, n in enumerate(x.shape) if d not in dimensions), x.dtype),)


@irdl_op_definition
class ReduceSumOp(ReduceOp):
    """the sum; 0 of nothing; integers wrap

    %1 = hl.reduce_sum %0 over [0] : tensor<64x10xf32> -> tensor<10xf32>
    """

    name = "hl.reduce_sum"


@irdl_op_definition
class ReduceProdOp(ReduceOp):
    """the product; 1 of nothing; integers wrap"""

    name = "hl.reduce_prod"


@irdl_op_definition
class ReduceMaxOp(ReduceOp):
    """the largest; NaN if any is"""

    name = "hl.reduce_max"
    NEUTRAL: ClassVar = False


@irdl_op_definition
class ReduceMinOp(ReduceOp):
    """the smallest; NaN if any is"""

    name = "hl.reduce_min"
    NEUTRAL: ClassVar = False


@irdl_op_definition
class ReduceAnyOp(ReduceOp):
    """whether one is true; false of nothing"""

    name = "hl.reduce_any"
    KINDS: ClassVar = ("bool",)


@irdl_op_definition
class ReduceAllOp(ReduceOp):
    """whether all are true; true of nothing"""

    name = "hl.reduce_all"
    KINDS: ClassVar = ("bool",)


class ArgReduceOp(HLOp):
    """Where an extreme element is along one dimension, as i64: the first of equal ones, a NaN before all others"""

    x = operand_def(AnyTensor)
    dimension = prop_def(INT_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"dimension": "over"}

    @classmethod
    def infer(cls, x: TensorSpec, *, dimension: int) -> tuple[TensorSpec, ...]:
        check_kind(x.dtype, NUMBER)
        check_axis(dimension, len(x.shape))
        check_not_empty(x.shape, (dimension,))
        return (TensorSpec(x.shape[:dimension] + x.shape[dimension + 1 :], i64),)


@irdl_op_definition
class ArgmaxOp(ArgReduceOp):
    """the index of the first largest element

    %1 = hl.argmax %0 over 1 : tensor<64x10xf32> -> tensor<64xi64>
    """

    name = "hl.argmax"


@irdl_op_definition
class ArgminOp(ArgReduceOp):
    """the index of the first smallest element"""

    name = "hl.argmin"
