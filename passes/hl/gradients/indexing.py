"""Gradients of gather and scatter: each other."""

from __future__ import annotations

import math
from typing import Any

from ....dialects.hl import indexing as i
from ....dialects.hl.builder import OpBuilder
from ....dialects.types import i64
from .call import GradientTable, OpCall, ReasonTable, partials, where, zeros_like

B = OpBuilder[Any]


def _axis(call: OpCall[Any]) -> int:
    return call.attributes["axis"]


def _gather_x(b: B, call: OpCall[Any]) -> Any:
    # A gather reads the nearest element where an index is out of range; a scatter would drop it.
    x, indices = call.operands
    last = max(b.shape(x)[_axis(call)] - 1, 0)
    clamped = b.minimum(b.maximum(indices, b.constant_like(indices, 0)), b.constant_like(indices, last))
    return b.scatter_add(zeros_like(b, x), clamped, call.ct, **call.attributes)


def _scatter_updates(b: B, call: OpCall[Any]) -> Any:
    # What was dropped has no say; a gather alone would take its neighbour's cotangent.
    base, indices, _ = call.operands
    inside = b.bitwise_and(
        b.compare("ge", indices, b.constant_like(indices, 0)),
        b.compare("lt", indices, b.constant_like(indices, b.shape(base)[_axis(call)])),
    )
    return _gathered_where(b, call, inside)


def _gathered_where(b: B, call: OpCall[Any], condition: Any) -> Any:
    """The cotangents of the updates whose index keeps a condition."""
    _, indices, updates = call.operands
    axis, batch_dims = _axis(call), int(call.attributes["batch_dims"])
    dimensions = (*range(batch_dims), *range(axis, axis + len(b.shape(indices)) - batch_dims))
    stays = b.broadcast(condition, b.shape(updates), dimensions)
    return where(b, stays, b.gather(call.ct, indices, **call.attributes))


def _overwritten(b: B, call: OpCall[Any]) -> Any:
    # What was written over has no say any more.
    return b.scatter(call.ct, call.operands[1], zeros_like(b, call.operands[2]), **call.attributes)


def _last_updates(b: B, call: OpCall[Any]) -> Any:
    # Number the updates and scatter the numbers: an update has its say where it finds its own number.
    base, indices, _ = call.operands
    shape, batch = b.shape(indices), int(call.attributes["batch_dims"])
    if b.shape(base)[_axis(call)] == 0:
        return zeros_like(b, call.operands[2])
    numbers = b.reshape(b.iota((math.prod(shape),), i64, 0), shape)
    nobody = b.constant(-1, (*shape[:batch], b.shape(base)[_axis(call)]), i64)
    owners = b.scatter(nobody, indices, numbers, batch, batch)
    return _gathered_where(b, call, b.compare("eq", b.gather(owners, indices, batch, batch), numbers))


GRADIENTS: GradientTable = {
    i.GatherOp: partials(_gather_x, None),
    i.ScatterAddOp: partials(lambda b, call: call.ct, None, _scatter_updates),
    i.ScatterOp: partials(_overwritten, None, _last_updates),
}

NO_GRADIENT: ReasonTable = {}
