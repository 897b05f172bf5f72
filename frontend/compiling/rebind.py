"""Captured tensors that are replaced: the program for one is that for another of its kind, bound to other memory.

    holder.w = irtool.randn(3)      the guard on `holder.w` fails, and nothing else: the call gets a copy of the
    step(x)                         program whose guards, pointers and owners of gradients are those of the new tensor

Nothing is traced or compiled. A tensor can be replaced if a trace with another one would have been the same: the other
is of its kind, guards see all places where the old one was (`hidden.py`; or it is dead, and in no place any more), they
find the new one in all of them, and no memory is shared with what was apart before. A program whose tensors have died
runs no more, and keeps none of their memory: it is there to be copied.
"""

from __future__ import annotations

import weakref
from collections import Counter, deque
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from ..autograd.hooks import hooks_of
from ..tensor import Tensor
from .buffers import BufferNumbers
from .effects import Assign, Data, Effect, History
from .guard_set import Guards
from .guards import Contents, Flag, Guard, Property, memory_of
from .places import Entry, Place, Slot, elements, is_a, length
from .weak import Lifetime, Weak, referent

if TYPE_CHECKING:
    from ..tracing.trace import Input
    from .call_trace import CallTrace
    from .traced import Traced


@dataclass(frozen=True, slots=True)
class Captured:
    """A tensor that the function has found by itself, and that another one may take the place of."""

    token: Any
    """What plans of the program call it: the reference to the one that was traced."""
    tensor: Any
    """The reference to the one that this copy of the program is for."""
    plain: Any
    """The one that guards on its properties have."""
    memory_token: Any
    memory: Any
    """The same of its memory."""
    kind: Any
    inputs: tuple[int, ...]
    """The arguments of the program that are its memory."""
    in_sight: bool
    """Whether traced code can come to it in no way that guards do not watch. Others may be replaced once they are dead,
    and are in no such place any more."""

    def may_be_replaced(self) -> bool:
        """Whether there is no place left where the one that was there before might be found."""
        return self.in_sight or (self.tensor() is None and self.memory() is None)


def kind_of(tensor: Tensor) -> Any:
    """What another tensor has to have in common with one, to be traced alike; None for those that no other is like."""
    if tensor.__dict__ or tensor._base is not None or not tensor.is_leaf or any(hooks_of(tensor)):
        return None
    memory = tensor._storage
    own = type(memory), memory.spec, tensor._view
    return type(tensor), tensor._spec, own, tensor.requires_grad, tensor._detached


def may_replace(trace: CallTrace) -> bool:
    """Whether programs for other tensors may be copies of a program."""
    complete = trace.discovery.is_whole and not trace.asks_identity
    return complete and trace.reusable and not trace.places


def captured(
    trace: CallTrace,
    traced: Traced,
    effects: Iterable[Effect],
    aliased: Iterable[Any],
    hidden: Container[int] | None,
) -> list[Captured]:
    """The tensors of a program that may be replaced. `aliased`: memory that arguments share with them; `hidden`: ids
    of what guards do not see. To be asked once the guards are weak, and while what was traced is there."""
    if not may_replace(trace):
        return []
    guards, lifetime = (*trace.guards.always, *trace.guards.slow), trace.guards.lifetime
    properties = [g for g in guards if isinstance(g, Property) and g.read is memory_of and g.holds()]
    tensors = [tensor for g in properties if (tensor := g.tensor()) is not None]
    storages = Counter(id(tensor._storage) for tensor in tensors)
    fixed = {
        *map(id, _named(guards)),
        *map(id, _targets(effects)),
        *(id(flag.tensor()) for flag, _ in trace.requires_grad if isinstance(flag, Flag)),
        *trace.discovery.unguarded,
        *map(id, trace.owners.values()),
        *map(id, trace._trace.counted if trace._trace is not None else ()),  # by Python, after calls
    }
    shared = {id(storage) for storage in aliased}
    places: dict[int, list[int]] = {}
    for number, source in enumerate(traced.inputs):
        if source.storage is not None:
            places.setdefault(id(source.storage), []).append(number)
    found: list[Captured] = []
    for tensor in tensors:
        token, kind, memory = lifetime.watched(tensor), kind_of(tensor), tensor._storage
        alone = storages[id(memory)] == 1 and id(memory) not in shared
        if token is None or kind is None or id(tensor) in fixed or not alone:
            continue
        reference = lifetime.refer(memory)
        inputs = tuple(places.get(id(memory), ()))
        in_sight = hidden is not None and id(memory) not in hidden
        found.append(Captured(token, token, weakref.ref(tensor), reference, reference, kind, inputs, in_sight))
    return found


