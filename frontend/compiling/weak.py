"""What a program knows without keeping it alive, and what happens to the program when that dies.

Guards compare objects by identity. Once the call that was traced is over, they refer to them weakly; where one of them
dies, the guard on it can never hold again, and the program goes. Its id may be another object's from then on, so what
compares ids asks in the end whether the lifetime is over: objects tell that they die before their memory is given back.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any


class Weak(weakref.ref[Any]):
    """A reference that guards put in the place of an object."""

    __slots__ = ()


def is_weak(value: Any) -> bool:
    """Whether a value stands for the object that it refers to."""
    return type(value) is Weak


def weakened(value: Any, on_death: Callable[[Any], object] | None = None) -> Any:
    """A reference to an object; the object itself where there are none to its type."""
    return Weak(value, on_death) if type(value).__weakrefoffset__ else value


def referent(value: Any) -> Any:
    """The object that is meant; None where it is dead."""
    return value() if type(value) is Weak else value


class Lifetime:
    """As long as all objects live that a program depends on."""

    def __init__(self) -> None:
        self.over = False
        self.end: Callable[[Any], object] | None = None
        """What happens when one of them dies; it is given the reference."""
        self._watched: dict[int, Any] = {}
        self._referred: dict[int, Weak] = {}
        self._stop = partial(_stop, weakref.ref(self))

    def watch(self, value: Any) -> Any:
        """A reference to an object without which there is no use for the program; the object itself where there are
        none to its type."""
        known = self._watched.get(id(value))
        if known is None:
            known = weakened(value, self._stop)
            if is_weak(known):
                self._watched[id(value)] = known
        return known

    def watched(self, value: Any) -> Any:
        """The reference to an object that is watched; None where it is not."""
        return self._watched.get(id(value))

    def references(self) -> list[Any]:
        """All that are watched."""
        return [*self._watched.values()]

    def refer(self, value: Any) -> Any:
        """A reference to an object, always the same one, whose death means nothing by itself."""
        known = self._referred.get(id(value))
        if known is None or known() is not value:
            known = weakened(value)
            if is_weak(known):
                self._referred[id(value)] = known
        return known


def _stop(lifetime: weakref.ref[Lifetime], reference: Any, at_exit: Callable[[], bool] = sys.is_finalizing) -> None:
    stopped = lifetime()
    if stopped is not None and not at_exit():  # where modules have lost their names already
        stopped.over = True
        if stopped.end is not None:
            stopped.end(reference)


class Identities:
    """A set of objects, as long as they live."""

    def __init__(self, values: Iterable[Any]) -> None:
        self.ids: set[int] = set()
        self._references = [self._known(value) for value in values]

    def __iter__(self) -> Iterator[Any]:
        return (value for value in map(referent, self._references) if value is not None)

    def _known(self, value: Any) -> Any:
        number = id(value)
        self.ids.add(number)
        return Weak(value, partial(_discard, self.ids, number))


def _discard(ids: set[int], number: int, _: Any) -> None:
    ids.discard(number)


__all__ = ["Identities", "Lifetime", "Weak", "is_weak", "referent", "weakened"]
