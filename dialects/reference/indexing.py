"""Meaning of dialects/hl/indexing.py."""

from __future__ import annotations

import math

import numpy as np

from ..hl import indexing as i
from .table import Array, Table

CHUNK = 1 << 18
"""Elements whose places are computed at once."""


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
    """Of every update in range: the row of base, seen as a matrix, and its values."""
    batch, before, extent, behind = blocks(base, axis, batch_dims)
    inside = (indices >= 0) & (indices < extent)
    where = rows(np.where(inside, indices, -batch * before * extent), batch, before, extent)
    values = updates.reshape(-1, behind)
    return (where, values) if inside.all() else (where[where >= 0], values[where >= 0])


def scatter_add(base: Array, indices: Array, updates: Array, *, axis: int, batch_dims: int) -> Array:
    result = base.copy(order="C")
    if updates.size == 0 or result.size == 0:
        return result
    where, values = targets(base, indices, updates, axis, batch_dims)
    behind = values.shape[1]
    elements, step = result.reshape(-1), max(1, CHUNK // behind)
    columns = np.arange(behind, dtype=np.int64)
    for first in range(0, len(where), step):  # by elements, which numpy is much faster at than at rows
        at = np.add.outer(where[first : first + step] * behind, columns).reshape(-1)
        np.add.at(elements, at, values[first : first + step].reshape(-1))
    return result


def scatter(base: Array, indices: Array, updates: Array, *, axis: int, batch_dims: int) -> Array:
    result = base.copy(order="C")
    if updates.size == 0 or result.size == 0:
        return result
    where, values = targets(base, indices, updates, axis, batch_dims)
    result.reshape(-1, values.shape[1])[where] = values  # the last of equal ones stays
    return result


TABLE: Table = {i.GatherOp: gather, i.ScatterAddOp: scatter_add, i.ScatterOp: scatter}
