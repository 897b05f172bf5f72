"""After a function was traced: what happened to Python values that it depends on, and what each call has to repeat."""

from __future__ import annotations

import copy
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import Any, cast

from .. import dispatch, tree
from ..errors import runtime_error
from ..tensor import Tensor
from ..tracing.again import Again
from ..tracing.trace import Trace
from .changed_numbers import items
from .copies import Change, Copies, item_identity
from .discovery import Discovery
from .effects import (
    EXCHANGED,
    Assign,
    Effect,
    Extend,
    Hints,
    Refill,
    Splice,
    Written,
    contains,
    likeness,
    stand_in,
)
from .guard_set import Guards
from .guards import Absent, Attribute, Contents, Flag, Guard, Length
from .kinds import is_module
from .observer import Observer
from .overlay import Overlay
from .places import (
    MISSING,
    PLAIN,
    VALUES,
    Entry,
    Place,
    attributes_of,
    base_of,
    elements,
    entry_identity,
    is_a,
    same,
)
from .symbolic import Symbolic, is_number

Containers = Contents | Length


class Substitutes:
    """Stand-ins for the time of a trace: for lists and dictionaries that are written to, and for tensors that are
    arguments of each call. Traced code finds them in the places of these; the places themselves keep what they have."""

    def __init__(self, guards: Guards, hints: Hints, observer: Observer) -> None:
        self._observer, self._hints = observer, hints
        places = [g for g in (*guards.always, *guards.slow) if isinstance(g, Place)]
        self._replaced: list[tuple[Place, Any, Any]] = []
        self.written: list[Written] = []
        for container in hints.written:
            if contains(hints.read, container):
                continue
            new = stand_in(container)
            self.written.append(new)
            for place in places:
                if place.expected is container:
                    self.put(place, new)

    def append_only(self, container: Any) -> Any:
        """What stands for a list from here on; None where the function is known to read it."""
        if contains(self._hints.read, container) or contains(self._hints.written, container):
            return None
        new = stand_in(container)
        self._hints.written.append(container)
        self.written.append(new)
        return new

    def put(self, place: Place, new: Any) -> None:
        """Lets traced code find a value in a place until the end of the trace."""
        self._replaced.append((place, place.now(), new))
        self._observer.stand_in(place.now(), new)

    def take_out(self) -> None:
        """Puts back what was there where the function has assigned the stand-in itself."""
        for place, before, new in self._replaced:
            if place.now() is new:
                place.assign(before)
            self._observer.overlay.take_back(place, new)


