"""Lists and dictionaries that traced code may change: it gets copies, so that other threads find the originals as they
are. What has become of a copy is found after the trace, and repeated by each call.

    self.state["h"] = h           an entry is assigned, as an attribute is (`overlay.py`)
    window.append(h)              another length: each call puts the new part in (`effects.Splice`)
    log.append(h)                 of a list that nobody reads, not even a copy is made (`effects.WrittenList`)
"""

from __future__ import annotations

import copy
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from ..mutations import COUNTED
from .discovery import Discovery
from .effects import Written
from .places import entry_identity
from .symbolic import read

COPIED = (list, dict, deque, OrderedDict, defaultdict, *COUNTED)
"""Containers whose copies are what they are."""


@dataclass
class Change:
    """What traced code has made of a container, by index or key."""

    original: Any
    before: dict[Any, Any]
    now: dict[Any, Any]

    def places(self) -> Iterator[tuple[tuple[int, Any], Any]]:
        """The places with other values, by their identity."""
        for name, value in self.now.items():
            if self.before.get(name) is not value:
                yield item_identity(self.original, name), value


@dataclass
class _ContainerCopy:
    original: Any
    copy: Any
    before: dict[Any, Any]


class Copies:
    """The copies of one trace."""

    def __init__(self, discovery: Discovery, stand_ins: dict[int, Any], stand_in: Callable[[Any, Any], None]) -> None:
        self._discovery, self._stand_ins, self._stand_in = discovery, stand_ins, stand_in
        self._made: dict[int, _ContainerCopy] = {}
        """By the ids of the copies."""
        self.changed: set[int] = set()
        """The ids of containers that have got what was done to their copies."""
        self.changes: list[Change] = []
        """Of other copies, which have been looked at."""

    def wanted(self, container: Any) -> bool:
        """Whether traced code is to get a copy of what it loads."""
        discovery = self._discovery
        return (
            discovery.mutates
            and type(container) in COPIED
            and id(container) not in discovery.uncopied
            and discovery.has_seen(container)
        )

    def is_untouched(self, container: Any) -> bool:
        """Whether traced code has not changed a container itself, whatever other threads have done to it."""
        if id(container) in self.changed or id(container) in self._discovery.uncopied:
            return False
        return id(container) in self._stand_ins or type(container) in COPIED

    def make(self, container: Any) -> Any:
        """A copy of a container, and of those in it."""
        new = copy.copy(container)
        self._stand_in(container, new)
        for name, value in items_of(container):
            found = self._stand_ins.get(id(value))
            if found is None and self.wanted(value):
                found = self.make(value)
            if found is not None:
                new[name] = found
        self._made[id(new)] = _ContainerCopy(container, new, dict(items_of(new)))
        return new

    def original(self, value: Any) -> Any:
        """What a value is a copy of; any other value as it is."""
        if isinstance(value, Written):
            return value.original
        found = self._made.get(id(value))
        return value if found is None else found.original

    def let_go(self, new: Any) -> Any:
        """Takes a copy back that nothing has been done to; what it was of."""
        return self._made.pop(id(new)).original

    def with_originals(self, value: Any, depth: int = 4) -> Any:
        """A value of the trace that is going to be seen outside."""
        original = self.original(value)
        if original is not value:
            return original
        if not self._made or depth == 0:
            return value
        if type(value) is tuple:
            return tuple(self.with_originals(x, depth - 1) for x in cast("tuple[Any, ...]", value))
        if type(value) in COPIED:
            for name, part in items_of(value):
                value[name] = self.with_originals(part, depth - 1)
        return value

    def settle(self) -> list[Change]:
        """The copies that are other ones now."""
        found = [*self.changes]
        for made in self._made.values():
            now = dict(items_of(made.copy))
            same = [*now] == [*made.before]
            if same and all(now[name] is value for name, value in made.before.items()):
                continue
            before = {name: self.with_originals(value) for name, value in made.before.items()}
            now = {name: self.with_originals(read(value) if same else value) for name, value in now.items()}
            found.append(Change(made.original, before, now))
        return found


def items_of(container: Any) -> list[tuple[Any, Any]]:
    """What is in a dictionary or list, with its keys or indices."""
    if isinstance(container, dict):
        return list(cast("dict[Any, Any]", container).items())
    return list(enumerate(cast("Iterable[Any]", container)))


def item_identity(container: Any, key: Any) -> tuple[int, Any]:
    """Tells a place in a container from others."""
    if isinstance(container, dict):
        return entry_identity(cast("dict[Any, Any]", container), key)
    return id(container), key


__all__ = ["COPIED", "Change", "Copies", "item_identity", "items_of"]
