"""Which arguments of a call share memory with each other, with themselves, or with what the function reaches."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..layout import overlaps
from ..tensor import Tensor
from .changed_numbers import items
from .guards import Contents, Guard, values_in
from .observing import Observing
from .places import MISSING, Place, is_a


def sharing(leaves: Sequence[Any]) -> Any:
    """Which tensors share memory with which, or with themselves, and what parts of it they are; None where none do."""
    tensors = [v for v in leaves if is_a(v, Tensor)]
    storages = [v._storage for v in tensors]
    if len(set(storages)) == len(storages) and not any(overlaps(v._view) for v in tensors):
        return None
    return tuple(storages.index(s) for s in storages), tuple(v._view for v in tensors)


def share(leaves: Sequence[Any], which: Sequence[int]) -> bool:
    """Whether some of the arguments share memory with others, or with themselves."""
    tensors = [v for v in leaves if is_a(v, Tensor)]
    written = [leaves[i] for i in which if i < len(leaves)]
    shared = any(v._storage is w._storage and v is not w for w in written for v in tensors)
    return shared or any(overlaps(v._view) for v in written)


def meet(given: Iterable[Any], kept: Iterable[Any]) -> bool:
    """Whether an argument has the memory of a tensor in a place of the function's own, or is that very tensor."""
    storages = {v._storage for v in given if is_a(v, Tensor)}
    return any(v._storage in storages for v in kept if is_a(v, Tensor))


def held_after(guards: Iterable[Guard], observer: Observing) -> list[Any]:
    """What is in the places and containers that a function reaches, as traced code has left them."""
    changed = {identity: value for change in observer.copies.settle() for identity, value in change.places()}
    changed |= {place.identity: now for place, now in observer.overlay.changes()}

    def values(guard: Guard) -> Iterator[Any]:
        listed = isinstance(guard, Contents) and is_a(guard.container, list, deque)
        for place in items(guard) if isinstance(guard, Contents) and listed else (guard,):
            now = changed.get(place.identity, MISSING) if isinstance(place, Place) else MISSING
            yield from values_in(place) if now is MISSING else (now,)

    return [value for guard in guards for value in values(guard)]


__all__ = ["held_after", "meet", "share", "sharing"]
