"""Elements put back where a diagonal or windows were taken from, with another value everywhere else.

placed_diagonal([1, 2], 2x3)       1 0 0        placed_windows([[1, 2], [3, 4]], 7, step 3)       1 2 0 3 4 0 0
                                   0 2 0
"""

from __future__ import annotations

from typing import Any

from .builder import OpBuilder

B = OpBuilder[Any]
Shape = tuple[int, ...]


def diagonal_start(shape: Shape, offset: int) -> int:
    """Where a diagonal begins among the elements of a matrix."""
    return offset if offset >= 0 else -offset * shape[-1]


def placed_diagonal(b: B, x: Any, shape: Shape, offset: int, value: float) -> Any:
    """The inverse of hl.diagonal of something of this shape."""
    *lead, count = b.shape(x)
    rows, columns = shape[-2:]
    if not count or 0 in shape:
        return b.constant(value, shape, b.dtype(x))
    start, none = diagonal_start(shape, offset), (0,) * len(lead)
    behind = rows * columns - start - (count - 1) * (columns + 1) - 1
    flat = b.pad(x, (*none, start), (*none, behind), (*none, columns), value)
    return b.reshape(flat, shape)


def placed_windows(b: B, x: Any, shape: Shape, dimension: int, step: int, value: float) -> Any:
    """The inverse of hl.windows of something of this shape, where windows do not overlap."""
    d, rank = dimension, len(shape)
    given = b.shape(x)
    count, size = given[d], given[-1]
    x = b.transpose(x, (*range(d + 1), rank, *range(d + 1, rank)))

    def along(k: int, n: int, total: int) -> Shape:
        return tuple(n if i == k else 0 for i in range(total))

    none = (0,) * (rank + 1)
    x = b.pad(x, none, along(d + 1, step - size, rank + 1), none, value)
    x = b.reshape(x, (*shape[:d], count * step, *shape[d + 1 :]))
    return b.pad(x, none[:rank], along(d, shape[d] - count * step, rank), none[:rank], value)


def summed_windows(b: B, x: Any, shape: Shape, dimension: int, step: int) -> Any:
    """The same where they may overlap: what comes to one place is added."""
    d, rank, n = dimension, len(shape), shape[dimension]
    given = b.shape(x)
    count, size = given[d], given[-1]
    if step >= size:
        return placed_windows(b, x, shape, d, step, 0)
    total: Any = None

    def add(part: Any, low: int, high: int, gap: int) -> None:
        nonlocal total
        lows, highs, gaps = (tuple(v if i == d else 0 for i in range(rank)) for v in (low, high, gap))
        placed = b.pad(part, lows, highs, gaps, 0)
        total = placed if total is None else b.add(total, placed)

    if size <= count:
        for k in range(size):
            start, stop = (0,) * rank + (k,), (*given[:-1], k + 1)
            part = b.reshape(b.slice(x, start, stop, (1,) * (rank + 1)), given[:-1])
            add(part, k, n - k - (count - 1) * step - 1, step - 1)
    else:
        inside = b.transpose(x, (*range(d), d, rank, *range(d + 1, rank)))
        for k in range(count):
            low = tuple(k if i == d else 0 for i in range(rank + 1))
            high = tuple(k + 1 if i == d else m for i, m in enumerate(b.shape(inside)))
            part = b.slice(inside, low, high, (1,) * (rank + 1))
            add(b.reshape(part, (*shape[:d], size, *shape[d + 1 :])), k * step, n - k * step - size, 0)
    return total


__all__ = ["diagonal_start", "placed_diagonal", "placed_windows", "summed_windows"]
