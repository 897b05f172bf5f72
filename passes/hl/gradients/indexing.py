"""Gradients of gather and scatter-add: each other."""

from __future__ import annotations

from typing import Any

from ....dialects.hl import indexing as i
from ....dialects.hl.builder import OpBuilder
from .call import Call, GradientTable, ReasonTable, partials, where, zeros_like

B = OpBuilder[Any]


def _axis(call: Call[Any]) -> int:
    return call.attributes["axis"]


def _gather_x(b: B, call: Call[Any]) -> Any:
    # A gather reads the nearest element where an index is out of range; a scatter would drop it.
    x, indices = call.operands
    last = max(b.shape(x)[_axis(call)] - 1, 0)
    clamped = b.minimum(b.maximum(indices, b.constant_like(indices, 0)), b.constant_like(indices, last))
    return b.scatter_add(zeros_like(b, x), clamped, call.ct, **call.attributes)


def _scatter_updates(b: B, call: Call[Any]) -> Any:
    # What was dropped has no say; a gather alone would take its neighbour's cotangent.
    base, indices, updates = call.operands
    axis, batch_dims = _axis(call), int(call.attributes["batch_dims"])
    shape = b.shape(updates)
    inside = b.bitwise_and(
        b.compare("ge", indices, b.constant_like(indices, 0)),
        b.compare("lt", indices, b.constant_like(indices, b.shape(base)[axis])),
    )
    dimensions = (*range(batch_dims), *range(axis, axis + len(b.shape(indices)) - batch_dims))
    return where(b, b.broadcast(inside, shape, dimensions), b.gather(call.ct, indices, **call.attributes))


GRADIENTS: GradientTable = {
    i.GatherOp: partials(_gather_x, None),
    i.ScatterAddOp: partials(lambda b, call: call.ct, None, _scatter_updates),
}

NO_GRADIENT: ReasonTable = {}
