"""What kinds of objects a function may reach, told by what they have: their classes import tensors, which import us."""

from __future__ import annotations

from threading import local
from typing import Any, cast

from .code_names import PACKAGE, is_user
from .places import attributes_of, is_a, mro

NAMESPACES = frozenset(("types.SimpleNamespace", "argparse.Namespace"))
"""Classes of Python's own whose objects are there for their attributes."""


MODULE_TABLES = (
    *("_parameters", "_buffers", "_modules", "_other_values"),
    *("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"),
)
"""Dictionaries of a module that `forward` depends on."""

BOOKKEEPING = {
    *MODULE_TABLES,
    "_non_persistent_buffers_set",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
}
"""Attributes of a module that are no values a step could read."""


def has_attributes(value: Any) -> bool:
    """Whether a value is an object or a class of the user, or a namespace, be it one of each thread."""
    kind = value if issubclass(type(value), type) else cast(Any, type(value))
    name = f"{kind.__module__}.{kind.__qualname__}"
    return is_user(kind.__module__) or name in NAMESPACES or issubclass(kind, local)


def is_module(value: object) -> bool:
    """Whether a value is an nn.Module (which imports the tensors that import us)."""
    attributes = attributes_of(value)
    return attributes is not None and all(is_a(attributes.get(table), dict) for table in ("_parameters", "_modules"))


def is_optimizer(value: object) -> bool:
    """Whether a value is an optimizer: groups of parameters, and a state for each of these."""
    attributes = attributes_of(value)
    if attributes is None:
        return False
    groups, state = attributes.get("param_groups"), attributes.get("state")
    return type(groups) is list and all(type(g) is dict for g in cast("list[Any]", groups)) and is_a(state, dict)


def steps_by_library(optimizer: object) -> bool:
    """Whether a class of the library below `Optimizer`, whose code is not traced, may update an optimizer's state."""
    bases = [cls for cls in mro(type(optimizer)) if cls.__module__.partition(".")[0] == PACKAGE]
    return any(cls.__name__ != "Optimizer" for cls in bases)


def is_scheduler(value: object) -> bool:
    """Whether a value sets an optimizer's rates: it acts when a call ends, and no program depends on what it counts."""
    return any(cls.__name__ == "LRScheduler" and not is_user(cls.__module__) for cls in mro(type(value)))


__all__ = [
    "BOOKKEEPING",
    "MODULE_TABLES",
    "has_attributes",
    "is_module",
    "is_optimizer",
    "is_scheduler",
    "steps_by_library",
]
