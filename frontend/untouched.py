"""Looks at objects without running any code of theirs: no `__getattribute__` or `__class__`, nothing of a metaclass."""

from __future__ import annotations

from typing import Any

_MRO: Any = type.__dict__["__mro__"]
_MEMBERS: Any = type.__dict__["__dict__"]


def is_a(value: object, *kinds: Any) -> bool:
    """What isinstance() says, without asking the object."""
    return issubclass(type(value), kinds)


def mro(cls: type) -> tuple[type, ...]:
    """The base classes of a class, itself first, whatever its metaclass says."""
    return _MRO.__get__(cls)


def members(cls: type) -> Any:
    """What is in the `__dict__` of a class, whatever its metaclass says."""
    return _MEMBERS.__get__(cls)


def class_attribute(cls: type, name: str) -> Any:
    """An attribute of a class, a descriptor as such; None where there is none."""
    return next((members(base)[name] for base in mro(cls) if name in members(base)), None)


__all__ = ["class_attribute", "is_a", "members", "mro"]
