"""What a compiled program relies on: Python values that were read while tracing, and whether they are still the same.

Modules, and properties of tensors, are compared only when something has changed since (`frontend/mutations.py`).
Globals, closure cells, containers and plain objects have no such hook; the few of them that a function can reach are
compared on every call, by identity first.
"""

from __future__ import annotations

import weakref
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat
from operator import is_
from typing import Any, Protocol, cast

import numpy as np

from ...runtime.storage import Storage
from .. import mutations
from ..devices import device
from .places import GET, MISSING, PLAIN, VALUES, Entry, Member, Place, Slot, base_of, elements, length, members, same
from .weak import Lifetime, referent, weakened

QUICK = frozenset((dict, defaultdict, list, deque, set))
"""Containers that are read by no method of a subclass."""


class Guard(Protocol):
    """One thing that was read."""

    name: str
    """What the user calls it."""
    expected: Any

    def now(self) -> Any:
        """What it is now."""
        ...

    def holds(self) -> bool:
        """Whether it is what it was."""
        ...

    def restore(self) -> None:
        """Makes it what it was, as far as that is possible."""
        ...


@dataclass(slots=True)
class Contents:
    """The elements of a list, a set or a dictionary's keys."""

    name: str
    container: Collection[Any]
    expected: tuple[Any, ...]

    def now(self) -> Any:
        return tuple(elements(self.container))

    def holds(self) -> bool:
        now, expected = self.now(), self.expected
        return len(now) == len(expected) and (all(map(is_, now, expected)) or all(map(same, now, expected)))

    def restore(self) -> None:
        container: Any = self.container
        base: Any = base_of(container)
        if isinstance(container, dict):  # what was removed or replaced is an Entry's
            for key in set(self.now()).difference(self.expected):
                base.pop(container, key)
        elif not isinstance(container, (tuple, frozenset)):
            base.clear(container)
            (base.update if isinstance(container, set) else base.extend)(container, self.expected)


@dataclass(slots=True)
class Length:
    """The number of elements of a list or dictionary that is too long to compare."""

    name: str
    container: Collection[Any]
    expected: int

    def now(self) -> Any:
        return length(self.container)

    def holds(self) -> bool:
        return self.now() == self.expected

    def restore(self) -> None:
        container: Any = self.container
        base: Any = base_of(container)
        while base not in (set, tuple, frozenset) and self.now() > self.expected:
            base.popitem(container) if isinstance(container, dict) else base.pop(container)


@dataclass(slots=True)
class Absent:
    """Attributes that code mentions and that an object (its `__dict__` is given) or a class does not have."""

    name: str
    owner: dict[str, Any] | type
    keys: frozenset[str]
    expected: tuple[str, ...] = ()

    def _there(self) -> Any:
        return self.owner if isinstance(self.owner, dict) else members(self.owner)

    def now(self) -> Any:
        return tuple(sorted(self.keys.intersection(self._there())))

    def holds(self) -> bool:
        there = self._there()
        return (
            not any(key in there for key in self.keys) if len(self.keys) < len(there) else self.keys.isdisjoint(there)
        )

    def place(self, key: str) -> Entry | Member:
        """Where one of them is."""
        name = f"{self.name}.{key}"
        if isinstance(self.owner, dict):
            return Entry(name, self.owner, key, MISSING)
        return Member(name, self.owner, key, MISSING)

    def restore(self) -> None:
        for key in self.now():
            self.place(key).clear()


@dataclass(slots=True)
class Bytes:
    """What is in a numpy array."""

    name: str
    array: np.ndarray[Any, Any]
    expected: np.ndarray[Any, Any]

    def now(self) -> np.ndarray[Any, Any]:
        return self.array

    def holds(self) -> bool:
        return self.array.shape == self.expected.shape and self.array.tobytes() == self.expected.tobytes()

    def restore(self) -> None:
        if self.array.shape == self.expected.shape:
            np.copyto(self.array, self.expected)


