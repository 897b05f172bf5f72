"""Functions and classes that traced code finds: its own are instrumented, foreign ones tell when they are called.

queue.put(x)          a function that is not known to be pure: the program is for this call alone
statistics.mean(xs)   pure, but it may look at the types of numbers: it gets plain ones
table(n)              a cached function gives tensors of its own, none of the trace
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from operator import attrgetter, is_
from random import SystemRandom
from types import (
    BuiltinMethodType,
    CodeType,
    FunctionType,
    GeneratorType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np

from ..modes import modes
from ..source import user_frame
from ..tensor import Tensor
from ..tracing.again import Again
from ..tracing.trace import paused
from .code_names import PACKAGE, is_of_user, is_user
from .effects import AskAgain
from .extensions import EXTENSIONS, Extension
from .foreign_random import GENERATORS, SHARED
from .instrument import Instrumentation
from .observing import Observing
from .overlay import Overlay
from .places import VALUES as VALUES_OF
from .places import is_a, length, members, mro
from .purity import (
    CONTAINERS,
    HARMLESS,
    VALUES,
    is_all_python,
    is_known,
    is_known_class,
    is_pure,
    is_transparent,
    module_of,
)
from .stand_ins import stand_in_of
from .symbolic import Symbols, read, read_all
from .uncompiled import Impure

if TYPE_CHECKING:
    from .changed_numbers import DynamicNumbers
    from .discovery import Discovery

CHANGING = frozenset(
    [
        "append",
        "extend",
        "insert",
        "pop",
        "remove",
        "clear",
        "sort",
        "reverse",
        "update",
        "setdefault",
        "popitem",
        "add",
        "discard",
        "appendleft",
        "extendleft",
        "popleft",
        "rotate",
        "move_to_end",
        "__setitem__",
        "__delitem__",
        "__iadd__",
        "__ior__",
        "__isub__",
        "__iand__",
        "__ixor__",
    ]
)
"""Methods by which subclasses of containers change themselves, which have more to tell than their elements."""

CALLED_BY_US = ("forward", "backward", "setup_context")
"""Methods that this package calls by name."""

FAST: frozenset[type] = frozenset({int, float, str, bool, type(None), bytes, tuple, slice, np.ndarray})
"""Types of values that pass as they are."""

DEEPEST, WIDEST = 4, 64
"""How far functions are looked for in foreign objects."""


LOOKING = ("copy", "dataclasses", "operator")
"""Modules with functions that look at attributes of objects."""


IDENTIFYING = frozenset(
    (
        "id",
        "hash",
        "__hash__",
        "__repr__",
        "data_ptr",
        "_version",
        "storage",
        "untyped_storage",
        "grad_fn",
        "__globals__",
    )
) | frozenset(("__closure__", "__defaults__", "__kwdefaults__", "__self__", "gi_frame", "f_locals", "__weakref__"))
"""Functions and attributes that tell tensors of one kind apart, or lead past guards."""


class Callables:
    """What a trace does with callables."""

    symbols: Symbols
    overlay: Overlay

    def __init__(self, discovery: Discovery, numbers: DynamicNumbers) -> None:
        self.numbers = numbers
        """What calls of the function have found out."""
        self.impure: Impure | None = None
        """Why the trace is given up, also where code of the user has caught that."""
        self.asks_identity = False
        """Whether traced code asks what other tensors answer otherwise, like `id()`, or looks where no guard does."""
        self._discovery = discovery
        self._has_seen = discovery.has_seen
        self._live: dict[int, Any] = {}
        """Foreign objects that were there before the trace."""
        self._classes: set[type] = set()
        self._wrapped: dict[int, tuple[Any, Any]] = {}
        self._stands_for: dict[int, Any] = {}
        """Foreign functions, by the ids of what traced code gets instead."""
        self._instrumentation = Instrumentation()
        self.late: dict[CodeType, list[FunctionType]] = {}
        """Functions that the function was not known to reach, by their code: special methods, factories."""
        self._known_members: set[tuple[type, str]] = set()
        self.repeated: list[AskAgain] = []
        """Questions to caches."""
        self._looked_into: dict[int, Any] = {}
        self._registries: dict[int, Any] = {}

    def _callable(self, value: Any, called: bool) -> Any:
        kind = cast(Any, type(value))
        self.asks_identity |= kind is attrgetter or getattr(value, "__name__", None) in IDENTIFYING
        known = stand_in_of(cast(Observing, self), value, called)
        if known is not None:
            return known
        function = value.__func__ if kind is MethodType else value
        if is_a(function, FunctionType):
            if is_of_user(function):
                self._see_function(function)
                return value
            self._see_functions_in(function)
            if str(function.__module__).partition(".")[0] == PACKAGE and is_pure(function):
                return value
        elif is_a(value, type):
            if is_user(value.__module__):
                self._see_class(value)
                self._may_make(value)
                return value
            if not called:
                return value
        elif type(function).__name__ == "_lru_cache_wrapper":
            return self._memo(value)
        elif kind.__module__ == "functools" and hasattr(value, "func"):
            inner = self._kept(value.func)
            args, options = [*map(self._kept, value.args)], {k: self._kept(x) for k, x in value.keywords.items()}
            same = inner is value.func and all(map(is_, args, value.args))
            return value if same and not options else partial(inner, *args, **options)
        pure = kind is attrgetter or self._is_pure(value)
        if pure and str(getattr(value, "__module__", "")) in LOOKING:
            return self._looking(value)
        return value if pure and is_transparent(value) else self._with_plain_numbers(value, not pure)

    def _kept(self, value: Any) -> Any:
        """What a foreign object hands to what it calls."""
        raise NotImplementedError

    def _look(self, values: Iterable[Any]) -> None:
        """Code that is not traced looks at all that is in values."""
        raise NotImplementedError

    def refuse_too_large(self) -> None:
        """Ends the trace where something cannot be compared."""
        raise NotImplementedError

    def _is_pure(self, value: Any) -> bool:
        owner = None if is_a(value, type) else getattr(value, "__self__", None)
        if is_a(owner, GENERATORS) and not is_a(owner, SystemRandom):
            return owner in SHARED or self._has_seen(owner)  # whose state is watched
        if is_a(owner, CONTAINERS):
            name = getattr(value, "__name__", "")
            changes = is_user(cast(Any, type(owner)).__module__) and name in CHANGING
            changes = changes and not (name == "clear" and length(owner) == 0)
            return not self._is_unguarded(owner) and not (changes and self._has_seen(owner))
        if is_a(owner, (np.ndarray, GeneratorType)) and not self._is_live(owner):
            return True
        if type(value) is MethodType and not self._may_change(owner):
            return False
        pure = is_pure(value)
        if pure and module_of(value) in EXTENSIONS:
            self._reach_registry(EXTENSIONS[module_of(value)])
        return pure

    def _reach_registry(self, extension: Extension) -> None:
        """A function in C is loaded that calls what has been registered."""
        registry = extension.registered()
        if registry is None or id(registry) in self._registries:
            return
        self._registries[id(registry)] = registry
        self._add_late((), registry)
        for entry in VALUES_OF(registry):
            for part in (entry, *gc.get_referents(entry)):
                if is_a(part, FunctionType) and is_of_user(part):
                    self._see_function(part)

    def _may_change(self, owner: Any) -> bool:
        """Whether methods of Python's library may do to an object what they want: it is new, or never changes."""
        return is_known(owner) or is_all_python(cast(Any, type(owner))) or not self._is_live(owner)

    def _is_unguarded(self, container: Any) -> bool:
        """Whether a container is from outside, and none whose changes would be found."""
        return self._live.get(id(container)) is container and not self._has_seen(container)

    def _is_live(self, value: Any) -> bool:
        return self._live.get(id(value)) is value or self._has_seen(value)

    def _with_plain_numbers(self, function: Any, has_effects: bool) -> Any:
        """A foreign function gets plain numbers, since it may look at their types; one that may have effects tells."""
        known = self._wrapped.get(id(function))
        if known is not None:
            return known[1]
        name = name_of(function)

        def foreign(*args: Any, **options: Any) -> Any:
            if has_effects:
                self.see_effect(name)
            self.overlay.expose_reachable((*args, *options.values()))
            return function(*map(read_all, args), **{key: read_all(x) for key, x in options.items()})

        foreign.__name__ = getattr(function, "__name__", type(function).__name__)
        foreign.__doc__ = getattr(function, "__doc__", None)
        self._wrapped[id(function)] = function, foreign
        self._stands_for[id(foreign)] = function
        return foreign

    def _looking(self, function: Any) -> Any:
        """A function that looks at attributes of objects finds in them what traced code has assigned."""

        def looking(*args: Any, **options: Any) -> Any:
            self.overlay.expose_reachable((*args, *options.values()))
            self._look((*args, *options.values()))
            return function(*args, **options)

        return looking

    def _memo(self, cached: Any) -> Any:
        """A cached function gives tensors of its own, as in eager code; none of the trace may stay in its cache. Calls
        of the program ask it again, which it counts."""
        known = self._wrapped.get(id(cached))
        if known is not None:
            return known[1]
        inner = cached.__wrapped__
        if is_a(inner, FunctionType) and is_of_user(inner):
            self._see_function(inner)
        memo = Memo(self, cached)
        self._wrapped[id(cached)] = cached, memo
        return memo

    @contextmanager
    def settled(self, count: Callable[[], int]) -> Generator[None]:
        """What happens in here happens once for all if the count grows: it is neither taken back nor repeated."""
        guards, before = self._discovery.guards, count()
        broken = {id(guard) for guard in guards.broken()}
        yield
        if count() != before:
            for guard in guards.broken():
                if id(guard) not in broken:
                    guard.expected = guard.now()

    def see_effect(self, name: str, line: tuple[str, int] | None = None) -> NoReturn:
        """What comes next may have an effect: the trace ends here."""
        self.impure = self.impure or Impure(name, *(line or user_frame()))
        raise self.impure

    # Functions of the user

    def _see_function(self, function: FunctionType) -> None:
        written_in = function.__globals__.get("__name__")
        if str(written_in).partition(".")[0] == PACKAGE:
            self._see_functions_in(function)  # a decorator of ours
            return
        code = self._instrumentation.add(function)
        if code is not None and is_user(written_in) and not self._discovery.has_read(function):
            self.late.setdefault(code, []).append(function)

    def enter_function(self, code: CodeType) -> None:
        """A function runs that discovery has not come across: what it reaches is added now."""
        self._add_late(self.late.pop(code))

    def _add_late(self, functions: Sequence[FunctionType], *values: Any) -> None:
        """What the trace reaches besides what it was known to reach."""
        discovery = self._discovery
        named, unseen = len(discovery.names_of_storages), len(discovery.unseen)
        is_complete = discovery.add_late(functions, values)
        self.numbers.add_functions(functions)
        if not is_complete:
            raise Again(lambda hints: hints.numbers.add_functions(functions))
        self.refuse_too_large()
        if modes.trace is not None:
            modes.trace.add_names(islice(discovery.names_of_storages.items(), named, None))
        for function in [*islice(discovery.unseen.values(), unseen, None)]:
            if is_of_user(function):
                self._see_function(function)

    def _see_class(self, cls: type) -> None:
        """Methods that Python and its library call by themselves."""
        if cls in self._classes:
            return
        self._classes.add(cls)
        for kind in (cls, cast(Any, type(cls))):
            every = not all(
                base in HARMLESS or base is type or _is_ours(base) or is_user(base.__module__) for base in mro(kind)
            )
            for base in mro(kind):
                if base is object or not is_user(base.__module__):
                    continue
                for name, member in tuple(members(base).items()):
                    if is_a(member, (staticmethod, classmethod)):
                        member = member.__func__
                    special = name.startswith("__") and name.endswith("__")
                    called = special or every or name in CALLED_BY_US
                    if called and is_a(member, FunctionType) and is_of_user(member):
                        self._see_function(member)

    def _see_member(self, kind: Any, name: str) -> Any:
        """What a class says about an attribute of its objects: descriptors run code of their own."""
        member = next((members(base)[name] for base in mro(kind) if name in members(base)), None)
        if type(member) is FunctionType or (kind, name) in self._known_members:
            return member
        self._known_members.add((kind, name))
        descriptor = cast(Any, type(member))
        if descriptor is property:
            self._see_functions_in(member)
        elif is_user(descriptor.__module__):
            self._see_class(descriptor)
        elif descriptor.__module__.partition(".")[0] == "functools":
            self._see_functions_in(member)
        elif hasattr(descriptor, "__set__") and not (_is_plain_slot(member) or issubclass(kind, VALUES)):
            self.see_effect(f"{name_of(kind)}.{name}")  # memory of C
        return member

    def _may_make(self, cls: type) -> None:
        """A class is about to make objects; when one with `__del__` dies is nothing that a program repeats."""
        for base in mro(cls):
            if is_user(base.__module__) and "__del__" in members(base):
                self.see_effect(f"{base.__qualname__}.__del__")

    def _see_functions_in(self, value: Any) -> None:
        """Functions of the user that a foreign one, or a descriptor, keeps and calls."""
        if id(value) in self._looked_into:
            return
        pending: list[tuple[Any, int]] = [(value, 0)]
        while pending:
            value, depth = pending.pop()
            if id(value) in self._looked_into or depth > DEEPEST:
                continue
            self._looked_into[id(value)] = value
            kind = cast(Any, type(value))
            if kind is FunctionType:
                if is_of_user(value):
                    self._see_function(value)
                inside: Any = [value.__closure__, value.__defaults__, value.__dict__.get("__wrapped__")]
            elif kind is type or kind in FAST or is_user(kind.__module__) or kind is ModuleType or _is_ours(kind):
                continue
            else:
                inside = gc.get_referents(value)
            pending += [(x, depth + 1) for x in inside[:WIDEST] if x is not None]


