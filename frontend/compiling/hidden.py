"""Tensors that traced code may come to in ways that no guard watches.

    h.w = w; d = Normal(w, 1)        `h.w` is guarded, and so is which object `d` is, but not what is inside it
    lambda x: h.w + d.log_prob(x)    another tensor in `h.w` is not the one that `d` has

A walk from all that was found, through whatever garbage collection knows, but for what guards watch.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable, Iterator
from threading import local
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MemberDescriptorType, ModuleType
from typing import Any, cast

import numpy as np

from ..tensor import Tensor
from .code_names import is_user
from .discovery import Discovery
from .guards import Contents
from .places import MISSING, PLAIN, VALUES, attributes_of, base_of, elements, entry_identity, is_a, length, members, mro

LIMIT = 20_000
"""How many objects are looked into."""

ENDS = (*PLAIN, ModuleType, CodeType, FrameType, BuiltinFunctionType)
"""Types of objects that lead nowhere, or to what traced code cannot read through them."""


def hidden_memory(discovery: Discovery) -> set[int] | None:
    """The ids of the memory of such tensors; None where there is too much to look into."""
    walk = _Unwatched(discovery)
    pending = [part for value in discovery.found() for part in walk.inside(value)]
    memory: set[int] = set()
    visited: set[int] = set()
    while pending:
        value = pending.pop()
        if is_a(value, *ENDS) or id(value) in visited:
            continue
        visited.add(id(value))
        if is_a(value, Tensor):
            memory.add(id(value._storage))
        if len(visited) > LIMIT or _is_too_much(value):
            return None
        if not discovery.has_seen(value) and id(value) not in discovery.tables:  # else it is looked into on its own
            pending += walk.inside(value)
    return memory


def _is_too_much(value: Any) -> bool:
    if is_a(value, np.ndarray):
        return value.dtype.hasobject and (value.dtype != object or value.size > LIMIT)
    return base_of(value) is not None and length(value) > LIMIT


class _Unwatched:
    """What objects have in them."""

    def __init__(self, discovery: Discovery) -> None:
        self._discovery = discovery
        guards = (*discovery.guards.always, *discovery.guards.slow)
        self._listed = {id(guard.container) for guard in guards if isinstance(guard, Contents)}
        self._classes: set[type] = set()
        self._descriptors: dict[type, list[Any]] = {}

    def inside(self, value: Any) -> Iterable[Any]:
        """What is in an object and is not watched there."""
        kind = cast(Any, type(value))
        if issubclass(kind, Tensor):
            return (*value.__dict__.values(), value._grad, value._base)
        if issubclass(kind, weakref.ref):
            return (value(),)
        if issubclass(kind, np.ndarray):
            return value.ravel().tolist() if value.dtype == object else (value.base,)
        if kind is ModuleType:
            return ()  # whose attributes are guarded as they are read
        if kind is FunctionType:
            return self._of_function(value)
        if is_a(value, type):
            return self._of_class(value)
        return self._of_object(value)

    def _of_function(self, function: Any) -> Iterator[Any]:
        if is_user(function.__module__) or is_user(function.__globals__.get("__name__")):
            yield from function.__defaults__ or ()
            yield from (function.__kwdefaults__ or {}).values()
            yield from self._entries(function.__dict__)
            for cell in function.__closure__ or ():
                with_value = gc.get_referents(cell)
                if not self._discovery.is_place((id(cell), None)):
                    yield from with_value
                else:
                    yield from filter(self._is_unseen, with_value)

    def _of_class(self, cls: type) -> Iterator[Any]:
        if cls in self._classes:
            return
        self._classes.add(cls)
        for base in mro(cls):
            if base is not object and is_user(base.__module__):
                for key, member in members(base).items():
                    if not self._discovery.is_place((id(base), key)) or self._is_unseen(member):
                        yield member

    def _of_object(self, value: Any) -> Iterator[Any]:
        attributes, base, kind = attributes_of(value), base_of(value), cast(Any, type(value))
        known: dict[int, int] = {id(attributes): 1, id(kind): 1}

        def count(parts: Iterable[Any]) -> None:
            for part in parts:
                known[id(part)] = known.get(id(part), 0) + 1

        if attributes is not None:
            yield from self._entries(attributes)
            count(attributes.values())
        for descriptor in self._slots(kind):
            part = _slot(descriptor, value)
            count((part,))
            if not self._discovery.is_place((id(value), descriptor)) or self._is_unseen(part):
                yield part
        if base is not None:
            count(elements(value))
            if issubclass(base, dict):
                yield from self._entries(value)
                count(VALUES(value))
            elif id(value) not in self._listed or base in (tuple, frozenset):
                yield from elements(value)
            else:
                yield from filter(self._is_unseen, elements(value))
        yield from self._of_class(kind)
        if issubclass(kind, local):
            return  # which leads to what other threads have as well
        for part in gc.get_referents(value):
            left = known.get(id(part), 0)
            known[id(part)] = left - 1
            if left <= 0:
                yield part

    def _slots(self, cls: type) -> list[Any]:
        known = self._descriptors.get(cls)
        if known is None:
            parts = (part for base in mro(cls) for part in members(base).values())
            known = self._descriptors[cls] = [part for part in parts if type(part) is MemberDescriptorType]
        return known

    def _entries(self, mapping: Any) -> Iterator[Any]:
        for key, part in zip(elements(mapping), VALUES(mapping)):
            if not self._discovery.is_place(entry_identity(mapping, key)) or self._is_unseen(part):
                yield part

    def _is_unseen(self, part: Any) -> bool:
        """Whether nobody has looked into what is in a place that is watched."""
        return not is_a(part, Tensor) and not self._discovery.has_seen(part)


def _slot(descriptor: Any, owner: Any) -> Any:
    try:
        return descriptor.__get__(owner)
    except (AttributeError, TypeError):
        return MISSING


__all__ = ["hidden_memory"]
