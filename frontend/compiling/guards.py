"""What a compiled program relies on: Python values that were read while tracing, and whether they are still the same.

Modules, and properties of tensors, are compared only when something has changed since (`frontend/changes.py`). Globals,
closure cells, containers and plain objects have no such hook; the few of them that a function can reach are compared on
every call, by identity first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from operator import is_
from types import CellType, MappingProxyType
from typing import Any, Protocol, cast

import numpy as np

from ...dialects.types import DType
from ...runtime.storage import Storage
from .. import changes

PLAIN: frozenset[type] = frozenset({int, float, str, bool, type(None), bytes, complex, DType, slice, type(...)})
"""Types whose values are compared by value."""


class _Missing:
    def __repr__(self) -> str:
        return "missing"


MISSING: Any = _Missing()
"""Stands for a name that is not there."""


def same(now: Any, before: Any) -> bool:
    """Whether a program may take one value for the other."""
    if now is before:
        return True
    kind = cast(Any, type(now))
    if kind is not type(before):
        return False
    if kind in PLAIN:
        return bool(now == before)
    if issubclass(kind, (tuple, frozenset)):
        return len(now) == len(before) and all(map(same, now, before))
    return False


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
class Entry:
    """An entry of a mapping: a global, an attribute in an instance's `__dict__`, a value of a dictionary."""

    name: str
    mapping: Mapping[Any, Any]
    key: Any
    expected: Any

    def now(self) -> Any:
        return self.mapping.get(self.key, MISSING)

    def holds(self) -> bool:
        return same(self.mapping.get(self.key, MISSING), self.expected)

    def assign(self, value: Any) -> None:
        """Sets the entry."""
        if not isinstance(self.mapping, MappingProxyType):
            cast(MutableMapping[Any, Any], self.mapping)[self.key] = value

    def restore(self) -> None:
        if self.expected is not MISSING:
            self.assign(self.expected)
        elif not isinstance(self.mapping, MappingProxyType):
            cast(MutableMapping[Any, Any], self.mapping).pop(self.key, None)


@dataclass(slots=True)
class Cell:
    """A variable of an enclosing function."""

    name: str
    cell: CellType
    expected: Any

    def now(self) -> Any:
        try:
            return self.cell.cell_contents
        except ValueError:
            return MISSING

    def holds(self) -> bool:
        return same(self.now(), self.expected)

    def assign(self, value: Any) -> None:
        """Sets the variable."""
        self.cell.cell_contents = value

    def restore(self) -> None:
        if self.expected is not MISSING:
            self.assign(self.expected)


@dataclass(slots=True)
class Item:
    """An element of a list, whose length is watched elsewhere."""

    name: str
    container: list[Any]
    index: int
    expected: Any

    def now(self) -> Any:
        return self.container[self.index] if self.index < len(self.container) else MISSING

    def holds(self) -> bool:
        return same(self.now(), self.expected)

    def assign(self, value: Any) -> None:
        """Sets the element."""
        self.container[self.index] = value

    def restore(self) -> None:
        self.assign(self.expected)


@dataclass(slots=True)
class Contents:
    """The elements of a list, a set or a dictionary's keys."""

    name: str
    container: Collection[Any]
    expected: tuple[Any, ...]

    def now(self) -> Any:
        return tuple(self.container)

    def holds(self) -> bool:
        container = self.container
        expected = self.expected
        if len(container) != len(expected):
            return False
        return all(map(is_, container, expected)) or all(map(same, container, expected))

    def restore(self) -> None:
        container = cast(Any, self.container)
        if isinstance(self.container, (list, deque)):
            container.clear()
            container.extend(self.expected)
        elif isinstance(self.container, dict):  # what was removed or replaced is an Entry's
            for key in set(container).difference(self.expected):
                del container[key]
        elif isinstance(self.container, set):
            container.clear()
            container.update(self.expected)


@dataclass(slots=True)
class Length:
    """The number of elements of a list or dictionary that is too long to compare."""

    name: str
    container: Collection[Any]
    expected: int

    def now(self) -> Any:
        return len(self.container)

    def holds(self) -> bool:
        return len(self.container) == self.expected

    def restore(self) -> None:
        container = cast(Any, self.container)
        if isinstance(self.container, list):
            del container[self.expected :]
        elif isinstance(self.container, dict):
            while len(container) > self.expected:
                container.popitem()


@dataclass(slots=True)
class Absent:
    """Attributes that code mentions and that an object does not have."""

    name: str
    mapping: MutableMapping[str, Any]
    keys: frozenset[str]
    expected: tuple[str, ...] = ()

    def now(self) -> Any:
        return tuple(sorted(self.keys.intersection(self.mapping)))

    def holds(self) -> bool:
        return self.keys.isdisjoint(self.mapping)

    def restore(self) -> None:
        for key in self.now():
            del self.mapping[key]


@dataclass(slots=True)
class Attribute:
    """Whatever a function tells about an object: a slot, the storage of a tensor."""

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
class Flag:
    """Whether gradients are wanted for a tensor."""

    name: str
    tensor: Any
    expected: bool

    def now(self) -> bool:
        return self.tensor.requires_grad

    def holds(self) -> bool:
        return self.tensor.requires_grad is self.expected

    def assign(self, value: bool) -> None:
        """Sets the flag."""
        self.tensor.requires_grad = value

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


@dataclass
class Guards:
    """All that one program relies on."""

    always: list[Guard] = field(default_factory=list[Guard])
    """Compared on every call."""
    slow: list[Guard] = field(default_factory=list[Guard])
    """Compared when something has changed."""
    checked_at: int = -1

    def __post_init__(self) -> None:
        self.seal()

    def seal(self) -> None:
        """Call after the lists are complete."""
        self._entries = [(g.mapping, g.key, g.expected) for g in self.always if isinstance(g, Entry)]
        self._others = [g for g in self.always if not isinstance(g, Entry)]

    def hold(self) -> bool:
        """Whether everything is what it was."""
        for mapping, key, expected in self._entries:
            value = mapping.get(key, MISSING)
            if value is not expected and not same(value, expected):
                return False
        for guard in self._others:
            if not guard.holds():
                return False
        if self.checked_at != changes.count:
            before = changes.count
            for guard in self.slow:
                if not guard.holds():
                    return False
            self.checked_at = before
        return True

    def broken(self) -> Iterator[Guard]:
        """Those that no longer hold."""
        for guard in (*self.always, *self.slow):
            if not guard.holds():
                yield guard

    def differences(self) -> list[str]:
        """What changed, for people."""
        return [f"{g.name} was {show(g.expected)}, is now {show(g.now())}" for g in self.broken()]


def show(value: Any) -> str:
    """A value in a message: short, and never the numbers of a tensor."""
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
