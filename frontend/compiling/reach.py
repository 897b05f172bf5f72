"""What a function can reach: a walk from its globals, closure and arguments that lists what a trace may depend on.

The walk follows user code only. Of plain objects and modules it takes those attributes whose names occur in code that
was reached, so that a counter kept beside the model by someone else invalidates nothing:

    def step(x, y):                  globals  model, criterion, scale
        out = model(x) * scale       model    forward's names: fc1, dropout_rate, training; its tensors
        return criterion(out, y)     scale    by value
"""

from __future__ import annotations

import functools
import os
import weakref
from collections import ChainMap, UserDict, UserList, deque
from collections.abc import Iterable, Mapping
from functools import partial
from types import BuiltinMethodType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any, cast

import numpy as np

from ...runtime.storage import Storage
from ..autograd.hooks import hooks_of
from ..nn.hooks import EVERYWHERE
from ..tensor import Tensor
from .foreign_random import GENERATORS
from .guards import MISSING, PLAIN, Absent, Attribute, Cell, Contents, Entry, Flag, Guard, Guards, Length
from .kinds import has_attributes, is_custom, is_module, is_optimizer, is_scheduler
from .mentions import PACKAGE, is_user, names_of

LONGEST = 256
"""Of longer containers only identity and length are watched."""

LARGEST = 1 << 14
"""Of arrays of more bytes only identity is watched."""

UNREACHED = frozenset(
    ("__init__", "__new__", "__repr__", "__str__", "__del__", "__getstate__", "__setstate__", "__reduce__")
)
"""Special methods that do not run just because an object is used."""

MODULE_TABLES = (
    *("_parameters", "_buffers", "_modules", "_other_values"),
    *("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"),
)
"""Dictionaries of a module that `forward` depends on."""

REACHING_OUT = ("print", "open", "input", "getattr", "hasattr", "vars")
"""Builtin functions that do something to the world, or read what code does not name."""

WRAPPERS = (UserDict, UserList, ChainMap)
"""Containers that hold another one."""

BOOKKEEPING = {
    *MODULE_TABLES,
    "_non_persistent_buffers_set",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
}
"""Attributes of a module that are no values a step could read."""