def _named(guards: Iterable[Guard]) -> Iterator[Any]:
    """Tensors that are keys of dictionaries or elements of sets: others would be looked up in vain."""
    for guard in guards:
        if isinstance(guard, Contents) and not is_a(guard.container, list, deque):
            yield from map(referent, guard.expected)
        elif isinstance(guard, Entry):
            yield guard.key


def _targets(effects: Iterable[Effect]) -> Iterator[Any]:
    for effect in effects:
        if isinstance(effect, (History, Data)):
            yield referent(effect.target)
        elif isinstance(effect, Assign) and isinstance(effect.place, Flag):
            yield effect.place.tensor()


class Exchange:
    """Tensors that have come to the places of others."""

    def __init__(
        self, guards: Guards, known: Iterable[Captured], outside: Iterable[Any], leaves: Sequence[Any]
    ) -> None:
        """`outside`: the memory that the function reaches by itself; `leaves`: the arguments of the call."""
        self._captured = {id(c.tensor): c for c in known}
        self._tensors: dict[int, Tensor] = {}
        """By the reference to the one that was there before."""
        self.lifetime = Lifetime()
        whole = (*guards.always, *guards.slow)
        others = [guard.tensor() for guard in whole if isinstance(guard, Property)]
        self.is_possible = all(map(self._compare, whole)) and self._compare_memory(outside, others, leaves)

    def _compare(self, guard: Guard) -> bool:
        if isinstance(guard, Contents):
            if length(guard.container) != len(guard.expected):
                return False
            return all(map(self._add, guard.expected, elements(guard.container)))
        return not isinstance(guard, Place) or self._add(guard.expected, guard.now())

    def _add(self, before: Any, now: Any) -> bool:
        """Whether what is in a place now may be there."""
        if type(before) is not Weak:
            return True  # which guards compare in the end
        old = before()
        if old is not None and old is now:
            return id(before) not in self._tensors
        known = self._captured.get(id(before))
        if known is None or not is_a(now, Tensor) or kind_of(now) != known.kind or not known.may_be_replaced():
            return False
        return self._tensors.setdefault(id(before), now) is now

    def _compare_memory(self, outside: Iterable[Any], others: Iterable[Any], leaves: Sequence[Any]) -> bool:
        """Whether the new tensors have memory of their own, and all gradients have."""
        for number, known in self._captured.items():  # p.data = x: the tensor itself has come to other memory
            tensor = known.tensor()
            if tensor is not None and number not in self._tensors and tensor._storage is not known.memory():
                if kind_of(tensor) != known.kind or not known.in_sight:
                    return False
                self._tensors[number] = tensor
        if not self._tensors:
            return False
        tensors = {id(x): x for x in (*self._tensors.values(), *others, *leaves) if is_a(x, Tensor)}
        gradients = [id(grad._storage) for x in tensors.values() if isinstance(grad := x._grad, Tensor)]
        memory = [*map(id, self.outside(outside)), *gradients]
        given = {id(x._storage) for x in leaves if is_a(x, Tensor)}
        return len({*memory}) == len(memory) and given.isdisjoint(gradients)

    def reference(self, value: Any) -> Any:
        """A reference to what stands for the object of a reference; any other value as it is."""
        if type(value) is not Weak:
            return value
        new = self._tensors.get(id(value))
        new = value() if new is None else new
        if new is None:
            self.lifetime.over = True
            return value
        return self.lifetime.watch(new)

    def outside(self, outside: Iterable[Any]) -> list[Any]:
        """The memory that the function reaches by itself."""
        gone = {id(self._captured[number].memory()) for number in self._tensors}
        stays = [storage for storage in outside if id(storage) not in gone]
        return [*stays, *(tensor._storage for tensor in self._tensors.values())]

    def captured(self) -> list[Captured]:
        """What the copy may have replaced in turn."""
        found: list[Captured] = []
        for number, known in self._captured.items():
            new = self._tensors.get(number)
            if new is not None:
                memory = self.lifetime.refer(new._storage)
                known = replace(known, tensor=self.lifetime.watch(new), plain=weakref.ref(new), memory=memory)
            elif known.tensor() is not None:
                known = replace(known, tensor=self.reference(known.tensor))
            else:
                continue
            found.append(known)
        return found

    def guards(self, guards: Guards) -> Guards:
        """The guards of the copy."""
        for reference in guards.lifetime.references():
            self.reference(reference)
        moved = [(self._captured[number], tensor) for number, tensor in self._tensors.items()]
        tensors = {id(known.plain): tensor for known, tensor in moved}
        memory = {id(known.memory): tensor._storage for known, tensor in moved}

        def copied(guard: Guard) -> Guard:
            if isinstance(guard, Slot):
                return replace(guard, expected=self.reference(guard.expected), owner=self.reference(guard.owner))
            if isinstance(guard, Place):
                return replace(guard, expected=self.reference(guard.expected))
            if isinstance(guard, Contents):
                return replace(guard, expected=tuple(map(self.reference, guard.expected)))
            if isinstance(guard, BufferNumbers) and id(guard.storage) in memory:
                return replace(guard, storage=self.lifetime.refer(memory[id(guard.storage)]), version=-1)
            new = tensors.get(id(guard.tensor)) if isinstance(guard, (Property, Flag)) else None
            if new is None:
                return guard
            if isinstance(guard, Property):
                expected = tuple(map(self.lifetime.refer, guard.read(new)))
                return replace(guard, tensor=weakref.ref(new), expected=expected)
            return replace(cast(Flag, guard), tensor=weakref.ref(new))

        return Guards([*map(copied, guards.always)], [*map(copied, guards.slow)], lifetime=self.lifetime)

    def traced(self, traced: Traced) -> Traced:
        """The plan of the copy: other arguments. Owners and outputs are known by their tokens."""
        storages = {
            place: tensor._storage
            for number, tensor in self._tensors.items()
            for place in self._captured[number].inputs
        }
        changed: dict[Input, Input] = {}
        for place, source in enumerate(traced.inputs):
            owner = self.reference(source.gradient_of)
            if place in storages or owner is not source.gradient_of:
                storage = storages.get(place, source.storage)
                changed[source] = replace(source, storage=storage, gradient_of=owner)

        def now(source: Any) -> Any:
            return source if isinstance(source, int) else changed.get(source, source)

        return replace(
            traced,
            inputs=[*map(now, traced.inputs)],
            updated=[*map(now, traced.updated)],
            copies=[replace(copy, source=now(copy.source), target=now(copy.target)) for copy in traced.copies],
        )


def has_moved(known: Iterable[Captured]) -> bool:
    """Whether one of the tensors has come to other memory, so that what is for the old one keeps that for nothing."""
    pairs = ((c.tensor(), c.memory()) for c in known)
    return any(tensor is not None and tensor._storage is not memory for tensor, memory in pairs)


def stand_for(known: Iterable[Captured]) -> dict[int, Any]:
    """By the ids of tokens: references to what they mean in a copy."""
    pairs = [pair for c in known for pair in ((c.token, c.tensor), (c.memory_token, c.memory))]
    return {id(token): now for token, now in pairs if token is not now}


__all__ = ["Captured", "Exchange", "captured", "has_moved", "may_replace", "stand_for"]
