"""Ops that go along one dimension, element by element: running sums and products, linear recurrences, sorting."""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import IntegerAttr, i1
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, result_def, traits_def
from xdsl.traits import Pure

from ..types import TensorSpec, i64
from .base import INT_PROPERTY, AnyTensor, HLOp, check_axis
from .rules import NUMBER, check_kind, common

FLAG_PROPERTY = IntegerAttr.constr(i1)
"""Constraint of a property that is true or false."""


class CumulateOp(HLOp):
    """result[i] = f(result[i - 1], x[i]) along `dimension`; from the last element back where `reverse` is true"""

    x = operand_def(AnyTensor)
    dimension = prop_def(INT_PROPERTY)
    reverse = prop_def(FLAG_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"dimension": "along", "reverse": "reverse"}
    DEFAULTS: ClassVar = {"reverse": False}

    @classmethod
    def infer(cls, x: TensorSpec, *, dimension: int, reverse: bool) -> tuple[TensorSpec, ...]:
        check_kind(x.dtype, NUMBER)
        check_axis(dimension, len(x.shape))
        return (x,)


@irdl_op_definition
class CumsumOp(CumulateOp):
    """the sum of the elements so far; integers wrap

    %1 = hl.cumsum %0 along 1 : tensor<4x9xf32>
    """

    name = "hl.cumsum"


@irdl_op_definition
class CumprodOp(CumulateOp):
    """the product of the elements so far; integers wrap"""

    name = "hl.cumprod"


@irdl_op_definition
class RecurrenceOp(HLOp):
    """result[i] = a[i] * result[i - 1] + x[i] along `dimension`, from x[0] on; `reverse` starts from the last element

    A linear recurrence: moving averages, state-space layers, and the gradients of itself and of products.

    %2 = hl.recurrence %a, %x along 0 reverse true : tensor<60x32xf32>
    """

    name = "hl.recurrence"
    a = operand_def(AnyTensor)
    x = operand_def(AnyTensor)
    dimension = prop_def(INT_PROPERTY)
    reverse = prop_def(FLAG_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = CumulateOp.ASSEMBLY
    DEFAULTS: ClassVar = CumulateOp.DEFAULTS

    @classmethod
    def infer(cls, a: TensorSpec, x: TensorSpec, *, dimension: int, reverse: bool) -> tuple[TensorSpec, ...]:
        check_kind(x.dtype, NUMBER)
        check_axis(dimension, len(x.shape))
        return (common(a, x),)


@irdl_op_definition
class SortOp(HLOp):
    """The elements in order along a dimension, and as i64 where each was; equal ones keep their order

    NaN counts as the largest: it comes last, or first where `descending` is true.

    %values, %indices = hl.sort %0 along 1 descending true : tensor<4x9xf32> -> tensor<4x9xf32>, tensor<4x9xi64>
    """

    name = "hl.sort"
    x = operand_def(AnyTensor)
    dimension = prop_def(INT_PROPERTY)
    descending = prop_def(FLAG_PROPERTY)
    values = result_def(AnyTensor)
    indices = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"dimension": "along", "descending": "descending"}
    DEFAULTS: ClassVar = {"descending": False}

    @classmethod
    def infer(cls, x: TensorSpec, *, dimension: int, descending: bool) -> tuple[TensorSpec, ...]:
        check_axis(dimension, len(x.shape))
        return x, TensorSpec(x.shape, i64)
