"""x[mask] in compiled code. How many elements hold is not known, so the rows stay where they are, with their mask.

x[mask].mean()              sum(select(mask, x, 0)) / count(mask)
x[mask] += v                x = select(mask, x + v, x)
(x[mask] - y[mask]).abs()   abs(x - y), and the mask

Elementwise functions, reductions, losses and assignments need no more than that; everything else refuses, and says so.
Functions are computed on rows that all hold: others are replaced by the first that does, so that no NaN comes of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from xdsl.ir import OpResult, SSAValue

from ...dialects.hl import indexing as i
from ...dialects.hl import shape as s
from ...dialects.types import i64
from ..creation import as_tensor
from ..dispatch import apply, builder, needed_array, scalar, value_of
from ..errors import here, untraceable
from ..modes import modes
from ..tensor import Tensor, wrap
from .index_parts import parts_of
from .operands import cast, expand_to
from .shape import axis, reshaped

FIX = (
    "its result has a shape that depends on values; elementwise functions, reductions and losses of x[mask] work, and "
    "assignments to it; otherwise use torch.where(mask, x, y), masked_fill or a product with the mask"
)


class Selection:
    """The rows of `wide`, along one dimension, at which `mask` holds; `behind` dimensions come after that one.

    `groups` is the mask of as many rows at a time as hold, or do not hold, together, where it is known that they do.
    """

    __slots__ = ("_filled", "_made", "behind", "groups", "mask", "wide")

    def __init__(self, wide: Tensor, mask: Tensor, behind: int, groups: Tensor | None = None) -> None:
        self.wide = wide
        self.mask = mask
        self.behind = behind
        self.groups = groups
        self._filled: Tensor | None = None
        self._made = here()

    @property
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """For users it is a tensor; a function that cannot take it finds out when it asks for its shape."""
        return Tensor

    def packed(self, what: str, where: str | None = None) -> Tensor:
        """The rows that hold, one after the other, where the mask follows from constants and buffers."""
        held = needed_array(self.mask)
        if held is None:
            raise untraceable(what, FIX, where)
        at = as_tensor(np.flatnonzero(held))
        return apply(i.GatherOp, (self.wide, at), {"axis": self.row, "batch_dims": 0})[0]

    def result(self) -> Tensor:
        """The tensor that a function returns which returns a selection."""
        return self.packed("x[mask], used where its shape matters or returned,", self._made)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            return getattr(self.result(), name)
        return getattr(self.packed(f"x[mask].{name}"), name)

    @property
    def row(self) -> int:
        """Which dimension the rows are along."""
        return len(self.wide._spec.shape) - 1 - self.behind

    @property
    def dtype(self) -> Any:
        """Element type."""
        return self.wide.dtype

    @property
    def device(self) -> Any:
        """Where the bytes are."""
        return self.wide.device

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.wide.ndim

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow through it."""
        return self.wide.requires_grad

    def dim(self) -> int:
        """The number of dimensions."""
        return self.wide.ndim

    def count(self) -> Tensor:
        """How many rows hold."""
        return builder.reduce_sum(cast(self.mask, i64), (0,))

    def numel(self) -> Tensor:
        """How many elements there are, as a tensor: the number is not known yet."""
        shape = self.wide._spec.shape
        return builder.mul(self.count(), scalar(math.prod(shape) // max(shape[self.row], 1), (), i64))

    @property
    def shape(self) -> tuple[Any, ...]:
        """Extents, that of the rows as a tensor."""
        shape: list[Any] = list(self.wide._spec.shape)
        shape[self.row] = self.count()
        return tuple(shape)

    def size(self, dim: int | None = None) -> Any:
        """`shape`, or one extent of it."""
        return self.shape if dim is None else self.shape[dim]

    def holds(self) -> Tensor:
        """The mask in the shape of `wide`."""
        mask = reshaped(self.mask, (*self.mask._spec.shape, *((1,) * self.behind)))
        return expand_to(mask, self.wide._spec.shape)

    def or_else(self, value: Any) -> Tensor:
        """`wide`, with a number in the rows that do not hold."""
        return builder.select(self.holds(), self.wide, scalar(value, *self.wide._spec))

    def filled(self) -> Tensor:
        """`wide`, with the first row that holds in the place of those that do not."""
        if self._filled is None:
            x, d = self.wide, self.row
            shape = x._spec.shape
            if shape[d]:
                at = builder.argmax(cast(self.mask, i64), 0)
                first = apply(i.GatherOp, (x, at), {"axis": d, "batch_dims": 0})[0]
                first = expand_to(reshaped(first, (*shape[:d], 1, *shape[d + 1 :])), shape)
                x = builder.select(self.holds(), x, first)
            self._filled = x
        return self._filled

    def same_rows(self, other: Selection) -> bool:
        """Whether two selections are of the same places, and equally deep."""
        return self.behind == other.behind and self.same_places(other)

    def same_places(self, other: Selection) -> bool:
        """Whether two masks are the same."""
        trace = modes.trace
        return _equal(value_of(trace, self.mask), value_of(trace, other.mask))

    def __getitem__(self, index: Any) -> Selection:
        """Numbers, slices and None for dimensions other than that of the rows."""

        parts = parts_of(self.wide, index)
        rows = [k for k, part in enumerate(parts) if part is not None][self.row]
        if parts[rows] != slice(None) or any(isinstance(part, Tensor | bool) for part in parts):
            raise untraceable("x[mask][...], along the rows that hold,", FIX)
        behind = sum(part is None or isinstance(part, slice) for part in parts[rows + 1 :])
        return Selection(self.wide[tuple(parts)], self.mask, behind)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise untraceable("x[mask][...] = v, which changes a copy,", FIX)

    def __len__(self) -> int:
        return len(self.packed("len(x[mask])"))

    def __bool__(self) -> bool:
        return bool(self.packed("bool(x[mask])"))

    def __iter__(self) -> Any:
        return iter(self.packed("iterating over x[mask]"))

    def __matmul__(self, other: Any) -> Selection:
        return by_rows(Tensor.__matmul__, (self, other), {})

    def unchanged(self, *_: Any, **__: Any) -> Selection:
        """For what only asks how a selection lies in memory."""
        return self

    nelement = numel
    clone = contiguous = unchanged


def selected(x: Tensor, mask: Tensor, d: int) -> Selection:
    """x[:, ..., mask], with d dimensions before the mask's."""
    shape, count = x._spec.shape, len(mask._spec.shape)
    rows = math.prod(mask._spec.shape)
    behind = shape[d + count :]
    wide = reshaped(x, (*shape[:d], rows, *behind))
    return Selection(wide, reshaped(mask, (rows,)), len(behind), _groups(mask))


def _groups(mask: Tensor) -> Tensor | None:
    """What a mask was expanded from, if each of its elements now comes several times in a row."""
    view = mask._view
    if view is None or view.op is not s.BroadcastOp:
        return None
    source: Tensor = wrap(mask._storage, (mask._storage if view.parent is None else view.parent).spec, view.parent)
    extents = source._spec.shape
    held = next((k for k in reversed(range(len(extents))) if extents[k] != 1), -1)
    kept = tuple(view.attributes["dimensions"][: held + 1])
    if kept != tuple(range(len(kept))) or extents[: len(kept)] != mask._spec.shape[: len(kept)]:
        return None
    return reshaped(source, (source.numel(),))


def assigned(x: Tensor, mask: Tensor, d: int, value: Selection) -> Tensor:
    """What x is after x[:, ..., mask] = value."""
    target = selected(x, mask, d)
    if not target.same_rows(value):
        raise untraceable("assigning x[mask] to elements that another mask, or none, selects", FIX)
    rows = expand_to(cast(value.wide, x._spec.dtype), target.wide._spec.shape)
    return reshaped(builder.select(target.holds(), rows, target.wide), x._spec.shape)


def _equal(a: SSAValue, b: SSAValue) -> bool:
    """Whether two values are made in the same way of the same values."""
    pending, known = [(a, b)], set[tuple[SSAValue, SSAValue]]()
    while pending:
        pair = a, b = pending.pop()
        if a is b or pair in known:
            continue
        a, b = _unshaped(a), _unshaped(b)
        if a is b:
            continue
        known.add(pair)  # values may be used many times over
        if not isinstance(a, OpResult) or not isinstance(b, OpResult) or a.index != b.index:
            return False
        p, q = a.op, b.op
        if type(p) is not type(q) or p.properties != q.properties or a.type != b.type or p.regions:
            return False
        if len(p.operands) != len(q.operands):
            return False
        pending += zip(p.operands, q.operands)
    return True


def _unshaped(value: SSAValue) -> SSAValue:
    """The same elements in the same order, before they were given another shape."""
    while isinstance(value, OpResult) and isinstance(value.op, s.ReshapeOp):
        value = value.op.operands[0]
    return value


# Functions


def elementwise(function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Selection:
    """A function of each element: computed on all rows. Other operands are numbers, tensors that broadcast along the
    rows, or selections of the same rows."""
    first = first_of(args, options)
    return Selection(on_rows(first, function, args, options), first.mask, first.behind, first.groups)


def on_rows(first: Selection, function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Tensor:
    """The function of all rows of the selections among its operands."""
    return function(*[_row_of(first, a) for a in args], **{k: _row_of(first, a) for k, a in options.items()})


def by_rows(function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Selection:
    """A function of each row of its first operand, such as a linear map or a softmax along another dimension."""
    first = args[0]
    dim = options.get("dim", args[1] if len(args) > 1 and isinstance(args[1], int) else None)
    others = [a for a in (*args[1:], *options.values()) if type(a) is Selection]
    if type(first) is not Selection or others or not first.behind:
        raise untraceable(f"{function.__name__}() of x[mask]", FIX)
    if dim is not None and axis(dim, first.wide.ndim) == first.row:
        raise untraceable(f"{function.__name__}() along the rows of x[mask]", FIX)
    result = function(first.filled(), *args[1:], **options)
    if result.ndim <= first.row or result.shape[first.row] != first.wide.shape[first.row]:
        raise untraceable(f"{function.__name__}() over all of x[mask]", FIX)
    return Selection(result, first.mask, result.ndim - 1 - first.row)


def first_of(args: tuple[Any, ...], options: dict[str, Any]) -> Selection:
    """The first selection among operands."""
    return next(a for a in (*args, *options.values()) if type(a) is Selection)


def _row_of(first: Selection, value: Any) -> Any:
    if type(value) is Selection:
        if not first.same_rows(value):
            raise untraceable("computing with selections by two masks", FIX)
        return value.filled()
    if isinstance(value, Tensor):
        shape = value._spec.shape
        if len(shape) > first.behind and shape[len(shape) - first.behind - 1] != 1:
            raise untraceable("computing with x[mask] and a tensor that has a row for each place that holds", FIX)
    return value


def accepting(function: Callable[..., Any], rule: Callable[..., Any]) -> Callable[..., Any]:
    """The function, going by a rule where it is given a selection."""

    @wraps(function)
    def accepted(*args: Any, **options: Any) -> Any:
        if modes.trace is not None and any(type(a) is Selection for a in (*args, *options.values())):
            return rule(function, args, options)
        return function(*args, **options)

    return accepted


def method_of(function: Callable[..., Any], rule: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a method of selections."""

    @wraps(function)
    def method(*args: Any, **options: Any) -> Any:
        return rule(function, args, options)

    return method


__all__ = [
    "FIX",
    "Selection",
    "accepting",
    "assigned",
    "by_rows",
    "elementwise",
    "first_of",
    "method_of",
    "on_rows",
    "selected",
]
