"""Checks of values at run time: what eager execution raises, a program writes into an error record.

    func.func @step(%w: tensor<10x4xf32>, %i: tensor<8xi64>, %errors: tensor<3xi64> {irtool.result = 1 : i64}) {
      %0 = hl.check_range %i, %errors from 0 to 10 number 1 {error = "IndexError", message = "…"}
      %1 = hl.gather %w, %i along 0
      func.return %1, %0
    }

The record is a value like any other, three integers that the caller sets to zeros: the number of the check that failed
first, the position (in row-major order) of the first element that it refuses, and that element. Each check takes the
record of the one before it, so that checks need no effect: a record that is returned keeps them, loops carry it, and
what a gradient copies leaves them out. Whoever runs the function looks at the record and raises the error.
"""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import StringAttr
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, result_def, traits_def
from xdsl.traits import Pure

from ..types import TensorSpec, i64
from .base import INT_PROPERTY, AnyTensor, HLOp, mismatch, same_shape
from .rules import check_kind

RECORD = TensorSpec((3,), i64)
"""(number of the check, position, value): zeros as long as nothing failed."""


class CheckBase(HLOp):
    """The record, with this check in it where it fails and none before it did.

    `error` and `message` say what to raise; the message has {value} where the refused element goes.
    """

    x = operand_def(AnyTensor)
    record = operand_def(AnyTensor)
    number = prop_def(INT_PROPERTY)
    error = prop_def(StringAttr)
    message = prop_def(StringAttr)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())

    @staticmethod
    def check_record(x: TensorSpec, record: TensorSpec, number: int) -> tuple[TensorSpec, ...]:
        """The result's spec. Raises ShapeError where an operand or the number does not fit."""
        check_kind(x.dtype, ("int",))
        if record.dtype is not i64 or not same_shape(record.shape, RECORD.shape):
            mismatch(f"{RECORD}: (check, position, value)", record, "error record")
        if number < 1:
            mismatch("at least 1", number, "number of the check")
        return (RECORD,)


@irdl_op_definition
class CheckRangeOp(CheckBase):
    """Refuses elements outside low <= x < high; one that is `allowed` passes

    %2 = hl.check_range %0, %1 from 0 to 10 or -100 number 1 {error = "IndexError", message = "Target {value} …"}
        : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
    """

    name = "hl.check_range"
    low = prop_def(INT_PROPERTY)
    high = prop_def(INT_PROPERTY)
    allowed = opt_prop_def(INT_PROPERTY)
    ASSEMBLY: ClassVar = {"low": "from", "high": "to", "allowed": "or", "number": "number"}

    @classmethod
    def infer(
        cls,
        x: TensorSpec,
        record: TensorSpec,
        *,
        low: int,
        high: int,
        number: int,
        error: str,
        message: str,
        allowed: int | None = None,
    ) -> tuple[TensorSpec, ...]:
        return cls.check_record(x, record, number)


@irdl_op_definition
class CheckNonzeroOp(CheckBase):
    """Refuses zeros

    %2 = hl.check_nonzero %0, %1 number 2 {error = "RuntimeError", message = "ZeroDivisionError"}
        : tensor<8xi64>, tensor<3xi64> -> tensor<3xi64>
    """

    name = "hl.check_nonzero"
    ASSEMBLY: ClassVar = {"number": "number"}

    @classmethod
    def infer(
        cls, x: TensorSpec, record: TensorSpec, *, number: int, error: str, message: str
    ) -> tuple[TensorSpec, ...]:
        return cls.check_record(x, record, number)


CHECKS: tuple[type[CheckBase], ...] = (CheckRangeOp, CheckNonzeroOp)

__all__ = ["CHECKS", "RECORD", "CheckBase", "CheckNonzeroOp", "CheckRangeOp"]
