"""What a function can reach: a walk from its globals, closure and arguments that lists what a trace may depend on.

The walk follows user code only. Of plain objects and modules it takes those attributes whose names occur in code that
was reached, so that a counter kept beside the model by someone else invalidates nothing:

    def step(x, y):                  globals  model, criterion, scale
        out = model(x) * scale       model    forward's names: fc1, dropout_rate, training; its tensors
        return criterion(out, y)     scale    by value
"""

from __future__ import annotations

import functools
import gc
import os
import weakref
from collections import ChainMap
from collections.abc import Iterable
from functools import partial
from random import SystemRandom
from threading import local
from types import BuiltinMethodType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, cast

import numpy as np

from ..autograd.hooks import hooks_of
from ..nn.hooks import EVERYWHERE
from ..tensor import Tensor
from .buffers import Bytes
from .code_names import PACKAGE, is_of_user, is_user, names_of
from .definitions import Class, Defaults, defaults_of
from .foreign_random import GENERATORS
from .found import Found
from .guard_set import Guards
from .guards import (
    Absent,
    Attribute,
    Contents,
    Flag,
    Property,
    memory_of,
)
from .holders import is_kept
from .kinds import BOOKKEEPING, MODULE_TABLES, has_attributes, is_module, is_optimizer, is_scheduler, steps_by_library
from .large import LARGEST, LONGEST, is_plain, is_too_large
from .places import (
    MISSING,
    PLAIN,
    VALUES,
    Cell,
    Entry,
    Member,
    Slot,
    attributes_of,
    base_of,
    elements,
    entry_identity,
    is_a,
    key_name,
    length,
    members,
    mro,
)
from .purity import VIEWS, WRAPPERS
from .thread_locals import namespace_of

UNREACHED = frozenset(
    ("__init__", "__new__", "__repr__", "__str__", "__del__", "__getstate__", "__setstate__", "__reduce__")
)
"""Special methods that do not run just because an object is used."""


