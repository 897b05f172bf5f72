"""Attributes of one module that are computed whenever they are read, by giving it a class of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import mutations
from ...tensor import Tensor
from ..module import Module

Getter = Callable[[Any], Tensor]
Setter = Callable[[Any, Any], None]
_BASE, _PROPERTIES = "_class_before", "_computed"


def compute(module: Module, name: str, getter: Getter, setter: Setter | None = None, prefix: str = "") -> None:
    """From now on `module.name` is `getter(module)`; the class keeps its name, with a prefix."""
    _specialize(module, {**computed(module), name: property(getter, setter)}, prefix)


def forget(module: Module, name: str) -> None:
    """Makes `name` an ordinary attribute again, without a value."""
    kind = type(module)
    left = {key: value for key, value in computed(module).items() if key != name}
    _specialize(module, left, kind.__name__.removesuffix(getattr(kind, _BASE, kind).__name__))


def computed(module: Module) -> dict[str, property]:
    """The computed attributes of a module."""
    return getattr(type(module), _PROPERTIES, {})


def _specialize(module: Module, properties: dict[str, property], prefix: str) -> None:
    # A new class each time: copies of the module share the old one.
    base: type[Module] = getattr(type(module), _BASE, type(module))
    members: dict[str, Any] = {**properties, _BASE: base, _PROPERTIES: properties, "__module__": base.__module__}
    module.__class__ = type(f"{prefix}{base.__name__}", (base,), members) if properties else base
    mutations.bump()
