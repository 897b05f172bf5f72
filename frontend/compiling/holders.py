"""Who else has the memory that a program writes to where Python would replace a tensor or its `.data`.

    self.running = 0.9 * self.running + y        a buffer of a module: another tensor, eagerly
    p.data = p.data - lr * g                     a tensor gets other memory, eagerly

A program writes the new numbers where the old ones are, which saves a new program for each call. Nobody may have kept
the old tensor, a view of it or an array over it: they would see its numbers change. Where somebody has, the call does
what eager code does, so that the tensor has memory of its own from then on.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterable, Mapping, Sequence
from sys import getrefcount
from typing import Any

from ...runtime.storage import Storage
from ..node import TRACED
from ..tensor import Tensor
from .places import Entry, Place, is_a


def _references(place: Place) -> int:
    return getrefcount(place.now())


ALONE = _references(Entry("", {0: object()}, 0, None))
"""What is counted for an object that one place alone has."""


def is_kept(place: Place) -> bool:
    """Whether somebody else has the tensor that is in a place."""
    return is_a(place.now(), Tensor) and _references(place) > ALONE


_OWN_ARRAY = getrefcount(Storage(*[object()] * 2).array)  # pyright: ignore[reportArgumentType]


def has_arrays(storage: Storage) -> bool:
    """Whether numpy arrays over the bytes of a storage are still there."""
    if not storage.shared:
        return False
    base = storage.array.base
    return getrefcount(storage.array) > _OWN_ARRAY or base is None or getrefcount(base) > _OWN_ARRAY + 1


def seen_elsewhere(owners: Mapping[Storage, Tensor], known: Collection[int] = ()) -> list[Storage]:
    """Memory that other tensors have than its owner, and those known by their ids, or that arrays have."""
    if _with_tensors(owners, known):
        gc.collect()  # what earlier traces have left in circles is nobody's
    return [*_with_tensors(owners, known), *filter(has_arrays, owners)]


def _with_tensors(owners: Mapping[Storage, Tensor], known: Collection[int]) -> list[Storage]:
    return [
        tensor._storage
        for tensor in (gc.get_referrers(*owners) if owners else ())
        if is_a(tensor, Tensor)
        and tensor._node is not TRACED
        and id(tensor) not in known
        and tensor._storage in owners
        and owners[tensor._storage] is not tensor
    ]


class Holders:
    """Asks before each call of one program. To look through all objects takes some milliseconds: it is done where the
    number of references has changed."""

    def __init__(self, owners: Iterable[Any], places: Sequence[Place]) -> None:
        """`owners`: references to the tensors whose memory is written to. `places`: of tensors that Python would
        replace by others, where they are owners, or what an earlier call has left to share their memory."""
        self._owners = list(owners)
        self._places = list(places)
        self._storages: list[Storage] = [owner()._storage for owner in self._owners]
        self._counts: list[int] = []

    def are_none(self) -> bool:
        """Whether nobody has any of it."""
        if any(map(is_kept, self._places)):
            return False
        counts = [*map(getrefcount, self._storages)]
        if counts != self._counts:
            owners = ((storage, owner()) for storage, owner in zip(self._storages, self._owners))
            if seen_elsewhere(dict(owners), {id(place.now()) for place in self._places}):
                return False
            self._counts = [*map(getrefcount, self._storages)]
        return not any(map(has_arrays, self._storages))


__all__ = ["Holders", "is_kept", "seen_elsewhere"]
