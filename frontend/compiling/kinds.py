"""What kinds of objects a function may reach, told by what they have: their classes import tensors, which import us."""

from __future__ import annotations

from typing import Any, cast

from .mentions import is_user

NAMESPACES = frozenset(("types.SimpleNamespace", "argparse.Namespace", "_thread._local"))
"""Classes of Python's own whose objects are there for their attributes."""


def has_attributes(value: Any) -> bool:
    """Whether a value is an object or a class of the user, or a namespace."""
    kind = value if isinstance(value, type) else cast(Any, type(value))
    return is_user(kind.__module__) or f"{kind.__module__}.{kind.__qualname__}" in NAMESPACES


def is_module(value: object) -> bool:
    """Whether a value is an nn.Module (which imports the tensors that import us)."""
    attributes = getattr(value, "__dict__", None)
    return attributes is not None and "_parameters" in attributes and "_modules" in attributes


def is_optimizer(value: object) -> bool:
    """Whether a value is an optimizer."""
    attributes = getattr(value, "__dict__", None)
    return attributes is not None and "param_groups" in attributes and "state" in attributes


def is_scheduler(value: object) -> bool:
    """Whether a value sets an optimizer's rates: it acts when a call ends, and no program depends on what it counts."""
    return any(cls.__name__ == "LRScheduler" and not is_user(cls.__module__) for cls in type(value).__mro__)


def is_custom(optimizer: Any) -> bool:
    """Whether a user has written how an optimizer steps, and what its state is."""
    return all(is_user(cls.__module__) or cls.__name__ in ("Optimizer", "object") for cls in type(optimizer).__mro__)


__all__ = ["has_attributes", "is_custom", "is_module", "is_optimizer", "is_scheduler"]
