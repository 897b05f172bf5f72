"""A count of the changes that compiled programs do not look for on every call.

Most of what a step reads hangs below modules: hundreds of attributes and tensors that hardly ever change. All that
changes a module, `requires_grad`, the storage of a tensor or the state of an optimizer says so here, and only then
guards look at them again.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import count as counter
from typing import Any, Self

count: int = 0
_counts = counter(1)


def bump() -> None:
    """Says that a module, or a property of a tensor that programs rely on, has changed."""
    global count
    count = next(_counts)  # one step of C: two threads never get the same number


class Counted(dict[Any, Any]):
    """A dictionary that says so when an entry is set or removed."""

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        bump()

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        bump()

    def __ior__(self, other: Any) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.update(other)
        return self

    def update(self, *others: Any, **entries: Any) -> None:
        super().update(*others, **entries)
        bump()

    def setdefault(self, key: Any, default: Any = None) -> Any:
        found = super().setdefault(key, default)
        bump()
        return found

    def pop(self, key: Any, *default: Any) -> Any:
        found = super().pop(key, *default)
        bump()
        return found

    def popitem(self) -> tuple[Any, Any]:
        found = super().popitem()
        bump()
        return found

    def clear(self) -> None:
        super().clear()
        bump()


class CountedDict(Counted):
    """What is known about one parameter."""

    def copy(self) -> dict[Any, Any]:
        return dict(self)


class CountedDefaultDict(Counted, defaultdict[Any, Any]):
    """What is known about all parameters. Reads as the dictionary of PyTorch that it stands for."""

    def copy(self) -> defaultdict[Any, Any]:
        return defaultdict(self.default_factory, self)

    def __repr__(self) -> str:
        return repr(self.copy())


COUNTED: frozenset[type] = frozenset((CountedDict, CountedDefaultDict))

__all__ = ["COUNTED", "Counted", "CountedDefaultDict", "CountedDict", "bump"]
