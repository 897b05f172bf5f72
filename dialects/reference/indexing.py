"""Meaning of dialects/hl/indexing.py."""

from __future__ import annotations

import math

import numpy as np

from ..hl import indexing as i
from .table import Array, Table


def blocks(x: Array, axis: int, batch_dims: int) -> tuple[int, int, int, int]:
    """Extents of x seen as [batch, before the axis, axis, behind it]."""
    shape = x.shape
    return math.prod(shape[:batch_dims]), math.prod(shape[batch_dims:axis]), shape[axis], math.prod(shape[axis + 1 :])


def rows(indices: Array, batch: int, before: int, extent: int) -> Array:
    """For x seen as a matrix [batch * before * axis, behind]: the row that each [batch, before, index] speaks of."""
    start = np.arange(batch * before, dtype=np.int64).reshape(batch, before, 1) * extent
    return (start + indices.reshape(batch, 1, math.prod(indices.shape) // max(batch, 1))).reshape(-1)


def gather(x: Array, indices: Array, *, axis: int, batch_dims: int) -> Array:
    shape = x.shape[:axis] + indices.shape[batch_dims:] + x.shape[axis + 1 :]
    if math.prod(shape) == 0:
        return np.empty(shape, x.dtype)
    if batch_dims == 0:
        return x.take(indices, axis, mode="clip")
    batch, before, extent, behind = blocks(x, axis, batch_dims)
    where = rows(indices.clip(0, extent - 1), batch, before, extent)
    return x.reshape(-1, behind)[where].reshape(shape)


def targets(base: Array, indices: Array, updates: Array, axis: int, batch_dims: int) -> tuple[Array, Array]:
    """Of every update in range: the row of base, seen as a matrix, and its values; by row, equal ones in order."""
    batch, before, extent, behind = blocks(base, axis, batch_dims)
    inside = (indices >= 0) & (indices < extent)
    where = rows(np.where(inside, indices, -batch * before * extent), batch, before, extent)
    values = updates.reshape(-1, behind)
    if not inside.all():
        where, values = where[where >= 0], values[where >= 0]
    order = where.argsort(kind="stable")
    return where[order], values[order]


def scatter_add(base: Array, indices: Array, updates: Array, *, axis: int, batch_dims: int) -> Array:
    result = base.copy()
    if updates.size == 0 or result.size == 0:
        return result
    where, added = targets(base, indices, updates, axis, batch_dims)
    if where.size:
        first = np.flatnonzero(np.diff(where, prepend=-1))
        result.reshape(-1, added.shape[1])[where[first]] += np.add.reduceat(added, first, 0)
    return result


def scatter(base: Array, indices: Array, updates: Array, *, axis: int, batch_dims: int) -> Array:
    result = base.copy()
    if updates.size == 0 or result.size == 0:
        return result
    where, values = targets(base, indices, updates, axis, batch_dims)
    last = np.flatnonzero(np.diff(where, append=-1))
    result.reshape(-1, values.shape[1])[where[last]] = values[last]
    return result


TABLE: Table = {i.GatherOp: gather, i.ScatterAddOp: scatter_add, i.ScatterOp: scatter}
