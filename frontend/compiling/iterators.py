"""Iterators that a compiled function draws from: each call draws anew, so each is traced.

    x, y = next(batches)      while tracing, a `Watched` is in the place of the iterator, which notices that it is
                              asked; attempts that are given up draw the same elements again

What an iterator does to give an element is no part of the trace: a loader reads files, a generator has its own state.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from operator import length_hint
from typing import Any, cast

from ..tracing.trace import paused
from .code_names import PACKAGE
from .guard_set import Guards
from .places import Place

MODULES = ("builtins", "itertools", "collections", "_collections", "_collections_abc")
"""Where the classes of Python's own iterators are, which do nothing but give elements."""


def is_iterator(value: Any) -> bool:
    """Whether this is an iterator of Python's own or of ours; those of users' classes are objects with state."""
    kind = cast(Any, type(value))
    return hasattr(kind, "__next__") and (kind.__module__ in MODULES or kind.__module__.partition(".")[0] == PACKAGE)


class Watched:
    """Stands for an iterator while its function is traced."""

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator
        self._taken: list[Any] = []
        self._position = 0
        self._touched = False
        self._places: list[Place] = []

    __class__: Any = property(lambda self: cast(Any, type(self._iterator)))

    def __iter__(self) -> Watched:
        return self

    def __next__(self) -> Any:
        self._touched = True
        if self._position == len(self._taken):
            with paused():
                self._taken.append(next(self._iterator))
        self._position += 1
        return self._taken[self._position - 1]

    def __length_hint__(self) -> int:
        self._touched = True
        return length_hint(self._iterator) + len(self._taken) - self._position

    def __getattr__(self, name: str) -> Any:
        self._touched = True
        return getattr(self._iterator, name)


class Iterators:
    """Those of one call, in all attempts to trace it."""

    def __init__(self) -> None:
        self._watched: dict[int, Watched] = {}

    def begin(self, guards: Guards) -> None:
        """Begins an attempt."""
        for watched in self._watched.values():
            watched._position, watched._touched, watched._places = 0, False, []
        for guard in (*guards.always, *guards.slow):
            if isinstance(guard, Place) and is_iterator(guard.expected):
                self.stand_in(guard.expected)._places.append(guard)

    def stand_in(self, iterator: Any) -> Watched:
        """What the function gets instead of an iterator."""
        return self._watched.setdefault(id(iterator), Watched(iterator))

    def asked(self) -> bool:
        """Whether the function has drawn from any."""
        return any(watched._touched for watched in self._watched.values())

    def give_back(self, kept: Callable[[Watched], int] = lambda watched: watched._position) -> None:
        """Leaves what the call has not drawn to the next one."""
        for watched in self._watched.values():
            rest = watched._taken[kept(watched) :]
            if rest and watched._places:
                watched._taken.clear()
                for place in watched._places:
                    place.assign(chain(rest, watched._iterator))

    def take_back(self) -> None:
        """Leaves everything to the next call."""
        self.give_back(lambda watched: 0)


__all__ = ["Iterators", "is_iterator"]
