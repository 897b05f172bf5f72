"""torch.compiler: what programs ask or tell the compiler, apart from compiling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .modes import modes
from .nn.module import Module
from .surface.unsupported import module_getattr


def compile(*args: Any, **kwargs: Any) -> Any:
    """`irtool.compile`."""
    from .compiling.compile import compile as compile_

    return compile_(*args, **kwargs)


Module._compile_call = staticmethod(compile)


def is_compiling() -> bool:
    """Whether a function is being traced for `irtool.compile` right now."""
    return modes.trace is not None


is_dynamo_compiling = is_compiling


def is_exporting() -> bool:
    """Whether a program is being exported: never."""
    return False


def allow_in_graph(fn: Any) -> Any:
    """Gives the function back: every function is traced."""
    return fn


def disable(fn: Callable[..., Any] | None = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Gives the function back as it is: called on its own it runs eagerly, called by a compiled function it is part of
    that program, as there are no breaks in programs."""
    return allow_in_graph if fn is None else fn


def reset() -> None:
    """Nothing to forget: programs belong to the functions that `compile` returned."""


def cudagraph_mark_step_begin() -> None:
    """There is nothing to mark."""


__all__ = [
    "allow_in_graph",
    "compile",
    "cudagraph_mark_step_begin",
    "disable",
    "is_compiling",
    "is_dynamo_compiling",
    "is_exporting",
    "reset",
]

__getattr__ = module_getattr("irtool.compiler", lambda: __all__)
