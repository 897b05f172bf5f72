"""Numbers in attributes and variables that change from call to call: which they are, and what calls do to them.

self.calls += 1        a number in a place that code assigns: symbolic from the first trace on
model.weight = 0.3     one that has changed between calls: symbolic from the second trace on
group["lr"]            one in a list or dictionary: traced code gets a copy of that, with the symbolic number in it

What a place holds in the end is an effect: each call computes it anew.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import runtime_error
from ..mutations import bump
from .changed_numbers import items, number_places
from .copies import COPIED, Change, item_identity, items_of
from .effects import Assign, Effect
from .guard_set import Guards
from .guards import Contents, Guard, Length
from .observing import Observing
from .places import Entry, Item, Place
from .symbolic import Symbolic, Symbols, is_number, read


@dataclass
class Count:
    """An int grows by a constant, whatever it is by then."""

    place: Place
    value: int

    def apply(self, value: Any, arguments: Any) -> None:
        """Adds the constant to what is in the place now."""
        self.place.assign(self.place.now() + value)
        bump()


class DynamicPlaces:
    """The places of one trace that have symbolic numbers."""

    def __init__(
        self,
        places: Sequence[Place],
        rates: Sequence[Entry],
        exchanged: Sequence[tuple[Place, Any]],
        guards: Guards,
        observer: Observing,
    ) -> None:
        """`exchanged`: places whose tensors are arguments of each call, and what stands for these."""
        self._observer = observer
        self._groups = {id(rate.mapping): rate for rate in rates}
        symbols = observer.symbols
        containers: dict[int, Any] = {key: rate.mapping for key, rate in self._groups.items()}
        containers |= {id(g.container): g.container for g in (*guards.always, *guards.slow) if isinstance(g, Contents)}
        self._copies: dict[int, tuple[Any, Any]] = {}
        self._sources: dict[Any, tuple[Place, Any]] = {}
        wanted: set[int] = set()
        for place in places:
            container = _container_of(place, containers)
            if container is not None and type(container) not in COPIED:
                continue
            source = _source(symbols, place)
            self._sources[place.identity] = place, source
            if container is None:
                observer.overlay.hold(place, source)
            else:
                observer.sources[place.identity] = source
                wanted.add(id(container))
        self._numbers = set(self._sources)
        for place, stand_in in exchanged:
            container = _container_of(place, containers)
            if container is not None and type(container) in COPIED:
                self._sources[place.identity] = place, stand_in
                wanted.add(id(container))
        self._copy_all(containers, wanted)

    def _copy_all(self, containers: dict[int, Any], wanted: set[int]) -> None:
        """Copies containers, and those that they are in."""
        count = -1
        while count != len(wanted):
            count = len(wanted)
            for key, container in containers.items() if wanted else ():
                if type(container) in COPIED and any(id(v) in wanted for _, v in items_of(container)):
                    wanted.add(key)
        for key in wanted:
            self._copies[key] = containers[key], copy.copy(containers[key])
        for key, (original, new) in self._copies.items():
            for name, value in items_of(original):
                inner, known = self._copies.get(id(value)), self._sources.get(item_identity(original, name))
                if known is not None:
                    new[name] = known[1]
                elif inner is not None:
                    new[name] = inner[1]
            self._observer.stand_in(original, new, written_through=key in self._groups)

    def take_out(self) -> list[Effect]:
        """What each call does to the numbers; other changes of copies go where they belong."""
        effects: list[Effect] = []
        for held in self._observer.overlay.held.values():
            if held.is_number and held.now is not held.source:
                effects.append(_effect(held.place, held.source, held.now))
        originals = {id(new): original for original, new in self._copies.values()}
        for key, (original, new) in self._copies.items():
            before, now, others = dict(items_of(original)), dict(items_of(new)), dict[Any, Any]()
            same = isinstance(original, dict) or [*before] == [*now]
            for name, value in now.items():
                place, source = self._sources.get(item_identity(original, name), (None, None))
                if place is not None and same and (isinstance(value, Symbolic) or is_number(value)):
                    if value is not source:
                        effects.append(_effect(place, source, value))
                    others[name] = before[name]
                elif place is not None and value is source and not isinstance(value, Symbolic):
                    others[name] = before[name]
                else:
                    others[name] = originals.get(id(value), read(value))
            if [*before] != [*others] or any(others[name] is not value for name, value in before.items()):
                rate = self._groups.get(key)
                if rate is not None and others.get(rate.key) is not before[rate.key]:
                    raise changes_rates(rate.name)
                self._observer.copies.changes.append(Change(original, before, others))
        return effects

    def relax(self, guards: Guards) -> None:
        """Lets go of the numbers: the evaluation of each call looks whether they are there and of their types."""
        held = self._numbers
        if held:
            guards.always[:] = [new for guard in guards.always for new in _relaxed(guard, held)]
            guards.slow[:] = [new for guard in guards.slow for new in _relaxed(guard, held)]
            guards.seal()


def changes_rates(name: str) -> RuntimeError:
    """The error for a learning rate, or another number of that kind, that a traced function assigns."""
    return runtime_error(
        f"the compiled function changes {name}, which compiled programs read on each call. Change it outside, before "
        "or after the call, or by a scheduler's step()"
    )


def _source(symbols: Symbols, place: Place) -> Any:
    return symbols.source(place.name, place.expected, lambda leaves: place.now())


def _effect(place: Place, source: Any, now: Any) -> Effect:
    by = _distance(source, now)
    return Assign(place, now) if by is None else Count(place, by)


def _distance(source: Any, now: Any) -> int | None:
    """How much an int was counted up or down."""
    if not isinstance(now, Symbolic) or not isinstance(source._value, int):
        return None
    symbols, index, by = now._symbols, now._index, 0
    while index != source._index:
        node = symbols.nodes[index]
        if node.function not in (operator.add, operator.sub) or node.is_node != (True, False):
            return None
        index, step = node.operands
        if type(step) is not int:
            return None
        by += step if node.function is operator.add else -step
    return by


def _container_of(place: Place, containers: dict[int, Any]) -> Any:
    """The list or dictionary of the user's that a place is in."""
    if isinstance(place, Item):
        return place.container
    return containers.get(id(place.mapping)) if isinstance(place, Entry) else None


def _relaxed(guard: Guard, held: set[Any]) -> list[Guard]:
    if isinstance(guard, Place) and guard.identity in held:
        return []
    if isinstance(guard, Contents) and any(place.identity in held for place in number_places(guard)):
        elements = [new for place in items(guard) for new in _relaxed(place, held)]
        return [Length(f"len({guard.name})", guard.container, len(guard.expected)), *elements]
    return [guard]


__all__ = ["Count", "DynamicPlaces"]
