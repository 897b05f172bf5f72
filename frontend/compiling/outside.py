"""What a function does to the world while it is traced, and would not do in later calls.

print("loss", loss)       is repeated by each call, with the values of its tensors; so are records of loggers
time.time(), open(p)      run once: the program has what they gave as a constant, and a warning says so
getattr(x, f"w{i}")       what is read by a name that no code mentions is found while it is read
"""

from __future__ import annotations

import builtins
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from types import ModuleType
from typing import Any

from .. import tree
from ..modes import modes
from ..source import user_frame
from ..tensor import Tensor
from ..tracing.later import put_off, put_off_so_far
from ..tracing.trace import Trace
from .effects import Place
from .guards import Guards
from .logs import put_logs
from .reach import Reach
from .settle import Substitutes


def _constants(trace: Trace) -> list[tuple[str, str, int]]:
    """Functions whose results are constants of a trace now, and where they were called."""
    return trace.__dict__.setdefault("constants", [])


def warn_of_constants(trace: Trace, function: str) -> None:
    """For a program that later calls use."""
    for name, filename, line in _constants(trace):
        warnings.warn_explicit(
            f"{name}() is called while {function} is traced, and not in later calls, which find what it gave the first "
            "time: call it outside, and pass its result in",
            UserWarning,
            filename,
            line,
        )


def show_prints(trace: Trace) -> None:
    """Prints and logs what a trace that has failed was to, so far as it has values."""
    for later in put_off_so_far(trace):
        leaves: list[Any] = []
        tree.flatten(later.value, leaves)
        if later.function is print or not (later.about or any(isinstance(x, Tensor) for x in leaves)):
            later.apply(later.value, None)


def _print(*values: Any, **options: Any) -> None:
    if modes.trace is None or options.get("file") not in (None, sys.stdout, sys.stderr):
        print(*values, **options)
    else:
        put_off(modes.trace, print, values, options)


def add_reads(trace: Trace, reach: Reach) -> None:
    """Lets a program depend on the attributes that a trace has read by names that no code mentions."""
    for value, *name in trace.__dict__.get("asked", ()):
        if name:
            reach.add_read(value, name[0])
        else:
            reach.add_all_read(value)


def _reading(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def reading(*args: Any) -> Any:
        if not args:  # vars()
            return sys._getframe(1).f_locals  # pyright: ignore[reportPrivateUsage]
        if modes.trace is not None:
            modes.trace.__dict__.setdefault("asked", []).append(args[:2])
        return function(*args)

    return reading


def _constant(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def called(*args: Any, **options: Any) -> Any:
        if modes.trace is not None:
            _constants(modes.trace).append((name, *user_frame()))
        return function(*args, **options)

    return called


_CLOCKS = ("time", "time_ns", "perf_counter", "perf_counter_ns", "monotonic", "process_time")
CLOCKS = {name: _constant(f"time.{name}", getattr(time, name)) for name in _CLOCKS}
_TIME = ModuleType("time", time.__doc__)
vars(_TIME).update({**vars(time), **CLOCKS})

BUILTINS: dict[str, Callable[..., Any]] = {
    "print": _print,
    "open": _constant("open", open),
    "input": _constant("input", input),
    "getattr": _reading(getattr),
    "hasattr": _reading(hasattr),
    "vars": _reading(vars),
}
"""Stand-ins for functions that Python finds everywhere."""

_STAND_INS: dict[int, Any] = {
    id(time): _TIME,
    **{id(getattr(time, name)): new for name, new in CLOCKS.items()},
    **{id(getattr(builtins, name)): BUILTINS[name] for name in ("print", "open", "input")},
}


def put_outside(guards: Guards, places: Sequence[Place], substitutes: Substitutes) -> None:
    """Puts stand-ins where the function names what reaches out of it; `places` are globals that would hide builtins."""
    substitutes.put_stand_ins(guards, _STAND_INS)
    put_logs(guards, substitutes)
    for place in places:
        substitutes.put(place, BUILTINS[place.name])


__all__ = ["BUILTINS", "add_reads", "put_outside", "show_prints", "warn_of_constants"]
