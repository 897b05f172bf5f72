"""Looking at gradients as they arrive: hooks, and gradients kept for tensors that are no leaves."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from .. import mutations, tape
from ..errors import runtime_error
from ..modes import modes
from ..tensor import Tensor


def retain_grad(t: Tensor) -> None:
    """Keeps the gradient of a tensor that is not a leaf in its `grad`."""
    if not t.requires_grad:
        raise runtime_error("can't retain_grad on Tensor that has requires_grad=False")
    node = t.grad_fn
    if node is None:
        return
    if node is tape.TRACED:
        modes.trace.retained.append(t)
        return
    if node is tape.OUTSIDE:
        modes.trace.retained_outside.append(t)
        return
    if node.retained is None:
        node.retained = {}
    node.retained[t._index] = weakref.ref(t)


class RemovableHandle:
    """Takes a hook away again."""

    def __init__(self, hooks: list[Any], entry: Any) -> None:
        self._hooks = hooks
        self._entry = entry

    def remove(self) -> None:
        """Unregisters the hook."""
        self._hooks[:] = [entry for entry in self._hooks if entry is not self._entry]
        mutations.bump()

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *details: object) -> None:
        self.remove()


def register_hook(t: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Calls `hook` with the gradient of a tensor whenever one is computed; what it returns takes its place."""
    if not t.requires_grad:
        raise runtime_error("cannot register a hook on a tensor that doesn't require gradient")
    node = t.grad_fn
    if modes.trace is not None:
        if node is not tape.TRACED:
            raise runtime_error(
                "register_hook() of a leaf is not supported inside a compiled function; call it once, outside"
            )
        traced = modes.trace.__dict__.setdefault("hooks", [])
        entry: Any = (t, hook)
        traced.append(entry)
        modes.trace.on_end(lambda: entry)  # its identity stays its own, also once it is taken away
        return RemovableHandle(traced, entry)
    if node is None:
        return _of_leaf(t, "_hooks", hook)
    if node.hooks is None:
        node.hooks = []
    entry = (t._index, hook)
    node.hooks.append(entry)
    return RemovableHandle(node.hooks, entry)


def register_post_accumulate_grad_hook(t: Tensor, hook: Callable[[Tensor], None]) -> RemovableHandle:
    """Calls `hook` with a leaf each time that a backward pass has added to its `grad`."""
    if not t.requires_grad:
        raise runtime_error("cannot register a hook on a tensor that doesn't require gradient")
    if not t.is_leaf:
        raise runtime_error("post accumulate grad hooks cannot be registered on non-leaf tensors")
    return _of_leaf(t, "_post_hooks", hook)


def _of_leaf(t: Tensor, kind: str, hook: Callable[..., Any]) -> RemovableHandle:
    hooks: list[Any] = t.__dict__.setdefault(kind, [])
    hooks.append(hook)
    mutations.bump()
    return RemovableHandle(hooks, hook)


def hooks_of(t: Tensor) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The hooks of a leaf: for gradients that arrive, and for what they add up to."""
    return tuple(t.__dict__.get("_hooks", ())), tuple(t.__dict__.get("_post_hooks", ()))


def accumulated(t: Tensor) -> None:
    """Calls the hooks of a leaf whose `grad` is complete."""
    for hook in tuple(t.__dict__.get("_post_hooks", ())):
        hook(t)


__all__ = [
    "RemovableHandle",
    "accumulated",
    "hooks_of",
    "register_hook",
    "register_post_accumulate_grad_hook",
    "retain_grad",
]
