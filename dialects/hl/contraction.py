"""Contractions: sums of products."""

from __future__ import annotations

from xdsl.irdl import irdl_op_definition, operand_def, result_def, traits_def
from xdsl.traits import Pure

from ..types import TensorSpec
from .base import AnyTensor, HLOp, known, mismatch, same_extent, same_shape, show
from .rules import NUMBER, check_kind


@irdl_op_definition
class MatmulOp(HLOp):
    """result[b..., m, n] = sum over k of x[b..., m, k] * y[b..., k, n]

    %2 = hl.matmul %0, %1 : tensor<64x784xf32>, tensor<784x10xf32> -> tensor<64x10xf32>
    """

    name = "hl.matmul"
    x = operand_def(AnyTensor)
    y = operand_def(AnyTensor)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())

    @classmethod
    def infer(cls, x: TensorSpec, y: TensorSpec) -> tuple[TensorSpec, ...]:
        check_kind(x.dtype, NUMBER)
        if x.dtype is not y.dtype:
            mismatch(x.dtype.name, y.dtype.name, "element types must be equal")
        if len(x.shape) < 2 or len(y.shape) < 2:
            mismatch("rank 2 or more", f"{show(x.shape)} and {show(y.shape)}", "matmul")
        if not same_shape(x.shape[:-2], y.shape[:-2]):
            mismatch(show(x.shape[:-2]), show(y.shape[:-2]), "batch dimensions of matmul must be equal")
        if not same_extent(x.shape[-1], y.shape[-2]):
            mismatch(
                "[..., m, k] and [..., k, n] with equal k",
                f"{show(x.shape)} and {show(y.shape)}",
                "shapes of matmul",
            )
        batch = tuple(map(known, x.shape[:-2], y.shape[:-2]))
        return (TensorSpec((*batch, x.shape[-2], y.shape[-1]), x.dtype),)
