"""What traced code assigns to objects that other threads may see: kept here, where it alone finds it, until it ends.

self.calls += 1        a symbolic number (`dynamic.py`)
self.h = cell(x)       a tensor of the trace, or a tuple, container or object that may hold some
self.running = y       a buffer of a module

The attribute or variable itself keeps what it has. Whatever looks at an object as a whole (`vars(o)`, `copy.copy(o)`,
a method of `nn.Module` that goes over buffers) gets its attributes put in place first: such code is not instrumented.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FunctionType, MemberDescriptorType, ModuleType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..tensor import Tensor
from .code_names import is_user, used_by_library
from .guards import Absent
from .kinds import has_attributes, is_module, is_optimizer
from .places import (
    MISSING,
    PLAIN,
    Entry,
    Place,
    Slot,
    attributes_of,
    base_of,
    class_attribute,
    entry_identity,
    is_a,
    members,
    mro,
)
from .symbolic import Symbolic, read
from .weak import referent

if TYPE_CHECKING:
    from .discovery import Discovery

WITHOUT_STATE = frozenset(
    ("parameters", "named_parameters", "children", "named_children", "modules", "named_modules", "train", "eval")
) | frozenset(("zero_grad", "requires_grad_", "forward", "__call__"))
"""Methods of modules that ask for no buffers or attributes of the user's."""


UNSEARCHED = (*PLAIN, ModuleType, FunctionType, Tensor, Symbolic, np.ndarray)
"""Types of values that lead to no object of the user's."""


@dataclass
class OverlayEntry:
    """A place that only the trace sees changed."""

    place: Place
    source: Any
    """The symbolic number of a place that has one; otherwise what the place had before."""
    now: Any

    @property
    def is_number(self) -> bool:
        """Whether the place has a symbolic number."""
        return isinstance(self.source, Symbolic)


