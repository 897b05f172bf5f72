"""Ints that a compiled function only counts up or down: each call adds to them, and no program depends on their value.

self.calls += 1        the first trace finds that an int was replaced by another one
global step            the next one puts a `Counted` in its place, which objects to being read
step += 1              where it is still there in the end, so much further, calls repeat the difference
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

from ..changes import bump
from .effects import Again, Hints, Place, identity
from .guards import Attribute, Cell, Contents, Entry, Guard, Guards, Item, Length

REMEMBERED = 256
"""How many places are known for each function; the oldest go first."""


class Counters:
    """What the traces of one function have found out about ints that it replaces."""

    def __init__(self) -> None:
        self._changed: dict[Any, Place] = {}
        self._read: dict[Any, Place] = {}

    def change(self, place: Place) -> None:
        """The function has left another int in this place."""
        _remember(self._changed, place)

    def read(self, place: Place) -> None:
        """It depends on the number as well."""
        _remember(self._read, place)

    def is_counted(self, place: Place) -> bool:
        """Whether the function changes the int in a place without reading it, as far as is known."""
        key = identity(place)
        return key in self._changed and key not in self._read


def _remember(places: dict[Any, Place], place: Place) -> None:
    places[identity(place)] = place  # which keeps what it is a place of, so that no other has its id
    if len(places) > REMEMBERED:
        del places[next(iter(places))]


@dataclass
class Count:
    """An int grows by a constant."""

    place: Place
    value: int

    def apply(self, value: Any, arguments: Any) -> None:
        """Adds the constant to what is in the place now."""
        self.place.assign(self.place.now() + value)
        bump()


class _Counter:
    """An int of before the trace, and all that stands for it and sums with it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.by: int | None = None
        """What the function added; None where it assigned something else."""
        self._made: list[weakref.ref[Counted]] = []

    def make(self, by: int) -> Counted:
        """The int plus a constant."""
        new = Counted(self, by)
        self._made.append(weakref.ref(new))
        return new

    def take_out(self) -> None:
        """Puts the number back into its place."""
        now = self.place.now()
        if type(now) is Counted and now._counter is self:
            self.by = now._by
            self.place.restore()

    def is_elsewhere(self) -> bool:
        """Whether something still refers to the number: it was returned, or put into another place."""
        return any(reference() is not None for reference in self._made)

    def read(self) -> NoReturn:
        """The function is to be traced with the number itself."""
        place = self.place
        raise Again(lambda hints: hints.number(place))


class Counted:
    """Stands for an int while its function is traced. No subclass of int: C code would read the number unseen."""

    __slots__ = ("__weakref__", "_by", "_counter")

    def __init__(self, counter: _Counter, by: int) -> None:
        self._counter, self._by = counter, by

    __class__: Any = property(lambda self: int)  # what isinstance() asks

    def __add__(self, other: Any) -> Counted:
        return self._counter.make(self._by + other) if type(other) is int else self._counter.read()

    __radd__ = __add__

    def __sub__(self, other: Any) -> Counted:
        return self._counter.make(self._by - other) if type(other) is int else self._counter.read()

    def __getattr__(self, name: str) -> NoReturn:
        self._counter.read()


def _refuse(name: str) -> Callable[..., NoReturn]:
    def method(self: Counted, *args: Any) -> NoReturn:
        self._counter.read()

    method.__name__ = name
    return method


_OWN = {
    *vars(Counted),
    "__new__",
    "__getattribute__",
    "__setattr__",
    "__delattr__",
    "__init_subclass__",
    "__subclasshook__",
}

for _name in {*dir(int), "__reduce__", "__reduce_ex__", "__copy__", "__deepcopy__"} - _OWN:
    setattr(Counted, _name, _refuse(_name))


class Counting:
    """The counters of one trace."""

    def __init__(self, guards: Guards, hints: Hints) -> None:
        found = [place for guard in (*guards.always, *guards.slow) for place in _places(guard)]
        hints.counted = [] if hints.suspects else [*filter(hints.counters.is_counted, found)]
        self._counters = [*map(_Counter, hints.counted)]
        for counter in self._counters:
            counter.place.assign(counter.make(0))

    def take_out(self) -> list[Count]:
        """Puts the numbers back; what each call adds to them. Raises Again where one of them is read after all."""
        for counter in self._counters:
            counter.take_out()
        for counter in self._counters:
            if counter.is_elsewhere():
                counter.read()
        return [Count(counter.place, counter.by) for counter in self._counters if counter.by]

    def relax(self, guards: Guards) -> None:
        """Lets go of the values of the numbers: they only have to be ints."""
        counted = {identity(c.place) for c in self._counters if c.by is not None}
        if counted:
            guards.always[:] = [new for guard in guards.always for new in _relaxed(guard, counted)]
            guards.slow[:] = [new for guard in guards.slow for new in _relaxed(guard, counted)]
            guards.seal()


def _places(guard: Guard) -> Iterable[Place]:
    """The places of ints that a guard watches."""
    if isinstance(guard, Contents) and isinstance(guard.container, list):
        return (place for place in items(guard) if type(place.expected) is int)
    if not isinstance(guard, (Entry, Cell)) or type(guard.expected) is not int:
        return ()
    return () if isinstance(guard, Entry) and isinstance(guard.mapping, MappingProxyType) else (guard,)


def items(guard: Contents) -> Iterator[Item]:
    """The places of the elements of a list."""
    container: Any = guard.container
    return (Item(f"{guard.name}[{k}]", container, k, before) for k, before in enumerate(guard.expected))


def _relaxed(guard: Guard, counted: set[Any]) -> list[Guard]:
    if isinstance(guard, (Entry, Cell, Item)) and identity(guard) in counted:
        return [Attribute(f"kind of {guard.name}", lambda: type(guard.now()).__name__, "int")]
    if isinstance(guard, Contents) and any(identity(place) in counted for place in _places(guard)):
        elements = [new for place in items(guard) for new in _relaxed(place, counted)]
        return [Length(f"len({guard.name})", guard.container, len(guard.expected)), *elements]
    return [guard]


__all__ = ["Count", "Counted", "Counters", "Counting", "items"]
