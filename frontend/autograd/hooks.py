"""Looking at gradients as they arrive: hooks, and gradients kept for tensors that are no leaves."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from .. import grad_mode
from ..dispatch import value_of
from ..errors import refused, runtime_error
from ..handles import RemovableHandle
from ..modes import modes
from ..node import OUTSIDE, TRACED
from ..tensor import Tensor


def retain_grad(t: Tensor) -> None:
    """Keeps the gradient of a tensor that is not a leaf in its `grad`."""
    if not t.requires_grad:
        raise runtime_error("can't retain_grad on Tensor that has requires_grad=False")
    node = t.grad_fn
    if node is None:
        return
    if node is TRACED:
        modes.trace.retained.append(t)
        return
    if node is OUTSIDE:
        modes.trace.retained_outside.append(t)
        return
    if node.retained is None:
        node.retained = {}
    node.retained[t._index] = weakref.ref(t)


def register_hook(t: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Calls `hook` with the gradient of a tensor whenever one is computed; what it returns takes its place."""
    if not t.requires_grad:
        raise runtime_error("cannot register a hook on a tensor that doesn't require gradient")
    node = t.grad_fn
    if modes.trace is not None:
        if node is not TRACED:
            raise refused(
                "register_hook() of a leaf is not supported inside a compiled function; call it once, outside"
            )
        entry: Any = (t, hook)
        with grad_mode.enable_grad():
            modes.trace.hook_values[id(entry)] = value_of(modes.trace, t)  # whatever is written to it later
        modes.trace.on_end(lambda: entry)  # its identity stays its own, also once it is taken away
        return RemovableHandle(modes.trace.hooks, entry)
    if node is None:
        return _of_leaf(t, "_hooks", hook)
    if node.hooks is None:
        node.hooks = {}
    return RemovableHandle(node.hooks, (t._index, hook))


def register_post_accumulate_grad_hook(t: Tensor, hook: Callable[[Tensor], None]) -> RemovableHandle:
    """Calls `hook` with a leaf each time that a backward pass has added to its `grad`."""
    if not t.requires_grad:
        raise runtime_error("cannot register a hook on a tensor that doesn't require gradient")
    if not t.is_leaf:
        raise runtime_error("post accumulate grad hooks cannot be registered on non-leaf tensors")
    return _of_leaf(t, "_post_hooks", hook)


def _of_leaf(t: Tensor, kind: str, hook: Callable[..., Any]) -> RemovableHandle:
    return RemovableHandle(t.__dict__.setdefault(kind, {}), hook)


def hooks_of(t: Tensor) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The hooks of a leaf: for gradients that arrive, and for what they add up to."""
    arriving, adding_up = t.__dict__.get("_hooks", {}), t.__dict__.get("_post_hooks", {})
    return tuple(arriving.values()), tuple(adding_up.values())


def accumulated(t: Tensor) -> None:
    """Calls the hooks of a leaf whose `grad` is complete."""
    for hook in hooks_of(t)[1]:
        hook(t)


__all__ = [
    "RemovableHandle",
    "accumulated",
    "hooks_of",
    "register_hook",
    "register_post_accumulate_grad_hook",
    "retain_grad",
]
