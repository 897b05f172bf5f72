"""`threading.local()` objects: namespaces of the calling thread.

    v.n, v.h = h        places in the dictionary that this thread has of `v`, guarded and kept as those of any object

A program is for the thread that it was traced in: in another one, `v` has another dictionary, and its guard fails.
"""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass
from threading import local
from typing import Any

from ..tracing.again import Again
from .places import attributes_of, is_a


@dataclass(slots=True)
class Namespace:
    """That an object has the dictionary which the traced thread has of it."""

    name: str
    reference: weakref.ref[local]
    expected: dict[str, Any] | None

    def now(self) -> Any:
        return attributes_of(self.reference())

    def holds(self) -> bool:
        return self.now() is self.expected

    def restore(self) -> None:
        """What is in it is guarded by itself."""


def namespace_of(value: local, name: str) -> Namespace:
    """The guard. The first use in a thread runs `__init__`, which may change what was walked over: then once more."""
    before = _count(value)
    guard = Namespace(f"thread of {name}", weakref.ref(value), attributes_of(value))
    if _count(value) != before and type(value).__init__ is not local.__init__:
        raise Again(lambda hints: None)
    return guard


def _count(value: local) -> int:
    """How many threads use it, give or take a constant."""
    return sum(len(part) for part in gc.get_referents(value) if is_a(part, dict, set))


__all__ = ["Namespace", "namespace_of"]