@dataclass(slots=True)
class Attribute:
    """Whatever a function tells about an object, such as the storage of a tensor."""

    name: str
    read: Callable[[], Any]
    expected: Any

    def now(self) -> Any:
        return self.read()

    def holds(self) -> bool:
        return same(self.read(), self.expected)

    def restore(self) -> None:
        """What is read through a function has setters of its own, which know how to undo."""


@dataclass(slots=True)
class Property:
    """What a function tells about a tensor, as long as that lives; other guards say whether code still reaches it."""

    name: str
    tensor: weakref.ref[Any]
    read: Callable[[Any], Any]
    expected: Any

    def now(self) -> Any:
        tensor = self.tensor()
        return self.expected if tensor is None else self.read(tensor)

    def holds(self) -> bool:
        tensor = self.tensor()
        return tensor is None or same(self.read(tensor), self.expected)

    def restore(self) -> None:
        """Tensors have setters of their own, which know how to undo."""


@dataclass(slots=True)
class Flag:
    """Whether gradients are wanted for a tensor."""

    name: str
    tensor: weakref.ref[Any]
    expected: bool

    def now(self) -> bool:
        tensor = self.tensor()
        return self.expected if tensor is None else tensor.requires_grad

    def holds(self) -> bool:
        return self.now() is self.expected

    def assign(self, value: bool) -> None:
        """Sets the flag."""
        tensor = self.tensor()
        if tensor is not None:
            tensor.requires_grad = value

    def restore(self) -> None:
        self.assign(self.expected)


@dataclass(slots=True)
class Numbers:
    """What is in a buffer that Python has asked for the numbers of."""

    name: str
    storage: Storage
    expected: np.ndarray[Any, Any]
    version: int = -1
    """The last one that was found to be the same."""

    def now(self) -> np.ndarray[Any, Any]:
        assert self.storage.array is not None
        return self.storage.array

    def holds(self) -> bool:
        storage = self.storage
        if storage.version == self.version and not storage.shared:
            return True
        same = np.array_equal(self.now(), self.expected)
        self.version = storage.version if same else -1
        return same

    def restore(self) -> None:
        """Traces leave numbers alone."""


_values: Callable[[Any], Iterable[Any]] = VALUES
_get: Callable[[Any, Any, Any], Any] = GET


class _Bulk:
    """Compares many guards at once by the identity of what they watch, and one by one where that is another one."""

    def __init__(self, guards: Iterable[Guard]) -> None:
        guards = list(guards)
        contents = [g for g in guards if isinstance(g, Contents) and type(g.container) in QUICK]
        entries = [g for g in guards if isinstance(g, Entry)]
        by_mapping: dict[int, dict[Any, Entry]] = {}
        for entry in entries:
            by_mapping.setdefault(id(entry.mapping), {})[entry.key] = entry
        whole: dict[int, dict[Any, Any]] = {}
        values: list[Any] = []
        for c in contents:
            container: Any = c.container
            found, keys = by_mapping.get(id(container), {}), [*map(referent, c.expected)]
            if type(container) in (dict, defaultdict) and id(container) not in whole and found.keys() == {*keys}:
                whole[id(container)] = container
                values += [found[key].expected for key in keys]
        self._guards: list[Guard] = [*contents, *entries]
        self._containers: list[Any] = [c.container for c in contents]
        self._lengths = [len(c.expected) for c in contents]
        self._elements = [id(referent(element)) for c in contents for element in c.expected]
        self._whole = list(whole.values())
        self._values = [id(referent(value)) for value in values]
        single = [e for e in entries if id(e.mapping) not in whole]
        self._mappings = [e.mapping for e in single]
        self._keys = [e.key for e in single]
        self._expected = [id(referent(e.expected)) for e in single]
        quick = {id(guard) for guard in self._guards}
        self._others = [guard for guard in guards if id(guard) not in quick]

    def hold(self) -> bool:
        """Whether all guards hold."""
        identical = (
            [*map(len, self._containers)] == self._lengths
            and [*map(id, chain.from_iterable(self._containers))] == self._elements
            and [*map(id, chain.from_iterable(map(_values, self._whole)))] == self._values
            and [*map(id, map(_get, self._mappings, self._keys, repeat(MISSING)))] == self._expected
        )
        if not identical and not all(guard.holds() for guard in self._guards):
            return False
        return all(guard.holds() for guard in self._others)


