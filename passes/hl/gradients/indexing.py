"""Gradients of gather and scatter-add: each other."""

from __future__ import annotations

from typing import Any

from ....dialects.hl import indexing as i
from ....dialects.hl.builder import OpBuilder
from .call import Call, GradientTable, ReasonTable, partials, where, zeros_like

B = OpBuilder[Any]


def _gather_x(b: B, call: Call[Any]) -> Any:
    return b.scatter_add(zeros_like(b, call.x), call.operands[1], call.ct, **call.attributes)


def _scatter_updates(b: B, call: Call[Any]) -> Any:
    # What was dropped has no say; a gather alone would take its neighbour's cotangent.
    base, indices, updates = call.operands
    axis, batch_dims = call.attributes["axis"], call.attributes["batch_dims"]
    shape, spec = b.shape(updates), b.spec(indices)
    inside = b.bitwise_and(
        b.compare("ge", indices, b.constant(0, spec.shape, spec.dtype)),
        b.compare("lt", indices, b.constant(b.shape(base)[axis], spec.shape, spec.dtype)),
    )
    dimensions = (*range(batch_dims), *range(axis, axis + len(spec.shape) - batch_dims))
    return where(b, b.broadcast(inside, shape, dimensions), b.gather(call.ct, indices, **call.attributes))


GRADIENTS: GradientTable = {
    i.GatherOp: partials(_gather_x, None),
    i.ScatterAddOp: partials(lambda b, call: call.ct, None, _scatter_updates),
}

NO_GRADIENT: ReasonTable = {}
