"""Functions of Python's own that traced code gets in another form (`observer.py` hands them out).

print("loss", loss)           is deferred: each call prints, with the values of its tensors; so are records of loggers,
                              warnings, and writes to the console
math.sqrt(1 - beta ** step)   takes symbolic numbers; so do `float`, `round` and others where they are called
super().__setattr__(name, x)  is `self.name = x` that runs no code of the user
getattr(x, f"w{i}")           what is read by a name that no code mentions is found while it is read
"""

from __future__ import annotations

import builtins
import math
import sys
import warnings
from collections.abc import Callable
from types import BuiltinMethodType, MethodType, MethodWrapperType
from typing import TYPE_CHECKING, Any, cast

from .. import tree
from ..modes import modes
from ..tensor import Tensor
from ..tracing.deferred import defer
from ..tracing.trace import Trace
from .observing import Observing
from .purity import SLOTS
from .symbolic import Symbolic, lifted, plain_type

if TYPE_CHECKING:
    from .discovery import Discovery

LEVELS = ("debug", "info", "warning", "error", "critical", "log", "exception")
"""Functions and methods of `logging` that make a record."""

BUILTINS = ("abs", "round", "pow", "min", "max")
CLASSES = (float, int)
"""Those that are pure functions where they are called, and types elsewhere."""


def _pure_functions() -> dict[int, tuple[Any, Any]]:
    named = {name: function for name, function in vars(math).items() if isinstance(function, BuiltinMethodType)}
    named |= {name: getattr(builtins, name) for name in BUILTINS}
    return {id(function): (function, lifted(function, name)) for name, function in named.items()}


PURE = _pure_functions()
CONSTRUCTORS = {id(kind): (kind, lifted(kind, kind.__name__)) for kind in CLASSES}


def stand_in_of(observer: Observing, value: Any, called: bool) -> Any:
    """What traced code gets instead of a function of Python's own; None where that is the function."""
    found = PURE.get(id(value)) or (CONSTRUCTORS.get(id(value)) if called else None)
    if found is not None:
        return found[1]
    made = REFLECTION.get(id(value))
    if made is not None:
        return made[1](observer)
    if type(value) in SLOTS and value.__name__ in OWN:
        return OWN[value.__name__](observer, value)
    if value is print:
        return _print
    if value is warnings.warn:
        return _warn
    if value is eval or value is exec or value is globals:
        return _in_frame(observer, value)
    name = getattr(value, "__name__", "")
    if name in LEVELS and getattr(getattr(value, "__func__", value), "__module__", "") == "logging":
        return _logged(value)
    if isinstance(value, (BuiltinMethodType, MethodType)) and name in ("write", "flush"):
        owner: Any = value.__self__
        if owner is sys.stdout or owner is sys.stderr:
            return _written("stdout" if owner is sys.stdout else "stderr", name)
    return None


# Deferred


def _print(*values: Any, **options: Any) -> None:
    if modes.trace is None:
        print(*values, **options)
    elif options.get("file") in (None, sys.stdout):
        defer(modes.trace, print, values, {key: x for key, x in options.items() if key != "file"})
    elif options["file"] is sys.stderr:
        defer(modes.trace, _print_error, values, {key: x for key, x in options.items() if key != "file"})
    else:
        modes.trace.observer.see_effect("print")
        print(*values, **options)


def _print_error(*values: Any, **options: Any) -> None:
    print(*values, file=sys.stderr, **options)


def _warn(message: Any, category: Any = None, stacklevel: int = 1, source: Any = None, **options: Any) -> None:
    frame: Any = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    for _ in range(stacklevel - 1):
        frame = frame.f_back or frame
    kind = category or (cast(Any, type(message)) if isinstance(message, Warning) else UserWarning)
    module, registry = frame.f_globals.get("__name__"), frame.f_globals.setdefault("__warningregistry__", {})
    place = (frame.f_code.co_filename, frame.f_lineno, module, registry)
    if modes.trace is None:
        warnings.warn_explicit(message, kind, *place)
    else:
        defer(modes.trace, _warn_at(place), (message, kind), {})


def _warn_at(place: tuple[Any, ...]) -> Callable[..., None]:
    def warn(message: Any, kind: Any) -> None:
        warnings.warn_explicit(message, kind, *place)

    return warn


def _logged(function: Any) -> Any:
    def logged(*args: Any, **options: Any) -> None:
        if modes.trace is None:
            function(*args, **options)
        else:
            defer(modes.trace, function, args, options)

    return logged


