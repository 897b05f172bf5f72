"""What the calls of one function have found out about numbers that change from call to call."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Any

from .guard_set import Guards
from .guards import Contents, Guard
from .places import Item, Place
from .symbolic import is_number

REMEMBERED = 256
"""How many places are known for each function; the oldest go first."""

RUNNING = 4096
"""How many of the functions that it runs."""


class DynamicNumbers:
    """What the calls of one function have found out about numbers that change."""

    def __init__(self) -> None:
        self._changed: dict[Any, None] = {}
        """The identities of places, in their order: where one is gone, and another has its id, a number there is
        symbolic from its first trace on."""
        self._functions: dict[weakref.ref[FunctionType], None] = {}
        self.constant = False
        """Whether none is symbolic: the function has failed with symbolic numbers, and not with plain ones."""

    def change(self, place: Place) -> None:
        """There is another number in this place now."""
        self._changed[place.identity] = None
        if len(self._changed) > REMEMBERED:
            del self._changed[next(iter(self._changed))]

    def add_functions(self, functions: Iterable[FunctionType]) -> None:
        """The function runs these too, as is only seen when it does."""
        self._functions |= dict.fromkeys(map(weakref.ref, functions))
        while len(self._functions) > RUNNING:
            del self._functions[next(iter(self._functions))]

    def functions(self) -> list[FunctionType]:
        """Those that are known to run and still there."""
        found = [reference() for reference in self._functions]
        return [function for function in found if function is not None]

    def is_dynamic(self, place: Place) -> bool:
        """Whether the number in a place has been seen to change."""
        return place.identity in self._changed

    def compare(self, guards: Guards) -> None:
        """Numbers that are others than when a program was traced are no constants from here on."""
        for guard in guards.broken():
            for place in number_places(guard):
                if is_number(place.now()) and not place.holds():
                    self.change(place)


def number_places(guard: Guard) -> Iterable[Place]:
    """The places of numbers that a guard watches."""
    if isinstance(guard, Contents) and isinstance(guard.container, (list, deque)):
        return [place for place in items(guard) if is_number(place.expected)]
    return (guard,) if isinstance(guard, Place) and is_number(guard.expected) else ()


def items(guard: Contents) -> Iterator[Item]:
    """The places of the elements of a list."""
    container: Any = guard.container
    return (Item(f"{guard.name}[{k}]", container, k, before) for k, before in enumerate(guard.expected))


__all__ = ["DynamicNumbers", "items", "number_places"]