class EffectFinder:
    """Finds the effects of a trace and takes them back, so that they can be repeated."""

    def __init__(
        self, trace: Trace, discovery: Discovery, guards: Guards, hints: Hints, is_ours: Callable[[Tensor], bool]
    ) -> None:
        self._trace, self._discovery, self._guards, self._hints = trace, discovery, guards, hints
        self._overlay: Overlay = trace.observer.overlay
        self._copies: Copies = trace.observer.copies
        self._is_ours = is_ours
        """Whether a tensor is of the trace: computed in it, or standing for an argument."""
        self.effects: list[Effect] = []
        self.flags: list[tuple[Flag, bool]] = []
        """What `requires_grad` of leaves becomes: set around the making of outputs, whose histories depend on it."""
        self.homes: list[Entry] = []
        """Buffers that get other numbers where Python would replace them."""
        self.reusable = True
        """Whether later calls may use the program; not where tracing changed plain values that it depends on."""
        self._learn: list[Callable[[Hints], None]] = []
        """What has been found out for the next attempt."""
        self._numbers = False
        """Whether numbers were replaced that stand-ins may take the place of."""
        self._settled: list[Guard] = []
        """Guards that give way to likenesses."""
        self._likenesses: list[Guard] = []

    def run(self, substitutes: Substitutes, assigned: Iterable[Entry]) -> None:
        """Looks at everything that was there before, or was not. `assigned`: numbers that no program depends on."""
        for entry in assigned:
            self.effects.append(Assign(entry, entry.now()))
            entry.restore()
        for written in substitutes.written:
            if written.added:
                self.effects.append(Extend(written.original, written.added))
        self._take_prepared()
        for change in self._copies.settle():
            self._changed(change)
        for place, now in self._overlay.changes():
            if same(now, place.expected):
                continue
            if self._holds(now):
                self._assigned(place, now)
            else:
                place.assign(self._copies.with_originals(now))
        for guard in list(self._guards.broken()):
            if isinstance(guard, Absent):
                self._appeared(guard)
            elif isinstance(guard, (Contents, Length)):
                self._container(guard)
            elif isinstance(guard, Flag):
                if guard.is_of_leaf():  # others have got a history, which is an effect of its own
                    self.flags.append((guard, guard.now()))
            elif isinstance(guard, Place) and self._holds(guard.now()):
                self._assigned(guard, guard.now())
                guard.restore()
            elif self._holds(guard.now()):
                raise kept(guard.name)
            else:
                self._replaced(guard)
        if self._learn or self._numbers:
            raise Again(self._learned)
        self._relax(substitutes)

    def _learned(self, hints: Hints) -> None:
        for learn in self._learn:
            learn(hints)

    def _take_prepared(self) -> None:
        """What was made before the program runs is what each call finds, and no effect of the trace."""
        prepared = {entry_identity(*entry) for entry in self._trace.prepared}
        self._discovery.tensors.update(id(mapping.get(key)) for mapping, key in self._trace.prepared)
        for guard in list(self._guards.broken()) if prepared else ():
            if isinstance(guard, Entry):
                container, keys = guard.mapping, {guard.key}
            elif isinstance(guard, Contents) and base_of(guard.container) in (dict, OrderedDict):
                container = cast("dict[Any, Any]", guard.container)
                keys = set(guard.now()).symmetric_difference(guard.expected)
            else:
                continue
            if all(entry_identity(container, key) in prepared and not self._holds(container.get(key)) for key in keys):
                self._guards.let_go(guard)
                if isinstance(guard, Contents):
                    self._guards.add(Contents(guard.name, container, guard.now()))
                for key in keys:
                    self._discovery.add_prepared(container, key, f"{guard.name.removeprefix('keys of ')}[...]")
        self._guards.seal()

    def _holds(self, value: Any) -> bool:
        """Whether a value is, or contains, a tensor of the trace. What the function could reach before has guards of
        its own, so that only objects that are new are looked into."""
        seen: set[int] = set()
        pending: list[Any] = [value]
        while pending:
            value = pending.pop()
            if is_a(value, Tensor):
                if self._is_ours(value):
                    return True
            elif is_a(value, Symbolic):
                return True
            elif type(value) not in PLAIN and id(value) not in seen:
                seen.add(id(value))
                pending += self._looked_into(value)
        return False

    def _looked_into(self, value: Any) -> Iterable[Any]:
        base, attributes = base_of(value), attributes_of(value)
        if base is not None:
            return VALUES(value) if is_a(value, dict) else elements(value)
        if attributes is None or is_module(value):
            return ()
        parts = attributes.values()
        return [part for part in parts if is_a(part, Tensor)] if self._discovery.has_seen(value) else parts

    def is_leaf(self, value: Any) -> bool:
        """Whether a list or dictionary in what the function returns or keeps is one that was there before."""
        known = is_a(value, list, dict, deque) and self._discovery.has_seen(self._copies.original(value))
        return known and not self._holds(value)

    def template(self, value: Any) -> tree.Template | None:
        """How to copy an object that the function returns or keeps, where it holds tensors of the trace."""
        if is_a(value, Tensor, type) or type(value) in PLAIN or is_module(value):
            return None
        return tree.Template(value) if any(map(self._holds, tree.parts_of(value))) else None

    # Attributes and variables

    def _replaced(self, guard: Guard) -> None:
        """Another plain value, which is there for this call alone; stand-ins can take the place of numbers, and of
        tensors that were in another place before."""
        source = self._source(guard)
        if source is not None:
            self._learn.append(lambda hints: hints.exchange(source))
            return
        self.reusable = False
        if isinstance(guard, Place) and is_number(guard.expected) and is_number(guard.now()):
            self._numbers |= not (self._hints.constant or self._hints.numbers.is_dynamic(guard))
            self._hints.numbers.change(guard)

    def _source(self, guard: Guard) -> Place | None:
        """Where a tensor was that has come to a place, if it can be exchanged there."""
        now = guard.now()
        if not (isinstance(guard, Place) and is_a(now, Tensor) and is_a(guard.expected, Tensor)) or now.requires_grad:
            return None
        for other in (*self._guards.always, *self._guards.slow):
            inside = is_a(other, Contents) and base_of(cast(Contents, other).container) in (list, deque)
            for place in items(cast(Contents, other)) if inside else (other,):
                if isinstance(place, Place) and place.expected is now:
                    known = self._is_place(place) or any(place.identity == c.identity for c in self._hints.captured)
                    return None if known or self._is_buffer(place) else place
        return None

    def _appeared(self, guard: Absent) -> None:
        for key in guard.now():
            place = guard.place(key)
            if not self._holds(place.now()):
                self.reusable = False
                continue
            self.effects.append(Assign(place, place.now()))
            place.restore()

    def _assigned(self, place: Place, now: Any) -> None:
        """A tensor of the trace, or something that holds one."""
        before = place.expected
        if is_a(now, Tensor) and self._fits(place, now, before):
            self.homes.append(cast(Entry, place))
            value = self._trace.detached(dispatch.value_of(self._trace, now))
            self._trace.write(before._storage, value)
            return
        if before is MISSING:
            self.effects.append(Assign(place, now))
            return
        captured = any(place.identity == other.identity for other in self._hints.captured) or self._is_buffer(place)
        if self._is_read(before) and not self._is_place(place) and not captured:
            self._learn.append(lambda hints: hints.exchange(place))
            return
        self.effects.append(Assign(place, now))
        if captured:
            self.reusable = False
            return
        self._settled.append(place)
        self._likenesses.append(Attribute(f"kind of {place.name}", lambda: likeness(place.now()), likeness(before)))

    def _is_buffer(self, place: Place) -> bool:
        return isinstance(place, Entry) and id(place.mapping) in self._discovery.tables

    def _fits(self, place: Place, now: Tensor, before: Any) -> bool:
        """Whether the tensor is the new value of a module's buffer, which goes where the old one is."""
        return (
            isinstance(place, Entry)
            and self._is_buffer(place)
            and is_a(before, Tensor)
            and before._spec == now._spec
            and before._view is None
            and not before._storage.symbolic
            and place.identity not in self._hints.kept
            and not contains(self._hints.apart, before._storage)
        )

    def _is_read(self, value: Any) -> bool:
        """Whether the function has asked for numbers of what was in a place."""
        leaves: list[Any] = []
        tree.flatten(value, leaves, EXCHANGED)
        return any(is_a(x, Tensor) and x._storage in self._trace.lifted for x in leaves)

    def _is_place(self, place: Place) -> bool:
        return any(place.identity == other.identity for other in self._hints.places)

    # Lists and dictionaries

    def _changed(self, change: Change) -> None:
        """A list or dictionary of which traced code got a copy, and changed that."""
        original, before, now = change.original, change.before, change.now
        if isinstance(original, dict):
            self._entries(cast("dict[Any, Any]", original), before, now)
            return
        old, new = [*before.values()], [*now.values()]
        guards = (*self._guards.always, *self._guards.slow)
        guard = next((g for g in guards if isinstance(g, Contents) and g.container is original), None)
        if guard is not None and len(guard.expected) == len(old) == len(new):
            self._elements(guard, new)
            return
        start = len([*takewhile(lambda pair: pair[0] is pair[1], zip(old, new))])
        rest = len([*takewhile(lambda pair: pair[0] is pair[1], zip(old[start:][::-1], new[start:][::-1]))])
        part = new[start : len(new) - rest]
        self._put_in(original, Splice(original, start, len(old) - start - rest, part, not rest))

    def _entries(self, original: dict[Any, Any], before: dict[Any, Any], now: dict[Any, Any]) -> None:
        for key in [key for key in now if key in before and now[key] is not before[key]]:
            place = self._overlay.place(item_identity(original, key))
            if place is not None:
                self._overlay.put(place, now[key])
        if [*now] != [*before]:
            added = dict([*now.items()][len(before) :])
            kept = [*now][: len(before)] == [*before]
            self._put_in(original, Extend(original, added) if kept else Refill(original, now))

    def _put_in(self, container: Any, effect: Splice | Refill | Extend) -> None:
        """A list or dictionary gets another length, by what traced code has done to its copy."""
        if not self._holds(effect.value):
            self._copies.changed.add(id(container))
            effect.apply(effect.value, None)
        elif not self._learns(container):
            self.effects.append(effect)
        self.reusable = False

    def _learns(self, container: Any) -> bool:
        """Whether it is new that a list or dictionary gets tensors, and that it is read as well."""
        if not contains(self._hints.written, container):
            self._learn.append(lambda hints: hints.write(container))
        elif not contains(self._hints.read, container):  # changed under another name than the known ones
            self._learn.append(lambda hints: hints.look_into(container))
        else:
            return False
        return True

    def _container(self, guard: Containers) -> None:
        container = cast(Any, guard.container)
        if (
            isinstance(guard, Contents)
            and base_of(container) in (list, deque)
            and len(guard.expected) == len(container)
        ):
            self._elements(guard, [*elements(container)])
            return
        if not self._holds(container):
            self.reusable = False
            return
        if not is_a(container, list, dict, deque):
            raise kept(guard.name)
        if self._learns(container):
            return
        new: Any = copy.copy(guard.container)
        if not is_a(container, dict):
            new = list(new)
        self.effects.append(Refill(container, new))
        self.reusable = False
        guard.restore()

    def _elements(self, guard: Contents, values: list[Any]) -> None:
        """A list or deque of the same length, some elements of which are replaced: by what, the values say."""
        container: Any = guard.container
        self._settled.append(guard)
        self._likenesses.append(Length(f"len({guard.name})", container, len(values)))
        for place, now in zip(items(guard), values):
            if same(now, place.expected):
                self._likenesses.append(place)
            elif self._holds(now):
                self._assigned(place, now)
                if place.now() is now:
                    place.restore()
            else:
                self._likenesses.append(place)
                self._copies.changed.add(id(container))
                place.assign(now)
                self._replaced(place)

    def _relax(self, substitutes: Substitutes) -> None:
        """Lets go of what the function replaces without reading it."""
        originals = [w.original for w in substitutes.written]

        def remains(guard: Guard) -> bool:
            if any(guard is settled for settled in self._settled):
                return False
            if isinstance(guard, (Contents, Length)):
                return not contains(originals, guard.container)
            return not (isinstance(guard, Entry) and contains(originals, guard.mapping))

        if not self._settled and not originals:
            return
        self._guards.always[:] = [*filter(remains, self._guards.always), *self._likenesses]
        self._guards.slow[:] = filter(remains, self._guards.slow)
        self._guards.seal()


def kept(name: str) -> RuntimeError:
    """The error for tensors in a place that calls cannot write to."""
    return runtime_error(
        f"the compiled function keeps a tensor in `{name}`, which would have no value after tracing. Return the "
        "tensor instead, or write into an existing one of the same shape"
    )


__all__ = ["EffectFinder", "Substitutes", "kept"]
