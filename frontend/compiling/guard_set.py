"""All that one program relies on: many guards, compared at once.

Modules, and properties of tensors, are compared only when something has changed since (`frontend/mutations.py`).
Globals, closure cells, containers and plain objects have no such hook; the few of them that a function can reach are
compared on every call, by identity first.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, repeat
from operator import attrgetter, call, itemgetter, le
from typing import Any, cast

import numpy as np

from .. import mutations
from ..tree import kind_of
from .definitions import Class
from .guards import Absent, Contents, Flag, Guard, Property, weaken
from .places import GET, MISSING, VALUES, Cell, Entry, Item
from .show import show
from .weak import Lifetime, referent

QUICK = frozenset((dict, defaultdict, *mutations.COUNTED, list, deque, set))
"""Containers that are read by no method of a subclass."""

_values: Callable[[Any], Iterable[Any]] = VALUES
_get: Callable[[Any, Any, Any], Any] = GET
_call: Callable[[Any, Any], Any] = cast(Any, call)
_referent: Callable[[Any], Any] = call
_in_cell = attrgetter("cell_contents")
_wants_gradient = attrgetter("requires_grad")
_inside: Callable[[Iterable[Any]], Iterable[Any]] = chain.from_iterable

Watched = tuple[Iterable[tuple[Guard, Any]], Callable[[], Iterable[Any]]]
"""Guards, each with an object that it expects, and what gives the objects that are there now."""


class _Bulk:
    """Compares many guards at once by the identity of what they watch; those where that is another one, by themselves.

    All of it is lists that are run through by C code: some 6 ns for what is in a container, 50 ns for an entry.
    """

    def __init__(self, guards: Iterable[Guard]) -> None:
        self._all = guards = list(guards)
        contents = [g for g in guards if isinstance(g, Contents) and type(g.container) in QUICK]
        absent = [g for g in guards if isinstance(g, Absent)]
        watched = [
            _elements(contents),
            *_entries([g for g in guards if isinstance(g, Entry)], contents),
            _items(g for g in guards if isinstance(g, Item) and type(g.container) is list),
            _cells([g for g in guards if isinstance(g, Cell) and g.expected is not MISSING]),
            _classes([g for g in guards if isinstance(g, Class)]),
            *_properties(g for g in guards if isinstance(g, Property)),
            _flags([g for g in guards if isinstance(g, Flag)]),
        ]
        expected = [(read, [*parts]) for parts, read in watched]
        self._reads = [read for read, parts in expected if parts]
        self._asking = [guard for _, parts in expected for guard, _ in parts]
        """Which guard asks for each object."""
        self._addresses = np.array([id(referent(value)) for _, parts in expected for _, value in parts], np.uintp)
        self._expected = self._addresses.tobytes()
        self._containers: list[Any] = [c.container for c in contents]
        self._lengths = [len(c.expected) for c in contents]
        self._there = [g.there().keys() for g in absent]  # views, which see what changes
        self._known = [g.known for g in absent]
        self._absent = absent
        quick = {id(guard) for guard in (*self._asking, *contents, *absent)}
        self._others = [guard for guard in guards if id(guard) not in quick]

    def hold(self) -> bool:
        """Whether all guards hold."""
        if not self._all:
            return True
        if [*map(len, self._containers)] != self._lengths:
            return False
        try:  # an array of objects holds their addresses, which is what `id` gives
            there = np.fromiter(_inside(map(call, self._reads)), object, len(self._asking)).tobytes()
        except (LookupError, ValueError):  # an entry is gone, or what was in a cell
            return False
        except AttributeError:  # a tensor is gone
            return all(guard.holds() for guard in self._all)
        return (
            (there == self._expected or self._hold_by_themselves(np.frombuffer(there, np.uintp)))
            and (all(map(le, self._there, self._known)) or all(guard.holds() for guard in self._absent))
            and all(guard.holds() for guard in self._others)
        )

    def _hold_by_themselves(self, addresses: np.ndarray[Any, Any]) -> bool:
        """Whether those guards hold that are asked for another object."""
        apart = [self._asking[i] for i in np.flatnonzero(addresses != self._addresses)]
        return all(guard.holds() for guard in {id(guard): guard for guard in apart}.values())


def _parts(guards: Iterable[Any]) -> Iterable[tuple[Guard, Any]]:
    return [(guard, guard.expected) for guard in guards]


def _elements(contents: list[Contents]) -> Watched:
    containers: list[Any] = [c.container for c in contents]
    return [(c, element) for c in contents for element in c.expected], lambda: _inside(containers)


def _entries(entries: list[Entry], contents: list[Contents]) -> Iterator[Watched]:
    """Dictionaries whose every value is watched, those of which several are, and the rest."""
    groups: dict[int, dict[Any, Entry]] = {}
    for entry in entries:
        groups.setdefault(id(entry.mapping), {})[entry.key] = entry
    whole: dict[int, list[Entry]] = {}
    for c in contents:
        found, keys = groups.get(id(c.container), {}), [*map(referent, c.expected)]
        if keys and issubclass(type(c.container), dict) and found.keys() == {*keys}:
            whole[id(c.container)] = [found[key] for key in keys]
    containers = [group[0].mapping for group in whole.values()]
    yield _parts(chain.from_iterable(whole.values())), lambda: _inside(map(_values, containers))

    by_mapping: dict[int, list[Entry]] = {}
    single: list[Entry] = []
    for entry in entries:
        if id(entry.mapping) not in whole:
            together = type(entry.mapping) is dict and entry.expected is not MISSING
            (by_mapping.setdefault(id(entry.mapping), []) if together else single).append(entry)
    several = [group for group in by_mapping.values() if len(group) > 1]
    single += [group[0] for group in by_mapping.values() if len(group) == 1]
    getters = [itemgetter(*[entry.key for entry in group]) for group in several]
    mappings = [group[0].mapping for group in several]
    yield _parts(chain.from_iterable(several)), lambda: _inside(map(_call, getters, mappings))
    singles, keys, missing = [entry.mapping for entry in single], [entry.key for entry in single], repeat(MISSING)
    yield _parts(single), lambda: map(_get, singles, keys, missing)


def _items(guards: Iterable[Item]) -> Watched:
    groups: dict[int, list[Item]] = {}
    for guard in guards:
        groups.setdefault(id(guard.container), []).append(guard)
    several = [[*group, group[0]] for group in groups.values()]  # at least two: those come as a tuple
    getters = [itemgetter(*[item.index for item in group]) for group in several]
    lists = [group[0].container for group in several]
    return _parts(chain.from_iterable(several)), lambda: _inside(map(_call, getters, lists))


def _cells(guards: list[Cell]) -> Watched:
    cells = [guard.cell for guard in guards]
    return _parts(guards), lambda: map(_in_cell, cells)


def _classes(guards: list[Class]) -> Watched:
    references = [guard.reference for guard in guards]
    return _parts(guards), lambda: map(kind_of, map(_referent, references))


def _properties(guards: Iterable[Property]) -> Iterator[Watched]:
    by_reader: dict[Callable[[Any], Any], list[Property]] = {}
    for guard in guards:
        by_reader.setdefault(guard.read, []).append(guard)
    for read, group in by_reader.items():
        parts = [(guard, part) for guard in group for part in guard.expected]
        yield parts, partial(_read_all, read, [guard.tensor for guard in group])


def _read_all(read: Callable[[Any], Any], tensors: list[Any]) -> Iterable[Any]:
    return _inside(map(read, map(_referent, tensors)))


def _flags(guards: list[Flag]) -> Watched:
    tensors = [guard.tensor for guard in guards]
    return _parts(guards), lambda: map(_wants_gradient, map(_referent, tensors))


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

    _bulks: tuple[_Bulk, _Bulk] | None = None

    def seal(self) -> None:
        """Call after the lists, or what guards in them expect, have changed."""
        self._bulks = None

    def add(self, guard: Guard, slow: bool = False) -> None:
        """One more guard; compared when something has changed where changes are counted."""
        watched = guard.container if isinstance(guard, Contents) else getattr(guard, "mapping", None)
        (self.slow if slow or type(watched) in mutations.COUNTED else self.always).append(guard)

    def let_go(self, guard: Guard) -> None:
        """Takes out a guard; to be sealed afterwards."""
        for guards in (self.always, self.slow):
            guards[:] = [other for other in guards if other is not guard]

    def hold(self) -> bool:
        """Whether everything is what it was."""
        bulks = self._bulks
        if bulks is None:  # the first call after that which was traced
            bulks = self._bulks = _Bulk(self.always), _Bulk(self.slow)
        always, slow = bulks
        if not always.hold():
            return False
        if self.checked_at != mutations.count:
            before = mutations.count
            if not slow.hold():
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


__all__ = ["Guards"]
