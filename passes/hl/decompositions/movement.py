"""Diagonals and windows as slices, which are index maps.

hl.diagonal %x : 3x4  ->  reshape to 12, then every fifth element
hl.windows %x along 0 size 2 step 1  ->  concat(x[:-1], x[1:]), or windows side by side where they do not overlap
"""

from __future__ import annotations

from typing import Any

from ....dialects.hl import shape as s
from ....dialects.hl import window as w
from ....dialects.hl.builder import OpBuilder
from ....dialects.hl.placing import diagonal_start
from .rule import DecompositionTable

B = OpBuilder[Any]
Shape = tuple[int, ...]


def along(x: Any, b: B, d: int, start: int, stop: int, step: int = 1) -> Any:
    """x[..., start:stop:step, ...]"""
    shape = b.shape(x)
    low, high, steps = ([*values] for values in ((0,) * len(shape), shape, (1,) * len(shape)))
    low[d], high[d], steps[d] = start, stop, step
    return b.slice(x, tuple(low), tuple(high), tuple(steps))


def _diagonal(b: B, x: Any, *, offset: int) -> tuple[Any, ...]:
    (result,) = s.DiagonalOp.infer(b.spec(x), offset=offset)
    *lead, count = result.shape
    if 0 in result.shape:
        return (b.constant(0, result.shape, result.dtype),)
    rows, columns = b.shape(x)[-2:]
    start = diagonal_start((rows, columns), offset)
    flat = b.reshape(x, (*lead, rows * columns))
    return (along(flat, b, len(lead), start, start + (count - 1) * (columns + 1) + 1, columns + 1),)


def _windows(b: B, x: Any, *, dimension: int, size: int, step: int) -> tuple[Any, ...]:
    (result,) = w.WindowsOp.infer(b.spec(x), dimension=dimension, size=size, step=step)
    d, shape, rank = dimension, b.shape(x), len(b.shape(x))
    count = result.shape[d]
    if 0 in result.shape:
        return (b.constant(0, result.shape, result.dtype),)
    if size <= count and not (step >= size and count * step <= shape[d]):
        offsets = [along(x, b, d, k, k + (count - 1) * step + 1, step) for k in range(size)]
        return (b.concat([b.reshape(part, (*b.shape(part), 1)) for part in offsets], rank),)
    if step >= size and count * step <= shape[d]:
        tiles = b.reshape(along(x, b, d, 0, count * step), (*shape[:d], count, step, *shape[d + 1 :]))
        found = along(tiles, b, d + 1, 0, size)
    else:
        starts = range(0, count * step, step)
        parts = [b.reshape(along(x, b, d, a, a + size), (*shape[:d], 1, size, *shape[d + 1 :])) for a in starts]
        found = b.concat(parts, d)
    return (b.transpose(found, (*range(d + 1), *range(d + 2, rank + 1), d + 1)),)


DECOMPOSITIONS: DecompositionTable = {s.DiagonalOp: _diagonal, w.WindowsOp: _windows}
