"""`irtool.compile`, for functions and for modules."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, overload

from ...runtime.backend import find_backend
from ..nn.module import Module
from .compiled import Compiled
from .kinds import is_module
from .optimized_module import OptimizedModule


@overload
def compile(
    model: None = None, *, target: str = "cpu", keep_gradients: bool = False, **options: Any
) -> Callable[[Callable[..., Any]], Compiled]: ...
@overload
def compile(model: Module, *, target: str = "cpu", keep_gradients: bool = False, **options: Any) -> OptimizedModule: ...
@overload
def compile(model: Callable[..., Any], *, target: str = "cpu", keep_gradients: bool = False, **options: Any) -> Any: ...
def compile(model: Any = None, *, target: str = "cpu", keep_gradients: bool = False, **options: Any) -> Any:
    """Compiles a function, or a module, the first time it is called with arguments of some shape.

    A call that raises leaves tensors, gradients, attributes, containers and random numbers as they were before it, also
    what the function had changed before the exception: an update by `optimizer.step()` is taken back with all the rest,
    where eager code would keep it.
    `keep_gradients` keeps `.grad` of parameters whose gradient the function both makes and uses up in an optimizer.
    torch.compile's own options are accepted: `mode`, `fullgraph`, `dynamic`, `backend` and `options` have no effect,
    `disable` gives the function back as it is.
    """
    unknown = set(options) - {"mode", "fullgraph", "dynamic", "backend", "options", "disable"}
    if unknown:
        raise TypeError(f"compile() got an unexpected keyword argument '{sorted(unknown)[0]}'")
    if model is None:
        return functools.partial(compile, target=target, keep_gradients=keep_gradients, **options)
    if options.get("disable"):
        return model
    find_backend(target)  # raises for one that nobody knows
    if is_module(model):
        return OptimizedModule(model, target, keep_gradients)
    if not callable(model):
        raise TypeError(f"compile() takes a function or a module, got {type(model).__name__}")
    if inspect.isgeneratorfunction(model) or inspect.iscoroutinefunction(model):
        raise TypeError(
            f"compile() takes a function that returns its results, and {model.__name__} yields or awaits them"
        )
    return Compiled(model, target, keep_gradients)


__all__ = ["Compiled", "compile"]