class Reach:
    """The values that a function can reach, as guards."""

    def __init__(self) -> None:
        self.guards = Guards()
        self.names: set[str] = {"training"}
        self.runtime: list[Entry] = []
        """What a program asks for on each call, such as learning rates: it may change between calls, not within one."""
        self.rates: list[Entry] = []
        """Learning rates, which code of the user may read as well."""
        self.learned: set[Storage] = set()
        """What holds tensors that gradients are wanted for."""
        self.optimizers: dict[int, Any] = {}
        self.names_of_storages: dict[Storage, str] = {}
        """Short names: those of parameters and variables."""
        self.generators: list[Any] = []
        """Those of random numbers, of Python and numpy."""
        self.tensors: set[int] = set()
        """The ids of all tensors found."""
        self.tables: set[int] = set()
        """The ids of the dictionaries in which modules keep parameters and buffers."""
        self.builtins: list[Entry] = []
        """Names of builtin functions that reach out of the program, as globals of the functions that name them."""
        self._seen: dict[int, Any] = {}
        self._objects: list[tuple[Any, str]] = []
        self._places: set[tuple[int, Any]] = set()
        self._classes: dict[type, int] = {}

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
            attributes = getattr(value, "__dict__", None)
            if isinstance(attributes, dict) and not isinstance(value, (type, ModuleType)):
                missing = frozenset(self.names.difference(cast("dict[str, Any]", attributes)))
                self._add(Absent(name, cast("dict[str, Any]", attributes), missing), slow=is_module(value))
        if self.names & {"environ", "getenv"} or self.has_seen(os.environ):
            self._environment()
        self.guards.seal()
        return self.guards

    def add_optimizer_state(self) -> None:
        """The state that optimizers made while tracing."""
        for optimizer in self.optimizers.values():
            if is_custom(optimizer):
                continue  # whose state was visited: it comes to be as any other dictionary
            name = type(optimizer).__name__.lower()
            state = optimizer.state
            self.guards.slow.append(Entry(f"{name}.state", optimizer.__dict__, "state", state))
            self.guards.always.append(Attribute(f"number of parameters in {name}.state", state.__len__, len(state)))
            for parameter, entries in state.items():
                self.guards.slow.append(Entry(f"{name}.state[...]", state, parameter, entries))
                for key, value in entries.items():
                    if type(value) not in PLAIN:
                        self.guards.slow.append(Entry(f"{name}.state[...][{key!r}]", entries, key, value))
        self.guards.seal()

    def add_read(self, value: Any, key: str) -> None:
        """An attribute that the function has asked for by a name that it has made up."""
        attributes = getattr(value, "__dict__", None)
        if isinstance(attributes, dict) and self.has_seen(value) and not is_module(value):
            place = (id(cast(Any, attributes)), key)
            if place not in self._places:
                self._places.add(place)
                found = cast("dict[str, Any]", attributes)
                self._add(Entry(f"{type(value).__name__}.{key}", found, key, found.get(key, MISSING)))

    def add_all_read(self, value: Any) -> None:
        """All attributes that an object has."""
        attributes = getattr(value, "__dict__", None)
        if isinstance(attributes, dict) and self.has_seen(value) and not is_module(value):
            found = cast("dict[str, Any]", attributes)
            self._add(Contents(f"attributes of a {type(value).__name__}", found, tuple(found)))
            for key in found:
                self.add_read(value, key)

    def has_seen(self, value: Any) -> bool:
        """Whether this very object was found."""
        return self._seen.get(id(value)) is value

    # Places

    def _entry(self, mapping: Mapping[Any, Any], key: Any, name: str, slow: bool = False) -> None:
        place = (id(mapping), key)
        if place in self._places:
            return
        self._places.add(place)
        value = mapping.get(key, MISSING)
        self._add(Entry(name, mapping, key, value), slow)
        self._visit(value, name)

    def _add(self, guard: Guard, slow: bool = False) -> None:
        (self.guards.slow if slow else self.guards.always).append(guard)

    # Values

    def _visit(self, value: Any, name: str) -> None:
        any_value = value
        kind = cast(Any, type(value))
        if kind in PLAIN or value is MISSING or id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if isinstance(value, FunctionType):
            self._function(value)
        elif isinstance(value, MethodType):
            self._visit(any_value.__func__, name)
            self._visit(any_value.__self__, name)
        elif isinstance(value, functools.partial):
            self._visit_all((any_value.func, any_value.args, any_value.keywords), name)
        elif kind is BuiltinMethodType:
            owner: object = any_value.__self__
            if isinstance(owner, (list, dict, deque)):
                self._visit(cast(Any, owner), name)  # hook=outputs.append
        elif isinstance(value, (staticmethod, classmethod)):
            self._visit(any_value.__func__, name)
        elif isinstance(value, property):
            self._visit(value.fget, name)
        elif isinstance(value, (dict, MappingProxyType)):
            self._dict(any_value, name)
        elif isinstance(value, (list, tuple, set, frozenset, deque)):
            self._sequence(value, name)
        elif is_module(value):
            self._module(value, name)
        elif is_optimizer(value):
            self._optimizer(value, name)
        elif isinstance(value, ModuleType):
            if is_user(value.__name__):
                self._objects.append((value, name))
        elif isinstance(value, np.ndarray):
            self._array(any_value, name)
        elif isinstance(value, Tensor):
            self._tensor(value, name)
        elif isinstance(value, GENERATORS):
            self.generators.append(value)
        elif is_scheduler(value):
            self._visit(any_value.optimizer, f"{name}.optimizer")
        elif hasattr(value, "__wrapped__"):
            self._visit(value.__wrapped__, name)
        elif isinstance(value, weakref.ref):
            self._visit(any_value(), name)
        elif kind.__module__.partition(".")[0] == PACKAGE:
            self._library_object(value, name)
        else:
            if isinstance(value, WRAPPERS):
                self._visit(any_value.maps if isinstance(value, ChainMap) else any_value.data, name)
            if has_attributes(any_value):
                self._objects.append((any_value, name))

    def _visit_all(self, values: Iterable[Any], name: str) -> None:
        for value in values:
            self._visit(value, name)

    def _function(self, function: FunctionType) -> None:
        if not is_user(function.__module__):
            self._visit(getattr(function, "__wrapped__", None), function.__name__)
            return
        if any(key != "__wrapped__" for key in function.__dict__):
            self._objects.append((function, function.__name__))
        code = function.__code__
        names = names_of(code)
        self.names |= names.attributes
        for name in sorted(names.globals):
            if name in function.__globals__ or name in names.stored:
                self._entry(function.__globals__, name, name)
            elif name in REACHING_OUT:
                self._hidden(function.__globals__, name)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            if (id(cell), None) not in self._places:
                self._places.add((id(cell), None))
                guard = Cell(name, cell, MISSING)
                guard.expected = guard.now()
                self._add(guard)
                self._visit(guard.expected, name)
        self._visit_all(function.__defaults__ or (), function.__name__)
        self._visit_all((function.__kwdefaults__ or {}).values(), function.__name__)

    def _hidden(self, names: dict[str, Any], name: str) -> None:
        """A builtin function that a global of that name would hide."""
        if (id(names), name) not in self._places:
            self._places.add((id(names), name))
            self.builtins.append(Entry(name, names, name, MISSING))

    def _environment(self) -> None:
        """The environment's variables that code names, where it reads any."""
        for name in sorted(self.names):
            if name.isupper() or name in os.environ:
                self._add(Attribute(f"os.environ[{name!r}]", partial(os.environ.get, name), os.environ.get(name)))

    def _sequence(self, values: Any, name: str) -> None:
        if not isinstance(values, (tuple, frozenset)):
            if len(values) > LONGEST:
                self._add(Length(name, values, len(values)))
                return
            self._add(Contents(name, values, tuple(values)))
        for index, value in enumerate(cast(Iterable[Any], values)):
            if index < LONGEST:
                self._visit(value, f"{name}[{index}]")

    def _dict(self, values: dict[Any, Any], name: str) -> None:
        if len(values) > LONGEST:
            self._add(Length(name, values, len(values)))
            return
        self._add(Contents(f"keys of {name}", values, tuple(values)))
        for key in values:
            self._entry(values, key, f"{name}[{key!r}]")

    def _array(self, array: np.ndarray[Any, Any], name: str) -> None:
        """A numpy array is a constant of the trace: small ones are compared."""
        if array.nbytes <= LARGEST:
            self._add(Attribute(f"contents of {name}", array.tobytes, array.tobytes()))

    def _tensor(self, tensor: Any, name: str) -> None:
        self.tensors.add(id(tensor))
        self.names_of_storages.setdefault(tensor._storage, name.rpartition(".")[2])
        memory = (tensor._storage, tensor._view)
        self._add(Attribute(f"memory of {name}", lambda: (tensor._storage, tensor._view), memory), slow=True)
        self._add(Flag(f"{name}.requires_grad", tensor, tensor.requires_grad), slow=True)
        if tensor.requires_grad:
            self.learned.add(tensor._storage)
            hooks = hooks_of(tensor)
            self._add(Attribute(f"hooks of {name}", lambda: hooks_of(tensor), hooks), slow=True)
            self._visit_all((*hooks[0], *hooks[1]), f"hook of {name}")

    def _module(self, module: Any, name: str) -> None:
        attributes = cast(dict[str, Any], vars(module))
        for table in MODULE_TABLES:
            entries: Any = attributes.get(table)
            if entries is not None:
                self.tables.add(id(entries))
                self._table(entries, f"{name}.{table}", name)
        for table, hooks in EVERYWHERE.items() if id(EVERYWHERE) not in self._seen else ():
            self._table(hooks, f"{table} of every module", "hooks of every module")
        self._seen[id(EVERYWHERE)] = EVERYWHERE
        self._objects.append((module, name))

    def _table(self, entries: Mapping[Any, Any], name: str, owner: str) -> None:
        """A dictionary whose changes are counted."""
        self._add(Contents(name, entries, tuple(entries)), slow=True)
        for key in entries:
            self._entry(entries, key, f"{owner}.{key}", slow=True)

    def _library_object(self, value: Any, name: str) -> None:
        """All its plain attributes."""
        attributes: dict[str, Any] = getattr(value, "__dict__", {})
        for key, attribute in attributes.items():
            if type(attribute) in PLAIN:
                self._entry(attributes, key, f"{name}.{key}")

    def _optimizer(self, optimizer: Any, name: str) -> None:
        self.optimizers[id(optimizer)] = optimizer
        runtime = getattr(optimizer, "runtime_keys", frozenset({"lr"}))
        groups = cast(list[dict[str, Any]], optimizer.param_groups)
        self._add(Entry(f"{name}.param_groups", optimizer.__dict__, "param_groups", groups))
        self._add(Contents(f"{name}.param_groups", groups, tuple(groups)))
        for index, group in enumerate(groups):
            for key, value in group.items():
                path = f"{name}.param_groups[{index}][{key!r}]"
                if key == "params":
                    self._add(Entry(path, group, key, value))
                    self._add(Attribute(f"len({path})", value.__len__, len(value)))
                    self._add(Contents(path, value, tuple(value)), slow=True)
                    for position, parameter in enumerate(value):
                        self._visit(parameter, f"parameter{position}")
                else:
                    entry = Entry(path, group, key, value)
                    (self.runtime if key in runtime else self.guards.always).append(entry)
                    if key == "lr" and type(value) is float:
                        self.rates.append(entry)
        for hooks in ("_pre_hooks", "_post_hooks"):
            self._visit(getattr(optimizer, hooks, None), f"{name}.{hooks}")
        if is_custom(optimizer):
            self._custom_optimizer(optimizer, name)
        self._class(optimizer.__class__, name)

    def _custom_optimizer(self, optimizer: Any, name: str) -> None:
        """One that the user wrote: what its `step` makes of state and attributes is seen in them alone."""
        state = optimizer.state
        self._add(Entry(f"{name}.state", optimizer.__dict__, "state", state))
        self._add(Contents(f"keys of {name}.state", state, tuple(state)))
        for parameter in state:
            self._entry(state, parameter, f"{name}.state[...]")
        self._objects.append((optimizer, name))

    # Attributes

    def _attributes(self, value: Any, name: str) -> None:
        if isinstance(value, type):
            self._class(value, name)
            return
        attributes: Any = getattr(value, "__dict__", None)
        slow = is_module(value)
        if attributes is not None:
            for key in self.names & attributes.keys():
                if not (slow and key in BOOKKEEPING):
                    self._entry(attributes, key, f"{name}.{key}", slow)
        if not isinstance(value, ModuleType):
            self._slots(value, name)
            self._class(cast(Any, type(value)), name)

    def _slots(self, value: Any, name: str) -> None:
        for cls in type(value).__mro__:
            slots = vars(cls).get("__slots__", ())
            for key in (slots,) if isinstance(slots, str) else slots:
                if key in self.names and (id(value), key) not in self._places:
                    self._places.add((id(value), key))
                    now = functools.partial(getattr, value, key, MISSING)
                    self._add(Attribute(f"{name}.{key}", now, now()))
                    self._visit(now(), f"{name}.{key}")

    def _class(self, cls: type, name: str) -> None:
        if self._classes.get(cls) == len(self.names):
            return
        self._classes[cls] = len(self.names)
        for base in cls.__mro__:
            if base is object:
                continue
            user = is_user(base.__module__)
            for key, member in tuple(vars(base).items()):
                special = key.startswith("__") and key.endswith("__")
                if (special and key in UNREACHED) or not (special or key in self.names or key == "forward"):
                    continue
                if not user:
                    if isinstance(member, FunctionType):
                        self.names |= names_of(member.__code__).attributes
                elif isinstance(member, (FunctionType, staticmethod, classmethod, property)):
                    self._visit(member, f"{base.__name__}.{key}")
                elif not special:
                    self._entry(vars(base), key, f"{base.__name__}.{key}")