class Memo:
    """Stands for a function with a cache (functools.lru_cache) while its callers are traced."""

    def __init__(self, callables: Callables, cached: Any) -> None:
        self.cached = cached
        self._callables = callables

    def __call__(self, *args: Any, **options: Any) -> Any:
        values, named = [*map(read, args)], {key: read(x) for key, x in options.items()}
        if any(is_a(x, Tensor) for x in (*values, *named.values())):
            self._callables.see_effect(name_of(self.cached))
        with self._callables.settled(lambda: self.cached.cache_info().misses), paused():
            found = self.cached(*values, **named)
        self._callables.repeated.append(AskAgain(self.cached, values, named))
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cached, name)


def _is_ours(kind: Any) -> bool:
    return str(kind.__module__).partition(".")[0] == PACKAGE


def _is_plain_slot(member: Any) -> bool:
    """Whether a descriptor is of a slot, or of `__dict__` and the like."""
    if not is_a(member, (MemberDescriptorType, GetSetDescriptorType)):
        return False
    owner = member.__objclass__
    return is_user(owner.__module__) or owner in HARMLESS or _is_ours(owner) or is_known_class(owner)


def name_of(function: Any) -> str:
    """What people call a function, a method or a class."""
    owner = getattr(function, "__self__", None)
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    if module is not None and is_a(function, BuiltinMethodType):
        return f"{module}.{function.__name__}".removeprefix("builtins.")
    if owner is not None and not is_a(owner, ModuleType) and "." not in name:
        name = f"{type(owner).__qualname__}.{name}"
    return name if module in (None, "builtins") else f"{module}.{name}"


__all__ = ["Callables", "name_of"]
