"""Reading and writing at computed positions along one axis."""

from __future__ import annotations

import math
from typing import ClassVar

from xdsl.irdl import irdl_op_definition, operand_def, prop_def, result_def, traits_def
from xdsl.traits import Pure

from ..types import Kind, TensorSpec, i32, i64
from .base import (
    INT_PROPERTY,
    AnyTensor,
    HLOp,
    check_axis,
    known,
    mismatch,
    same_shape,
    show,
)
from .rules import NUMBER, check_kind


def gathered_shape(x: TensorSpec, indices: TensorSpec, axis: int, batch_dims: int) -> tuple[int, ...]:
    """x.shape[:axis] + indices.shape[batch_dims:] + x.shape[axis + 1:]. Raises ShapeError where operands do not fit."""
    if indices.dtype not in (i64, i32):
        mismatch("i64 or i32", indices.dtype.name, "element type of indices")
    check_axis(axis, len(x.shape))
    if not 0 <= batch_dims <= min(axis, len(indices.shape)):
        mismatch(f"from 0 to {min(axis, len(indices.shape))} (axis and rank of indices)", batch_dims, "batch_dims")
    if not same_shape(x.shape[:batch_dims], indices.shape[:batch_dims]):
        mismatch(show(x.shape[:batch_dims]), show(indices.shape[:batch_dims]), "batch dimensions must be equal")
    batch = tuple(map(known, x.shape[:batch_dims], indices.shape[:batch_dims]))
    return batch + x.shape[batch_dims:axis] + indices.shape[batch_dims:] + x.shape[axis + 1 :]


@irdl_op_definition
class GatherOp(HLOp):
    """result[b..., p..., j..., q...] = x[b..., p..., indices[b..., j...], q...], indices clamped into range

    b are the `batch_dims` leading dimensions that both share, p lie before `axis` and q behind it.

    %2 = hl.gather %0, %1 along 0 : tensor<100x16xf32>, tensor<8x32xi64> -> tensor<8x32x16xf32>
    """

    name = "hl.gather"
    x = operand_def(AnyTensor)
    indices = operand_def(AnyTensor)
    axis = prop_def(INT_PROPERTY)
    batch_dims = prop_def(INT_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"axis": "along", "batch_dims": "batch"}
    DEFAULTS: ClassVar = {"batch_dims": 0}

    @classmethod
    def infer(cls, x: TensorSpec, indices: TensorSpec, *, axis: int, batch_dims: int) -> tuple[TensorSpec, ...]:
        shape = gathered_shape(x, indices, axis, batch_dims)
        if x.shape[axis] == 0 and math.prod(shape) != 0:
            mismatch(f"at least one element in dimension {axis} to gather {show(shape)} from", show(x.shape), "gather")
        return (TensorSpec(shape, x.dtype),)


class ScatterBase(HLOp):
    """base, with updates where gather would have read them; those out of range are dropped"""

    base = operand_def(AnyTensor)
    indices = operand_def(AnyTensor)
    updates = operand_def(AnyTensor)
    axis = prop_def(INT_PROPERTY)
    batch_dims = prop_def(INT_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"axis": "along", "batch_dims": "batch"}
    DEFAULTS: ClassVar = {"batch_dims": 0}
    KINDS: ClassVar[tuple[Kind, ...]] = NUMBER

    @classmethod
    def infer(
        cls, base: TensorSpec, indices: TensorSpec, updates: TensorSpec, *, axis: int, batch_dims: int
    ) -> tuple[TensorSpec, ...]:
        check_kind(base.dtype, cls.KINDS)
        if updates.dtype is not base.dtype:
            mismatch(base.dtype.name, updates.dtype.name, "element type of updates")
        shape = gathered_shape(base, indices, axis, batch_dims)
        if not same_shape(shape, updates.shape):
            mismatch(show(shape), show(updates.shape), "shape of updates")
        return (base,)


@irdl_op_definition
class ScatterAddOp(ScatterBase):
    """base, and every update added where gather would have read it; those out of range are dropped

    result = base; result[b..., p..., indices[b..., j...], q...] += updates[b..., p..., j..., q...]

    %3 = hl.scatter_add %0, %1, %2 along 0
        : tensor<100x16xf32>, tensor<8x32xi64>, tensor<8x32x16xf32> -> tensor<100x16xf32>
    """

    name = "hl.scatter_add"


@irdl_op_definition
class ScatterOp(ScatterBase):
    """base, but every update where gather would have read it; of several in one place the last stays

    result = base; result[b..., p..., indices[b..., j...], q...] = updates[b..., p..., j..., q...]
    """

    name = "hl.scatter"
    KINDS: ClassVar = ("float", "int", "bool")
