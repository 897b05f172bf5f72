"""Which memory a program relies on to be apart, and whether it is: what is written to one tensor, another may show.

    self.a.add_(x);  return self.b.sum()           self.a and self.b are two arguments of the program, or one

A trace knows memory by its storage: tensors that share one while it goes on are one argument of the program. So a
program is for calls in which no two of its arguments are one, unless nothing is written to either; a trace in which
they are is made again, with what they share as memory that the function reaches by itself (`Hints.fix_gradients`,
`Hints.capture`). Storages of their own over the same bytes are those that numpy has been told of, or has told of.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from xdsl.ir import OpResult

from ...dialects.locations import file_and_line
from ...runtime.storage import Storage
from ..tracing.trace import Input, Trace
from .uncompiled import Impure
from .weak import referent

Span = tuple[int, int]
"""Addresses: of the first byte, and of the one after the last."""


def span_of(array: np.ndarray[Any, Any]) -> Span:
    """The bytes of an array, and those between them."""
    return np.lib.array_utils.byte_bounds(array) if array.size else (0, 0)


class Spans:
    """Parts of memory, that are asked at little cost whether they have a byte of another part."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        """The largest end of a part and those in front of it."""
        for start, end in sorted(span for span in spans if span[0] < span[1]):
            self._starts.append(start)
            self._ends.append(max(end, self._ends[-1]) if self._ends else end)

    def meet(self, span: Span) -> bool:
        """Whether one of them has a byte in common with a part."""
        before = bisect_left(self._starts, span[1])
        return before > 0 and self._ends[before - 1] > span[0] and span[0] < span[1]


class Aliasing:
    """The memory of one program's arguments."""

    def __init__(self, inputs: Sequence[Input], updated: Sequence[Input], arrays: Iterable[Span]) -> None:
        """`arrays`: where those of numpy are that the function reaches."""
        written = {id(source) for source in updated}
        given = [i for i in inputs if not i.is_number and i.leaf is not None]
        gradients = [i for i in inputs if i.leaf is None and i.gradient_of is not None]
        self._inputs = moving = [*given, *gradients]
        self._leaves = [i.leaf for i in given if i.leaf is not None]
        self._owners: list[Any] = [i.gradient_of for i in gradients]
        self._written = [id(source) in written for source in moving]
        fixed = [(i, i.storage) for i in inputs if i.leaf is None and i.gradient_of is None and i.storage is not None]
        self._fixed = {id(storage): id(i) in written for i, storage in fixed}
        """Memory that is the same in all calls, by identity, and whether it is written to. The program keeps it."""
        self._fixed_inputs = fixed
        self.asks = bool(written) and bool(moving)
        """Whether there is anything to ask of a call: nothing where the program writes to nothing."""
        self.is_possible = len(self._fixed) == len(fixed) or not any(self._fixed.values())
        """Whether memory that is the same in all calls is apart: not where a copy of the program is for other tensors,
        two of which share theirs."""
        self._arrays = list(arrays) if written else []
        self._spans: tuple[Spans, Spans] | None = None

    def holds(self, leaves: Sequence[Any]) -> bool:
        """Whether what is written to is apart from everything else in a call."""
        storages = self._storages(leaves)
        ids = [*map(id, storages)]
        if (len({*ids}) < len(ids) or not self._fixed.keys().isdisjoint(ids)) and any(self._same(ids)):
            return False
        return True not in [s.shared for s in storages] or self._meeting(storages) is None

    def _storages(self, leaves: Sequence[Any]) -> list[Storage]:
        """The memory of what is another in each call."""
        found = [leaves[i]._storage for i in self._leaves]
        if self._owners:
            owners: list[Any] = [leaves[o] if type(o) is int else referent(o) for o in self._owners]
            found += [owner._grad._storage for owner in owners]
        return found

    def same(self, leaves: Sequence[Any]) -> list[Input]:
        """The arguments that are one with another, where one of the two is written to."""
        return [*self._same([*map(id, self._storages(leaves))])]

    def _same(self, ids: Sequence[int]) -> Iterator[Input]:
        count = Counter(ids)
        written = {each for each, is_written in zip(ids, self._written) if is_written}
        for each, source in zip(ids, self._inputs):
            if self._fixed.get(each, False) or (each in written and (count[each] > 1 or each in self._fixed)):
                yield source

    # Storages and arrays of their own over the same bytes

    def meeting(self, leaves: Sequence[Any]) -> Input | None:
        """An argument that is written to, of which others have bytes, in a call that is traced."""
        if not any(self._fixed.values()) and not any(self._written):
            return None
        fixed = [(source, storage) for source, storage in self._fixed_inputs if _has_arrays(storage)]
        for (a, s), (b, t) in combinations(fixed, 2):
            if (self._fixed[id(s)] or self._fixed[id(t)]) and _meet(s, t):
                return a if self._fixed[id(s)] else b
        arrays = Spans(self._arrays)
        for source, storage in fixed:
            if self._fixed[id(storage)] and arrays.meet(span_of(storage.array)):
                return source
        return self._meeting(self._storages(leaves))

    def _meeting(self, storages: Sequence[Storage]) -> Input | None:
        """The same among what is another in each call."""
        if self._spans is None:
            fixed = [(span_of(s.array), self._fixed[id(s)]) for _, s in self._fixed_inputs if type(s) is Storage]
            self._spans = Spans(s for s, written in fixed if written), Spans([*(s for s, _ in fixed), *self._arrays])
        fixed_written, fixed_spans = self._spans
        with_arrays = [
            (source, storage, written)
            for source, storage, written in zip(self._inputs, storages, self._written)
            if _has_arrays(storage)
        ]
        for source, storage, written in with_arrays:
            others = fixed_spans if written else fixed_written
            if id(storage) not in self._fixed and others.meet(span_of(storage.array)):
                return source
        for (a, s, a_written), (b, t, b_written) in combinations(with_arrays, 2):
            if (a_written or b_written) and s is not t and _meet(s, t):
                return a if a_written else b
        return None


def _has_arrays(storage: Storage) -> bool:
    """Whether arrays of numpy may have bytes of a storage."""
    return storage.shared and storage.array.flags.writeable


def _meet(a: Storage, b: Storage) -> bool:
    return Spans([span_of(a.array)]).meet(span_of(b.array))


def unaliasable(trace: Trace, source: Input) -> Impure:
    """What is raised where a program would have to know which bytes arrays and storages of their own share."""
    value = trace.values[source.storage] if source.storage is not None else None
    place = file_and_line(value.op.location) if isinstance(value, OpResult) else None
    name = source.value.name_hint or "a tensor"
    return Impure(
        f"writing to {name}, whose memory an array or another tensor made of one shares,", *(place or ("", 0))
    )


__all__ = ["Aliasing", "span_of", "unaliasable"]
