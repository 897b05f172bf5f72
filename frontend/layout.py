"""Views: chains of hl ops over a base, and where their elements lie in the base's bytes.

Reading replays the chain: in eager mode the composed strides give a numpy view of the base's bytes; in a trace the ops
are emitted (`dispatch.py`). `writes.py` is the way back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..dialects.hl import HLOp
from ..dialects.hl import shape as s
from ..dialects.hl import window as w
from ..dialects.types import TensorSpec

Layout = tuple[tuple[int, ...], int]
"""Strides and offset, in elements of the base."""


class View:
    """One step of a chain: an op over the step before, or over the base itself.

    The first step of a chain may be no op: inside a trace it says how an argument lies in the caller's memory, where
    that is not row by row (`laid_out`); its values are those of the base as they are.
    """

    __slots__ = ("attributes", "contiguous", "is_row_major", "layout", "numpy_args", "op", "parent", "spec")

    def __init__(
        self,
        parent: View | None,
        op: type[HLOp] | None,
        attributes: Mapping[str, Any],
        spec: TensorSpec,
        layout: Layout,
    ) -> None:
        self.parent = parent
        self.op = op
        self.attributes = attributes
        self.spec = spec
        self.layout = layout
        self.is_row_major = layout[0] == row_major(spec.shape)
        self.contiguous = self.is_row_major or is_contiguous(spec.shape, layout[0])
        size = spec.dtype.itemsize
        self.numpy_args = (layout[1] * size, tuple(stride * size for stride in layout[0]))

    def array(self, base: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The viewed elements of the base's bytes."""
        if base.size == 0 or 0 in self.spec.shape:
            return np.empty(self.spec.shape, self.spec.dtype.numpy)
        offset, strides = self.numpy_args
        return np.ndarray(self.spec.shape, self.spec.dtype.numpy, base, offset, strides)


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of a contiguous tensor, in elements."""
    strides: list[int] = []
    step = 1
    for extent in reversed(shape):
        strides.append(step)
        step *= max(extent, 1)
    return tuple(reversed(strides))


def is_contiguous(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether elements with these strides lie one behind the other."""
    return 0 in shape or all(n == 1 or a == b for n, a, b in zip(shape, strides, row_major(shape)))


# One rule a view op: shape and layout of the operand, attributes -> layout of the result; None where it cannot alias.


def _transpose(shape: tuple[int, ...], layout: Layout, *, permutation: tuple[int, ...]) -> Layout:
    strides, offset = layout
    return tuple(strides[d] for d in permutation), offset


def _slice(
    shape: tuple[int, ...], layout: Layout, *, start: tuple[int, ...], stop: tuple[int, ...], step: tuple[int, ...]
) -> Layout:
    strides, offset = layout
    return tuple(a * b for a, b in zip(strides, step)), offset + sum(a * b for a, b in zip(strides, start))


def _broadcast(old: tuple[int, ...], layout: Layout, *, shape: tuple[int, ...], dimensions: tuple[int, ...]) -> Layout:
    strides, offset = layout
    new = [0] * len(shape)
    for d, extent, stride in zip(dimensions, old, strides):
        new[d] = stride if extent == shape[d] else 0
    return tuple(new), offset


def _reshape(old: tuple[int, ...], layout: Layout, *, shape: tuple[int, ...]) -> Layout | None:
    """Splits and joins dimensions within runs that lie evenly in memory, as PyTorch decides it."""
    strides, offset = layout
    if 0 in old or not old:
        return row_major(shape), offset
    new = [0] * len(shape)
    at = len(shape) - 1
    unit, covered, filled = strides[-1], 1, 1
    for d in reversed(range(len(old))):
        covered *= old[d]
        if d and (old[d - 1] == 1 or strides[d - 1] == covered * unit):
            continue
        while at >= 0 and (filled < covered or shape[at] == 1):
            new[at] = filled * unit
            filled *= shape[at]
            at -= 1
        if filled != covered:
            return None
        if d:
            unit, covered, filled = strides[d - 1], 1, 1
    return (tuple(new), offset) if at < 0 else None


def _diagonal(shape: tuple[int, ...], layout: Layout, *, offset: int) -> Layout:
    (*lead, down, right), start = layout
    return (*lead, down + right), start + (offset * right if offset >= 0 else -offset * down)


def _windows(shape: tuple[int, ...], layout: Layout, *, dimension: int, size: int, step: int) -> Layout:
    strides, offset = layout
    return (*strides[:dimension], strides[dimension] * step, *strides[dimension + 1 :], strides[dimension]), offset


LAYOUT: dict[type[HLOp], Callable[..., Layout | None]] = {
    s.DiagonalOp: _diagonal,
    w.WindowsOp: _windows,
    s.TransposeOp: _transpose,
    s.SliceOp: _slice,
    s.BroadcastOp: _broadcast,
    s.ReshapeOp: _reshape,
}
"""The ops whose result is a view."""

_views: dict[Any, View | None] = {}


def view_of(base: TensorSpec, parent: View | None, op: type[HLOp], attributes: Mapping[str, Any]) -> View | None:
    """The chain with one more step; None where the result cannot share memory. Raises ShapeError."""
    key = (base if parent is None else parent, op, *attributes.values())
    try:
        return _views[key]
    except KeyError:
        pass
    source = base if parent is None else parent.spec
    layout = (row_major(base.shape), 0) if parent is None else parent.layout
    (spec,) = op.infer(source, **attributes)
    new = LAYOUT[op](source.shape, layout, **attributes)
    found = None if new is None else View(parent, op, attributes, spec, new)
    if len(_views) > 8192:
        _views.clear()
    _views[key] = found
    return found


def laid_out(spec: TensorSpec, view: View | None) -> View | None:
    """The first step of a chain over a copy of what a view shows, for which is true what its layout implies."""
    if view is None or view.is_row_major:
        return None
    key = (spec, view.layout[0])
    found = _views.get(key)
    if found is None:
        found = _views[key] = View(None, None, {}, spec, (view.layout[0], 0))
    return found


def overlaps(view: View | None) -> bool:
    """Whether several elements of a view may lie in the same place of its base, as those of an expanded one do."""
    if view is None:
        return False
    span = 1
    for stride, extent in sorted(zip(view.layout[0], view.spec.shape)):
        if extent > 1:
            if stride < span:
                return 0 not in view.spec.shape
            span += (extent - 1) * stride
    return False


__all__ = ["LAYOUT", "View", "laid_out", "overlaps", "row_major", "view_of"]
