"""Tensors that a function reads and replaces are further arguments of each call, if nothing else shares their memory.

self.h = cell(x, self.h)         one program for all states
self.best = self.current         one memory under two names: what is written to one is seen in the other, so that the
                                 function reads the tensors themselves, and is traced anew by the next call
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, cast

from ...runtime.storage import Storage
from .. import tree
from ..tensor import Tensor
from .effects import EXCHANGED
from .guards import Contents, Guard
from .places import VALUES, Place, base_of, elements, is_a
from .traced import Traced


def expected_exchanges(guards: Sequence[Guard], is_assigned: Callable[[Place], bool]) -> list[Place]:
    """Attributes and variables that code assigns and that have a tensor, or a tuple of them, without a history: they
    are taken to be replaced, since to find that out costs a trace. What shares memory with others is left alone."""
    found = [g for g in guards if isinstance(g, Place) and _is_plain(g.expected) and is_assigned(g)]
    if not found:
        return []
    others = held_elsewhere(guards, found)
    return [place for place in found if are_apart(found, ()) and are_apart((place,), others)]


def _is_plain(value: Any) -> bool:
    kind = cast(Any, type(value))
    if kind is tuple and value:
        return all(map(_is_plain, value))
    return kind is Tensor and not value.requires_grad and not value._storage.symbolic


def tensors_in(places: Iterable[Place]) -> list[Any]:
    """What calls are handed from these places."""
    found: list[Any] = []
    for place in places:
        tree.flatten(place.now(), found, EXCHANGED)
    return found


def read_places(traced: Traced, places: Iterable[Place], count: int) -> Iterator[Place]:
    """Those that a program reads; `count` arguments of each call come before what is in them."""
    read = {source.leaf for source in traced.inputs if source.value.first_use is not None}
    for place in places:
        inside = len(tensors_in([place]))
        if not read.isdisjoint(range(count, count + inside)):
            yield place
        count += inside


def held_elsewhere(guards: Iterable[Guard], places: Sequence[Place]) -> set[Storage]:
    """The memory of tensors that the function reaches in other places than these."""
    exchanged = {place.identity for place in places}
    inside = {id(container) for place in places for container in _containers(place.now())}

    def values(guard: Guard) -> Iterator[Any]:
        if isinstance(guard, Contents) and id(guard.container) not in inside:
            listed = is_a(guard.container, list, deque)
            for k, value in enumerate(elements(guard.container)):
                if not (listed and (id(guard.container), k) in exchanged):
                    yield value
        elif isinstance(guard, Place) and guard.identity[0] not in inside and guard.identity not in exchanged:
            yield guard.now()

    return {value._storage for guard in guards for value in values(guard) if is_a(value, Tensor)}


def _containers(value: Any) -> Iterator[Any]:
    base = base_of(value)
    if base is not None:
        yield value
        for part in VALUES(value) if is_a(value, dict) else elements(value):
            yield from _containers(part)


def are_apart(places: Iterable[Place], others: Collection[Storage]) -> bool:
    """Whether no two tensors in the places have the same memory, and none has that of others."""
    storages = [x._storage for x in tensors_in(places) if is_a(x, Tensor)]
    return len(set(storages)) == len(storages) and not any(storage in others for storage in storages)


__all__ = ["are_apart", "expected_exchanges", "held_elsewhere", "read_places", "tensors_in"]
