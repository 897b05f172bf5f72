"""Checks of values that eager code makes at once and compiled code each time that it runs."""

from __future__ import annotations

import numpy as np

from ...dialects.hl.check import CheckNonzeroOp, CheckRangeOp
from ...dialects.types import i64
from ..dispatch import check, known_array, needed_array
from ..errors import located
from ..tensor import Tensor
from .operands import cast


def check_range(
    x: Tensor,
    low: int,
    high: int,
    error: type[Exception],
    message: str,
    allowed: int | None = None,
) -> None:
    """Raises for an element outside low <= x < high that is not `allowed`; the message has {value} where it goes."""
    array = known_array(x)
    if array is None and low >= high and allowed is None and 0 not in x._spec.shape:
        array = needed_array(x, arguments=True)  # nothing fits, and nothing could be computed
        if array is None:
            raise located(error, message.format(value="computed in the call"))
    if array is None:
        words = {"low": low, "high": high} if allowed is None else {"low": low, "high": high, "allowed": allowed}
        check(CheckRangeOp, x, words, error, message)
    elif array.size and (array.min() < low or array.max() >= high):
        wrong = (array < low) | (array >= high)
        if allowed is not None:
            wrong &= array != allowed
        if wrong.any():
            raise located(error, message.format(value=int(array[wrong].flat[0])))


def check_nonzero(x: Tensor, error: type[Exception], message: str) -> None:
    """Raises for a zero."""
    array = known_array(x)
    if array is None:
        check(CheckNonzeroOp, x, {}, error, message)
    elif not np.all(array):
        raise located(error, message)


def check_holds(condition: Tensor, error: type[Exception], message: str) -> None:
    """Raises where a condition does not hold for all elements."""
    array = known_array(condition)
    if array is None:
        check(CheckNonzeroOp, cast(condition, i64), {}, error, message, condition=True)
    elif not np.all(array):
        raise located(error, message)


def within_one(x: Tensor) -> Tensor:
    """Where 0 <= x <= 1; not where it is NaN."""
    x = x.detach()
    return x.ge(0).logical_and(x.le(1))


def check_index(x: Tensor, n: int, d: int, error: type[Exception] = IndexError, low: int = 0) -> None:
    """Raises for an index out of the bounds of a dimension; with `low` = -n negative ones count from the end."""
    check_range(x, low, n, error, f"index {{value}} is out of bounds for dimension {d} with size {n}")
