"""Guards of what objects and functions are made of, which code may replace: classes, and defaults of arguments."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter, is_
from typing import Any, cast

from .places import same
from .weak import referent, weakened

defaults_of = attrgetter("__defaults__", "__kwdefaults__")


@dataclass(slots=True)
class Defaults:
    """The values of a function's arguments that calls may leave out; of one that has died, nobody asks."""

    name: str
    function: Any
    """A function, or a weak reference to it."""
    expected: tuple[Any, ...]

    is_weak: bool = False
    """Whether the values themselves are expected, as references, and no longer the tuple and dictionary of them."""

    def now(self) -> tuple[Any, ...]:
        function = referent(self.function)
        if function is None:
            return self.expected
        return _values(*defaults_of(function)) if self.is_weak else defaults_of(function)

    def holds(self) -> bool:
        now, expected = self.now(), self.expected
        return len(now) == len(expected) and all(map(same if self.is_weak else is_, now, expected))

    def weaken(self, watch: Callable[[Any], Any]) -> None:
        """Keeps neither the function nor the values alive."""
        if not self.is_weak:
            self.function, self.is_weak = weakened(self.function), True
            self.expected = tuple(map(watch, _values(*self.expected)))

    def restore(self) -> None:
        function: Any = self.function
        function.__defaults__, function.__kwdefaults__ = self.expected


def _values(defaults: tuple[Any, ...] | None, named: dict[str, Any] | None) -> tuple[Any, ...]:
    return len(defaults or ()), *(defaults or ()), *(part for item in (named or {}).items() for part in item)


@dataclass(slots=True)
class Class:
    """What an object is an instance of."""

    name: str
    reference: weakref.ref[Any]
    expected: type

    def now(self) -> Any:
        return cast(Any, type(self.reference()))

    def holds(self) -> bool:
        return self.now() is self.expected

    def restore(self) -> None:
        self.reference().__class__ = self.expected


__all__ = ["Class", "Defaults", "defaults_of"]
