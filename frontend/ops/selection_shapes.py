"""Other shapes of x[mask] in compiled code, and selections of positions: indices of rows that may not hold.

x[mask].view(-1, 4)          rows joined in fours, where a mask was expanded over that many
x[mask].unsqueeze(-1)        dimensions beside that of the rows
i, j = torch.where(mask)     all positions, with the mask; y[i, j] is a selection of the same rows
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, cast

import numpy as np

from ...dialects.types import i64
from ..creation import from_array
from ..errors import untraceable
from ..modes import modes
from ..tensor import Tensor
from .selection import FIX, Selection, first_of, on_rows
from .shape import axis, ints, reshaped


def _extents(shape: tuple[Any, ...]) -> list[int]:
    if len(shape) == 1 and not isinstance(shape[0], int | Tensor):
        shape = tuple(shape[0])
    return list(ints(shape))


def reshape(self: Selection, *shape: Any) -> Any:
    """Other extents behind the rows, or rows split and joined as far as the mask allows."""
    extents = _extents(shape)
    wide = self.wide._spec.shape
    if self.row or not extents or extents[0] != -1 or -1 in extents[1:]:
        return self.packed("x[mask].reshape").reshape(*shape)
    behind = tuple(extents[1:])
    old, new = math.prod(wide[1:]), math.prod(behind)
    if new and old % new == 0:
        mask, groups = (self.mask, self.groups) if old == new else (self.mask.repeat_interleave(old // new), self.mask)
        return _rows(self, mask, behind, groups)
    joined = None if self.groups is None or not new else self.mask.numel() // self.groups.numel()
    if joined == new and old == 1:
        return _rows(self, self.groups, behind, None)
    return self.packed("x[mask].reshape").reshape(*shape)


def _rows(self: Selection, mask: Any, behind: tuple[int, ...], groups: Tensor | None) -> Selection:
    return Selection(reshaped(self.wide, (*mask._spec.shape, *behind)), mask, len(behind), groups)


def flatten(self: Selection, start_dim: int = 0, end_dim: int = -1) -> Any:
    """All in one dimension, or those behind the rows joined."""
    rank = self.wide.ndim
    start, end = axis(start_dim, rank), axis(end_dim, rank)
    if start > self.row:
        return Selection(self.wide.flatten(start, end), self.mask, self.behind - (end - start), self.groups)
    if start == end:
        return self
    return reshape(self, -1, *self.wide._spec.shape[end + 1 :])


def unsqueeze(self: Selection, dim: int) -> Selection:
    """One dimension more."""
    d = axis(dim, self.wide.ndim + 1)
    return Selection(self.wide.unsqueeze(d), self.mask, self.behind + (d > self.row), self.groups)


def squeeze(self: Selection, dim: int | None = None) -> Any:
    """Without dimensions of one element; how many rows there are is not known, so that theirs stays."""
    shape = self.wide._spec.shape
    taken = [d for d, n in enumerate(shape) if n == 1 and d != self.row] if dim is None else [axis(dim, len(shape))]
    if self.row in taken:
        raise untraceable("squeeze() of the rows of x[mask]", FIX)
    taken = [d for d in taken if shape[d] == 1]
    wide = reshaped(self.wide, tuple(n for d, n in enumerate(shape) if d not in taken))
    return Selection(wide, self.mask, self.behind - sum(d > self.row for d in taken), self.groups)


def positions(mask: Tensor) -> tuple[Selection, ...]:
    """Where a mask holds, dimension by dimension."""
    shape = mask._spec.shape
    rows = reshaped(mask, (mask.numel(),))
    numbers = np.indices(shape).reshape(len(shape), -1)
    return tuple(Selection(from_array(part.astype(np.int64)), rows, 0) for part in numbers)


def position_rows(mask: Tensor) -> Selection:
    """Where a mask holds, a row each."""
    shape = mask._spec.shape
    rows = reshaped(mask, (mask.numel(),))
    numbers = np.indices(shape).reshape(len(shape), -1).T
    return Selection(from_array(np.ascontiguousarray(numbers, np.int64)), rows, 1)


def gathered(x: Tensor, parts: list[Any]) -> Selection:
    """x at positions that are selections, all of the same rows, one behind the other in the index."""
    places = [k for k, part in enumerate(parts) if type(part) is Selection]
    first: Selection = parts[places[0]]
    others = [part for k, part in enumerate(parts) if k not in places]
    follow = places == list(range(places[0], places[0] + len(places)))
    plain = all(isinstance(part, int | slice) or part is None or part is Ellipsis for part in others)
    selections: list[Selection] = [parts[k] for k in places]
    integers = all(p.wide._spec.dtype is i64 and p.wide.ndim == 1 and first.same_rows(p) for p in selections)
    if not (follow and plain and integers) or any(part is Ellipsis for part in parts[: places[0]]):
        raise untraceable("an index of positions where several masks hold", FIX)
    index = tuple(part.filled() if type(part) is Selection else part for part in parts)
    found = x[index]
    before = sum(part is None or isinstance(part, slice) for part in parts[: places[0]])
    return Selection(found, first.mask, found.ndim - 1 - before)


def joined(function: Callable[..., Any]) -> Callable[..., Any]:
    """cat() or stack(), which may be given selections of the same rows, but not along these."""

    @wraps(function)
    def accepted(tensors: Any, *args: Any, **options: Any) -> Any:
        parts: list[Any] = list(cast("Sequence[Any]", tensors)) if isinstance(tensors, list | tuple) else []
        if modes.trace is None or not any(type(part) is Selection for part in parts):
            return function(tensors, *args, **options)
        dim = args[0] if args else options.pop("dim", options.pop("axis", 0))
        first = first_of(tuple(parts), {})
        wide = function([on_rows(first, identity, (part,), {}) for part in parts], dim, **options)
        d, grown = axis(dim, wide.ndim), wide.ndim - first.wide.ndim
        if (d == first.row and not grown) or not all(type(part) is Selection for part in parts):
            raise untraceable(f"{function.__name__}() of x[mask] along its rows", FIX)
        return Selection(wide, first.mask, first.behind + grown * (d > first.row), first.groups)

    return accepted


def identity(x: Tensor) -> Tensor:
    """The rows as they are."""
    return x


METHODS = {
    "reshape": reshape,
    "view": reshape,
    "flatten": flatten,
    "ravel": flatten,
    "unsqueeze": unsqueeze,
    "squeeze": squeeze,
}

__all__ = ["METHODS", "gathered", "joined", "position_rows", "positions"]
