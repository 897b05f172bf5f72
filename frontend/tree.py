"""Trees of arguments and results: tuples, lists, dictionaries, named tuples and dataclasses that hold tensors, with
anything else as leaves. Results may also be objects of other classes, which are taken apart and copied."""

from __future__ import annotations

import copy
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import repeat
from types import MemberDescriptorType
from typing import Any, NamedTuple, Protocol, cast

from .mutations import CountedDict
from .untouched import class_attribute, is_a

DICTS: frozenset[Any] = frozenset((dict, OrderedDict, CountedDict))
"""Classes whose objects are rebuilt from their entries alone."""

kind_of: Callable[[Any], Any] = type
"""The type of any value, for strict checkers."""

ATOMS: set[type] = {int, float, bool, type(None), str}
"""Classes whose objects are leaves, which is seen at once."""

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
    kind = kind_of(value)
    if guide is None and kind in ATOMS:
        leaves.append(value)
        return LEAF
    if guide is not None and guide.is_leaf(value):
        leaves.append(value)
        return LEAF
    if kind is tuple or kind is list:
        if guide is None and ATOMS.issuperset(map(type, value)):
            leaves += value
            return (kind, *repeat(LEAF, len(value)))
        return (kind, *[flatten(v, leaves, guide) for v in value])
    if kind in DICTS:
        return (kind, tuple(value), *[flatten(v, leaves, guide) for v in value.values()])
    if is_named_tuple(value):
        return (kind, *[flatten(v, leaves, guide) for v in value])
    if is_dataclass(kind) and holds_tensors(value):
        fields = attributes_of(value)
        if _base(value) is not None:
            whole = Instance(kind, tuple(fields), keys_of(value))
            return (whole, *[flatten(v, leaves, guide) for v in parts_of(value)])
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
    if isinstance(kind, (Template, Instance)):
        return kind.filled([rebuild(child, leaves) for child in children])
    if is_dataclass(kind):
        keys, *children = children
        return _instance(kind, dict(zip(keys, [rebuild(child, leaves) for child in children], strict=True)))
    if kind in DICTS:
        keys, *children = children
        made: Any = kind
        return made(zip(keys, [rebuild(child, leaves) for child in children], strict=True))
    values = [rebuild(child, leaves) for child in children]
    if kind is list:
        return values
    return tuple(values) if kind is tuple else kind(*values)


def is_named_tuple(value: Any) -> bool:
    """Whether a value is a tuple whose elements have names."""
    return is_a(value, tuple) and class_attribute(cast(Any, type(value)), "_fields") is not None


@lru_cache(maxsize=4096)
def is_dataclass(kind: Any) -> bool:
    """Whether objects of a class are those of a dataclass."""
    return class_attribute(kind, "__dataclass_fields__") is not None


def is_plain_tensor(value: Any) -> bool:
    """Whether a value is a Tensor by its type, whatever it says that its class is: x[mask] in compiled code is none."""
    return _is_tensor_type(cast(Any, type(value)))


@lru_cache(maxsize=4096)
def _is_tensor_type(kind: Any) -> bool:
    return type(class_attribute(kind, "_spec")) is MemberDescriptorType


def holds_tensors(value: Any) -> bool:
    """Whether a dataclass has a tensor in one of its parts, or in a tuple, list or dictionary there."""
    for part in parts_of(value):
        if is_a(part, dict):
            part = tuple(cast("dict[Any, Any]", part).values())
        if any(map(is_plain_tensor, as_tuple(part))):
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


class Instance(NamedTuple):
    """A dataclass that is a dictionary, list or deque too: its class, its attributes and, of a dictionary, its keys."""

    kind: Any
    attributes: tuple[str, ...]
    keys: tuple[Any, ...]

    def filled(self, parts: list[Any]) -> Any:
        """An object with these parts."""
        base = next(base for base in BASES if issubclass(self.kind, base))
        return _fill(base.__new__(self.kind), self.attributes, self.keys, parts)


class Template:
    """An object to copy, with other values for its attributes and, for a container of some class, its elements."""

    def __init__(self, value: Any) -> None:
        self.attributes = tuple(attributes_of(value))
        self.keys = keys_of(value)
        self._empty = copy.copy(value)
        base = _base(value)
        if base is not None:
            base.clear(self._empty)

    def parts(self, value: Any) -> list[Any]:
        """What is taken out of an object."""
        return parts_of(value)

    def filled(self, parts: list[Any]) -> Any:
        """A copy with these parts."""
        return _fill(copy.copy(self._empty), self.attributes, self.keys, parts)


def _fill(made: Any, attributes: tuple[str, ...], keys: tuple[Any, ...], parts: list[Any]) -> Any:
    """Gives an empty object its attributes, and what is in it."""
    for name, part in zip(attributes, parts):
        object.__setattr__(made, name, part)
    base, rest = _base(made), parts[len(attributes) :]
    if keys:
        for key, part in zip(keys, rest, strict=True):
            base.__setitem__(made, key, part)
    elif rest:
        base.extend(made, rest)
    return made


def keys_of(value: Any) -> tuple[Any, ...]:
    """The keys of a dictionary; none of anything else."""
    return tuple(_base(value).__iter__(value)) if is_a(value, dict) else ()


def parts_of(value: Any) -> list[Any]:
    """The values of an object's attributes, and what is in it if it is a dictionary, list or deque."""
    base = _base(value)
    inside = () if base is None else base.values(value) if is_a(value, dict) else base.__iter__(value)
    return [*attributes_of(value).values(), *inside]


BASES: tuple[Any, ...] = (OrderedDict, dict, list, deque)


def _base(value: Any) -> Any:
    """The class whose methods do no more than those of a dictionary, list or deque."""
    return next((base for base in BASES if is_a(value, base)), None)


def as_tuple(value: Any) -> tuple[Any, ...]:
    """The elements of a tuple or list, or the one value that is given without one."""
    return tuple(cast("Iterator[Any]", value)) if is_a(value, tuple, list) else (value,)


__all__ = [
    "LEAF",
    "Guide",
    "Instance",
    "Template",
    "as_tuple",
    "attributes_of",
    "flatten",
    "holds_tensors",
    "is_dataclass",
    "is_named_tuple",
    "is_plain_tensor",
    "keys_of",
    "kind_of",
    "parts_of",
    "rebuild",
]
