"""What traced code reaches that discovery cannot tell all about: foreign objects, views, methods bound before."""

from __future__ import annotations

import gc
import os
import sys
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable
from random import SystemRandom
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any, cast
from weakref import ReferenceType

from ..tensor import Tensor
from ..tracing.again import Again
from .callables import FAST, Callables, name_of
from .code_names import is_of_user, is_user
from .copies import Copies
from .foreign_random import GENERATORS, SHARED
from .iterators import Watched, is_iterator
from .kinds import has_attributes
from .large import describe, is_for_append, is_for_entry, is_too_large, set_aside_in
from .places import VALUES, attributes_of, is_a
from .purity import is_known
from .symbolic import Symbolic


class Reached(Callables):
    """What a trace does with them."""

    copies: Copies
    stand_ins: dict[int, Any]
    _handed: dict[int, int]
    _stored: dict[int, Any]

    @abstractmethod
    def _loaded(self, value: Any, called: bool, live: bool = False) -> Any:
        """What traced code gets for a value that it loads."""

    def _of_stand_in(self, method: Any, live: bool) -> Any:
        """A method that was bound before: to a list for which something stands, or to what is from outside."""
        owner = method.__self__
        if owner is None or is_a(owner, (ModuleType, type)):
            return method
        new = self.stand_ins.get(id(owner))
        if new is not None:
            return getattr(new, method.__name__)
        if type(owner) in (list, deque):
            self._handed[id(owner)] = 2
        if self.copies.wanted(owner):
            return getattr(self.copies.make(owner), method.__name__)
        if type(owner) in (list, deque):
            return method
        if live and is_iterator(owner):
            return getattr(self._loaded(owner, False, live=True), method.__name__)
        return method

    def _view_of_stand_in(self, view: Any) -> Any:
        """A view of a dictionary shows what stands for that."""
        mapping = gc.get_referents(view)[0]
        if not self._has_seen(mapping):
            self.see_effect(name_of(cast(Any, type(view))))
        new = self.stand_ins.get(id(mapping))
        if new is None:
            return view
        return MappingProxyType(new) if type(view) is MappingProxyType else getattr(new, type(view).__name__[5:])()

    def _read_large(self, values: Iterable[Any]) -> None:
        """Traced code reads what was set aside, which is to be watched."""
        found = [*values]
        for value in found:
            if is_too_large(value):
                self.see_effect(describe(value))
        if found:
            raise Again(lambda hints: hints.whole.extend(found))

    def _load_large(self, value: Any) -> None:
        """Traced code loads a value, while something is set aside."""
        unread = self._discovery.unread
        if id(value) in unread:
            if not is_for_append():
                self._read_large([value])
        elif id(value) in self._discovery.holders and not is_for_entry():
            self._look(VALUES(value))

    def _appended_itself(self, container: Any) -> Any:
        """Traced code appends to a list itself, or to a copy or what stands for it."""
        if id(container) in self._discovery.unread:
            self._read_large([container])
        return container

    def _look(self, values: Iterable[Any]) -> None:
        """Code that is not traced looks at all that is in values."""
        if self._discovery.unread:
            self._read_large(set_aside_in(values, self._discovery.unread))

    def element(self, value: Any) -> Any:
        """What a loop gets, or what a call has found in a container."""
        if id(value) in self._discovery.unread:
            return self._loaded(value, False, live=True)
        if type(value) not in FAST and not is_a(value, (Tensor, Symbolic)) and self._has_seen(value):
            return self._loaded(value, False, live=True)
        return value

    def match(self, owner: Any) -> None:
        """`case Point(x=x)`, before it looks at the attributes of an object."""
        self.overlay.expose(owner)
        self._look((attributes_of(owner) or {}).values())

    def refuse_too_large(self) -> None:
        """What no load is seen of cannot be watched."""
        for value in self._discovery.too_large:
            code = self._discovery.functions[0].__code__ if self._discovery.functions else None
            self.see_effect(describe(value), None if code is None else (code.co_filename, code.co_firstlineno))

    def _load_array(self, array: Any, live: bool) -> None:
        """An array is loaded; of the largest ones no guard compares what is in them."""
        if (live or self._has_seen(array)) and is_too_large(array):
            self.see_effect(describe(array))
        if live:
            self._live[id(array)] = array

    def _kept(self, value: Any) -> Any:
        return self._loaded(value, False, live=True)

    def _expect_pure(self, factory: Any) -> None:
        """A function that Python will call by itself."""
        if is_a(factory, FunctionType) and is_of_user(factory):
            self._see_function(factory)
        elif not is_user(getattr(factory, "__module__", None)) and not self._is_pure(factory):
            self.see_effect(name_of(factory))
        else:
            self._see_functions_in(factory)

    def _expect_known(self, value: Any) -> None:
        """A foreign object from outside is reached: whatever is asked of it by whatever code, it may have changed."""
        kind = cast(Any, type(value))
        if is_a(value, ReferenceType) and not self._is_reached(value):
            self.see_effect(name_of(kind))  # the program must not keep it alive
        if is_user(kind.__module__) or id(value) in self._stored or is_known(value) or has_attributes(value):
            return
        if value is os.environ or value is sys.stdout or value is sys.stderr or is_a(value, Watched):
            return  # whose variables are guarded, and what is written to which is deferred
        if is_a(value, GENERATORS) and not is_a(value, SystemRandom) and (value in SHARED or self._has_seen(value)):
            return  # whose state is watched
        self.see_effect(f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."))

    def _is_reached(self, reference: Any) -> bool:
        """Whether what a weak reference refers to is also found without it."""
        referent: Any = cast(Any, ReferenceType).__call__(reference)
        return referent is None or self._has_seen(referent)


__all__ = ["Reached"]
