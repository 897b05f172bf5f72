"""Hooks around a module's forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from .. import tree
from ..autograd.function import Function
from ..autograd.function_traced import variable
from ..autograd.hooks import register_hook
from ..errors import refused, runtime_error
from ..modes import modes
from ..tensor import Tensor
from .registry import ForwardHook, Registry

EVERYWHERE: dict[str, dict[int, Any]] = {
    name: {} for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
}
"""Hooks of every module, under the names that a module's own have."""

_everywhere = tuple(EVERYWHERE.values())


def has_hooks(module: Registry) -> bool:
    """Whether anything runs around a module's forward."""
    own = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    return bool(own) or any(_everywhere)


def _hooks(module: Registry, name: str) -> tuple[Any, ...]:
    return (*EVERYWHERE[name].values(), *module.__dict__[name].values())


def call_with_hooks(module: Registry, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`module.forward(*args, **kwargs)` between the module's pre- and post-hooks."""
    args, kwargs = _before(module, args, kwargs)
    watched = _hooks(module, "_backward_hooks") or _hooks(module, "_backward_pre_hooks")
    watch = Watch(module) if watched else None
    if watch is not None:
        args = watch.arguments(args)
    try:
        result = module.forward(*args, **kwargs)
    except BaseException:
        for hook in _hooks(module, "_forward_hooks"):
            if hook.always_call:
                _after(module, hook, args, kwargs, None)
        raise
    for hook in _hooks(module, "_forward_hooks"):
        changed = _after(module, hook, args, kwargs, result)
        if changed is not None:
            result = changed
    return result if watch is None else watch.outputs(result)


def _before(module: Registry, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    for hook in _hooks(module, "_forward_pre_hooks"):
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


def _after(module: Registry, hook: ForwardHook, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
    return hook.run(module, args, kwargs, result) if hook.with_kwargs else hook.run(module, args, result)


# Backward


class _Passing(Function):
    """Its arguments as they are; their gradients go through a function."""

    @staticmethod
    def forward(ctx: Any, change: Callable[[tuple[Any, ...]], Any], *tensors: Any) -> Any:
        ctx.change = change
        ctx.set_materialize_grads(False)
        return tuple(x.view_as(x) for x in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        changed = ctx.change(gradients)
        return (None, *(gradients if changed is None else changed))


class Watch:
    """One call of a module whose gradients hooks want to see: identities around it, which hand them on.

    y = module(x)        x' = pass(x); y = pass(module(x'))
    """

    def __init__(self, module: Registry) -> None:
        self._module = module
        self._grad_output: tuple[Any, ...] = ()
        self._inputs: list[bool] = []
        """Which of the positional arguments have gradients."""

    def arguments(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The positional arguments to call the module with."""
        if not _hooks(self._module, "_backward_hooks"):
            return args
        self._inputs = [isinstance(x, Tensor) and x.requires_grad for x in args]
        passed = iter(_passed(self._input_gradients, [x for x, mine in zip(args, self._inputs) if mine]))
        return tuple(next(passed) if mine else x for x, mine in zip(args, self._inputs))

    def outputs(self, result: Any) -> Any:
        """What the module's call gives."""
        leaves: list[Any] = []
        structure = tree.flatten(result, leaves)
        places = [k for k, y in enumerate(leaves) if isinstance(y, Tensor) and y.requires_grad]
        for k, y in zip(places, _passed(self._output_gradients, [leaves[k] for k in places])):
            leaves[k] = y
        return tree.rebuild(structure, iter(leaves))

    def _output_gradients(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in _hooks(self._module, "_backward_pre_hooks"):
            gradients = _replaced(hook(self._module, gradients), gradients, "pre hook")
        self._grad_output = gradients
        if not any(self._inputs):
            for hook in _hooks(self._module, "_backward_hooks"):
                if hook(self._module, (None,) * len(self._inputs), gradients) is not None:
                    raise runtime_error(
                        "Backward hooks where no input requires gradient should always return None or None for all "
                        "gradients."
                    )
        return gradients

    def _input_gradients(self, gradients: tuple[Any, ...]) -> Any:
        found = iter(gradients)
        given = tuple(next(found) if mine else None for mine in self._inputs)
        for hook in _hooks(self._module, "_backward_hooks"):
            given = _replaced(hook(self._module, given, self._grad_output), given, "hook")
        return tuple(g for g, mine in zip(given, self._inputs) if mine)


def _passed(change: Callable[[tuple[Any, ...]], Any], tensors: list[Any]) -> tuple[Any, ...]:
    if not tensors or not modes.grad:
        return tuple(tensors)
    if modes.trace is not None:
        return _passed_traced(change, tensors)
    return _Passing.apply(change, *tensors)


def _passed_traced(change: Callable[[tuple[Any, ...]], Any], tensors: list[Any]) -> tuple[Any, ...]:
    """In a trace the hooks of tensors see gradients when backward() takes them; a Function's backward would be traced
    for the inputs before it is for the outputs."""
    if len(tensors) > 1:
        raise refused(
            "backward hooks of a module with several inputs or outputs that require grad are not supported inside a "
            "compiled function; call register_hook() of the tensors instead"
        )
    (x,) = tensors
    y = variable(x)

    def hook(gradient: Tensor) -> Any:
        (changed,) = change((gradient,))
        return None if changed is gradient else changed

    register_hook(y, hook)
    return (y,)


def _replaced(changed: Any, gradients: tuple[Any, ...], kind: str) -> tuple[Any, ...]:
    if changed is None:
        return gradients
    found = cast("tuple[Any, ...]", changed if isinstance(changed, tuple) else (changed,))
    if len(found) != len(gradients):
        raise runtime_error(
            f"Backward {kind} returned an invalid number of grad_output, got {len(found)}, but expected "
            f"{len(gradients)}"
        )
    return found
