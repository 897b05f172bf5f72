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
from types import BuiltinMethodType, FunctionType, MethodType, ModuleType
from typing import Any, cast

import numpy as np

from ..autograd.hooks import hooks_of
from ..nn.hooks import EVERYWHERE
from ..tensor import Tensor
from .buffers import Bytes
from .code_names import PACKAGE, is_of_user, is_user, names_of
from .definitions import Class, Defaults, defaults_of
from .foreign_random import GENERATORS
from .guard_set import Guards
from .guards import (
    Attribute,
    Contents,
    Flag,
    Property,
    memory_of,
)
from .holders import is_kept
from .kinds import MODULE_TABLES, has_attributes, is_module, is_optimizer, is_scheduler, steps_by_library
from .large import LARGEST, LONGEST, is_plain, is_too_large
from .mentioned import Mentioned
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
    is_a,
    key_name,
    length,
)
from .purity import VIEWS, WRAPPERS
from .thread_locals import namespace_of

AHEAD = 256
"""How many functions are read before the trace; others when they begin to run."""


class Discovery(Mentioned):
    """The values that a function can reach, as guards."""

    # Roots

    def add_root(self, value: Any, name: str) -> None:
        """Walks from a value that is itself identified elsewhere, such as an argument."""
        self._visit(value, name)

    def finish(self) -> Guards:
        """Takes the attributes of all objects that reached code names, until nothing new is found."""
        self._walk()
        for function in self.running:
            self._run(function)
        self._walk()
        self.guards.seal()
        return self.guards

    def _run(self, function: FunctionType) -> None:
        self.add_root(function, function.__name__)
        self._read(function)

    def _walk(self) -> None:
        """Functions are read nearest first, so that those that are farther away wait until they run."""
        while self._look_up() or self._read_next():
            pass
        if self._pending:
            self.mutates = True  # as far as is known
        whole = "param_groups" in self.names_of_users and self.names_of_users & {"items", "values", "copy"}
        for entry in self.runtime:
            is_read = entry.key != "lr" and (whole or entry.key in self.names_of_users)
            if is_read and id(entry) not in self._watched:
                self._watched.add(id(entry))
                self._add(entry)
        if self.names & {"environ", "getenv"} or self.has_seen(os.environ):
            self._environment()

    def _read_next(self) -> bool:
        """Reads the next function, unless so many have been read that the rest is left to when it runs."""
        while self._pending and len(self.functions) < AHEAD:
            function = self._pending.popleft()
            if id(function) not in self._have_read:
                self._read(function)
                return True
        return False

    def add_late(self, functions: Iterable[FunctionType], values: Iterable[Any] = ()) -> bool:
        """Goes on with functions that run while the trace goes on, and values that it reaches. False where they lead
        to what a trace has to know from its start."""
        before = len(self.generators), len(self.runtime)
        self._is_late = True
        for function in functions:
            self._run(function)
        self._visit_all(values, "registry")
        self._walk()
        return before == (len(self.generators), len(self.runtime)) and not self.is_belated

    def has_read(self, function: FunctionType) -> bool:
        """Whether it is known what a function reaches."""
        return id(function) in self._have_read

    # Places

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
            self._function(value, in_place)
        elif kind is MethodType:
            self._visit_all((any_value.__func__, any_value.__self__), name)
        elif issubclass(kind, functools.partial):
            self._visit_all((any_value.func, any_value.args, any_value.keywords), name)
        elif kind is BuiltinMethodType:
            if base_of(any_value.__self__) is not None:
                self._visit(any_value.__self__, name)  # hook=outputs.append
        elif issubclass(kind, (staticmethod, classmethod)):
            self._visit(any_value.__func__, name, in_place)
        elif issubclass(kind, property):
            for function in (any_value.fget, any_value.fset, any_value.fdel):
                self._visit(function, name, in_place)
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

    def _function(self, function: FunctionType, in_place: bool) -> None:
        if not is_of_user(function):
            self._visit(function.__dict__.get("__wrapped__"), function.__name__, in_place)
        else:
            self._pending.append(function)

    def _read(self, function: FunctionType) -> None:
        """Finds what the code of a function reaches."""
        if id(function) in self._have_read or not is_of_user(function):
            return
        self._have_read.add(id(function))
        if any(key != "__wrapped__" for key in function.__dict__):
            self._objects.append((function, function.__name__))
        names = names_of(code := function.__code__)
        self.functions.append(function)
        self._mention(names.attributes)
        self.names_of_users |= names.attributes
        self.assigned |= names.assigned
        self.mutates |= names.mutates
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
        for name in sorted(self.names - self._variables):
            if name.isupper() or name in os.environ:
                self._variables.add(name)
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
        self._run_unseen(VALUES(values))
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
        self.is_belated |= self._is_late and tensor._storage in self.given
        reference = weakref.ref(tensor)
        self._add(Property(f"memory of {name}", reference, memory_of, memory_of(tensor)), slow=True)
        self._add(Flag(f"{name}.requires_grad", reference, tensor.requires_grad), slow=True)
        if attributes_of(tensor):
            self._has(attributes_of(tensor) or {}, name)
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
        self._run_unseen(VALUES(entries))

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
