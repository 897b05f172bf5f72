"""Writing through views: the one mechanism behind in-place operations, eager and traced. The chain is run backwards:

y = x.transpose(0, 1)[2]      y.fill_(0)

y' = 0                                             the new value of the last step
t' = select(where slice 2 lies, pad(y'), t)        through [2]          t = transpose(x)
x' = transpose(t')                                 through transpose
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dialects.hl import HLOp
from ..dialects.hl import shape as s
from ..dialects.hl import window as w
from ..dialects.hl.codec import decode
from ..dialects.hl.placing import placed_diagonal, placed_windows
from ..dialects.types import i1, i64, spec_of
from . import dispatch, eager, tape
from .dispatch import replay
from .eager import on_host
from .errors import refused, runtime_error
from .layout import View, overlaps
from .modes import modes
from .node import TRACED, Node
from .tape import identity
from .tensor import HIDDEN, rebase, sync

if TYPE_CHECKING:
    from xdsl.ir import SSAValue

    from .tensor import Tensor
    from .tracing.trace import Trace


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
            return [dispatch.traced(part, spec_of(part.type), x.device) for part in op.xs]
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
    shape, d = old._spec.shape, view.attributes["dimension"]
    step = max(view.attributes["step"], view.attributes["size"])  # more than one window would overlap otherwise
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
    if 0 in view.spec.shape:
        return base
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
        if step.op is w.WindowsOp and step.attributes["step"] < step.attributes["size"]:
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
        places = on_host(replay(numbers, origin, view)).reshape(-1).copy()
    index = b.constant(places, (len(places),), i64)
    flat = b.scatter(b.reshape(base, (count,)), index, b.reshape(new, (len(places),)), 0, 0)
    return b.reshape(flat, base._spec.shape)


def check_in_place(t: Tensor) -> None:
    """Raises where a tensor may not be written to: a leaf that gradients are taken of, while recording."""
    if not modes.grad:
        return
    if t._base is not None:
        sync(t)
        if t._requires_grad and t._base._node is None:  # whatever the base's own flag says by now
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
        # What a comparison of the old values says, say, does not lead back to them either.
        _write_traced(t, new, replaces or not new._requires_grad)
    else:
        _write_eager(t, new, replaces)
    return t


def _write_traced(t: Tensor, new: Tensor, replaces: bool) -> None:
    from .tensor import wrap

    trace = modes.trace
    assert trace is not None
    storage = t._storage
    root = t if t._base is None or t._base._storage is not storage else t._base
    base = wrap(storage, storage.spec)
    recorded = modes.grad and (new._requires_grad or root._requires_grad)
    if recorded and storage in trace.shared:
        raise refused(
            "inside a compiled function, an argument that shares its memory with another tensor from outside cannot be "
            "given a history: write to a clone, or under no_grad()"
        )
    if recorded and root._node is not TRACED and not root._storage.symbolic:
        if root._requires_grad:  # what it held came from outside: the part that stays is read as a leaf
            trace.write(storage, dispatch.value_of(trace, written(base, None, root._view, root)))
        history = root._node, root._index, root._requires_grad
        trace.on_end(lambda: _rebase(root, *history))
        trace.rewritten[root] = root._node
        trace.keep_gradient(root)
    if recorded and trace.histories.is_apart(root):
        _write_apart(trace, t, root, new, replaces)
        return
    value = dispatch.value_of(trace, written(base, None, t._view, new))
    if not recorded:
        # Nobody computes with what a tensor held that is no part of a graph, unless another one shares its memory.
        shared = root._requires_grad or root._detached or t._detached
        value = trace.unrecorded(storage, value) if shared else trace.detached(value)
    else:
        value = _with_history(trace, trace.read(storage), value, t, root, new, replaces)
    trace.write(storage, value)
    trace.versions.write(storage, t._detached == HIDDEN)
    if recorded and root._node is not TRACED:
        _rebase(root, TRACED, 0, True)


def _write_apart(trace: Trace, t: Tensor, root: Tensor, new: Tensor, replaces: bool) -> None:
    """As `_write_traced`, where others that share the memory of the root keep the history that they have."""
    from .tensor import wrap

    storage, before = t._storage, dispatch.value_of(trace, root)
    value = dispatch.value_of(trace, written(trace.wrap(before, root.device), root._view, t._view, new))
    numbers = value
    if root._view is not None:
        numbers = dispatch.value_of(trace, written(wrap(storage, storage.spec), None, t._view, new))
    trace.write(storage, trace.unrecorded(storage, numbers))
    trace.versions.write(storage, t._detached == HIDDEN)
    value = _with_history(trace, before, value, t, root, new, replaces)
    if root._node is not TRACED:
        _rebase(root, TRACED, 0, True)
    trace.histories.set(trace, root, value)


def _with_history(
    trace: Trace, old: SSAValue, value: SSAValue, t: Tensor, root: Tensor, new: Tensor, replaces: bool
) -> SSAValue:
    """What a recorded write makes of a root, as a value of its own, to which gradients flow as they do eagerly."""
    if replaces and root._requires_grad:
        value = trace.in_place_of(old, value, t.numel() == root.numel())
    if 0 in t._spec.shape and t._base is not None:
        value = trace.joined(value, dispatch.value_of(trace, new))
    if value is old or value is dispatch.value_of(trace, new):  # that of another tensor, too
        value = trace.copied(value)
    if not (t._base is None and new._requires_grad and not (replaces and t._requires_grad)):
        trace.saving.add(value)
    return value


def _write_eager(t: Tensor, new: Tensor, replaces: bool) -> None:
    storage = t._storage
    recorded = modes.grad and (new.requires_grad or t.requires_grad)
    eager.assign(t, new)
    storage.version += 1
    if t._detached == HIDDEN:
        storage.hidden += 1
    if recorded:
        adopt(t, new, replaces)


def adopt(t: Tensor, new: Tensor, replaces: bool = False) -> None:
    """Gives a tensor, whose bytes are those of `new` already, the history of `new`."""
    if t._base is None and new._requires_grad and not (replaces and t._requires_grad):
        if new._node is None or replaces:  # what is copied stays another tensor, with hooks of its own
            new = identity(new, "CopyBackwards")
        _rebase(t, new._node, new._index, True)
        return
    root, view = t if t._base is None else t._base, t._view
    origin, repeated = root._view, overlaps(t._view)

    def backward(gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        (ct,) = gradients
        assert ct is not None
        part = replay(ct, origin, view)
        zeros = dispatch.builder.constant(0.0, part._spec.shape, part._spec.dtype)
        if repeated:  # each element counts once
            part = dispatch.builder.select(_first_shown(root, view), part, zeros)
        return written(ct, origin, view, zeros), part

    from .tensor import alias

    output = alias(root)
    node = tape.CustomNode("CopySlices", (root, new), (output,), backward)
    _rebase(root, node, 0, True)


def _first_shown(root: Tensor, view: View | None) -> Tensor:
    """Where a view shows an element that no earlier place of it does."""
    from .ranges import arange

    numbers: Any = arange(root.numel()).reshape(root._spec.shape)
    places = on_host(replay(numbers, root._view, view))
    first = np.zeros(places.shape, bool)
    first.reshape(-1)[np.unique(places, return_index=True)[1]] = True
    return dispatch.builder.constant(first, first.shape, i1)


def _check_overlap(t: Tensor) -> None:
    if overlaps(t._view):
        raise runtime_error(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory "
            "location. Please clone() the tensor before performing the operation."
        )


def _rebase(root: Tensor, node: Node | None, index: int, requires_grad: bool) -> None:
    """Gives a tensor, and with it its differentiable views, a new history."""
    rebase(root, node, index, requires_grad)
    root._history += 1


__all__ = ["adopt", "check_in_place", "write", "written"]
