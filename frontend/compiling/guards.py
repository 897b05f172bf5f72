"""What a compiled program relies on: Python values that were read while tracing, and whether they are still the same.

`guard_set.py` compares many of them at once.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from operator import attrgetter, is_
from typing import Any, Protocol, cast

import numpy as np

from ..devices import device
from ..tensor import Tensor
from .buffers import BufferNumbers
from .definitions import Defaults
from .places import (
    MISSING,
    PLAIN,
    Entry,
    Member,
    Place,
    Slot,
    base_of,
    elements,
    length,
    members,
    same,
)
from .weak import Lifetime, weakened


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
    """The number of elements of a list or dictionary that is not looked into."""

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
    known: frozenset[Any]
    """Those that it had."""
    names: Collection[Any]
    """Those that code mentions, the same for many objects."""
    expected: tuple[str, ...] = ()

    def there(self) -> Any:
        """The dictionary that they would be in."""
        return self.owner if isinstance(self.owner, dict) else members(self.owner)

    def watches(self, key: Any) -> bool:
        """Whether it is one of them."""
        return key in self.names and key not in self.known

    def now(self) -> Any:
        there: Iterable[Any] = self.there()
        return tuple(sorted(filter(self.watches, there)))

    def holds(self) -> bool:
        return self.there().keys() <= self.known or not any(map(self.watches, self.there()))

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

    def is_of_leaf(self) -> bool:
        """Whether it is the tensor's own, and not that of how it was computed."""
        tensor = self.tensor()
        return tensor is not None and tensor._node is None

    def assign(self, value: bool) -> None:
        """Sets the flag."""
        tensor = self.tensor()
        if tensor is not None:
            tensor.requires_grad = value

    def restore(self) -> None:
        self.assign(self.expected)


memory_of: Callable[[Tensor], tuple[Any, ...]] = attrgetter("_storage", "_view")
"""Where the numbers of a tensor are."""


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
    elif isinstance(guard, Defaults):
        refer = weakened if lifetime is None else lifetime.refer
        guard.weaken(lambda value: value if is_by_value(value) else refer(value))
    elif isinstance(guard, Property):
        refer = weakened if lifetime is None else lifetime.refer
        guard.expected = tuple(map(refer, cast("tuple[Any, ...]", guard.expected)))
    elif isinstance(guard, BufferNumbers):
        guard.storage = weakened(guard.storage) if lifetime is None else lifetime.refer(guard.storage)


def values_in(guard: Guard) -> Iterable[Any]:
    """What is in a place or a container now."""
    if isinstance(guard, Contents):
        return elements(guard.container)
    return (guard.now(),) if isinstance(guard, Place) else ()
