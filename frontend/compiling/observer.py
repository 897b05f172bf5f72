"""What a trace sees of Python: every value that traced code loads or stores passes through here (`hooks.py`).

self.calls            a place whose number changes: a symbolic number, while the object itself keeps the plain one
self.calls += 1       kept here until the trace ends; each call repeats it
print(x), sqrt(n)     what stands for functions that are deferred, or that take symbolic numbers
queue.put(x)          a function that is not known to be pure: the program is for this call alone
s is t, type(s)       asked of symbolic numbers as of the numbers that they stand for

Objects that other threads may see never hold a symbolic number.
"""

from __future__ import annotations

import operator
import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from contextlib import _GeneratorContextManager  # pyright: ignore[reportPrivateUsage]
from operator import attrgetter
from types import (
    BuiltinMethodType,
    CellType,
    FunctionType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..tensor import Tensor
from .callables import FAST, IDENTIFYING, Memo, name_of
from .code_names import PACKAGE, is_of_user, is_user
from .copies import Copies
from .iterators import Iterators, Watched, is_iterator
from .kinds import has_attributes, is_module
from .overlay import Overlay, may_hold_tensors
from .places import attributes_of, class_attribute, is_a
from .purity import CONTAINERS, SLOTS, VIEWS, is_all_python, is_known
from .reached import Reached
from .symbolic import Symbolic, Symbols, apply, is_number, plain_type, read, read_all

if TYPE_CHECKING:
    from .changed_numbers import DynamicNumbers
    from .discovery import Discovery

CALLABLE = (FunctionType, MethodType, BuiltinMethodType, *SLOTS, attrgetter, cast(Any, type(np.concatenate)))
"""Types of functions and methods."""


OWN = (np.ndarray, _GeneratorContextManager)
"""Types of foreign objects that act on themselves alone, or run code of the user: those of a trace are its own."""

FOREIGN = (BuiltinMethodType, MethodWrapperType)
"""Types of callables that are bound to what they act on."""


class Observer(Reached):
    """The eyes of one trace."""

    def __init__(
        self,
        symbols: Symbols,
        iterators: Iterators,
        discovery: Discovery,
        numbers: DynamicNumbers,
        append_only: Callable[[Any], Any],
    ) -> None:
        """`append_only` makes a stand-in for a list that is only appended to; None where it is known to be read."""
        super().__init__(discovery, numbers)
        self._append_only = append_only
        self._handed: dict[int, int] = {}
        """How often traced code got a list itself."""
        self.symbols = symbols
        self.overlay = Overlay(discovery)
        """What traced code has assigned to live objects."""
        self.sources: dict[tuple[int, Any], Any] = {}
        """The symbolic numbers of places in lists and dictionaries."""
        self.stand_ins: dict[int, Any] = {}
        """What traced code gets instead of an object, by the object's id."""
        self.copies = Copies(discovery, self.stand_ins, self.stand_in)
        """What traced code gets instead of lists and dictionaries that it may change."""
        self._written_through: dict[int, Any] = {}
        self._originals: list[Any] = []
        """Keeps the objects of `stand_ins` alive, so that no other has their ids."""
        self._iterators = iterators
        self._pure: dict[int, Any] = {}
        """Functions that have been called."""
        self._stored: dict[int, Any] = {}
        """Foreign objects that traced code has put into places: made by it, or known when it has loaded them."""

    # Before and after

    def stand_in(self, original: Any, new: Any, written_through: bool = False) -> None:
        """Puts something into the place of an object, wherever traced code finds that. `written_through`: numbers
        that code assigns to its items are seen in the object as well, by code that is not traced."""
        self.stand_ins[id(original)] = new
        if written_through:
            self._written_through[id(new)] = original
        self._originals.append(original)

    def observe(self, values: Iterable[Any]) -> None:
        """Looks at what the traced function is called with, and the function itself."""
        for cls in self._discovery.classes:
            if is_user(cls.__module__):
                self._see_class(cls)
        self.refuse_too_large()
        for value in values:
            self._loaded(value, False)
            self._live[id(value)] = value

    def take_out(self) -> None:
        """Gives traced functions their own code back, and lets go of what was seen."""
        self._instrumentation.take_out()
        for table in (self._wrapped, self._stands_for, self._live, self._stored, self._pure):
            table.clear()

    # Loads

    def load(self, value: Any) -> Any:
        """An import, or the result of another load."""
        return self._loaded(value, False)

    def load_global(self, names: dict[str, Any], name: str, value: Any, called: bool) -> Any:
        """A global or builtin name."""
        held = self.overlay.held.get((id(names), name))
        return self._loaded(value if held is None else held.now, called, live=True)

    def load_cell(self, operands: Any) -> Any:
        """A variable of an enclosing function."""
        value, cell = operands
        held = self.overlay.held.get((id(cell), None))
        return self._loaded(value if held is None else held.now, False, live=True)

    def load_attribute(
        self, owner: Any, name: str, called: bool = False, get: Callable[[Any, str], Any] = getattr
    ) -> Any:
        """An attribute. `get` is what Python does to read one."""
        if name in self.overlay.names and not (get is getattr and _is_by_user(owner, "__getattribute__")):
            held = self.overlay.attribute(owner, name)
            if held is not None:
                return self._loaded(held.now, called)
        if is_a(owner, Symbolic):
            getattr(owner._value, name)  # raises AttributeError whatever the number is
            return getattr(read(owner), name)
        owner = plain_type(owner)
        owner = owner.cached if type(owner) is Memo else self._stands_for.get(id(owner), owner)
        redirected = self.stand_ins.get(id(owner))
        owner = owner if redirected is None else redirected
        if name == "__dict__":
            self.overlay.expose(owner)
            self._look((attributes_of(owner) or {}).values())
        if name in IDENTIFYING:
            self.asks_identity = True
        kind = cast(Any, type(owner))
        if is_user(kind.__module__):
            self._see_class(kind)
            self._see_member(kind, name)
        elif is_a(owner, type) and is_user(owner.__module__):
            self._see_class(owner)
            self._see_member(owner, name)
        elif is_a(owner, ModuleType) and name not in (attributes_of(owner) or ()):
            made: Any = (attributes_of(owner) or {}).get("__getattr__")
            if is_a(made, FunctionType) and is_of_user(made):
                self._see_function(made)
        value: Any = get(owner, name)
        if (
            self.overlay.held
            and type(value) is MethodType
            and not is_user(value.__func__.__module__)
            and is_module(owner)
        ):
            self.overlay.expose_modules(name)
        foreign = not (is_user(kind.__module__) or kind.__module__.partition(".")[0] == PACKAGE)
        if foreign and not is_a(owner, (type, FunctionType)):
            is_new = is_known(owner) and not (is_a(owner, ModuleType) or self._is_live(owner))
            if is_a(value, CONTAINERS) and not is_new:
                self._live[id(value)] = value
            if not (callable(value) or is_a(owner, (ModuleType, Watched)) or has_attributes(owner) or is_known(owner)):
                self.see_effect(f"{name_of(kind)}.{name}")  # which no guard watches
            if is_a(value, Tensor) and not self._discovery.is_watched(owner, name):
                self._discovery.unguarded.add(id(value))
        bound = type(value) in FOREIGN and cast(Any, value).__self__ is owner
        own = foreign and type(value) in VIEWS and is_known(owner)  # as a signature has, which does not change
        own = own and not (is_a(owner, type) and self._is_live(owner))
        return self._loaded(value, called, live=not (bound or own or is_a(owner, Tensor)))

    def result(self, value: Any) -> Any:
        """What a call gave, or a variable that is called."""
        if is_a(value, CALLABLE):
            return self._callable(value, True)
        if is_a(value, type):
            if is_user(value.__module__):
                self._may_make(value)
            return value
        return self.element(self.stand_ins.get(id(value), value))

    def callee(self, value: Any) -> None:
        """What is called, however code has come by it."""
        kind = cast(Any, type(value))
        if kind is FunctionType or kind is MethodType:
            function = value if kind is FunctionType else value.__func__
            if is_a(function, FunctionType) and not self._instrumentation.has(function) and is_of_user(function):
                self._see_function(function)
            return
        if is_a(value, type):
            if is_user(value.__module__):
                self._may_make(value)
            elif not self._is_pure(value):
                self.see_effect(name_of(value))
        elif kind in FOREIGN and id(value) not in self._pure:
            if not self._is_pure(value):
                self.see_effect(name_of(value))
            if value.__self__ is None or is_a(value.__self__, ModuleType):
                self._pure[id(value)] = value

    def called(self, value: Any) -> Any:
        """A variable that is called."""
        kind = cast(Any, type(value))
        if is_a(value, (Tensor, Symbolic)) or is_user(kind.__module__):
            return value
        return self._loaded(value, True)

    def appended(self, container: Any) -> Any:
        """What stands for a list that code appends to, and does not look into as far as is known."""
        kept, container = container, self.copies.original(container)
        if type(container) not in (list, deque) or not self._has_seen(container):
            return kept
        if (kept is container and id(container) in self.stand_ins) or self._handed.get(id(container), 0) > 1:
            return self._appended_itself(kept)
        new = self._append_only(container)
        if new is None:
            return self._appended_itself(kept)
        if kept is not container:
            self.copies.let_go(kept)
        self.stand_in(container, new)
        return new

    def load_item(self, operands: Any) -> Any:
        """`container[key]`"""
        container, key = operands
        container = self.stand_ins.get(id(container), container)
        self._touch(container)
        return self._loaded(container[key], False, live=self._is_live(container))

    def _loaded(self, value: Any, called: bool, live: bool = False) -> Any:
        kind = cast(Any, type(value))
        if self._discovery.unread:
            self._load_large(value)
        if kind in FAST:
            if kind is np.ndarray:
                self._load_array(value, live)
            return self.stand_ins.get(id(value), value) if kind is tuple else value
        if issubclass(kind, np.ndarray):
            self._load_array(value, live)
        if kind is list or kind is deque:
            self._handed[id(value)] = self._handed.get(id(value), 0) + 1
        found = self.stand_ins.get(id(value))
        if found is not None:
            return found
        if kind is defaultdict and value.default_factory is not None and live:
            self._expect_pure(value.default_factory)
        if self.copies.wanted(value):
            return self.copies.make(value)
        if live and kind in VIEWS:
            return self._view_of_stand_in(value)
        if kind in FOREIGN:
            value = self._of_stand_in(value, live)
        if is_a(value, (Tensor, Symbolic)):
            return value
        if is_a(value, (*CALLABLE, type)):
            return self._callable(value, called)
        if is_a(value, ModuleType):
            return value
        if is_user(kind.__module__):
            self._see_class(cast(Any, type(value)))
            return value
        if live and is_iterator(value):
            new = self._iterators.stand_in(value)
            self.stand_in(value, new)
            return new
        if kind.__module__.partition(".")[0] == PACKAGE:
            return value
        if live and not is_a(value, CONTAINERS):
            self._live[id(value)] = value
        if kind is np.ufunc and called:
            return self._callable(value, called)
        if kind is operator.attrgetter or (
            callable(value) and (called or kind.__module__ == "functools") and not is_known(value)
        ):
            return self._callable(value, called)
        if live:
            self._expect_known(value)
        return value

    # Stores

    def store_global(self, names: dict[str, Any], name: str, value: Any) -> None:
        """`global name; name = value`"""
        value = self.copies.original(value)
        self._store(value)
        if not self.overlay.keep((id(names), name), value):
            names[name] = read(value)

    def store_cell(self, operands: Any) -> None:
        """A variable of an enclosing function is assigned."""
        value, cell = operands
        value = self.copies.original(value) if self._has_seen(cell) else value
        self._store(value)
        if not self.overlay.keep((id(cell), None), value):
            cast(CellType, cell).cell_contents = value if not is_a(value, Symbolic) else self._variable(cell, value)

    def _variable(self, cell: CellType, value: Any) -> Any:
        """A variable of a function that is itself running may hold a symbolic number; one from outside may not."""
        return read(value) if self._has_seen(cell) else value

    def store_attribute(
        self, owner: Any, name: str, value: Any, put: Callable[[Any, str, Any], None] = setattr
    ) -> None:
        """`owner.name = value`. `put` is what Python does to assign one."""
        owner, value = self.stand_ins.get(id(owner), owner), self.copies.original(value)
        kind = cast(Any, type(owner))
        by_user = put is setattr and _is_by_user(owner, "__setattr__")
        if not by_user and self.overlay.keep_attribute(owner, name, value):
            return
        if is_user(kind.__module__):
            self._see_class(kind)
            self._see_member(kind, name)
        if is_a(value, Symbolic) and not by_user and (self._has_seen(owner) or not has_attributes(owner)):
            value = read(value)
        if is_a(owner, (type, ModuleType, FunctionType, Tensor)) or self._has_seen(owner):
            if not self._is_found(owner, name):
                self.see_effect(f"{name_of(owner)}.{name} =")
        elif not (is_user(kind.__module__) or has_attributes(owner)) and self._is_live(owner):
            self.see_effect(f"{name_of(owner)}.{name} =")
        self._store(value)
        put(owner, name, value)

    def _store(self, value: Any) -> None:
        """Traced code puts a value somewhere."""
        if type(value) not in FAST and not is_user(cast(Any, type(value)).__module__):
            self._stored[id(value)] = value

    def _is_found(self, owner: Any, name: str) -> bool:
        """Whether a change of this attribute is found after the trace, or is none of Python's."""
        if is_a(owner, Tensor):
            return hasattr(cast(Any, type(owner)), name) or owner._storage.symbolic
        if is_a(owner, (type, FunctionType, ModuleType)):
            return self._discovery.is_watched(owner, name)
        if not has_attributes(owner) and str(type(owner).__module__).partition(".")[0] != PACKAGE:
            return False
        return (
            name in self._discovery.names
            or str(type(owner).__module__).partition(".")[0] == PACKAGE
            or self._discovery.is_watched(owner, name)
        )

    def store_item(self, operands: Any) -> None:
        """`container[key] = value`"""
        value, container, key = operands
        container = self.stand_ins.get(id(container), container)
        self._touch(container, writing=True)
        self._store(value)
        if is_a(container, dict):
            key = read_all(key)  # which stays, and is looked up by its value in any case
        original = self._written_through.get(id(container))
        if original is not None and not is_a(container.get(key), Symbolic) and not may_hold_tensors(value):
            original[key] = value = read(value)
        container[key] = read(value) if is_a(value, Symbolic) and self._has_seen(container) else value

    def delete_item(self, operands: Any) -> None:
        """`del container[key]`"""
        container, key = operands
        container = self.stand_ins.get(id(container), container)
        self._touch(container, writing=True)
        del container[key]

    def delete_attribute(self, owner: Any, name: str) -> Any:
        """Before `del owner.name`: the object that has the attribute."""
        owner = self.stand_ins.get(id(owner), owner)
        self.overlay.release(owner, name)
        kind = cast(Any, type(owner))
        if is_user(kind.__module__):
            self._see_class(kind)
            self._see_member(kind, name)
        elif not has_attributes(owner) and self._is_live(owner):
            self.see_effect(f"del {name_of(owner)}.{name}")
        return owner

    def delete_variable(self, identity: tuple[int, Any]) -> None:
        """Before a variable is deleted."""
        self.overlay.release_variable(identity)

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
        if is_a(value, CONTAINERS):
            if self._is_unguarded(value):
                self.see_effect(name_of(kind))
            return
        if is_a(value, (Tensor, Symbolic, Watched)) or is_all_python(kind):
            return
        if is_iterator(value):
            if self._is_live(value):
                self.see_effect(name_of(kind))
            return
        if is_known(value) and not (writing and is_a(value, np.ndarray)):
            return
        if value is os.environ and not writing:
            return  # whose variables are guarded
        if self._is_live(value) or not is_a(value, OWN):
            self.see_effect(f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."))

    def is_same(self, x: Any, y: Any) -> bool:
        """`x is y`: of symbolic numbers, what Python answers for the numbers of each call."""
        if is_a(x, Symbolic) or is_a(y, Symbolic):
            numbers = all(is_a(z, Symbolic) or is_number(z) for z in (x, y))
            return apply(operator.is_, "{} is {}", x, y) if numbers else False
        return self.stand_ins.get(id(x), plain_type(x)) is self.stand_ins.get(id(y), plain_type(y))


def _is_by_user(owner: Any, method: str) -> bool:
    """Whether code of the user is what Python runs for this of all objects."""
    function = class_attribute(cast(Any, type(owner)), method)
    return type(function) is FunctionType and is_user(function.__module__)
