"""Where Python keeps what a function reads and assigns: each place says what is in it, and can be put back.

Nothing in here calls code of the user: dictionaries, lists and attributes are read by the methods of Python's own
classes, whatever a subclass overrides.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from threading import local
from types import CellType, GetSetDescriptorType, MemberDescriptorType
from typing import Any, cast

import numpy as np

from ...dialects.types import DType
from ..tree import kind_of
from ..untouched import class_attribute, is_a, members, mro
from .weak import is_weak, referent

PLAIN: frozenset[type] = frozenset({int, float, str, bool, type(None), bytes, complex, DType, slice, type(...)})
"""Types whose values are compared by value."""


class _Missing:
    def __repr__(self) -> str:
        return "missing"


MISSING: Any = _Missing()
"""Stands for a name that is not there."""


def same(now: Any, before: Any) -> bool:
    """Whether a program may take one value for the other."""
    if now is before:
        return True
    kind = kind_of(now)
    if kind is not type(before):
        return is_weak(before) and now is not None and before() is now
    if kind is float:
        return now == before and math.copysign(1, now) == math.copysign(1, before)  # NaN is itself alone, as a key is
    if issubclass(kind, (complex, np.generic)):
        return repr(now) == repr(before)  # NaN is NaN, and 0.0 is not -0.0
    if kind in PLAIN:
        return bool(now == before)
    if kind is tuple:
        return len(now) == len(before) and all(map(same, now, before))
    if issubclass(kind, (tuple, frozenset)):
        return length(now) == length(before) and all(map(same, elements(now), elements(before)))
    return False


def attributes_of(value: object) -> dict[str, Any] | None:
    """The `__dict__` of an object, if it has one of the usual kind; of a `threading.local()` the calling thread's."""
    if issubclass(type(value), local):  # a subclass has a further one, which nothing uses
        return local.__getattribute__(cast(Any, value), "__dict__")
    for cls in mro(type(value)):
        found = members(cls).get("__dict__")
        if found is not None:
            usual = type(found) in (GetSetDescriptorType, MemberDescriptorType)
            attributes: Any = found.__get__(value) if usual else None
            return cast("dict[str, Any]", attributes) if type(attributes) is dict else None
    return None


CONTAINERS: tuple[Any, ...] = (OrderedDict, dict, list, tuple, deque, set, frozenset)
"""Classes whose objects hold others, the most special one first."""


def base_of(container: object) -> Any:
    """The class of Python's own that a container is of, by whose methods it is read."""
    kind = type(container)
    return kind if kind in CONTAINERS else next((base for base in CONTAINERS if issubclass(kind, base)), None)


def elements(container: Any) -> Iterator[Any]:
    """The elements of a container; of a dictionary its keys."""
    return base_of(container).__iter__(container)


def length(container: Any) -> int:
    """How many there are."""
    return base_of(container).__len__(container)


_DICT: Any = dict
VALUES: Any = _DICT.values
GET: Any = _DICT.get
"""Methods of dictionaries, for those of any class."""


def entry_identity(mapping: dict[Any, Any], key: Any) -> tuple[int, Any]:
    """Tells an entry from others, as long as dictionary and key live. Only plain keys are compared."""
    return id(mapping), key if _is_plain(key) else id(key)


def _is_plain(key: Any) -> bool:
    return type(key) in PLAIN or (type(key) is tuple and all(map(_is_plain, elements(key))))


def key_name(key: Any) -> str:
    """A key of a dictionary in the name of its entry."""
    return repr(key) if type(key) in PLAIN else "..."


class _Place:
    """What all places share."""

    __slots__ = ()

    name: str
    expected: Any

    def now(self) -> Any:
        raise NotImplementedError

    def assign(self, value: Any) -> None:
        raise NotImplementedError

    def clear(self) -> None:
        """Makes it a place where nothing is."""

    def holds(self) -> bool:
        """Whether it is what it was."""
        return same(self.now(), self.expected)

    def restore(self) -> None:
        """Makes it what it was."""
        if self.expected is MISSING:
            self.clear()
        else:
            self.assign(self.expected)


@dataclass(slots=True)
class Entry(_Place):
    """An entry of a dictionary: a global, an attribute in an instance's `__dict__`, a value."""

    name: str
    mapping: dict[Any, Any]
    key: Any
    expected: Any

    @property
    def identity(self) -> tuple[int, Any]:
        return entry_identity(self.mapping, self.key)

    def now(self) -> Any:
        return GET(self.mapping, self.key, MISSING)

    def assign(self, value: Any) -> None:
        base_of(self.mapping).__setitem__(self.mapping, self.key, value)

    def clear(self) -> None:
        base_of(self.mapping).pop(self.mapping, self.key, None)


@dataclass(slots=True)
class Member(_Place):
    """An attribute of a class."""

    name: str
    owner: type
    key: str
    expected: Any

    @property
    def identity(self) -> tuple[int, Any]:
        return id(self.owner), self.key

    def now(self) -> Any:
        return members(self.owner).get(self.key, MISSING)

    def assign(self, value: Any) -> None:
        type.__setattr__(self.owner, self.key, value)

    def clear(self) -> None:
        if self.key in members(self.owner):
            type.__delattr__(self.owner, self.key)


@dataclass(slots=True)
class Slot(_Place):
    """An attribute that is one of an object's `__slots__`."""

    name: str
    owner: Any
    descriptor: MemberDescriptorType
    expected: Any

    @property
    def identity(self) -> tuple[int, Any]:
        return id(referent(self.owner)), self.descriptor

    def now(self) -> Any:
        owner = referent(self.owner)
        try:
            return MISSING if owner is None else self.descriptor.__get__(owner)
        except AttributeError:
            return MISSING

    def assign(self, value: Any) -> None:
        self.descriptor.__set__(referent(self.owner), value)

    def clear(self) -> None:
        if self.now() is not MISSING:
            self.descriptor.__delete__(referent(self.owner))


@dataclass(slots=True)
class Cell(_Place):
    """A variable of an enclosing function."""

    name: str
    cell: CellType
    expected: Any

    @property
    def identity(self) -> tuple[int, Any]:
        return id(self.cell), None

    def now(self) -> Any:
        try:
            return self.cell.cell_contents
        except ValueError:
            return MISSING

    def assign(self, value: Any) -> None:
        self.cell.cell_contents = value

    def clear(self) -> None:
        del self.cell.cell_contents


@dataclass(slots=True)
class Item(_Place):
    """An element of a list or deque, whose length is watched elsewhere."""

    name: str
    container: list[Any] | deque[Any]
    index: int
    expected: Any

    @property
    def identity(self) -> tuple[int, Any]:
        return id(self.container), self.index

    def now(self) -> Any:
        inside = self.index < length(self.container)
        return base_of(self.container).__getitem__(self.container, self.index) if inside else MISSING

    def assign(self, value: Any) -> None:
        base_of(self.container).__setitem__(self.container, self.index, value)


Place = Entry | Member | Slot | Cell | Item
"""Something that a value is assigned to."""

__all__ = [
    "GET",
    "MISSING",
    "PLAIN",
    "VALUES",
    "Cell",
    "Entry",
    "Item",
    "Member",
    "Place",
    "Slot",
    "attributes_of",
    "base_of",
    "class_attribute",
    "elements",
    "entry_identity",
    "is_a",
    "key_name",
    "length",
    "members",
    "mro",
    "same",
]
