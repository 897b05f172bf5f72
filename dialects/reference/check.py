"""Meaning of dialects/hl/check.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..hl import check as c
from .table import Array, Table


def recorded(wrong: Array, x: Array, record: Array, number: int) -> Array:
    """The record after a check that refuses the elements where `wrong` holds."""
    if record[0] or not wrong.any():
        return record.copy()
    position = int(wrong.argmax())
    return np.array([number, position, x.reshape(-1)[position]], np.int64)


def out_of_range(x: Array, low: int, high: int, allowed: int | None = None) -> Array:
    """Where elements are neither in low <= x < high nor the one that is allowed."""
    values = x.astype(np.int64, copy=False)
    wrong: Array = (values < low) | (values >= high)
    return wrong if allowed is None else wrong & (values != allowed)


def check_range(
    x: Array, record: Array, *, low: int, high: int, number: int, allowed: int | None = None, **_: Any
) -> Array:
    return recorded(out_of_range(x, low, high, allowed), x, record, number)


def check_nonzero(x: Array, record: Array, *, number: int, **_: Any) -> Array:
    return recorded(np.equal(x, 0), x, record, number)


TABLE: Table = {c.CheckRangeOp: check_range, c.CheckNonzeroOp: check_nonzero}
