"""What a trace sees of Python: every value that traced code loads or stores passes through here (`hooks.py`).

self.calls            a place whose number changes: a symbolic number, while the object itself keeps the plain one
self.calls += 1       kept here until the trace ends; each call repeats it
print(x), sqrt(n)     what stands for functions that are put off, or that take symbolic numbers
queue.put(x)          a function that is not known to be pure: the program is for this call alone
s is t, type(s)       asked of symbolic numbers as of the numbers that they stand for

Objects that other threads may see never hold a symbolic number.
"""

from __future__ import annotations

import operator
import os
from abc import ABC
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from types import (
    BuiltinMethodType,
    CellType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import TYPE_CHECKING, Any, Generic, cast

import numpy as np

from ..tensor import Tensor
from .callables import Callables, name_of
from .code_names import PACKAGE, is_user
from .iterators import Iterators, Watched, is_iterator
from .kinds import has_attributes
from .places import PLAIN, Entry, Place, Slot, attributes_of, members, mro
from .purity import CONTAINERS, is_known, is_pure
from .symbolic import Symbolic, Symbols, apply, is_number, plain_type, read

if TYPE_CHECKING:
    from .discovery import Discovery

HARMLESS = frozenset({object, list, dict, set, deque, OrderedDict, defaultdict, Generic, ABC})
"""Bases of users' classes whose own operators act on nothing but what guards watch."""

FAST: frozenset[type] = frozenset({int, float, str, bool, type(None), bytes, tuple, slice, np.ndarray})
"""Types of values that pass as they are."""

CALLABLE = (FunctionType, MethodType, BuiltinMethodType, MethodWrapperType, cast(Any, type(np.concatenate)))
"""Types of functions and methods."""


@dataclass
class Held:
    """A place with a symbolic number, and what the trace has put there since."""

    place: Place
    source: Any
    now: Any


class Observer(Callables):
    """The eyes of one trace."""

    def __init__(
        self, symbols: Symbols, iterators: Iterators, discovery: Discovery, append_only: Callable[[Any], Any]
    ) -> None:
        """`append_only` makes a stand-in for a list that is only appended to; None where it is known to be read."""
        super().__init__(discovery)
        self._append_only = append_only
        self._handed: dict[int, int] = {}
        """How often traced code got a list itself."""
        self.symbols = symbols
        self.held: dict[tuple[int, Any], Held] = {}
        """Places with symbolic numbers, by their identity."""
        self.sources: dict[tuple[int, Any], Any] = {}
        """The symbolic numbers of places in lists and dictionaries."""
        self.stand_ins: dict[int, Any] = {}
        """What traced code gets instead of an object, by the object's id."""
        self._written_through: dict[int, Any] = {}
        self._originals: list[Any] = []
        """Keeps the objects of `stand_ins` alive, so that no other has their ids."""
        self._names: set[str] = set()
        self._iterators = iterators

    # Before and after

    def hold(self, place: Place, source: Any) -> None:
        """Puts a symbolic number into an attribute or a variable, for the traced code alone."""
        self.held[place.identity] = Held(place, source, source)
        self._names.add(place.descriptor.__name__ if isinstance(place, Slot) else str(getattr(place, "key", "")))

    def stand_in(self, original: Any, new: Any, written_through: bool = False) -> None:
        """Puts something into the place of an object, wherever traced code finds that. `written_through`: what code
        assigns to its items is seen in the object as well, by code that is not traced."""
        self.stand_ins[id(original)] = new
        if written_through:
            self._written_through[id(new)] = original
        self._originals.append(original)

    def observe(self, values: Iterable[Any]) -> None:
        """Looks at what the traced function is called with, and the function itself."""
        for value in values:
            self._loaded(value, False)
            self._live[id(value)] = value

    def take_out(self) -> None:
        """Gives traced functions their own code back, and lets go of what was seen."""
        self._instrumentation.take_out()
        for table in (self._wrapped, self._live):
            table.clear()

    # Loads

    def load(self, value: Any) -> Any:
        """An import, or the result of another load."""
        return self._loaded(value, False)

    def load_global(self, names: dict[str, Any], name: str, value: Any, called: bool) -> Any:
        """A global or builtin name."""
        held = self.held.get((id(names), name))
        return held.now if held is not None else self._loaded(value, called, live=True)

    def load_cell(self, operands: Any) -> Any:
        """A variable of an enclosing function."""
        value, cell = operands
        held = self.held.get((id(cell), None))
        return held.now if held is not None else self._loaded(value, False, live=True)

    def load_attribute(self, owner: Any, name: str, called: bool = False) -> Any:
        """An attribute."""
        if name in self._names:
            held = self._held_attribute(owner, name)
            if held is not None:
                return held.now
        if isinstance(owner, Symbolic):
            getattr(owner._value, name)  # raises AttributeError whatever the number is
            return getattr(read(owner), name)
        owner = plain_type(owner)
        redirected = self.stand_ins.get(id(owner))
        owner = owner if redirected is None else redirected
        if name == "__dict__":
            self.expose(owner)
        kind = cast(Any, type(owner))
        if is_user(kind.__module__):
            self._see_class(kind)
            member = getattr(kind, name, None)
            if type(member) is property and isinstance(member.fget, FunctionType):
                self._see_function(member.fget)
        value = getattr(owner, name)
        foreign = not (is_user(kind.__module__) or kind.__module__.partition(".")[0] == PACKAGE)
        if foreign and not isinstance(owner, (type, FunctionType)):
            if isinstance(value, CONTAINERS):
                self._live[id(value)] = value
            if not (
                callable(value) or isinstance(owner, (ModuleType, Watched)) or has_attributes(owner) or is_known(owner)
            ):
                self.see_effect(f"{name_of(kind)}.{name}")  # which no guard watches
        return self._loaded(value, called, live=not isinstance(owner, Tensor))

    def result(self, value: Any) -> Any:
        """What a call gave, or a variable that is called."""
        if isinstance(value, CALLABLE):
            return self._callable(value, True)
        return self.stand_ins.get(id(value), value)

    def called(self, value: Any) -> Any:
        """A variable that is called."""
        kind = cast(Any, type(value))
        if isinstance(value, (Tensor, Symbolic)) or is_user(kind.__module__):
            return value
        return self._loaded(value, True)

    def appended(self, container: Any) -> Any:
        """What stands for a list that code appends to, and does not look into as far as is known."""
        if type(container) not in (list, deque) or not self._has_seen(container):
            return container
        if id(container) in self.stand_ins or self._handed.get(id(container), 0) > 1:
            return container
        new = self._append_only(container)
        if new is None:
            return container
        self.stand_in(container, new)
        return new

    def load_item(self, operands: Any) -> Any:
        """`container[key]`"""
        container, key = operands
        container = self.stand_ins.get(id(container), container)
        self._touch(container)
        return self._loaded(container[key], False, live=self._is_live(container))

    def _held_attribute(self, owner: Any, name: str) -> Held | None:
        """The place that an attribute is read from, if it has a symbolic number."""
        held = self._own_attribute(owner, name)
        if held is not None or name in (attributes_of(owner) or ()):
            return held
        for cls in mro(cast(Any, owner if isinstance(owner, type) else type(owner))):
            if name in members(cls):
                return self.held.get((id(cls), name))
        return None

    def _own_attribute(self, owner: Any, name: str) -> Held | None:
        """The place that an attribute is assigned to, if it has a symbolic number."""
        if isinstance(owner, type):
            return self.held.get((id(owner), name))
        attributes = attributes_of(owner)
        held = None if attributes is None else self.held.get((id(attributes), name))
        if held is None:
            slot = next((members(c)[name] for c in mro(cast(Any, type(owner))) if name in members(c)), None)
            held = self.held.get((id(owner), slot)) if type(slot) is MemberDescriptorType else None
        return held

    def _loaded(self, value: Any, called: bool, live: bool = False) -> Any:
        kind = cast(Any, type(value))
        if kind in FAST:
            if live and kind is np.ndarray:
                self._live[id(value)] = value
            return value
        found = self.stand_ins.get(id(value))
        if found is not None:
            return found
        if kind is list or kind is deque:
            self._handed[id(value)] = self._handed.get(id(value), 0) + 1
        if isinstance(value, (Tensor, Symbolic)):
            return value
        if isinstance(value, (*CALLABLE, type)):
            return self._callable(value, called)
        if isinstance(value, ModuleType):
            return value
        if is_user(kind.__module__):
            self._see_class(kind)
            return value
        if live and is_iterator(value):
            new = self._iterators.stand_in(value)
            self.stand_in(value, new)
            return new
        if kind.__module__.partition(".")[0] == PACKAGE:
            return value
        if live and not isinstance(value, CONTAINERS):
            self._live[id(value)] = value
        if kind is np.ufunc and called:
            return self._callable(value, called)
        if callable(value) and (called or kind.__module__ == "functools") and not is_known(value):
            return self._callable(value, called)
        return value

    # Stores

    def store_global(self, names: dict[str, Any], name: str, value: Any) -> None:
        """`global name; name = value`"""
        held = self.held.get((id(names), name))
        if not self._keep(held, value):
            names[name] = read(value)

    def store_cell(self, operands: Any) -> None:
        """A variable of an enclosing function is assigned."""
        value, cell = operands
        if not self._keep(self.held.get((id(cell), None)), value):
            cast(CellType, cell).cell_contents = (
                value if not isinstance(value, Symbolic) else self._variable(cell, value)
            )

    def _variable(self, cell: CellType, value: Any) -> Any:
        """A variable of a function that is itself running may hold a symbolic number; one from outside may not."""
        return read(value) if self._has_seen(cell) else value

    def store_attribute(self, owner: Any, name: str, value: Any) -> None:
        """`owner.name = value`"""
        owner = self.stand_ins.get(id(owner), owner)
        if name in self._names and self._keep(self._own_attribute(owner, name), value):
            return
        kind = cast(Any, type(owner))
        if isinstance(value, Symbolic) and (self._has_seen(owner) or not has_attributes(owner)):
            value = read(value)
        if isinstance(owner, (type, ModuleType, FunctionType, Tensor)) or self._has_seen(owner):
            if not self._is_found(owner, name):
                self.see_effect(f"{name_of(owner)}.{name} =")
        elif not is_user(kind.__module__):
            self._touch(owner, writing=True)
        setattr(owner, name, value)

    def _is_found(self, owner: Any, name: str) -> bool:
        """Whether a change of this attribute is found after the trace, or is none of Python's."""
        if isinstance(owner, Tensor):
            return hasattr(type(owner), name) or owner._storage.array is None
        if isinstance(owner, (type, FunctionType, ModuleType)):
            return self._discovery.is_watched(owner, name)
        return (
            name in self._discovery.names
            or not is_user(type(owner).__module__)
            or self._discovery.is_watched(owner, name)
        )

    def store_item(self, operands: Any) -> None:
        """`container[key] = value`"""
        value, container, key = operands
        container = self.stand_ins.get(id(container), container)
        self._touch(container, writing=True)
        original = self._written_through.get(id(container))
        if original is not None and not isinstance(container.get(key), Symbolic):
            original[key] = value = read(value)
        container[key] = read(value) if isinstance(value, Symbolic) and self._has_seen(container) else value

    def delete_item(self, operands: Any) -> None:
        """`del container[key]`"""
        container, key = operands
        container = self.stand_ins.get(id(container), container)
        self._touch(container, writing=True)
        del container[key]

    def _keep(self, held: Held | None, value: Any) -> bool:
        """Whether a value is kept here; what is no number goes where it belongs."""
        if held is None:
            return False
        if isinstance(value, Symbolic) or type(value) in PLAIN:
            held.now = value
            return True
        del self.held[held.place.identity]
        return False

    def expose(self, owner: Any) -> None:
        """Code looks at all attributes of an object at once: its numbers are constants from here on."""
        attributes = getattr(owner, "__dict__", None)
        for key, held in list(self.held.items()):
            if isinstance(held.place, Entry) and held.place.mapping is attributes:
                read(held.source)
                held.place.assign(read(held.now))
                del self.held[key]

    # Operators

    def operate(self, x: Any, y: Any, in_place: bool) -> None:
        """An operator with two operands."""
        self._touch(x, writing=in_place)
        if not in_place:
            self._touch(y)

    def iterate(self, value: Any) -> Any:
        """`for x in value`, an unpacking or a comprehension."""
        value = self.stand_ins.get(id(value), value)
        self._touch(value)
        return value

    def enter(self, value: Any) -> Any:
        """`with value:`"""
        self._touch(value)
        return value

    def _touch(self, value: Any, writing: bool = False) -> None:
        """An operator acts on an object; if that is foreign and was there before, this may be an effect."""
        kind = cast(Any, type(value))
        if kind in FAST and not (writing and kind is np.ndarray):
            return
        if isinstance(value, CONTAINERS):
            if self._is_unguarded(value):
                self.see_effect(name_of(kind))
            return
        if isinstance(value, (Tensor, Symbolic, Watched)) or _is_all_python(kind):
            return
        if is_iterator(value):
            if self._is_live(value):
                self.see_effect(name_of(kind))
            return
        if is_known(value) and not (writing and isinstance(value, np.ndarray)):
            return
        if value is os.environ and not writing:
            return  # whose variables are guarded
        if self._is_live(value) or not isinstance(value, np.ndarray):
            self.see_effect(f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."))

    def is_same(self, x: Any, y: Any) -> bool:
        """`x is y`: of symbolic numbers, what Python answers for the numbers of each call."""
        if isinstance(x, Symbolic) or isinstance(y, Symbolic):
            numbers = all(isinstance(z, Symbolic) or is_number(z) for z in (x, y))
            return apply(operator.is_, "{} is {}", x, y) if numbers else False
        return self.stand_ins.get(id(x), plain_type(x)) is self.stand_ins.get(id(y), plain_type(y))


@cache
def _is_all_python(kind: Any) -> bool:
    """Whether all that operators do to objects of a user's class is code of the user, or found after the trace."""
    bases = (base for base in kind.__mro__ if not is_user(base.__module__))
    return is_user(kind.__module__) and all(base in HARMLESS or is_pure(base) for base in bases)
