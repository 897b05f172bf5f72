"""Meaning of dialects/hl/reduction.py."""

from __future__ import annotations

import numpy as np

from ..hl import reduction as r
from .table import Array, Meaning, Table


def accumulated(ufunc: np.ufunc) -> Meaning:
    """A sum or product in the operand's type; f32 accumulates in f64, so that the order does not show."""

    def reduce(x: Array, *, dimensions: tuple[int, ...]) -> Array:
        if x.dtype == np.float32:
            return ufunc.reduce(x, dimensions, np.float64).astype(np.float32)
        return ufunc.reduce(x, dimensions, x.dtype)

    return reduce


def reduced(ufunc: np.ufunc) -> Meaning:
    """A reduction that does not round."""

    def reduce(x: Array, *, dimensions: tuple[int, ...]) -> Array:
        return ufunc.reduce(x, dimensions)

    return reduce


def argmax(x: Array, *, dimension: int) -> Array:
    return x.argmax(dimension)


def argmin(x: Array, *, dimension: int) -> Array:
    return x.argmin(dimension)


TABLE: Table = {
    r.ReduceSumOp: accumulated(np.add),
    r.ReduceProdOp: accumulated(np.multiply),
    r.ReduceMaxOp: reduced(np.maximum),
    r.ReduceMinOp: reduced(np.minimum),
    r.ReduceAnyOp: reduced(np.logical_or),
    r.ReduceAllOp: reduced(np.logical_and),
    r.ArgmaxOp: argmax,
    r.ArgminOp: argmin,
}
