"""Views, and writing through them: the one mechanism behind in-place operations, eager and traced.

A view is a chain of hl ops over a base. Reading replays the chain: in eager mode the composed strides give a numpy view
of the base's bytes; in a trace the ops are emitted. Writing runs the chain backwards:

    y = x.transpose(0, 1)[2]      y.fill_(0)

    y' = 0                                             the new value of the last step
    t' = select(where slice 2 lies, pad(y'), t)        through [2]          t = transpose(x)
    x' = transpose(t')                                 through transpose
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dialects.hl import HLOp
from ..dialects.hl import shape as s
from ..dialects.hl import window as w
from ..dialects.hl.codec import decode
from ..dialects.hl.placing import placed_diagonal, placed_windows
from ..dialects.types import TensorSpec, i1, i64, spec_of
from . import dispatch, tape
from .errors import runtime_error
from .modes import modes

if TYPE_CHECKING:
    from .tensor import Tensor

Layout = tuple[tuple[int, ...], int]
"""Strides and offset, in elements of the base."""


class View:
    """One step of a chain: an op over the step before, or over the base itself.

    The first step of a chain may be no op: inside a trace it says how an argument lies in the caller's memory, where
    that is not row by row (`laid_out`); its values are those of the base as they are.
    """

    __slots__ = ("attributes", "contiguous", "layout", "numpy_args", "op", "parent", "spec")

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
        self.contiguous = 0 in spec.shape or all(
            n == 1 or a == b for n, a, b in zip(spec.shape, layout[0], row_major(spec.shape))
        )
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
    if view is None or view.contiguous:
        return None
    key = (spec, view.layout[0])
    found = _views.get(key)
    if found is None:
        found = _views[key] = View(None, None, {}, spec, (view.layout[0], 0))
    return found


def overlaps(t: Tensor) -> bool:
    """Whether several elements of a tensor may lie in the same place of its memory, as those of an expanded one do."""
    if t._view is None:
        return False
    span = 1
    for stride, extent in sorted(zip(t._view.layout[0], t._spec.shape)):
        if extent > 1:
            if stride < span:
                return 0 not in t._spec.shape
            span += (extent - 1) * stride
    return False


def replayed(base: Tensor, view: View | None) -> Tensor:
    """The part of a chain that lies beyond `base`, applied to it (or to anything of the base's spec)."""
    return replay(base, base._view, view)


def replay(x: Tensor, origin: View | None, view: View | None) -> Tensor:
    if view is origin or view is None or view.op is None:
        return x
    return dispatch.apply(view.op, (replay(x, origin, view.parent),), view.attributes)[0]


# Writing


def _write_slice(old: Tensor, new: Tensor, view: View) -> Tensor:
    start, stop, step = view.attributes["start"], view.attributes["stop"], view.attributes["step"]
    shape = old._spec.shape
    if all(a == 0 and b == n and c == 1 for a, b, c, n in zip(start, stop, step, shape)):
        return new
    if 0 in new._spec.shape:
        return old
    cut = [d for d, n in enumerate(shape) if new._spec.shape[d] != n]
    if len(cut) == 1 and step[cut[0]] == 1:
        return _splice(old, new, cut[0], start[cut[0]])
    last = [a + (n - 1) * c for a, c, n in zip(start, step, new._spec.shape)]
    around = {
        "low": start,
        "high": tuple(n - 1 - z for n, z in zip(shape, last)),
        "interior": tuple(c - 1 for c in step),
    }
    b = dispatch.builder
    inside = b.pad(b.constant(True, new._spec.shape, i1), value=False, **around)
    zero = 0.0 if new._spec.dtype.kind == "float" else 0
    return b.select(inside, b.pad(new, value=zero, **around), old)


def _splice(old: Tensor, new: Tensor, dimension: int, start: int) -> Tensor:
    """concat(old[:start], new, old[stop:]), from what `old` itself is put together of:

    out[0] = x                      ->   concat(x, out[1:])
    out[0] = x;  out[1] = y         ->   concat(x, y, out[2:]), so that a loop that fills a tensor is one op
    """
    stop = start + new._spec.shape[dimension]
    parts: list[Tensor] = []
    at = 0
    for part in _parts(old, dimension):
        end = at + part._spec.shape[dimension]
        if at < start:
            parts.append(_section(part, dimension, 0, min(start, end) - at))
        if at <= start < end:
            parts.append(new)
        if stop < end:
            parts.append(_section(part, dimension, max(stop, at) - at, end - at))
        at = end
    return dispatch.builder.concat(parts, dimension)


def _parts(x: Tensor, dimension: int) -> list[Tensor]:
    """What a traced tensor has been joined of along a dimension."""
    trace = modes.trace
    if trace is not None:
        op = dispatch.value_of(trace, x).owner
        if isinstance(op, s.ConcatOp) and decode(op.dimension) == dimension:
            return [dispatch.traced(part, spec_of(part.type)) for part in op.xs]
    return [x]


def _section(x: Tensor, dimension: int, start: int, stop: int) -> Tensor:
    low, high = [0] * x.ndim, list(x._spec.shape)
    low[dimension], high[dimension] = start, stop
    return dispatch.builder.slice(x, tuple(low), tuple(high), (1,) * x.ndim)


def _write_transpose(old: Tensor, new: Tensor, view: View) -> Tensor:
    inverse = np.argsort(view.attributes["permutation"]).tolist()
    return dispatch.builder.transpose(new, tuple(inverse))


def _write_reshape(old: Tensor, new: Tensor, view: View) -> Tensor:
    return dispatch.builder.reshape(new, old._spec.shape)


def _write_broadcast(old: Tensor, new: Tensor, view: View) -> Tensor:
    """Only where nothing is repeated: see `_spread`."""
    return dispatch.builder.reshape(new, old._spec.shape)


def _write_diagonal(old: Tensor, new: Tensor, view: View) -> Tensor:
    return _put(
        old, new, lambda x, value: placed_diagonal(dispatch.builder, x, old._spec.shape, value=value, **view.attributes)
    )


def _write_windows(old: Tensor, new: Tensor, view: View) -> Tensor:
    shape, d, step = old._spec.shape, view.attributes["dimension"], view.attributes["step"]
    return _put(old, new, lambda x, value: placed_windows(dispatch.builder, x, shape, d, step, value))


def _put(old: Tensor, new: Tensor, placed: Callable[[Tensor, float], Tensor]) -> Tensor:
    """Where `placed` puts an element the new one, elsewhere the old one."""
    b = dispatch.builder
    return b.select(placed(b.constant(True, new._spec.shape, i1), False), placed(new, 0), old)


WRITE: dict[type[HLOp], Callable[[Tensor, Tensor, View], Tensor]] = {
    s.DiagonalOp: _write_diagonal,
    w.WindowsOp: _write_windows,
    s.SliceOp: _write_slice,
    s.TransposeOp: _write_transpose,
    s.ReshapeOp: _write_reshape,
    s.BroadcastOp: _write_broadcast,
}
"""op -> the operand's new value, from its old one and the new value of the op's result."""


def written(base: Tensor, origin: View | None, view: View | None, new: Tensor) -> Tensor:
    """The new value of `base` after `new` was written to the view that the steps beyond `origin` make of it."""
    if view is origin or view is None or view.op is None:
        return new
    if _repeats(origin, view):
        return _spread(base, origin, view, new)
    old = replay(base, origin, view.parent)
    return written(base, origin, view.parent, WRITE[view.op](old, new, view))


def _repeats(origin: View | None, view: View) -> bool:
    """Whether one of the steps shows elements several times."""
    step: View | None = view
    while step is not None and step is not origin and step.op is not None:
        if step.op is s.BroadcastOp and 0 in step.layout[0] and 0 not in step.spec.shape:
            return True
        step = step.parent
    return False


def _spread(base: Tensor, origin: View | None, view: View, new: Tensor) -> Tensor:
    """What is written to one part of an expanded tensor, which all others see:

    y = x.expand(2, 3);  y[0, 1:] = v           x' = scatter(x, [1, 2], v)
    """
    from .ranges import arange
    from .tracing.trace import paused

    b, count = dispatch.builder, base.numel()
    with paused():
        numbers: Any = arange(count).reshape(base._spec.shape)
        places = dispatch.array_of(replay(numbers, origin, view)).reshape(-1).copy()
    index = b.constant(places, (len(places),), i64)
    flat = b.scatter(b.reshape(base, (count,)), index, b.reshape(new, (len(places),)), 0, 0)
    return b.reshape(flat, base._spec.shape)


def check_in_place(t: Tensor) -> None:
    """Raises where a tensor may not be written to: a leaf that gradients are taken of, while recording."""
    if not modes.grad:
        return
    if t._base is not None:
        tape.sync(t)
        if t._base._requires_grad and t._base._node is None:
            raise runtime_error("a view of a leaf Variable that requires grad is being used in an in-place operation.")
    elif t._requires_grad and t._node is None:
        raise runtime_error("a leaf Variable that requires grad is being used in an in-place operation.")


def write(t: Tensor, new: Tensor, replaces: bool = False) -> Tensor:
    """Replaces the values of a tensor, of its base and so of all other views. Shape and dtype are equal already.

    `replaces`: the new values were not computed from the old ones, whose gradient is then zero, but not missing.
    """
    check_in_place(t)
    _check_overlap(t)
    if modes.trace is not None:
        _write_traced(t, new, replaces)
    else:
        _write_eager(t, new, replaces)
    return t


def _write_traced(t: Tensor, new: Tensor, replaces: bool) -> None:
    from .tensor import wrap

    trace = modes.trace
    assert trace is not None
    storage = t._storage
    root = t if t._base is None else t._base
    base = wrap(storage, storage.spec)
    recorded = modes.grad and (new._requires_grad or root._requires_grad)
    if recorded and root._node is not tape.TRACED and root._storage.array is not None:
        if root._requires_grad:  # what it held came from outside: the part that stays is read as a leaf
            trace.write(storage, dispatch.value_of(trace, written(base, None, root._view, root)))
        history = (root._node, root._index, root._requires_grad)
        trace.on_end(lambda: _rebase(root, *history))
        trace.rewritten[root] = None
    value = dispatch.value_of(trace, written(base, None, t._view, new))
    if not recorded:
        # Nobody computes with what a tensor held that is no part of a graph, unless another one shares its memory.
        shared = root._requires_grad or root._detached or t._detached
        value = trace.unrecorded(storage, value) if shared else trace.detached(value)
    elif replaces:
        value = trace.in_place_of(trace.read(storage), value, t.numel() == root.numel())
    trace.write(storage, value)
    if recorded and root._node is not tape.TRACED:
        _rebase(root, tape.TRACED, 0, True)


def _write_eager(t: Tensor, new: Tensor, replaces: bool) -> None:
    storage = t._storage
    target = dispatch.array_of(t)
    recorded = modes.grad and (new.requires_grad or t.requires_grad)
    np.copyto(target, dispatch.array_of(new))
    storage.version += 1
    if recorded:
        adopt(t, new, replaces)


def adopt(t: Tensor, new: Tensor, replaces: bool = False) -> None:
    """Gives a tensor, whose bytes are those of `new` already, the history of `new`."""
    if t._base is None and new._requires_grad and not (replaces and t._requires_grad):
        if new._node is None:
            new = identity(new)
        _rebase(t, new._node, new._index, True)
        return
    root, view = t if t._base is None else t._base, t._view
    origin = root._view

    def backward(gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        (ct,) = gradients
        assert ct is not None
        part = replay(ct, origin, view)
        zeros = dispatch.builder.constant(0.0, part._spec.shape, part._spec.dtype)
        return written(ct, origin, view, zeros), part

    from .tensor import alias

    output = alias(root)
    node = tape.CustomNode("CopySlices", (root, new), (output,), backward)
    _rebase(root, node, 0, True)


def _check_overlap(t: Tensor) -> None:
    if overlaps(t):
        raise runtime_error(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory "
            "location. Please clone() the tensor before performing the operation."
        )


def _rebase(root: Tensor, node: tape.Node | None, index: int, requires_grad: bool) -> None:
    """Gives a tensor, and with it its differentiable views, a new history."""
    root._node, root._index, root._requires_grad = node, index, requires_grad
    root._history += 1


def identity(x: Tensor, name: str = "CloneBackward0") -> Tensor:
    """The same bytes under a node of its own that passes gradients on."""
    from .tensor import wrap

    new = wrap(x._storage, x._spec, x._view)
    tape.CustomNode(name, (x,), (new,), tuple)
    return new


__all__ = [
    "LAYOUT",
    "View",
    "adopt",
    "check_in_place",
    "identity",
    "laid_out",
    "overlaps",
    "replayed",
    "view_of",
    "write",
    "written",
]
