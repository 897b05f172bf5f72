"""Hooks around a module's forward, and the handle that removes one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from .. import guards

if TYPE_CHECKING:
    from .module import Module

_ids = count()


class ForwardHook(NamedTuple):
    """A hook, whether it is given the keyword arguments too, and whether it runs when the forward raised."""

    run: Callable[..., Any]
    with_kwargs: bool
    always_call: bool = False


class RemovableHandle:
    """What registering a hook returns; `remove()` takes the hook out again. Also a context manager."""

    def __init__(self, hooks: dict[int, Any], hook: Any, *, prepend: bool = False) -> None:
        self.id = next(_ids)
        self._hooks = hooks
        others = dict(hooks) if prepend else {}
        if prepend:
            hooks.clear()
        hooks[self.id] = hook
        hooks.update(others)
        guards.bump()

    def remove(self) -> None:
        """Takes the hook out; a second time does nothing."""
        self._hooks.pop(self.id, None)
        guards.bump()

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def call_with_hooks(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`module.forward(*args, **kwargs)` between the module's pre- and post-hooks."""
    args, kwargs = _before(module, args, kwargs)
    try:
        result = module.forward(*args, **kwargs)
    except BaseException:
        for hook in tuple(module._forward_hooks.values()):
            if hook.always_call:
                _after(module, hook, args, kwargs, None)
        raise
    for hook in tuple(module._forward_hooks.values()):
        changed = _after(module, hook, args, kwargs, result)
        if changed is not None:
            result = changed
    return result


def _before(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    for hook in tuple(module._forward_pre_hooks.values()):
        if not hook.with_kwargs:
            changed = hook.run(module, args)
            if changed is not None:
                args = cast(tuple[Any, ...], changed) if isinstance(changed, tuple) else (changed,)
            continue
        changed = hook.run(module, args, kwargs)
        if changed is not None:
            if not (isinstance(changed, tuple) and len(cast(tuple[Any, ...], changed)) == 2):
                raise RuntimeError(
                    f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                )
            args, kwargs = cast(tuple[tuple[Any, ...], dict[str, Any]], changed)
    return args, kwargs


def _after(module: Module, hook: ForwardHook, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
    return hook.run(module, args, kwargs, result) if hook.with_kwargs else hook.run(module, args, result)
