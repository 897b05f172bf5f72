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
from collections import ChainMap, UserDict, UserList
from collections.abc import Iterable
from functools import partial
from types import (
    BuiltinMethodType,
    FunctionType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any, cast

import numpy as np

from ...runtime.storage import Storage
from ..autograd.hooks import hooks_of
from ..nn.hooks import EVERYWHERE
from ..tensor import Tensor
from .code_names import PACKAGE, is_user, names_of
from .foreign_random import GENERATORS
from .guards import Absent, Attribute, Bytes, Contents, Flag, Guard, Guards, Length, Property
from .kinds import BOOKKEEPING, MODULE_TABLES, has_attributes, is_module, is_optimizer, is_scheduler
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
    length,
    members,
    mro,
)

LONGEST = 4096
"""Of longer containers only identity and length are watched."""

LARGEST = 1 << 14
"""Of arrays of more bytes only identity is watched."""

UNREACHED = frozenset(
    ("__init__", "__new__", "__repr__", "__str__", "__del__", "__getstate__", "__setstate__", "__reduce__")
)
"""Special methods that do not run just because an object is used."""

WRAPPERS = (UserDict, UserList, ChainMap)
"""Containers that hold another one."""


class Discovery:
    """The values that a function can reach, as guards."""

    def __init__(self) -> None:
        self.guards = Guards()
        self.names: set[str] = {"training"}
        self.names_of_users: set[str] = set()
        """Those that code of the user mentions."""
        self.runtime: list[Entry] = []
        """What a program asks for on each call, such as learning rates: it may change between calls, not within one."""
        self.rates: list[Entry] = []
        """Learning rates, which code of the user may read as well."""
        self.learned: set[Storage] = set()
        """What holds tensors that gradients are wanted for."""
        self.names_of_storages: dict[Storage, str] = {}
        """Short names: those of parameters and variables."""
        self.generators: list[Any] = []
        """Those of random numbers, of Python and numpy."""
        self.tensors: set[int] = set()
        """The ids of all tensors found."""
        self.tables: set[int] = set()
        """The ids of the dictionaries in which modules keep parameters and buffers."""
        self.owners: dict[int, Any] = {}
        """The objects whose attributes are in a dictionary, by its id."""
        self.hyperparameters: set[tuple[int, Any]] = set()
        """Entries of groups of parameters that optimizers read whose code is not all the user's."""
        self.functions: list[FunctionType] = []
        """Those of the user's code."""
        self.assigned: set[Any] = set()
        """Names and keys that code assigns."""
        self._seen: dict[int, Any] = {}
        self._objects: list[tuple[Any, str]] = []
        self._places: set[tuple[int, Any]] = set()
        self._classes: dict[type, int] = {}
        self._missing: dict[int, set[str]] = {}
        """Attributes that classes do not have, by the ids of these, and that are watched all the same."""

    # Roots

    def add_root(self, value: Any, name: str) -> None:
        """Walks from a value that is itself identified elsewhere, such as an argument."""
        self._visit(value, name)

    def finish(self) -> Guards:
        """Takes the attributes of all objects that reached code names, until nothing new is found."""
        done = -1
        while done != (done := len(self.names) + len(self._objects) + len(self._seen)):
            for value, name in tuple(self._objects):
                self._attributes(value, name)
        for value, name in self._objects:
            attributes = attributes_of(value)
            if is_a(value, type):
                self._add_absent_members(value, self.names)
            elif attributes is not None and not is_a(value, ModuleType):
                missing = frozenset(self.names.difference(attributes))
                self._add(Absent(name, attributes, missing), slow=is_module(value))
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

    def _add_absent_members(self, cls: type, names: set[str]) -> None:
        """Attributes that a class of the user may get."""
        for base in mro(cls):
            place = (id(base), None)
            if has_attributes(base) and place not in self._places:
                self._places.add(place)
                missing = self._missing[id(base)] = names.difference(members(base))
                self._add(Absent(base.__name__, base, frozenset(missing)))

    def add_prepared(self, mapping: dict[Any, Any], key: Any, name: str) -> None:
        """An entry that was made before the program runs, although the function asked for it while it was traced."""
        self._places.discard(entry_identity(mapping, key))
        self._entry(mapping, key, name)

    def add_read(self, value: Any, key: str) -> None:
        """An attribute that the function has asked for by a name that it has made up."""
        attributes = attributes_of(value)
        if attributes is not None and self.has_seen(value) and not is_module(value):
            place = (id(attributes), key)
            if place not in self._places:
                self._places.add(place)
                self._add(Entry(f"{type(value).__name__}.{key}", attributes, key, attributes.get(key, MISSING)))

    def add_all_read(self, value: Any) -> None:
        """All attributes that an object has."""
        attributes = attributes_of(value)
        if attributes is not None and self.has_seen(value) and not is_module(value):
            self._add(Contents(f"attributes of a {type(value).__name__}", attributes, tuple(attributes)))
            for key in attributes:
                self.add_read(value, key)

    def is_watched(self, owner: Any, name: str) -> bool:
        """Whether an attribute is a place that guards watch."""
        if is_a(owner, type):
            return (id(owner), name) in self._places or name in self._missing.get(id(owner), ())
        return (id(attributes_of(owner)), name) in self._places

    def has_seen(self, value: Any) -> bool:
        """Whether this very object was found."""
        return self._seen.get(id(value)) is value

    def let_go(self) -> None:
        """Lets go of what was found at once, and not when garbage is collected."""
        for table in (self._seen, self._objects, self.owners):
            table.clear()

    # Places

    def _entry(self, mapping: dict[Any, Any], key: Any, name: str, slow: bool = False) -> None:
        place = entry_identity(mapping, key)
        if place not in self._places:
            self._places.add(place)
            self._place(Entry(name, mapping, key, MISSING), slow)

    def _place(self, place: Entry | Member | Slot | Cell, slow: bool = False) -> None:
        place.expected = place.now()
        self._add(place, slow)
        self._visit(place.expected, place.name)

    def _add(self, guard: Guard, slow: bool = False) -> None:
        (self.guards.slow if slow else self.guards.always).append(guard)

    # Values

    def _visit(self, value: Any, name: str) -> None:
        any_value = value
        kind = cast(Any, type(value))
        if kind in PLAIN or value is MISSING or id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if kind is FunctionType:
            self._function(value)
        elif kind is MethodType:
            self._visit(any_value.__func__, name)
            self._visit(any_value.__self__, name)
        elif issubclass(kind, functools.partial):
            self._visit_all((any_value.func, any_value.args, any_value.keywords), name)
        elif kind is BuiltinMethodType:
            if base_of(any_value.__self__) is not None:
                self._visit(any_value.__self__, name)  # hook=outputs.append
        elif issubclass(kind, (staticmethod, classmethod)):
            self._visit(any_value.__func__, name)
        elif issubclass(kind, property):
            self._visit_all((any_value.fget, any_value.fset, any_value.fdel), name)
        elif kind is MappingProxyType:
            self._visit_all(gc.get_referents(value), name)
        elif base_of(value) is not None:
            self._container(value, name)
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
        elif issubclass(kind, GENERATORS):
            self.generators.append(value)
        elif is_scheduler(value):
            self._visit((attributes_of(value) or {}).get("optimizer"), f"{name}.optimizer")
        elif "__wrapped__" in (attributes := attributes_of(value) or {}):
            self._visit(attributes["__wrapped__"], name)
        elif issubclass(kind, weakref.ref):
            self._add(Attribute(f"referent of {name}", lambda: id(any_value()), id(any_value())))
            self._visit(any_value(), name)
        elif kind.__module__.partition(".")[0] == PACKAGE:
            self._library_object(value, name)
        else:
            if issubclass(kind, WRAPPERS):
                self._visit(attributes.get("maps" if issubclass(kind, ChainMap) else "data"), name)
            if has_attributes(any_value):
                self._objects.append((any_value, name))

    def _visit_all(self, values: Iterable[Any], name: str) -> None:
        for value in values:
            self._visit(value, name)

    def _function(self, function: FunctionType) -> None:
        if not is_user(function.__module__) and not is_user(function.__globals__.get("__name__")):
            self._visit(function.__dict__.get("__wrapped__"), function.__name__)
            return
        if any(key != "__wrapped__" for key in function.__dict__):
            self._objects.append((function, function.__name__))
        code = function.__code__
        names = names_of(code)
        self.functions.append(function)
        self.names |= names.attributes
        self.assigned |= names.assigned
        self.names_of_users |= names.attributes
        for name in sorted(names.globals):
            if name in function.__globals__ or name in names.stored:
                self._entry(function.__globals__, name, name)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            if (id(cell), None) not in self._places:
                self._places.add((id(cell), None))
                self._place(Cell(name, cell, MISSING))
        self._visit_all(function.__defaults__ or (), function.__name__)
        self._visit_all((function.__kwdefaults__ or {}).values(), function.__name__)

    def _environment(self) -> None:
        """The environment's variables that code names, where it reads any."""
        for name in sorted(self.names):
            if name.isupper() or name in os.environ:
                self._add(Attribute(f"os.environ[{name!r}]", partial(os.environ.get, name), os.environ.get(name)))

    def _container(self, values: Any, name: str) -> None:
        base = base_of(values)
        if issubclass(base, dict):
            self._dict(values, name)
        elif base not in (tuple, frozenset) and length(values) > LONGEST:
            self._add(Length(name, values, length(values)))
        else:
            if base not in (tuple, frozenset):
                self._add(Contents(name, values, tuple(elements(values))))
            for index, value in zip(range(LONGEST), elements(values)):
                self._visit(value, f"{name}[{index}]")
        if has_attributes(values):
            self._objects.append((values, name))

    def _dict(self, values: dict[Any, Any], name: str) -> None:
        if length(values) > LONGEST:
            self._add(Length(name, values, length(values)))
            return
        keys = tuple(elements(values))
        self._add(Contents(f"keys of {name}", values, keys))
        for key in keys:
            self._entry(values, key, f"{name}[{key_name(key)}]")

    def _array(self, array: np.ndarray[Any, Any], name: str) -> None:
        """A numpy array is a constant of the trace: small ones are compared."""
        if array.nbytes <= LARGEST:
            self._add(Bytes(f"contents of {name}", array, array.copy()))

    def _tensor(self, tensor: Any, name: str) -> None:
        self.tensors.add(id(tensor))
        self.names_of_storages.setdefault(tensor._storage, name.rpartition(".")[2])
        reference = weakref.ref(tensor)
        self._add(Property(f"memory of {name}", reference, memory_of, memory_of(tensor)), slow=True)
        self._add(Flag(f"{name}.requires_grad", reference, tensor.requires_grad), slow=True)
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
            if not all(is_user(c.__module__) or c.__name__ in ("Optimizer", "object") for c in type(optimizer).__mro__):
                self.hyperparameters.update((id(group), key) for key in attributes.get("defaults", ()))
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
                    self._entry(group, key, f"{path}[{key!r}]")
        self._name_state(attributes["state"])
        for key in ("param_groups", "state", "_pre_hooks", "_post_hooks"):
            if key in attributes:
                self._entry(attributes, key, f"{name}.{key}")
        self._objects.append((optimizer, name))

    def _name_state(self, state: dict[Any, Any]) -> None:
        """Calls the state of a tensor `weight_exp_avg` where that is called `weight`."""
        names = self.names_of_storages
        for parameter, values in zip(elements(state), VALUES(state)):
            if issubclass(type(parameter), Tensor) and type(values) is dict and parameter._storage in names:
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
            for key in self.names & attributes.keys():
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
                    self._visit(member, f"{base.__name__}.{key}")
                elif not special and type(member) is not MemberDescriptorType and (id(base), key) not in self._places:
                    self._places.add((id(base), key))
                    self._place(Member(f"{base.__name__}.{key}", base, key, MISSING))


def memory_of(tensor: Tensor) -> tuple[Any, ...]:
    """Where the numbers of a tensor are."""
    return tensor._storage, tensor._view


def key_name(key: Any) -> str:
    """A key of a dictionary in the name of its entry."""
    return repr(key) if type(key) in PLAIN else "..."
