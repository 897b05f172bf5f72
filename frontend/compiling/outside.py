"""What a function does to the world while it is traced, and would not do in later calls.

print("loss", loss)       is repeated by each call, with the values of its tensors
time.time(), open(p)      run once: the program has what they gave as a constant, and a warning says so
"""

from __future__ import annotations

import builtins
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from types import ModuleType
from typing import Any

from xdsl.ir import Block

from .. import dispatch, tree
from ..modes import modes
from ..source import user_frame
from ..tensor import Tensor
from ..tracing.trace import Trace
from .effects import Place
from .guards import Guards
from .settle import Substitutes


@dataclass
class Print:
    """Something is printed."""

    value: Any
    """The arguments of `print`."""

    def apply(self, value: Any, arguments: Any) -> None:
        args, options = value
        print(*args, **options)


@dataclass
class Doings:
    """What has been done in one trace."""

    prints: list[Print] = field(default_factory=list[Print])
    constants: list[tuple[str, str, int]] = field(default_factory=list[tuple[str, str, int]])
    """Functions whose results are constants now, and where they were called."""

    def warn(self, function: str) -> None:
        """For a program that later calls use."""
        for name, filename, line in self.constants:
            warnings.warn_explicit(
                f"{name}() is called while {function} is traced, and not in later calls, which find what it gave the "
                f"first time: call it outside, and pass its result in",
                UserWarning,
                filename,
                line,
            )

    def show(self) -> None:
        """Prints what a trace that has failed was to print, so far as it has values."""
        for said in self.prints:
            said.apply(said.value, None)


def doings(trace: Trace) -> Doings:
    """What has been done so far."""
    return trace.__dict__.setdefault("doings", Doings())


def _print(*values: Any, **options: Any) -> None:
    trace = modes.trace
    if trace is None or options.get("file") not in (None, sys.stdout, sys.stderr):
        builtins.print(*values, **options)
        return
    leaves: list[Any] = []
    structure = tree.flatten((values, options), leaves)
    leaves = [_as_it_is(trace, x) if isinstance(x, Tensor) else x for x in leaves]
    doings(trace).prints.append(Print(tree.rebuild(structure, iter(leaves))))


def _as_it_is(trace: Any, x: Tensor) -> Any:
    """A tensor that later writes to `x` leave alone; inside the body of a loop, its text."""
    if x._is_number:
        return x
    value = dispatch.value_of(trace, x)
    block = value.owner if isinstance(value.owner, Block) else value.owner.parent
    return dispatch.traced(trace.detached(value), x._spec) if block is trace.block else str(x)


def _constant(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def called(*args: Any, **options: Any) -> Any:
        if modes.trace is not None:
            doings(modes.trace).constants.append((name, *user_frame()))
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
}
"""Stand-ins for functions that Python finds everywhere."""

_STAND_INS: dict[int, Any] = {
    id(time): _TIME,
    **{id(getattr(time, name)): new for name, new in CLOCKS.items()},
    **{id(getattr(builtins, name)): new for name, new in BUILTINS.items()},
}


def put_outside(guards: Guards, places: Sequence[Place], substitutes: Substitutes) -> None:
    """Puts stand-ins where the function names what reaches out of it; `places` are globals that would hide builtins."""
    substitutes.put_stand_ins(guards, _STAND_INS)
    for place in places:
        substitutes.put(place, BUILTINS[place.name])


__all__ = ["BUILTINS", "Doings", "doings", "put_outside"]