def _written(stream: str, name: str) -> Any:
    def now(*args: Any) -> Any:
        return getattr(getattr(sys, stream), name)(*args)

    def written(*args: Any) -> Any:
        if modes.trace is None:
            return now(*args)
        defer(modes.trace, now, args, {})
        return len(args[0]) if args else None

    return written


def show_prints(trace: Trace) -> None:
    """Prints and logs what a trace that has failed was to, so far as it has values."""
    for later in trace.deferred:
        leaves: list[Any] = []
        tree.flatten(later.value, leaves)
        if later.function is print or not (later.about or any(isinstance(x, Tensor) for x in leaves)):
            later.apply(later.value, None)


def _in_frame(observer: Observing, function: Any) -> Any:
    """A function that looks at the frame that calls it."""

    def called(*args: Any) -> Any:
        frame: Any = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        observer.see_effect(function.__name__)
        if function is globals:
            return frame.f_globals
        names = args[1:] or (frame.f_globals, frame.f_locals)
        return function(args[0], *names)

    return called


# Attributes by names that code makes up


def _asked(observer: Observing, *what: Any) -> None:
    observer.symbols.trace.reads_by_name.append(what)


def _getattr(observer: Observing) -> Callable[..., Any]:
    def found(value: Any, name: str, *default: Any) -> Any:
        _asked(observer, value, name)
        try:
            return observer.load_attribute(value, name)
        except AttributeError:
            if default:
                return default[0]
            raise

    return found


def _hasattr(observer: Observing) -> Callable[..., Any]:
    def found(value: Any, name: str) -> bool:
        _asked(observer, value, name)
        if name in observer.overlay.names and observer.overlay.attribute(value, name) is not None:
            return True
        return hasattr(value._value if isinstance(value, Symbolic) else value, name)

    return found


def _setattr(observer: Observing) -> Callable[..., Any]:
    return observer.store_attribute


def _vars(observer: Observing) -> Callable[..., Any]:
    def found(*values: Any) -> Any:
        if not values:
            return sys._getframe(1).f_locals  # pyright: ignore[reportPrivateUsage]
        _asked(observer, *values)
        observer.overlay.expose(values[0])
        return cast("dict[str, Any]", vars(*values))

    return found


def _next(observer: Observing) -> Callable[..., Any]:
    def found(*args: Any) -> Any:
        observer.iterate(args[0] if args else None)
        return next(*args)

    return found


def _issubclass(observer: Observing) -> Callable[..., Any]:
    def found(kind: Any, kinds: Any) -> bool:
        return issubclass(plain_type(kind), kinds)

    return found


def _get_own(observer: Observing, slot: Any) -> Callable[..., Any]:
    """`object.__getattribute__` and the like, mostly of an object whose class overrides that."""

    def found(*args: Any) -> Any:
        operands = _operands(slot, args)
        if len(operands) != 2 or not isinstance(operands[1], str):
            return slot(*args)
        _asked(observer, *operands)
        return observer.load_attribute(*operands, get=lambda owner, name: slot(*_given(slot, owner), name))

    return found


def _set_own(observer: Observing, slot: Any) -> Callable[..., None]:
    def found(*args: Any) -> None:
        operands = _operands(slot, args)
        if len(operands) != 3 or not isinstance(operands[1], str):
            slot(*args)
            return
        observer.store_attribute(*operands, put=lambda owner, name, value: slot(*_given(slot, owner), name, value))

    return found


def _operands(slot: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    return (slot.__self__, *args) if type(slot) is MethodWrapperType else args


def _given(slot: Any, owner: Any) -> tuple[Any, ...]:
    return () if type(slot) is MethodWrapperType else (owner,)


OWN: dict[str, Callable[[Observing, Any], Callable[..., Any]]] = {
    "__getattribute__": _get_own,
    "__setattr__": _set_own,
}

_REFLECTING: dict[str, Callable[[Observing], Callable[..., Any]]] = {
    "getattr": _getattr,
    "hasattr": _hasattr,
    "setattr": _setattr,
    "vars": _vars,
    "issubclass": _issubclass,
    "next": _next,
}
REFLECTION = {id(getattr(builtins, name)): (name, make) for name, make in _REFLECTING.items()}
"""By the ids of functions that live as long as Python."""


def add_reads(trace: Trace, discovery: Discovery) -> None:
    """Lets a program depend on the attributes that a trace has read by names that no code mentions."""
    for value, *name in trace.reads_by_name:
        if name:
            discovery.add_read(value, name[0])
        else:
            discovery.add_all_read(value)


__all__ = ["add_reads", "show_prints", "stand_in_of"]