class Discovery(Found):
    """The values that a function can reach, as guards."""

    # Roots

    def add_root(self, value: Any, name: str) -> None:
        """Walks from a value that is itself identified elsewhere, such as an argument."""
        self._visit(value, name)

    def finish(self) -> Guards:
        """Takes the attributes of all objects that reached code names, until nothing new is found."""
        self._walk()
        whole = "param_groups" in self.names_of_users and self.names_of_users & {"items", "values", "copy"}
        for entry in self.runtime:
            if entry.key != "lr" and (whole or entry.key in self.names_of_users):
                self._add(entry)
        for cls in self._classes:
            self._add_absent_members(cls, self.assigned)
        if self.names & {"environ", "getenv"} or self.has_seen(os.environ):
            self._environment()
        self.guards.seal()
        return self.guards

    def _walk(self) -> None:
        done = (-1, -1)
        while done != (done := (len(self.names), len(self._objects))):
            for value, name in self._objects:  # and those that this finds
                self._attributes(value, name)
            for tensor, name in self._annotated:
                attributes = attributes_of(tensor) or {}
                for key in self.names & attributes.keys():
                    self._entry(attributes, key, f"{name}.{key}")
        missing: dict[tuple[Any, ...], frozenset[str]] = {}  # one set for all objects with the same attributes
        for value, name in self._objects:
            attributes = attributes_of(value)
            if is_a(value, type):
                self._add_absent_members(value, self.names)
            elif attributes is not None and not is_a(value, ModuleType):
                there = tuple(attributes)
                if there not in missing:
                    missing[there] = frozenset(self.names).difference(there)
                self._add_absent(name, attributes, missing[there], slow=is_module(value))

    def add_late(self, functions: Iterable[FunctionType]) -> bool:
        """Goes on with functions that turn out to run while the trace goes on. False where they reach what a trace has
        to know from its start."""
        before = len(self.tensors), len(self.generators), len(self.runtime)
        self._is_late = True
        for function in functions:
            self.add_root(function, function.__name__)
        self._walk()
        return before == (len(self.tensors), len(self.generators), len(self.runtime))

    def _add_absent(self, name: str, owner: Any, names: frozenset[Any], slow: bool = False) -> None:
        known = self._missing.get(id(owner))
        missing = names - known if known else names
        if missing:
            self._missing[id(owner)] = known | missing if known else missing
            self._add(Absent(name, owner, missing), slow)

    def _add_absent_members(self, cls: type, names: set[str]) -> None:
        """Attributes that a class of the user may get."""
        for base in mro(cls):
            if has_attributes(base):
                self._add_absent(base.__name__, base, frozenset(names).difference(members(base)))

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
        if is_kept(place):
            self.kept.add(place.identity)
        place.expected = place.now()
        self._add(place, slow)
        self._visit(place.expected, place.name, in_place)

    # Values

    def _look_into(self, value: Any, name: str, in_place: bool) -> None:
        any_value = value
        kind = cast(Any, type(value))
        if kind is FunctionType:
            self._function(value)
        elif kind is MethodType:
            self._visit_all((any_value.__func__, any_value.__self__), name)
        elif issubclass(kind, functools.partial):
            self._visit_all((any_value.func, any_value.args, any_value.keywords), name)
        elif kind is BuiltinMethodType:
            if base_of(any_value.__self__) is not None:
                self._visit(any_value.__self__, name)  # hook=outputs.append
        elif issubclass(kind, (staticmethod, classmethod)):
            self._visit(any_value.__func__, name)
        elif issubclass(kind, property):
            self._visit_all((any_value.fget, any_value.fset, any_value.fdel), name)
        elif kind in VIEWS:
            self._visit_all(gc.get_referents(value), name)
        elif base_of(value) is not None:
            self._container(value, name, in_place)
        elif is_module(value):
            self._module(value, name)
        elif is_optimizer(value):
            self._optimizer(value, name)
        elif issubclass(kind, ModuleType):
            if is_user((attributes_of(value) or {}).get("__name__")):
                self._objects.append((value, name))
        elif issubclass(kind, np.ndarray):
            self._array(any_value, name)
        elif issubclass(kind, Tensor):
            self._tensor(value, name)
        elif issubclass(kind, GENERATORS) and not issubclass(kind, SystemRandom):
            self.generators.append(value)
            if is_user(kind.__module__):
                self._objects.append((value, name))
        elif is_scheduler(value):
            self._visit((attributes_of(value) or {}).get("optimizer"), f"{name}.optimizer")
        elif "__wrapped__" in (attributes := attributes_of(value) or {}):
            self._visit(attributes["__wrapped__"], name)
        elif issubclass(kind, weakref.ref):
            self._add(Attribute(f"referent of {name}", lambda: id(any_value()), id(any_value())))
            if has_attributes(any_value()):
                self._visit(any_value(), name)
        elif kind.__module__.partition(".")[0] == PACKAGE:
            self._library_object(value, name)
        else:
            if issubclass(kind, WRAPPERS):
                self._visit(attributes.get("maps" if issubclass(kind, ChainMap) else "data"), name)
            if issubclass(kind, local):
                self._add(namespace_of(any_value, name))
            if has_attributes(any_value):
                self._objects.append((any_value, name))
                if kind.__weakrefoffset__ and not issubclass(kind, type):
                    self._add(Class(f"class of {name}", weakref.ref(any_value), cast(type, kind)))

    def _visit_all(self, values: Iterable[Any], name: str) -> None:
        for value in values:
            self._visit(value, name)

    def _function(self, function: FunctionType) -> None:
        if not is_of_user(function):
            self._visit(function.__dict__.get("__wrapped__"), function.__name__)
            return
        if any(key != "__wrapped__" for key in function.__dict__):
            self._objects.append((function, function.__name__))
        names = names_of(code := function.__code__)
        self.functions.append(function)
        self.names |= names.attributes
        self.names_of_users |= names.attributes
        self.assigned, self.mutates = self.assigned | names.assigned, self.mutates | names.mutates
        self.namespaces.add(id(function.__globals__))
        for name in sorted(names.globals):
            self._entry(function.__globals__, name, name)
            if name not in function.__globals__ and name not in names.stored and name in function.__builtins__:
                self._entry(function.__builtins__, name, name)
        if function.__defaults__ or function.__kwdefaults__:
            self._add(Defaults(f"defaults of {function.__name__}", function, defaults_of(function)))
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            if (id(cell), None) not in self._places:
                self._places.add((id(cell), None))
                self._place(Cell(name, cell, MISSING))
        defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        self._visit_all(defaults, function.__name__)

    def _environment(self) -> None:
        """The environment's variables that code names, where it reads any."""
        for name in sorted(self.names):
            if name.isupper() or name in os.environ:
                self._add(Attribute(f"os.environ[{name!r}]", partial(os.environ.get, name), os.environ.get(name)))

    def _container(self, values: Any, name: str, in_place: bool) -> None:
        base = base_of(values)
        if is_too_large(values):
            self.too_large.append(values)
            self._set_aside(values, name)
            return
        if issubclass(base, dict):
            self._dict(values, name, in_place)
        else:
            if base is tuple:
                self.uncopied.update(id(part) for part in elements(values) if base_of(part) is not None)
            elif base is not frozenset:
                self._add(Contents(name, values, tuple(elements(values))))
            if length(values) <= LONGEST or not is_plain(values):
                for index, value in enumerate(elements(values)):
                    self._visit(value, f"{name}[{index}]")
        if has_attributes(values):
            self._objects.append((values, name))

    def _dict(self, values: dict[Any, Any], name: str, in_place: bool) -> None:
        keys = tuple(elements(values))
        self._add(Contents(f"keys of {name}", values, keys))
        for key in keys:
            self._entry(values, key, f"{name}[{key_name(key)}]", in_place=in_place)
        if self.unread and any(id(part) in self.unread or id(part) in self.holders for part in VALUES(values)):
            self.holders[id(values)] = values

    def _array(self, array: np.ndarray[Any, Any], name: str) -> None:
        """A numpy array is a constant of the trace, and compared."""
        self.arrays.append(array)
        if is_too_large(array):
            self.too_large.append(array)
        elif array.nbytes <= LARGEST or array.dtype == object:
            self._add(Bytes(f"contents of {name}", array, array.copy(order="C")))
            if array.dtype == object:
                self._visit_all(array.ravel().tolist(), name)

    def _tensor(self, tensor: Any, name: str) -> None:
        if tensor._storage.symbolic:
            return  # of the trace
        self.tensors.add(id(tensor))
        self.names_of_storages.setdefault(tensor._storage, name.rpartition(".")[2])
        reference = weakref.ref(tensor)
        self._add(Property(f"memory of {name}", reference, memory_of, memory_of(tensor)), slow=True)
        self._add(Flag(f"{name}.requires_grad", reference, tensor.requires_grad), slow=True)
        if attributes_of(tensor):
            self._annotated.append((tensor, name))
        if tensor.requires_grad:
            self.learned.add(tensor._storage)
            hooks = hooks_of(tensor)
            self._add(Property(f"hooks of {name}", reference, hooks_of, hooks), slow=True)
            self._visit_all((*hooks[0], *hooks[1]), f"hook of {name}")

    def _module(self, module: Any, name: str) -> None:
        attributes = cast(dict[str, Any], attributes_of(module))
        for table in MODULE_TABLES:
            entries: Any = attributes.get(table)
            if entries is not None:
                self.tables.add(id(entries))
                self.uncopied.add(id(entries))
                self._table(entries, f"{name}.{table}", name)
        for table, hooks in EVERYWHERE.items() if id(EVERYWHERE) not in self._seen else ():
            self._table(hooks, f"{table} of every module", "hooks of every module")
        self._seen[id(EVERYWHERE)] = EVERYWHERE
        self._objects.append((module, name))

    def _table(self, entries: dict[Any, Any], name: str, owner: str) -> None:
        """A dictionary whose changes are counted."""
        keys = tuple(elements(entries))
        self._add(Contents(name, entries, keys), slow=True)
        for key in keys:
            self._entry(entries, key, f"{owner}.{key}", slow=True)

    def _library_object(self, value: Any, name: str) -> None:
        """All its plain attributes."""
        attributes = attributes_of(value) or {}
        for key, attribute in attributes.items():
            if type(attribute) in PLAIN:
                self._entry(attributes, key, f"{name}.{key}")

    def _optimizer(self, optimizer: Any, name: str) -> None:
        """Groups and state are read whole, attributes as those of any object; rates are run-time numbers."""
        attributes = cast(dict[str, Any], attributes_of(optimizer))
        runtime: Any = attributes.get("runtime_keys", ("lr",))
        groups: list[dict[str, Any]] = attributes["param_groups"]
        for index, group in enumerate(groups):
            path = f"{name}.param_groups[{index}]"
            self._seen[id(group)] = group
            self._add(Contents(f"keys of {path}", group, tuple(group)))
            for position, parameter in enumerate(group.get("params", ())):
                self._visit(parameter, f"parameter{position}")
            for key, value in group.items():
                if key in runtime and type(value) in (float, tuple):
                    self._places.add((id(group), key))
                    entry = Entry(f"{path}[{key!r}]", group, key, value)
                    self.runtime.append(entry)
                    if key == "lr" and type(value) is float:
                        self.rates.append(entry)
                else:
                    self._entry(group, key, f"{path}[{key!r}]", in_place=False)
        self._leave((groups, attributes["state"]) if steps_by_library(optimizer) else (groups,))
        self._name_state(attributes["state"])
        for key in ("param_groups", "state", "_pre_hooks", "_post_hooks"):
            if key in attributes:
                self._entry(attributes, key, f"{name}.{key}", in_place=False)
        self._objects.append((optimizer, name))

    def _leave(self, value: Any) -> None:
        """Containers that are not copied for traced code."""
        if base_of(value) is not None and id(value) not in self.uncopied:
            self.uncopied.add(id(value))
            for part in VALUES(value) if is_a(value, dict) else elements(value):
                self._leave(part)

    def _name_state(self, state: dict[Any, Any]) -> None:
        """Calls the state of a tensor `weight_exp_avg` where that is called `weight`."""
        names = self.names_of_storages
        for parameter, values in zip(elements(state), VALUES(state)):
            if issubclass(type(parameter), Tensor) and issubclass(type(values), dict) and parameter._storage in names:
                for key, value in cast("dict[Any, Any]", values).items():
                    if issubclass(type(value), Tensor):
                        names.setdefault(value._storage, f"{names[parameter._storage]}_{key}")

    # Attributes

    def _attributes(self, value: Any, name: str) -> None:
        if is_a(value, type):
            self._class(value, name)
            return
        attributes = attributes_of(value)
        slow = is_module(value)
        if attributes is not None:
            self.owners[id(attributes)] = value
            self.namespaces.add(id(attributes))
            for key in (self.names & attributes.keys()) - self._missing.get(id(attributes), frozenset()):
                if not (slow and key in BOOKKEEPING):
                    self._entry(attributes, key, f"{name}.{key}", slow)
        if not is_a(value, ModuleType):
            self._slots(value, name)
            self._class(cast(Any, type(value)), name)

    def _slots(self, value: Any, name: str) -> None:
        for cls in mro(cast(Any, type(value))):
            for key, descriptor in tuple(members(cls).items()):
                if key in self.names and type(descriptor) is MemberDescriptorType and is_user(cls.__module__):
                    place = (id(value), descriptor)
                    if place not in self._places:
                        self._places.add(place)
                        self._place(Slot(f"{name}.{key}", value, descriptor, MISSING))

    def _class(self, cls: type, name: str) -> None:
        if self._classes.get(cls) == len(self.names):
            return
        self._classes[cls] = len(self.names)
        for base in mro(cls):
            if base is object:
                continue
            user = is_user(base.__module__)
            for key, member in tuple(members(base).items()):
                special = key.startswith("__") and key.endswith("__")
                if (special and key in UNREACHED) or not (special or key in self.names or key == "forward"):
                    continue
                if not user:
                    if type(member) is FunctionType:
                        self.names |= names_of(member.__code__).attributes
                elif issubclass(type(member), (FunctionType, staticmethod, classmethod, property)):
                    self._method(base, key, f"{base.__name__}.{key}")
                elif not special and type(member) is not MemberDescriptorType and not self._is_class_place(base, key):
                    self._places.add((id(base), key))
                    self._place(Member(f"{base.__name__}.{key}", base, key, MISSING))

    def _method(self, cls: type, key: str, name: str) -> None:
        """A method that may be replaced: what the class's own dictionary has."""
        (mapping,) = gc.get_referents(members(cls))
        if entry_identity(mapping, key) not in self._places:
            self._entry(mapping, key, name)

    def _is_class_place(self, base: type, key: str) -> bool:
        return (id(base), key) in self._places or key in self._missing.get(id(base), ())
