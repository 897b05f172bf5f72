"""Reductions into chosen places of rows: what scatter_reduce does along a dimension.

sum     scatter-add                          mean    sums over counts
amax    sort the updates, scatter them: the last write stays, and that is the largest
prod    sort them by place; running products of each place, over distances that double; the last is written
"""

from __future__ import annotations

from typing import Any

from ...dialects.hl import indexing as i
from ...dialects.hl import sequence as q
from ...dialects.types import i1, i32, i64
from .. import grad_mode
from ..dispatch import apply, builder, scalar
from ..modes import modes
from ..promotion import highest, lowest
from ..tensor import Tensor
from .families import GENERATED as ELEMENTWISE
from .operands import cast

ROWS: dict[str, Any] = {"axis": 1, "batch_dims": 1}
MAXIMUM = {"amax": ELEMENTWISE["maximum"], "amin": ELEMENTWISE["minimum"]}


def added(base: Tensor, places: Tensor, updates: Tensor, axis: int, batch_dims: int) -> Tensor:
    """scatter-add; bools are added as everywhere: whether any holds."""
    if base._spec.dtype is not i1:
        return builder.scatter_add(base, places, updates, axis, batch_dims)
    return cast(builder.scatter_add(cast(base, i32), places, cast(updates, i32), axis, batch_dims), i1)


def reduced_at(x: Tensor, places: Tensor, updates: Tensor, reduce: str, include_self: bool) -> Tensor:
    """x[r, n] with updates[r, k] reduced into x[r, places[r, k]]."""
    base = x if include_self else builder.select(_touched(x, places), _splat(_neutral(x, reduce), x), x)
    if reduce == "sum":
        return added(base, places, updates, 1, 1)
    if reduce == "mean":
        return _mean(base, places, updates, include_self)
    if reduce == "prod":
        return ELEMENTWISE["mul"](base, _products(x, places, updates))
    return _extreme(base, places, updates, reduce)


def _neutral(x: Tensor, reduce: str) -> Any:
    if reduce in ("sum", "mean", "prod"):
        return int(reduce == "prod")
    return lowest(x._spec.dtype) if reduce == "amax" else highest(x._spec.dtype)


def _splat(value: Any, like: Tensor) -> Tensor:
    return scalar(value, *like._spec)


def _count(x: Tensor, places: Tensor, include_self: bool) -> Tensor:
    """How many are reduced into each place."""
    dtype = i64 if x._spec.dtype is i1 else x._spec.dtype
    one = scalar(1, places._spec.shape, dtype)
    return builder.scatter_add(scalar(int(include_self), x._spec.shape, dtype), places, one, 1, 1)


def _touched(x: Tensor, places: Tensor) -> Tensor:
    count = _count(x, places, False)
    return builder.compare("gt", count, scalar(0, *count._spec))


def _mean(base: Tensor, places: Tensor, updates: Tensor, include_self: bool) -> Tensor:
    total = builder.scatter_add(base, places, updates, 1, 1)
    count = builder.maximum(_count(base, places, include_self), _splat(1, base))
    return builder.div(total, count) if base._spec.dtype.kind == "float" else builder.floor_div(total, count)


def _products(x: Tensor, places: Tensor, updates: Tensor) -> Tensor:
    """The product of what goes to each place; 1 where nothing does."""
    (rows, k), dtype = updates._spec
    if dtype is i1:
        return cast(_products(cast(x, i64), places, cast(updates, i64)), i1)
    at, order = apply(q.SortOp, (cast(places, i64),), {"dimension": 1, "descending": False})
    running = apply(i.GatherOp, (updates, order), ROWS)[0]
    one, distance = scalar(1, (rows, k), dtype), 1
    while distance < k:  # each holds the product of the `distance` up to it that go to the same place
        before, earlier = (_shifted(t, distance, fill) for t, fill in ((at, -1), (running, 1)))
        running = builder.mul(running, builder.select(builder.compare("eq", at, before), earlier, one))
        distance *= 2
    return builder.scatter(_splat(1, x), at, running, 1, 1)


def _shifted(x: Tensor, distance: int, fill: float) -> Tensor:
    rows, k = x._spec.shape
    value = float(fill) if x._spec.dtype.kind == "float" else int(fill)
    return builder.pad(builder.slice(x, (0, 0), (rows, k - distance), (1, 1)), (0, distance), (0, 0), (0, 0), value)


def _extreme(base: Tensor, places: Tensor, updates: Tensor, reduce: str) -> Tensor:
    mode = grad_mode.switch(False)
    try:
        value = _extreme_values(base, places, updates, reduce)
    finally:
        grad_mode.switch(mode)
    if not modes.grad or not (base.requires_grad or updates.requires_grad):
        return value
    # As in PyTorch, equal ones share the gradient: the result is their mean.
    zero = _splat(0, base)
    own = builder.compare("eq", base, value)
    theirs = builder.compare("eq", updates, apply(i.GatherOp, (value, places), ROWS)[0])
    shared = builder.select(theirs, updates, scalar(0, *updates._spec))
    total = builder.scatter_add(builder.select(own, base, zero), places, shared, 1, 1)
    count = builder.scatter_add(cast(own, base._spec.dtype), places, cast(theirs, base._spec.dtype), 1, 1)
    return builder.div(total, count)


def _extreme_values(base: Tensor, places: Tensor, updates: Tensor, reduce: str) -> Tensor:
    if reduce == "amin" and base._spec.dtype.kind == "float":  # of the negatives, so that NaN stays the last
        return builder.neg(_extreme_values(builder.neg(base), places, builder.neg(updates), "amax"))
    ordered, order = apply(q.SortOp, (updates,), {"dimension": 1, "descending": reduce == "amin"})
    at = apply(i.GatherOp, (places, order), ROWS)[0]
    last = builder.scatter(_splat(_neutral(base, reduce), base), at, ordered, 1, 1)
    return MAXIMUM[reduce](base, last)


__all__ = ["added", "reduced_at"]
