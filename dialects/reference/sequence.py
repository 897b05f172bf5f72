"""Meaning of dialects/hl/sequence.py."""

from __future__ import annotations

import numpy as np

from ..hl import sequence as s
from .table import Array, Meaning, Table


def wide(x: Array) -> np.dtype[np.generic]:
    """f32 accumulates in f64, as in PyTorch."""
    return np.dtype(np.float64) if x.dtype == np.float32 else x.dtype


def cumulated(ufunc: np.ufunc) -> Meaning:
    """A running sum or product."""

    def cumulate(x: Array, *, dimension: int, reverse: bool) -> Array:
        turned = np.flip(x, dimension) if reverse else x
        result = ufunc.accumulate(turned, dimension, wide(x)).astype(x.dtype)
        return np.flip(result, dimension) if reverse else result

    return cumulate


def recurrence(a: Array, x: Array, *, dimension: int, reverse: bool) -> Array:
    result = np.empty_like(x)
    if x.size:
        factors, terms, out = (np.moveaxis(v, dimension, 0)[:: -1 if reverse else 1] for v in (a, x, result))
        state = terms[0].astype(wide(x))
        out[0] = state
        for i in range(1, len(terms)):
            state = factors[i] * state + terms[i]
            out[i] = state
    return result


def sort(x: Array, *, dimension: int, descending: bool) -> tuple[Array, Array]:
    if descending:  # backwards twice: equal elements keep their order
        turned = np.flip(x, dimension)
        order = np.flip(x.shape[dimension] - 1 - turned.argsort(dimension, kind="stable"), dimension)
    else:
        order = x.argsort(dimension, kind="stable")
    return np.take_along_axis(x, order, dimension), order


TABLE: Table = {
    s.CumsumOp: cumulated(np.add),
    s.CumprodOp: cumulated(np.multiply),
    s.RecurrenceOp: recurrence,
    s.SortOp: sort,
}
