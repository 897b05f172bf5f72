"""Functions and classes that traced code finds: its own are instrumented, foreign ones tell when they are called.

queue.put(x)          a function that is not known to be pure: the program is for this call alone
statistics.mean(xs)   pure, but it may look at the types of numbers: it gets plain ones
table(n)              a cached function gives tensors of its own, none of the trace
"""

from __future__ import annotations

from functools import partial, wraps
from types import (
    FunctionType,
    MethodType,
    ModuleType,
)
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..source import user_frame
from ..tensor import Tensor
from ..tracing.trace import paused
from .code_names import PACKAGE, is_user
from .foreign_random import GENERATORS, SHARED
from .instrument import Instrumentation
from .purity import CONTAINERS, is_pure, is_transparent
from .stand_ins import stand_in_of
from .symbolic import Symbols, read, read_all

if TYPE_CHECKING:
    from .discovery import Discovery
    from .observer import Observer


class Callables:
    """What a trace does with callables."""

    symbols: Symbols

    def __init__(self, discovery: Discovery) -> None:
        self.impure: list[tuple[str, str, int]] = []
        """What was called that may have effects, with the user's line."""
        self._discovery = discovery
        self._has_seen = discovery.has_seen
        self._live: dict[int, Any] = {}
        """Foreign objects that were there before the trace."""
        self._classes: set[type] = set()
        self._wrapped: dict[int, tuple[Any, Any]] = {}
        self._instrumentation = Instrumentation()

    def _callable(self, value: Any, called: bool) -> Any:
        kind = cast(Any, type(value))
        known = stand_in_of(cast("Observer", self), value, called)
        if known is not None:
            return known
        function = value.__func__ if kind is MethodType else value
        if isinstance(function, FunctionType):
            if is_user(function.__module__):
                self._see_function(function)
                return value
            inner = getattr(function, "__wrapped__", None)
            if isinstance(inner, FunctionType) and is_user(inner.__module__):
                self._see_function(inner)
            if str(function.__module__).partition(".")[0] == PACKAGE:
                return value
        elif isinstance(value, type):
            if is_user(value.__module__):
                self._see_class(value)
                return value
            if not called:
                return value
        elif kind.__name__ == "_lru_cache_wrapper":
            return self._memo(value)
        elif kind.__module__ == "functools" and hasattr(value, "func"):
            inner = self._callable(value.func, True)
            return value if inner is value.func else partial(inner, *value.args, **value.keywords)
        pure = self._is_pure(value)
        return value if pure and is_transparent(value) else self._with_plain_numbers(value, not pure)

    def _is_pure(self, value: Any) -> bool:
        owner = None if isinstance(value, type) else getattr(value, "__self__", None)
        if isinstance(owner, GENERATORS):
            return owner in SHARED or self._has_seen(owner)  # whose state is watched
        if isinstance(owner, CONTAINERS):
            return not self._is_unguarded(owner)
        return is_pure(value) or (isinstance(owner, np.ndarray) and not self._is_live(owner))

    def _is_unguarded(self, container: Any) -> bool:
        """Whether a container is from outside, and none whose changes would be found."""
        return self._live.get(id(container)) is container and not self._has_seen(container)

    def _is_live(self, value: Any) -> bool:
        return self._live.get(id(value)) is value or self._has_seen(value)

    def _with_plain_numbers(self, function: Any, has_effects: bool) -> Any:
        """A foreign function gets plain numbers, since it may look at their types; one that may have effects tells."""
        known = self._wrapped.get(id(function))
        if known is not None:
            return known[1]
        name = name_of(function)

        def foreign(*args: Any, **options: Any) -> Any:
            if has_effects:
                self.see_effect(name)
            return function(*map(read_all, args), **{key: read_all(x) for key, x in options.items()})

        foreign.__name__ = getattr(function, "__name__", type(function).__name__)
        foreign.__doc__ = getattr(function, "__doc__", None)
        self._wrapped[id(function)] = function, foreign
        return foreign

    def _memo(self, cached: Any) -> Any:
        """A cached function gives tensors of its own, as in eager code; none of the trace may stay in its cache."""
        inner = cached.__wrapped__
        if isinstance(inner, FunctionType) and is_user(inner.__module__):
            self._see_function(inner)

        @wraps(inner)
        def call(*args: Any, **options: Any) -> Any:
            values = [*map(read, args)], {key: read(x) for key, x in options.items()}
            if any(isinstance(x, Tensor) for x in (*values[0], *values[1].values())):
                self.see_effect(name_of(cached))
                return inner(*values[0], **values[1])
            with paused():
                return cached(*values[0], **values[1])

        return call

    def see_effect(self, name: str) -> None:
        """Something may have had an effect."""
        self.impure.append((name, *user_frame()))

    def _see_function(self, function: FunctionType) -> None:
        self._instrumentation.add(function)

    def _see_class(self, cls: type) -> None:
        """Methods that Python calls by itself."""
        if cls in self._classes:
            return
        self._classes.add(cls)
        for base in (*cls.__mro__, *cast(Any, type(cls)).__mro__):
            if base is object or not is_user(base.__module__):
                continue
            for name, member in vars(base).items():
                if isinstance(member, (staticmethod, classmethod)):
                    member = cast(Any, member).__func__
                special = name.startswith("__") and name.endswith("__") and name not in ("__del__", "__repr__")
                if isinstance(member, FunctionType) and (special or name in ("forward", "backward", "setup_context")):
                    self._see_function(member)


def name_of(function: Any) -> str:
    """What people call a function, a method or a class."""
    owner = getattr(function, "__self__", None)
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    if owner is not None and not isinstance(owner, ModuleType) and "." not in name:
        name = f"{type(owner).__qualname__}.{name}"
    return name if module in (None, "builtins") else f"{module}.{name}"


__all__ = ["Callables", "name_of"]
