"""Guards of what objects and functions are made of, which code may replace: classes, and defaults of arguments."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from operator import attrgetter, is_
from typing import Any, cast

from .weak import referent

defaults_of = attrgetter("__defaults__", "__kwdefaults__")


@dataclass(slots=True)
class Defaults:
    """The values of a function's arguments that calls may leave out; of one that has died, nobody asks."""

    name: str
    function: Any
    """A function, or a weak reference to it."""
    expected: tuple[Any, ...]

    def now(self) -> tuple[Any, ...]:
        function = referent(self.function)
        return self.expected if function is None else defaults_of(function)

    def holds(self) -> bool:
        return all(map(is_, self.now(), self.expected))

    def restore(self) -> None:
        function: Any = self.function
        function.__defaults__, function.__kwdefaults__ = self.expected


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
