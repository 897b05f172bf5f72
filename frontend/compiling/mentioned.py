"""Attributes that code mentions by name, of all objects and classes that were found.

Code that is reached later may mention further names, and lead to further objects, so that both are kept by name. What
this costs grows with what is found and not with the number of names times that of objects:

    names     {"scale", "fc1"}        self.scale, model.fc1: places that guards watch
    by name   {"fc2": [Model], …}     what no code has mentioned yet
    absent    names that an object does not have: one guard for each, of the names that all of them share
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from types import FunctionType, MemberDescriptorType, ModuleType
from typing import Any, cast

from .code_names import is_user, names_of
from .found import Found
from .guards import Absent, Contents
from .kinds import BOOKKEEPING, has_attributes, is_module
from .places import MISSING, Cell, Entry, Member, Slot, attributes_of, entry_identity, is_a, members, mro

UNREACHED = frozenset(
    ("__init__", "__new__", "__repr__", "__str__", "__del__", "__getstate__", "__setstate__", "__reduce__")
)
"""Special methods that do not run just because an object is used."""


@dataclass(slots=True)
class AttributeNames:
    """The attributes that some objects have in common."""

    names: frozenset[Any]
    owners: list[tuple[dict[Any, Any], str, bool]] = field(default_factory=list[tuple[dict[Any, Any], str, bool]])
    """Those whose attributes these are: their dictionaries, their names, and whether changes of them are counted."""


def is_special(name: str) -> bool:
    """Whether it is a name that Python gives a meaning to."""
    return name.startswith("__") and name.endswith("__")


class Mentioned(Found):
    """Objects and classes by the names of their attributes."""

    def __init__(self, whole: Sequence[Any] = ()) -> None:
        super().__init__(whole)
        self._new_names = {*self.names}
        """Mentioned, and not looked for yet."""
        self._next_object = 0
        self._alike: dict[tuple[Any, ...], AttributeNames] = {}
        self._attributes_by_name: dict[Any, list[AttributeNames]] = {}
        self._members_by_name: dict[str, list[type]] = {}
        self._slots_by_name: dict[str, list[tuple[Any, str, Any]]] = {}
        self._slots_of: dict[type, list[tuple[str, Any]]] = {}
        self._bases: set[type] = set()
        """Classes whose members are known."""

    def _mention(self, names: Collection[str]) -> None:
        """Code mentions these names of attributes."""
        new = set(names) - self.names
        self.names |= new
        self._new_names |= new

    def _look_up(self) -> bool:
        """Takes the attributes that code mentions. Whether there may be more."""
        while self._next_object < len(self._objects):
            value, name = self._objects[self._next_object]
            self._next_object += 1
            self._attributes(value, name)
        if not self._new_names:
            return False
        key = self._new_names.pop()
        for base in self._members_by_name.pop(key, ()):
            self._member(base, key)
        for owner, name, descriptor in self._slots_by_name.pop(key, ()):
            self._slot(owner, name, descriptor)
        for alike in self._attributes_by_name.get(key, ()):
            for attributes, name, slow in alike.owners:
                self._attribute(attributes, key, name, slow)
        return True

    # Objects

    def _attributes(self, value: Any, name: str) -> None:
        if is_a(value, type):
            self._class(value)
            for base in mro(value):
                self._add_absent_members(base, self.names)
            return
        attributes = attributes_of(value)
        if attributes is not None:
            slow = is_module(value)
            self.owners[id(attributes)] = value
            self.namespaces.add(id(attributes))
            alike = self._has(attributes, name, slow)
            if not is_a(value, ModuleType):
                self._add_absent(name, attributes, alike.names, self.names, slow)
        if not is_a(value, ModuleType):
            kind = cast(Any, type(value))
            for key, descriptor in self._slots(kind):
                if key in self.names:
                    self._slot(value, name, descriptor)
                else:
                    self._slots_by_name.setdefault(key, []).append((value, name, descriptor))
            self._class(kind)

    def _has(self, attributes: dict[Any, Any], name: str, slow: bool = False) -> AttributeNames:
        """Takes from an object's dictionary what code mentions, now and later."""
        there = tuple(attributes)
        alike = self._alike.get(there)
        if alike is None:
            alike = self._alike[there] = AttributeNames(frozenset(there))
            for key in there:
                self._attributes_by_name.setdefault(key, []).append(alike)
        alike.owners.append((attributes, name, slow))
        for key in there:
            if key in self.names and key not in self._new_names:
                self._attribute(attributes, key, name, slow)
        return alike

    def _attribute(self, attributes: dict[Any, Any], key: Any, name: str, slow: bool) -> None:
        if key in attributes and not (slow and key in BOOKKEEPING):
            self._entry(attributes, key, f"{name}.{key}", slow)

    def _slots(self, kind: type) -> list[tuple[str, Any]]:
        """The slots of objects of a class of the user."""
        found = self._slots_of.get(kind)
        if found is None:
            pairs = [pair for base in mro(kind) if is_user(base.__module__) for pair in members(base).items()]
            found = self._slots_of[kind] = [pair for pair in pairs if type(pair[1]) is MemberDescriptorType]
        return found

    def _slot(self, owner: Any, name: str, descriptor: Any) -> None:
        if (id(owner), descriptor) not in self._places:
            self._places.add((id(owner), descriptor))
            self._place(Slot(f"{name}.{descriptor.__name__}", owner, descriptor, MISSING))

    # Classes

    def _class(self, cls: type) -> None:
        if cls in self._classes:
            return
        self._classes[cls] = None
        for base in mro(cls):
            self._add_absent_members(base, self.assigned)
            if base is object or base in self._bases:
                continue
            self._bases.add(base)
            for key in tuple(members(base)):
                special = is_special(key)
                if special and key in UNREACHED:
                    continue
                if special or key == "forward" or key in self.names:
                    self._member(base, key)
                else:
                    self._members_by_name.setdefault(key, []).append(base)

    def _member(self, base: type, key: str) -> None:
        """What a class has under a name that is mentioned, or that Python uses by itself."""
        member = members(base).get(key)
        if not is_user(base.__module__):
            if type(member) is FunctionType:
                self._mention(names_of(member.__code__).attributes)
        elif issubclass(type(member), (FunctionType, staticmethod, classmethod, property)):
            (mapping,) = gc.get_referents(members(base))  # a method may be replaced: what the class's dictionary has
            if entry_identity(mapping, key) not in self._places:
                self._entry(mapping, key, f"{base.__name__}.{key}")
        elif not (is_special(key) or type(member) is MemberDescriptorType or (id(base), key) in self._places):
            self._places.add((id(base), key))
            self._place(Member(f"{base.__name__}.{key}", base, key, MISSING))

    # Attributes that are not there

    def _add_absent(self, name: str, owner: Any, there: frozenset[Any], names: set[Any], slow: bool = False) -> None:
        known = self._absent.get(id(owner))
        if known is None or (known.names is not names and names is self.names):
            self._absent[id(owner)] = guard = Absent(name, owner, there, names)
            self._add(guard, slow)

    def _add_absent_members(self, base: type, names: set[Any]) -> None:
        """Attributes that a class of the user may get."""
        if has_attributes(base):
            self._add_absent(base.__name__, base, frozenset(members(base)), names)

    # Names that code makes up

    def add_prepared(self, mapping: dict[Any, Any], key: Any, name: str) -> None:
        """An entry that was made before the program runs, although the function asked for it while it was traced."""
        self._places.discard(entry_identity(mapping, key))
        self._entry(mapping, key, name)

    def add_read(self, value: Any, key: str) -> None:
        """An attribute that the function has asked for by a name that it has made up."""
        attributes = attributes_of(value)
        if attributes is not None and self.has_seen(value) and not is_module(value):
            self._entry(attributes, key, f"{type(value).__name__}.{key}")

    def add_all_read(self, value: Any) -> None:
        """All attributes that an object has."""
        attributes = attributes_of(value)
        if attributes is not None and self.has_seen(value) and not is_module(value):
            self._add(Contents(f"attributes of a {type(value).__name__}", attributes, tuple(attributes)))
            for key in attributes:
                self.add_read(value, key)

    # Places

    def _entry(self, mapping: dict[Any, Any], key: Any, name: str, slow: bool = False, in_place: bool = True) -> None:
        place = entry_identity(mapping, key)
        if place not in self._places:
            self._places.add(place)
            self._place(Entry(name, mapping, key, MISSING), slow, in_place)

    def _place(self, place: Entry | Member | Slot | Cell, slow: bool = False, in_place: bool = True) -> None:
        raise NotImplementedError


__all__ = ["Mentioned"]
