"""What a walk over what a function can reach has found (`discovery.py`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from types import FunctionType, MethodType
from typing import Any, cast

from ...runtime.storage import Storage
from .guard_set import Guards
from .guards import Absent, Guard, Length
from .kinds import has_attributes
from .large import is_large
from .places import MISSING, PLAIN, VALUES, Entry, attributes_of, base_of, is_a, length

DEEPEST = 16
"""Values that are found below so many others wait until these have been looked at, so that no chain is too long."""


class Found:
    """Values, as guards, and the objects that they are attributes of."""

    def __init__(self, whole: Sequence[Any] = ()) -> None:
        self.guards = Guards()
        self.names: set[str] = {"training"}
        self.names_of_users: set[str] = set()
        """Those that code of the user mentions."""
        self.runtime: list[Entry] = []
        """What a program asks for on each call, such as learning rates: it may change between calls, not within one."""
        self.rates: list[Entry] = []
        """Learning rates, which code of the user may read as well."""
        self.learned: set[Storage] = set()
        """What holds tensors that gradients are wanted for."""
        self.names_of_storages: dict[Storage, str] = {}
        """Short names: those of parameters and variables."""
        self.arrays: list[Any] = []
        """Those of numpy."""
        self.generators: list[Any] = []
        """Those of random numbers, of Python and numpy."""
        self.tensors: set[int] = set()
        """The ids of all tensors found."""
        self.unguarded: set[int] = set()
        """The ids of those that traced code has read where no guard tells them from others."""
        self.is_whole = True
        """Whether all that was found has been looked into."""
        self.tables: set[int] = set()
        """The ids of the dictionaries in which modules keep parameters and buffers."""
        self.kept: set[tuple[int, Any]] = set()
        """Places with a tensor that somebody else has as well, by their identity."""
        self.owners: dict[int, Any] = {}
        """The objects whose attributes are in a dictionary, by its id."""
        self.namespaces: set[int] = set()
        """The ids of dictionaries of attributes or of global variables."""
        self.functions: list[FunctionType] = []
        """Those of the user's code."""
        self.assigned: set[Any] = set()
        """Names and keys that code assigns."""
        self.mutates = False
        """Whether code may change a list or a dictionary."""
        self.uncopied: set[int] = set()
        """The ids of containers that traced code gets themselves: those of the library, and those in tuples."""
        self.whole = [*whole]
        """Large containers that traced code is known to read."""
        self.unread: dict[int, Any] = {}
        """Others, and large arrays, by their ids: traced code has not been seen to load them."""
        self.holders: dict[int, Any] = {}
        """Dictionaries that have such in them."""
        self.too_large: list[Any] = []
        """What code may read unseen, and cannot be compared."""
        self._seen: dict[int, Any] = {}
        self._depth = 0
        """How many values lead to the one that is looked into."""
        self._waiting: list[tuple[Any, str, bool]] = []
        """Values that are too deep to be looked into at once."""
        self._objects: list[tuple[Any, str]] = []
        self._places: set[tuple[int, Any]] = set()
        self._classes: dict[type, None] = {}
        self._absent: dict[int, Absent] = {}
        """Attributes that objects and classes do not have, by the ids of these, and that are watched all the same."""
        self.late: list[Guard] = []
        """What was found while the function ran."""
        self._is_late = False
        self._pending: deque[FunctionType] = deque()
        """Functions of the user that have not been read."""
        self._have_read: set[int] = set()
        """The ids of the others."""
        self.unseen: dict[int, FunctionType] = {}
        """Functions in places where no load of them is seen, which anybody may call, by their ids."""
        self.running: Collection[FunctionType] = ()
        """Functions that are known to run."""
        self.given: Collection[Storage] = ()
        """The memory of the arguments."""
        self.is_belated = False
        """Whether something was found while the function ran that a trace has to know from its start."""
        self._watched: set[int] = set()
        """The ids of the entries in `runtime` that guards watch."""
        self._variables: set[str] = set()
        """Those of the environment that are watched."""

    def is_watched(self, owner: Any, name: str) -> bool:
        """Whether an attribute is a place that guards watch."""
        if is_a(owner, type):
            absent = self._absent.get(id(owner))
            return (id(owner), name) in self._places or (absent is not None and absent.watches(name))
        return (id(attributes_of(owner)), name) in self._places

    @property
    def classes(self) -> Iterable[type]:
        """Those of the objects that were found."""
        return self._classes

    def has_seen(self, value: Any) -> bool:
        """Whether this very object was found."""
        return self._seen.get(id(value)) is value

    def found(self) -> list[Any]:
        """All objects found."""
        return [*self._seen.values()]

    def is_place(self, identity: tuple[int, Any]) -> bool:
        """Whether guards watch an entry, a variable, a slot, or an attribute of a class."""
        return identity in self._places

    def _visit(self, value: Any, name: str, in_place: bool = False) -> None:
        """Looks into a value, now or after those that lead to it. What is large waits until traced code loads it, if
        it is in a place where that is seen."""
        kind = cast(Any, type(value))
        if kind in PLAIN or value is MISSING:
            return
        if not in_place:
            self._run_unseen((value,))
        if id(value) in self._seen and (in_place or id(value) not in self.unread):
            if not in_place and self.holders.pop(id(value), None) is not None:
                for part in VALUES(value):
                    self._visit(part, name)
            return
        if self._depth == DEEPEST:
            self._waiting.append((value, name, in_place))
            return
        self._seen[id(value)] = value
        if in_place and is_large(value) and not any(value is known for known in self.whole):
            self.unread[id(value)] = value
            self._set_aside(value, name)
            return
        self.unread.pop(id(value), None)
        self._depth += 1
        self._look_into(value, name, in_place)
        self._depth -= 1
        while self._depth == 0 and self._waiting:
            self._visit(*self._waiting.pop())

    def _run_unseen(self, values: Iterable[Any]) -> None:
        """These functions may run although traced code has not been seen to load them."""
        for value in values:
            function = value.__func__ if type(value) is MethodType else value
            if type(function) is FunctionType:
                self.unseen[id(function)] = function

    def _look_into(self, value: Any, name: str, in_place: bool) -> None:
        """Lists what is in a value that was not there before."""
        raise NotImplementedError

    def _set_aside(self, value: Any, name: str) -> None:
        """Does not look into a large container or array."""
        if base_of(value) is None:
            self.arrays.append(value)
            return
        self.uncopied.add(id(value))
        self._add(Length(name, value, length(value)))
        self.is_whole = False
        if has_attributes(value):
            self._objects.append((value, name))

    def let_go(self) -> None:
        """Lets go of what was found at once, and not when garbage is collected."""
        for table in (
            *(self._seen, self._objects, self.owners, self.functions, self.arrays),
            *(self._pending, self.unseen, self.whole, self.unread, self.holders, self.too_large),
        ):
            table.clear()

    def give_up(self) -> None:
        """Lets go of the guards as well: there is no program for them."""
        self.let_go()
        self.guards = Guards()
        for table in (self.late, self._places, self._absent, self._classes):
            table.clear()

    def _add(self, guard: Guard, slow: bool = False) -> None:
        self.guards.add(guard, slow)
        if self._is_late:
            self.late.append(guard)


__all__ = ["Found"]