class Overlay:
    """The places that only the trace sees changed, by their identity."""

    def __init__(self, discovery: Discovery) -> None:
        self.held: dict[tuple[int, Any], OverlayEntry] = {}
        self.names: set[str] = set()
        """Those of attributes that may be held."""
        self._discovery = discovery
        self._exposed: set[int] = set()
        self._watched: dict[Any, Place] = {}
        self._absent: dict[int, Absent] = {}
        self._looked_at = [0, 0]
        """How many guards of each kind have been put in these."""

    # Places

    def place(self, identity: tuple[int, Any]) -> Place | None:
        """The place that guards watch, whether or not there is something in it."""
        guards = self._discovery.guards
        for k, found in enumerate((guards.always, guards.slow)):
            for guard in found[self._looked_at[k] :]:  # which grow while the trace goes on
                if isinstance(guard, Place):
                    self._watched[guard.identity] = guard
                elif isinstance(guard, Absent):
                    self._absent[id(guard.owner)] = guard
            self._looked_at[k] = len(found)
        place, missing = self._watched.get(identity), self._absent.get(identity[0])
        if place is None and missing is not None and missing.watches(identity[1]):
            place = missing.place(identity[1])
        return place

    def attribute(self, owner: Any, name: str) -> OverlayEntry | None:
        """What is held of the attribute that `owner.name` reads."""
        held = self.own(owner, name)
        if held is not None or name in (attributes_of(owner) or ()):
            return held
        for cls in mro(cast(Any, owner if is_a(owner, type) else type(owner))):
            if name in members(cls):
                return self.held.get((id(cls), name))
            held = self.held.get((id(cls), name))
            if held is not None:
                return held
        return None

    def own(self, owner: Any, name: str) -> OverlayEntry | None:
        """What is held of the attribute that `owner.name = value` assigns."""
        if is_a(owner, type):
            return self.held.get((id(owner), name))
        attributes = attributes_of(owner)
        held = None
        if attributes is not None:
            held = self.held.get((id(attributes), name))
            if held is None and type(attributes.get("_buffers")) is dict:
                held = self.held.get((id(attributes["_buffers"]), name))
        if held is None:
            slot = class_attribute(cast(Any, type(owner)), name)
            held = self.held.get((id(owner), slot)) if type(slot) is MemberDescriptorType else None
        return held

    def _assigned(self, owner: Any, name: str, value: Any) -> tuple[int, Any] | None:
        """The identity of the place that an assignment to an attribute changes, if it does nothing else."""
        if is_a(owner, Tensor, FunctionType):
            return None
        kind = cast(Any, type(owner))
        setter = next(cls for cls in mro(kind) if "__setattr__" in members(cls))
        if is_user(setter.__module__) and setter is not object:
            return None
        if is_a(owner, type):
            return id(owner), name
        member: Any = class_attribute(kind, name)
        if type(member) is MemberDescriptorType:
            return id(owner), member
        attributes = attributes_of(owner)
        if hasattr(cast(Any, type(member)), "__set__") or attributes is None or name in used_by_library(kind):
            return None
        if is_module(owner):
            if name in attributes["_buffers"]:
                buffers: dict[str, Any] = attributes["_buffers"]
                return entry_identity(buffers, name) if type(value) is Tensor else None
            if name in attributes["_parameters"] or name in attributes["_modules"]:
                return None
            if is_a(value, Tensor) and type(value) is not Tensor:
                return None  # a parameter, which the module registers
        return id(attributes), name

    # Assignments

    def hold(self, place: Place, source: Any) -> None:
        """Puts a symbolic number into an attribute or a variable, for the traced code alone."""
        self._hold(place, source, source)

    def _hold(self, place: Place, source: Any, now: Any) -> None:
        self.held[place.identity] = OverlayEntry(place, source, now)
        self.names.add(place.descriptor.__name__ if isinstance(place, Slot) else str(getattr(place, "key", "")))

    def put(self, place: Place, value: Any) -> None:
        """Another value for a place."""
        self._hold(place, place.expected, value)

    def keep_attribute(self, owner: Any, name: str, value: Any) -> bool:
        """Whether an assignment to an attribute is kept here."""
        held = self.own(owner, name) if name in self.names else None
        if held is not None and self._put(held, value):
            return True
        if not may_hold_tensors(value):
            return False
        identity = self._assigned(owner, name, value)
        return identity is not None and self._begin(identity, value)

    def keep(self, identity: tuple[int, Any], value: Any) -> bool:
        """Whether an assignment to a variable is kept here."""
        held = self.held.get(identity)
        if held is not None and self._put(held, value):
            return True
        place = self.place(identity) if may_hold_tensors(value) else None
        if place is None or place.expected is MISSING:  # without a value, code could not load it
            return False
        return self._begin(identity, value)

    def _begin(self, identity: tuple[int, Any], value: Any) -> bool:
        place = self.place(identity)
        if place is None or (isinstance(place, Entry) and id(place.mapping) in self._exposed):
            return False
        if place.expected is not MISSING and place.now() is MISSING:
            place.restore()  # what traced code has deleted before
        self._hold(place, place.expected, value)
        return True

    def _put(self, held: OverlayEntry, value: Any) -> bool:
        """Another value for a place that is held; what can be none of it goes where it belongs."""
        if is_a(value, Symbolic) or type(value) in PLAIN:
            held.now = value if held.is_number else read(value)
            return True
        if not held.is_number and may_hold_tensors(value):
            held.now = value
            return True
        del self.held[held.place.identity]
        return False

    # What is not instrumented

    def expose(self, owner: Any) -> None:
        """Code looks at all attributes of an object at once: its numbers are constants from here on."""
        attributes = attributes_of(owner)
        if attributes is not None:
            self._exposed.add(id(attributes))
        for held in [*self.held.values()]:
            place = held.place
            owner_of_slot = referent(place.owner) if isinstance(place, Slot) else None
            if (isinstance(place, Entry) and place.mapping is attributes) or owner_of_slot is owner:
                self._place(held)

    def expose_reachable(self, values: Iterable[Any]) -> None:
        """Code that is not instrumented may look at all that it can reach from what it is given."""
        pending = [*values] if self.held else []
        seen: set[int] = set()
        while pending:
            value = pending.pop()
            if id(value) in seen or is_a(value, *UNSEARCHED):
                continue
            seen.add(id(value))
            for known in mro(value) if is_a(value, type) else (value,):
                for held in [held for key, held in self.held.items() if key[0] == id(known)]:
                    self._place(held)
            if not is_a(value, type):
                pending += gc.get_referents(value)

    def expose_modules(self, method: str) -> None:
        """A method of `nn.Module` is called."""
        if method in WITHOUT_STATE:
            return
        for held in [*self.held.values()]:
            if not held.is_number and isinstance(held.place, Entry):
                mapping = held.place.mapping
                owner = self._discovery.owners.get(id(mapping))
                if id(mapping) in self._discovery.tables or (owner is not None and is_module(owner)):
                    self._place(held)

    def release(self, owner: Any, name: str) -> None:
        """An attribute is going to be deleted."""
        held = self.own(owner, name) if name in self.names else None
        if held is not None:
            self._place(held)

    def release_variable(self, identity: tuple[int, Any]) -> None:
        """A variable is going to be deleted."""
        held = self.held.get(identity)
        if held is not None:
            self._place(held)

    def _place(self, held: OverlayEntry) -> None:
        read(held.source)
        held.place.assign(read(held.now))
        del self.held[held.place.identity]

    # Afterwards

    def give_up(self) -> None:
        """There is no program: lets go of what was found at once, and not when garbage is collected."""
        self._watched.clear()
        self._absent.clear()
        self.held.clear()
        self._discovery.give_up()

    def take_back(self, place: Place, value: Any) -> None:
        """Forgets an assignment of this very value."""
        held = self.held.get(place.identity)
        if held is not None and held.now is value:
            del self.held[place.identity]

    def changes(self) -> Iterator[tuple[Place, Any]]:
        """What traced code has assigned besides symbolic numbers."""
        for held in self.held.values():
            if not held.is_number:
                yield held.place, held.now


def may_hold_tensors(value: Any) -> bool:
    """Whether a value is a tensor, or something that tensors may be put into."""
    kind = cast(Any, type(value))
    if kind in PLAIN or issubclass(kind, (type, ModuleType, FunctionType, Symbolic)):
        return False
    if is_a(value, Tensor) or base_of(value) is not None:
        return True
    return has_attributes(value) and not is_module(value) and not is_optimizer(value)


__all__ = ["Overlay", "OverlayEntry", "may_hold_tensors"]
