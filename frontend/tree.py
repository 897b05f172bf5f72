"""Trees of arguments and results: tuples, lists, dictionaries, named tuples and dataclasses that hold tensors, with
anything else as leaves. Results may also be objects of other classes, which are taken apart and copied."""

from __future__ import annotations

import copy
from collections import OrderedDict, deque
from collections.abc import Iterator
from types import MemberDescriptorType
from typing import Any, Protocol, cast

LEAF: Any = None
"""The structure of a leaf."""


class Guide(Protocol):
    """Says how far to take a tree apart."""

    def is_leaf(self, value: Any) -> bool:
        """Whether a container is to stay whole."""
        ...

    def template(self, value: Any) -> Template | None:
        """How to copy an object of another class, if it is to be taken apart."""
        ...


def flatten(value: Any, leaves: list[Any], guide: Guide | None = None) -> Any:
    """Appends the leaves of a tree to a list; its structure, which can be hashed and compared."""
    kind = cast(Any, type(value))
    if guide is not None and guide.is_leaf(value):
        leaves.append(value)
        return LEAF
    if kind is tuple or kind is list:
        return (kind, *[flatten(v, leaves, guide) for v in value])
    if kind is dict or kind is OrderedDict:
        return (kind, tuple(value), *[flatten(v, leaves, guide) for v in value.values()])
    if hasattr(kind, "_fields") and issubclass(kind, tuple):
        return (kind, *[flatten(v, leaves, guide) for v in value])
    if hasattr(kind, "__dataclass_fields__") and kind is not value and holds_tensors(value):
        fields = attributes_of(value)
        return (kind, tuple(fields), *[flatten(v, leaves, guide) for v in fields.values()])
    template = None if guide is None else guide.template(value)
    if template is not None:
        return (template, *[flatten(v, leaves, guide) for v in template.parts(value)])
    leaves.append(value)
    return LEAF


def rebuild(structure: Any, leaves: Iterator[Any]) -> Any:
    """The tree of a structure with other leaves."""
    if structure is LEAF:
        return next(leaves)
    kind, *children = structure
    if isinstance(kind, Template):
        return kind.filled([rebuild(child, leaves) for child in children])
    if hasattr(kind, "__dataclass_fields__"):
        keys, *children = children
        return _instance(kind, dict(zip(keys, [rebuild(child, leaves) for child in children], strict=True)))
    if kind is dict or kind is OrderedDict:
        keys, *children = children
        made: Any = kind
        return made(zip(keys, [rebuild(child, leaves) for child in children], strict=True))
    values = [rebuild(child, leaves) for child in children]
    if kind is list:
        return values
    return tuple(values) if kind is tuple else kind(*values)


def is_tensor(value: Any) -> bool:
    """Whether a value is a Tensor."""
    return type(getattr(cast(Any, type(value)), "_storage", None)) is MemberDescriptorType  # a slot: nothing is asked


def holds_tensors(value: Any) -> bool:
    """Whether a dataclass has a tensor in one of its attributes, or in a tuple, list or dictionary there."""
    for part in attributes_of(value).values():
        if isinstance(part, dict):
            part = tuple(cast("dict[Any, Any]", part).values())
        if any(map(is_tensor, as_tuple(part))):
            return True
    return False


def attributes_of(value: Any) -> dict[str, Any]:
    """The attributes of an object: those in its `__dict__`, or else the fields of a dataclass with slots."""
    try:
        return object.__getattribute__(value, "__dict__")
    except AttributeError:
        pass
    names = getattr(cast(Any, type(value)), "__dataclass_fields__", ())
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def _instance(kind: type, attributes: dict[str, Any]) -> Any:
    """An object of a class with these attributes, made without its constructor."""
    made = cast(Any, object.__new__(kind))
    for name, value in attributes.items():
        object.__setattr__(made, name, value)
    return made


class Template:
    """An object to copy, with other values for its attributes and, for a container of some class, its elements."""

    def __init__(self, value: Any) -> None:
        self.attributes = tuple(attributes_of(value))
        self.keys: tuple[Any, ...] = ()
        self._empty = copy.copy(value)
        base = _base(value)
        if base is not None:
            self.keys = tuple(base.__iter__(value)) if isinstance(value, dict) else ()
            base.clear(self._empty)

    def parts(self, value: Any) -> list[Any]:
        """What is taken out of an object."""
        return parts_of(value)

    def filled(self, parts: list[Any]) -> Any:
        """A copy with these parts."""
        made = copy.copy(self._empty)
        for name, part in zip(self.attributes, parts):
            object.__setattr__(made, name, part)
        base, rest = _base(made), parts[len(self.attributes) :]
        if self.keys:
            base.update(made, zip(self.keys, rest, strict=True))
        elif rest:
            base.extend(made, rest)
        return made


def parts_of(value: Any) -> list[Any]:
    """The values of an object's attributes, and what is in it if it is a dictionary, list or deque."""
    base = _base(value)
    inside = () if base is None else base.values(value) if isinstance(value, dict) else base.__iter__(value)
    return [*attributes_of(value).values(), *inside]


def _base(value: Any) -> Any:
    """The class whose methods do no more than those of a dictionary, list or deque."""
    return next((base for base in (OrderedDict, dict, list, deque) if isinstance(value, base)), None)


def as_tuple(value: Any) -> tuple[Any, ...]:
    """The elements of a tuple or list, or the one value that is given without one."""
    return tuple(cast("Iterator[Any]", value)) if isinstance(value, (tuple, list)) else (value,)


__all__ = [
    "LEAF",
    "Guide",
    "Template",
    "as_tuple",
    "attributes_of",
    "flatten",
    "holds_tensors",
    "is_tensor",
    "parts_of",
    "rebuild",
]
