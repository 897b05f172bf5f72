"""Gradients of what goes along one dimension: the same, backwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ....dialects.hl import sequence as s
from ....dialects.hl.builder import OpBuilder
from .call import GradientTable, OpCall, ReasonTable
from .shape import inverse

B = OpBuilder[Any]


def _direction(call: OpCall[Any]) -> tuple[int, bool]:
    return call.attributes["dimension"], call.attributes["reverse"]


def _earlier(b: B, x: Any, call: OpCall[Any], first: float) -> Any:
    """At each place the element that the op saw before it; `first` where there is none."""
    return _moved(b, x, call, first, 1)


def _later(b: B, x: Any, call: OpCall[Any]) -> Any:
    """At each place the element that the op saw after it."""
    return _moved(b, x, call, 0.0, -1)


def _moved(b: B, x: Any, call: OpCall[Any], value: float, step: int) -> Any:
    dimension, reverse = _direction(call)
    rank = len(b.shape(x))
    low = tuple((-step if reverse else step) if d == dimension else 0 for d in range(rank))
    return b.pad(x, low, tuple(-n for n in low), (0,) * rank, value)


def _cumsum(b: B, call: OpCall[Any]) -> Sequence[Any]:
    dimension, reverse = _direction(call)
    return (b.cumsum(call.ct, dimension, not reverse),)


def _blame(b: B, call: OpCall[Any], factors: Any) -> Any:
    """How the loss changes with each result, through later ones too: blame[i] = ct[i] + a[i + 1] * blame[i + 1]"""
    dimension, reverse = _direction(call)
    return b.recurrence(_later(b, factors, call), call.ct, dimension, not reverse)


def _cumprod(b: B, call: OpCall[Any]) -> Sequence[Any]:
    # y[i] = y[i - 1] * x[i], by the chain rule: right where elements are zero, unlike y / x.
    return (b.mul(_blame(b, call, call.x), _earlier(b, call.y, call, 1.0)),)


def _recurrence(b: B, call: OpCall[Any]) -> Sequence[Any]:
    blame = _blame(b, call, call.x)
    return (b.mul(blame, _earlier(b, call.y, call, 0.0)) if call.needs[0] else None, blame)


def _sort(b: B, call: OpCall[Any]) -> Sequence[Any]:
    # Each value's cotangent goes back to where the value was.
    dimension = int(call.attributes["dimension"])
    shape = b.shape(call.x)
    order = (*(d for d in range(len(shape)) if d != dimension), dimension)
    rows = math.prod(n for d, n in enumerate(shape) if d != dimension), shape[dimension]
    values, indices = (b.reshape(b.transpose(v, order), rows) for v in (call.cotangents[0], call.results[1]))
    base = b.constant(0.0, rows, b.dtype(call.x))
    back = b.reshape(b.scatter_add(base, indices, values, 1, 1), tuple(shape[d] for d in order))
    return (b.transpose(back, inverse(order)),)


GRADIENTS: GradientTable = {
    s.CumsumOp: _cumsum,
    s.CumprodOp: _cumprod,
    s.RecurrenceOp: _recurrence,
    s.SortOp: _sort,
}

NO_GRADIENT: ReasonTable = {}