@dataclass
class Guards:
    """All that one program relies on."""

    always: list[Guard] = field(default_factory=list[Guard])
    """Compared on every call."""
    slow: list[Guard] = field(default_factory=list[Guard])
    """Compared when something has changed."""
    checked_at: int = -1
    lifetime: Lifetime = field(default_factory=Lifetime)
    """Over when something has died that guards ask for."""

    def __post_init__(self) -> None:
        self.seal()

    def seal(self) -> None:
        """Call after the lists are complete."""
        self._bulk = _Bulk(self.always)

    def let_go(self, guard: Guard) -> None:
        """Takes out a guard; to be sealed afterwards."""
        for guards in (self.always, self.slow):
            guards[:] = [other for other in guards if other is not guard]

    def hold(self) -> bool:
        """Whether everything is what it was."""
        if not self._bulk.hold():
            return False
        if self.checked_at != mutations.count:
            before = mutations.count
            for guard in self.slow:
                if not guard.holds():
                    return False
            self.checked_at = before
        return not self.lifetime.over  # asked last: until then, ids were those of what is meant

    def weaken(self) -> None:
        """Keeps nothing alive any more; for when there is nothing to restore."""
        for guard in (*self.always, *self.slow):
            weaken(guard, self.lifetime)
        self.seal()

    def broken(self) -> Iterator[Guard]:
        """Those that no longer hold."""
        for guard in (*self.always, *self.slow):
            if not guard.holds():
                yield guard

    def differences(self) -> list[str]:
        """What changed, for people."""
        return [f"{g.name} was {show(g.expected)}, is now {show(g.now())}" for g in self.broken()]


def is_by_value(value: Any) -> bool:
    """Whether another object of the same contents will do."""
    kind = cast(Any, type(value))
    return kind in PLAIN or value is MISSING or issubclass(kind, (tuple, frozenset, complex, np.generic, device))


def weaken(guard: Any, lifetime: Lifetime | None = None) -> None:
    """Lets a guard refer weakly to what it asks for; with a lifetime, that ends with the first of these objects."""

    def watch(value: Any) -> Any:
        if is_by_value(value):
            return value
        return weakened(value) if lifetime is None else lifetime.watch(value)

    if isinstance(guard, Place):
        guard.expected = watch(guard.expected)
        if isinstance(guard, Slot) and lifetime is not None:
            guard.owner = watch(guard.owner)
    elif isinstance(guard, Contents):
        guard.expected = tuple(map(watch, guard.expected))
    elif isinstance(guard, Property):
        guard.expected = tuple(map(weakened, cast("tuple[Any, ...]", guard.expected)))


def values_in(guard: Guard) -> Iterable[Any]:
    """What is in a place or a container now."""
    if isinstance(guard, Contents):
        return elements(guard.container)
    return (guard.now(),) if isinstance(guard, Place) else ()


def show(value: Any) -> str:
    """A value in a message: short, and never the numbers of a tensor."""
    value = referent(value)
    if type(value) in PLAIN or value is MISSING:
        text = repr(value)
        return text if len(text) <= 60 else text[:57] + "..."
    if isinstance(value, np.ndarray):
        return show(cast("np.ndarray[Any, Any]", value)[..., :8].tolist() if value.ndim else value.item())
    if isinstance(value, (tuple, list)):
        items = cast("tuple[Any, ...] | list[Any]", value)
        inner = ", ".join(map(show, items[:4])) + (", ..." if len(items) > 4 else "")
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    return f"a {type(value).__name__} (id {id(value):#x})"
