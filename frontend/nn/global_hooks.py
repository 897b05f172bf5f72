"""Hooks of every module: what torch.nn.modules.module registers. They run before a module's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..handles import RemovableHandle
from .hooks import EVERYWHERE
from .registry import ForwardHook


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(module, args)` before each module's forward; what it returns, unless None, replaces the arguments."""
    return RemovableHandle(EVERYWHERE["_forward_pre_hooks"], ForwardHook(hook, with_kwargs=False))


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Calls `hook(module, args, output)` after each module's forward; what it returns, unless None, is the output."""
    return RemovableHandle(EVERYWHERE["_forward_hooks"], ForwardHook(hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(module, grad_output)` when the gradients of a module's output are there; what it returns, unless
    None, replaces them."""
    return RemovableHandle(EVERYWHERE["_backward_pre_hooks"], hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(module, grad_input, grad_output)` when the gradients of a module's arguments are there; what it
    returns, unless None, replaces them."""
    return RemovableHandle(EVERYWHERE["_backward_hooks"], hook)


register_module_backward_hook = register_module_full_backward_hook

__all__ = [
    "register_module_backward_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
]
