"""What a trace sees of Python: every value that traced code loads or stores passes through here (`hooks.py`).

self.calls            a place whose number changes: a symbolic number, while the object itself keeps the plain one
self.calls += 1       kept here until the trace ends; each call repeats it
print(x), sqrt(n)     what stands for functions that are put off, or that take symbolic numbers
queue.put(x)          a function that is not known to be pure: the program is for this call alone
s is t, type(s)       asked of symbolic numbers as of the numbers that they stand for

Objects that other threads may see never hold a symbolic number.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial, wraps
from types import BuiltinMethodType, CellType, FunctionType, MethodType, ModuleType
from typing import Any, cast

import numpy as np

from ..source import user_frame
from ..tensor import Tensor
from ..tracing.trace import paused
from .effects import Place, identity
from .guards import PLAIN, Entry
from .instrument import Instrumentation
from .iterators import Iterators, Watched, is_iterator
from .kinds import has_attributes
from .mentions import PACKAGE, is_user
from .purity import is_known, is_pure, is_transparent
from .stand_ins import stand_in_of
from .symbolic import Symbolic, Symbols, plain_type, read, read_all

FAST: frozenset[type] = frozenset({int, float, str, bool, type(None), bytes, tuple, slice, np.ndarray})
"""Types of values that pass as they are."""

SPECIAL = frozenset(("__init__", "__new__", "__del__", "__repr__", "__reduce__", "__getstate__", "__setstate__"))


@dataclass
class Held:
    """A place with a symbolic number, and what the trace has put there since."""

    place: Place
    source: Any
    now: Any


class Observer:
    """The eyes of one trace."""

    def __init__(self, symbols: Symbols, iterators: Iterators, has_seen: Callable[[Any], bool]) -> None:
        self.symbols = symbols
        self.held: dict[tuple[int, Any], Held] = {}
        """Places with symbolic numbers, by their identity."""
        self.stand_ins: dict[int, Any] = {}
        """What traced code gets instead of an object, by the object's id."""
        self.impure: list[tuple[str, str, int]] = []
        """What was called that may have effects, with the user's line."""
        self._written_through: dict[int, Any] = {}
        self._originals: list[Any] = []
        """Keeps the objects of `stand_ins` alive, so that no other has their ids."""
        self._names: set[str] = set()
        self._iterators = iterators
        self._has_seen = has_seen
        self._live: dict[int, Any] = {}
        """Foreign objects that were there before the trace."""
        self._classes: set[type] = set()
        self._wrapped: dict[int, tuple[Any, Any]] = {}
        self._instrumentation = Instrumentation()

    # Before and after

    def hold(self, place: Place, source: Any) -> None:
        """Puts a symbolic number into an attribute or a variable, for the traced code alone."""
        self.held[identity(place)] = Held(place, source, source)
        self._names.add(str(getattr(place, "key", "")))

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
        """Gives traced functions their own code back."""
        self._instrumentation.take_out()

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
        return self._loaded(value, called, live=not isinstance(owner, Tensor))

    def result(self, value: Any) -> Any:
        """What a call gave, or a variable that is called."""
        kind = cast(Any, type(value))
        if kind is FunctionType or kind is BuiltinMethodType or kind is MethodType:
            return self._callable(value, True)
        return value

    def load_item(self, operands: Any) -> Any:
        """`container[key]`"""
        container, key = operands
        container = self.stand_ins.get(id(container), container)
        self._touch(container)
        return self._loaded(container[key], False)

    def _held_attribute(self, owner: Any, name: str) -> Held | None:
        attributes = getattr(owner, "__dict__", None)
        if isinstance(attributes, dict) and not isinstance(owner, type):
            held = self.held.get((id(cast(Any, attributes)), name))
            if held is not None:
                return held
        for cls in (owner if isinstance(owner, type) else cast(Any, type(owner))).__mro__:
            held = self.held.get((id(cls), name))
            if held is not None:
                return held
            if name in vars(cls):
                return None
        return None

    def _loaded(self, value: Any, called: bool, live: bool = False) -> Any:
        kind = cast(Any, type(value))
        if kind in FAST:
            if live and kind is np.ndarray:
                self._live[id(value)] = value
            return value
        found = self.stand_ins.get(id(value))
        if found is not None:
            return found
        if isinstance(value, (Tensor, Symbolic)):
            return value
        if kind is FunctionType or kind is BuiltinMethodType or kind is MethodType or isinstance(value, type):
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
        if live:
            self._live[id(value)] = value
        if callable(value) and not is_known(value):
            return self._callable(value, called)
        return value

    def _callable(self, value: Any, called: bool) -> Any:
        kind = cast(Any, type(value))
        known = stand_in_of(self, value, called)
        if known is not None:
            return known
        function = value.__func__ if kind is MethodType else value
        if isinstance(function, FunctionType):
            if is_user(function.__module__):
                self._see_function(function)
                return value
            inner = getattr(function, "__wrapped__", None)
            if isinstance(inner, FunctionType) and is_user(inner.__module__):
                self._see_function(inner)
            if str(function.__module__).partition(".")[0] == PACKAGE:
                return value
        elif isinstance(value, type):
            if is_user(value.__module__):
                self._see_class(value)
                return value
            if not called:
                return value
        elif kind.__name__ == "_lru_cache_wrapper":
            return self._memo(value)
        elif kind.__module__ == "functools" and hasattr(value, "func"):
            inner = self._callable(value.func, True)
            return value if inner is value.func else partial(inner, *value.args, **value.keywords)
        if not self._is_pure(value):
            return self._foreign(value)
        return value if is_transparent(value) else self._reading(value)

    def _is_pure(self, value: Any) -> bool:
        if not is_pure(value):
            owner = getattr(value, "__self__", None)
            return isinstance(owner, np.ndarray) and not self._is_live(owner)
        return True

    def _is_live(self, value: Any) -> bool:
        return self._live.get(id(value)) is value or self._has_seen(value)

    def _foreign(self, function: Any) -> Any:
        """What tells that a function was called that may have effects. It gets plain numbers."""
        known = self._wrapped.get(id(function))
        if known is not None:
            return known[1]
        name = _name_of(function)

        def foreign(*args: Any, **options: Any) -> Any:
            self.see_effect(name)
            return function(*map(read_all, args), **{key: read_all(x) for key, x in options.items()})

        return self._remember(function, foreign)

    def _reading(self, function: Any) -> Any:
        """A pure function that looks at the types of its operands gets plain numbers."""
        known = self._wrapped.get(id(function))
        if known is not None:
            return known[1]

        def reading(*args: Any, **options: Any) -> Any:
            return function(*map(read_all, args), **{key: read_all(x) for key, x in options.items()})

        return self._remember(function, reading)

    def _remember(self, function: Any, wrapper: Any) -> Any:
        wrapper.__name__ = getattr(function, "__name__", type(function).__name__)
        wrapper.__doc__ = getattr(function, "__doc__", None)
        self._wrapped[id(function)] = function, wrapper
        return wrapper

    def _memo(self, cached: Any) -> Any:
        """A cached function gives tensors of its own, as in eager code; none of the trace may stay in its cache."""
        inner = cached.__wrapped__
        if isinstance(inner, FunctionType) and is_user(inner.__module__):
            self._see_function(inner)

        @wraps(inner)
        def call(*args: Any, **options: Any) -> Any:
            values = [*map(read, args)], {key: read(x) for key, x in options.items()}
            if any(isinstance(x, Tensor) for x in (*values[0], *values[1].values())):
                self.see_effect(_name_of(cached))
                return inner(*values[0], **values[1])
            with paused():
                return cached(*values[0], **values[1])

        return call

    def see_effect(self, name: str) -> None:
        """Something may have had an effect."""
        self.impure.append((name, *user_frame()))

    def _see_function(self, function: FunctionType) -> None:
        self._instrumentation.add(function)

    def _see_class(self, cls: type) -> None:
        """Methods that Python calls by itself."""
        if cls in self._classes:
            return
        self._classes.add(cls)
        for base in (*cls.__mro__, *cast(Any, type(cls)).__mro__):
            if base is object or not is_user(base.__module__):
                continue
            for name, member in vars(base).items():
                if isinstance(member, (staticmethod, classmethod)):
                    member = member.__func__
                special = name.startswith("__") and name.endswith("__") and name not in ("__del__", "__repr__")
                if isinstance(member, FunctionType) and (special or name in ("forward", "backward", "setup_context")):
                    self._see_function(member)

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
        if name in self._names and self._keep(self._held_attribute(owner, name), value):
            return
        kind = cast(Any, type(owner))
        if isinstance(value, Symbolic) and (self._has_seen(owner) or not has_attributes(owner)):
            value = read(value)
        if not is_user(kind.__module__) and not isinstance(owner, type):
            self._touch(owner, writing=True)
        setattr(owner, name, value)

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
        del self.held[identity(held.place)]
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
        if isinstance(value, (Tensor, Symbolic, dict, list)) or is_user(kind.__module__):
            return
        if is_iterator(value) or kind is Watched:
            return  # one from outside has a stand-in
        if is_known(value) and not (writing and isinstance(value, np.ndarray)):
            return
        if value is os.environ and not writing:
            return  # whose variables are guarded
        if self._is_live(value) or not isinstance(value, np.ndarray):
            self.see_effect(f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."))

    def identity(self, value: Any) -> Any:
        """What `is` compares."""
        return self.stand_ins.get(id(value), plain_type(value))


def _name_of(function: Any) -> str:
    owner = getattr(function, "__self__", None)
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    if owner is not None and not isinstance(owner, ModuleType) and "." not in name:
        name = f"{type(owner).__qualname__}.{name}"
    return name if module in (None, "builtins") else f"{module}.{name}"
