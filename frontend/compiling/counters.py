"""Numbers in attributes and variables that change from call to call, and that no program is to depend on.

self.calls += 1        an int: the first trace finds that it was replaced by another one
global step            the next one puts a `Counted` in its place, which objects to being read
step += 1              where it is still there in the end, so much further, calls repeat the difference
model.weight = 0.3     a float that has changed between calls: a run-time number, in its place while tracing
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..changes import bump
from .counted import Counter, runtime
from .effects import Assign, Effect, Hints, identity
from .guards import Attribute, Contents, Guard, Guards, Length
from .places import Item, Place

NUMBERS = (int, float)

REMEMBERED = 256
"""How many places are known for each function; the oldest go first."""


class Counters:
    """What the traces of one function have found out about numbers that change."""

    def __init__(self) -> None:
        self._changed: dict[Any, Place] = {}
        self._read: dict[Any, Place] = {}

    def change(self, place: Place) -> None:
        """There is another number in this place now."""
        _remember(self._changed, place)

    def read(self, place: Place) -> None:
        """It depends on the number as well."""
        _remember(self._read, place)

    def is_counted(self, place: Place) -> bool:
        """Whether the number in a place changes, and no trace had to know it, as far as is known."""
        key = identity(place)
        return key in self._changed and key not in self._read

    def expect(self, places: Iterable[Place]) -> None:
        """Numbers that will change, unless traces have had to know them."""
        for place in places:
            if not self.is_known(place):
                self.change(place)

    def is_known(self, place: Place) -> bool:
        """Whether anything has been found out about a place."""
        key = identity(place)
        return key in self._changed or key in self._read

    def compare(self, guards: Guards) -> None:
        """Floats that are others than when a program was traced are no constants from here on."""
        for guard in guards.broken():
            for place in _places(guard):
                if type(place.expected) is float and type(place.now()) is float and not place.holds():
                    self.change(place)


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


class Counting:
    """The counters of one trace."""

    def __init__(self, guards: Guards, hints: Hints, rates: Sequence[Place]) -> None:
        found = [place for guard in (*guards.always, *guards.slow) for place in _places(guard)]
        found = list({identity(place): place for place in (*rates, *found)}.values())
        hints.counted = [] if hints.suspects else [*filter(hints.counters.is_counted, found)]
        self._counters = [Counter(place) for place in hints.counted if type(place.expected) is int]
        for counter in self._counters:
            counter.place.assign(counter.make(0))
        self._floats = [(p, runtime(p.now, p)) for p in hints.counted if type(p.expected) is float]
        for place, stand_in in self._floats:
            stand_in.__dict__["before"] = place.expected
            place.assign(stand_in)

    def take_out(self) -> list[Effect]:
        """Puts the numbers back; what each call does to them. Raises Again where one of them is read after all."""
        for place, stand_in in self._floats:
            if place.now() is stand_in:
                place.restore()
        for counter in self._counters:
            counter.take_out()
        for counter in self._counters:
            if counter.is_elsewhere():
                counter.read()
        counts: list[Effect] = [Count(counter.place, counter.by) for counter in self._counters if counter.by]
        return counts + [Assign(c.place, c.put) for c in self._counters if c.put is not None]

    def relax(self, guards: Guards) -> None:
        """Lets go of the values of the numbers: they only have to be numbers of their kind."""
        counted = {identity(c.place) for c in self._counters if c.by is not None or c.put is not None}
        counted.update(identity(place) for place, _ in self._floats)
        if counted:
            guards.always[:] = [new for guard in guards.always for new in _relaxed(guard, counted)]
            guards.slow[:] = [new for guard in guards.slow for new in _relaxed(guard, counted)]
            guards.always += [answer for c in self._counters for answer in c.answers.values()]
            guards.seal()


def _places(guard: Guard) -> Iterable[Place]:
    """The places of numbers that a guard watches."""
    if isinstance(guard, Contents) and isinstance(guard.container, list):
        return (place for place in items(guard) if type(place.expected) in NUMBERS)
    return (guard,) if isinstance(guard, Place) and type(guard.expected) in NUMBERS else ()


def items(guard: Contents) -> Iterator[Item]:
    """The places of the elements of a list."""
    container: Any = guard.container
    return (Item(f"{guard.name}[{k}]", container, k, before) for k, before in enumerate(guard.expected))


def _relaxed(guard: Guard, counted: set[Any]) -> list[Guard]:
    if isinstance(guard, Place) and identity(guard) in counted:
        kind = type(guard.expected).__name__
        return [Attribute(f"kind of {guard.name}", lambda: type(guard.now()).__name__, kind)]
    if isinstance(guard, Contents) and any(identity(place) in counted for place in _places(guard)):
        elements = [new for place in items(guard) for new in _relaxed(place, counted)]
        return [Length(f"len({guard.name})", guard.container, len(guard.expected)), *elements]
    return [guard]


__all__ = ["NUMBERS", "Count", "Counters", "Counting", "items"]
