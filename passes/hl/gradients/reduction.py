"""Gradients of reductions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ....dialects.hl import reduction as r
from ....dialects.hl.builder import OpBuilder
from .call import GradientTable, OpCall, ReasonTable, kept, spread, where
from .shape import inverse

B = OpBuilder[Any]


def _sum(b: B, call: OpCall[Any]) -> Sequence[Any]:
    return (spread(b, call.ct, call.x, call.attributes["dimensions"]),)


def _extremum(b: B, call: OpCall[Any]) -> Sequence[Any]:
    # Equal winners share evenly, as in torch.amax; NaN is equal to NaN.
    dimensions = call.attributes["dimensions"]
    best = spread(b, call.y, call.x, dimensions)
    winners = b.compare("eq", call.x, best)
    if b.dtype(call.x).kind == "float":
        winners = b.bitwise_or(winners, b.bitwise_and(b.is_nan(call.x), b.is_nan(best)))
    count = b.reduce_sum(b.cast(winners, b.dtype(call.x)), dimensions)
    return (where(b, winners, spread(b, b.div(call.ct, count), call.x, dimensions)),)


def _running_product(b: B, x: Any) -> Any:
    """result[:, i] = x[:, 0] * ... * x[:, i], in log2(n) steps."""
    step, n = 1, b.shape(x)[1]
    while step < n:
        x = b.mul(x, _shift(b, x, step))
        step *= 2
    return x


def _shift(b: B, x: Any, step: int) -> Any:
    """Moves rows to the right; ones come in."""
    return b.pad(x, (0, step), (0, -step), (0, 0), 1.0)


def _prod(b: B, call: OpCall[Any]) -> Sequence[Any]:
    # The product of all others, as what stands before times what stands after: right where elements are zero, and
    # differentiable again. y / x would be neither.
    shape, dimensions = b.shape(call.x), call.ints("dimensions")
    if 0 in shape:
        return (b.constant(0.0, shape, b.dtype(call.x)),)
    order = (*kept(len(shape), dimensions), *dimensions)
    rows = b.reshape(b.transpose(call.x, order), (math.prod(b.shape(call.y)), math.prod(shape[d] for d in dimensions)))
    before = _shift(b, _running_product(b, rows), 1)
    after = b.reverse(_shift(b, _running_product(b, b.reverse(rows, (1,))), 1), (1,))
    others = b.reshape(b.mul(before, after), tuple(shape[d] for d in order))
    return (b.mul(spread(b, call.ct, call.x, dimensions), b.transpose(others, inverse(order))),)


GRADIENTS: GradientTable = {
    r.ReduceSumOp: _sum,
    r.ReduceMaxOp: _extremum,
    r.ReduceMinOp: _extremum,
    r.ReduceProdOp: _prod,
}

NO_GRADIENT: ReasonTable = {
    **dict.fromkeys((r.ReduceAnyOp, r.ReduceAllOp), "the result is a truth value"),
    **dict.fromkeys((r.ArgmaxOp, r.ArgminOp), "the result is an index"),
}
