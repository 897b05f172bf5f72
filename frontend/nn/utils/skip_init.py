"""A layer whose parameters are about to be loaded."""

from __future__ import annotations

from typing import Any, TypeVar

from ..module import Module

M = TypeVar("M", bound=Module)


def skip_init(module_cls: type[M], *args: Any, **kwargs: Any) -> M:
    """`module_cls(*args, **kwargs)`, of whose parameters only shapes and types are promised."""
    return module_cls(*args, **kwargs)


__all__ = ["skip_init"]
