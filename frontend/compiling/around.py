"""Around a trace: running the function, and clearing away what a trace leaves behind."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from inspect import CORO_CREATED, getcoroutinestate
from types import CoroutineType, TracebackType
from typing import Any, cast

from ..errors import runtime_error
from ..tensor import Tensor
from ..tracing.trace import Trace
from .places import VALUES, attributes_of, elements, is_a


@contextmanager
def no_collection() -> Generator[None]:
    """Without garbage collection: IR is many long-lived objects, which collections would walk again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def close_coroutines(place: TracebackType | None) -> None:
    """Coroutines that traced code has made, and not begun before the trace ended early, are nobody's to await."""
    frame, seen = None if place is None else place.tb_next, set[int]()
    while frame is not None:
        seen |= {id(frame.tb_frame.f_globals), id(frame.tb_frame.f_builtins)}  # where traced code puts nothing
        pending: list[tuple[Any, int]] = [(value, 0) for value in gc.get_referents(frame.tb_frame)]
        while pending:
            value, depth = pending.pop()
            if id(value) in seen:
                continue
            seen.add(id(value))
            if type(value) is CoroutineType:
                if getcoroutinestate(cast(Any, value)) == CORO_CREATED:
                    value.close()
            elif type(value) in (list, tuple, dict) and depth < 2:
                pending += [(part, depth + 1) for part in gc.get_referents(value)]
        frame = frame.tb_next


def run_through(trace: Trace, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """What a function returns. Raises what the trace has refused, also where the function has caught that."""
    try:
        output = function(*args, **kwargs)
    except Exception:
        if not trace.refused:
            raise
    else:
        if not trace.refused:
            return output
    raise trace.refused[0]


def check_output(values: Sequence[Any]) -> None:
    for value in values:
        if not is_a(value, Tensor) and holds_traced(value):
            raise runtime_error(
                f"the compiled function returns or keeps a {type(value).__name__} that holds tensors. Return tensors, "
                "plain values, or tuples, lists, dictionaries and dataclasses of these"
            )


def holds_traced(value: Any) -> bool:
    """Whether a container holds tensors without bytes."""
    if is_a(value, Tensor):
        return value._storage.symbolic
    if is_a(value, dict):
        return any(map(holds_traced, VALUES(value)))
    if is_a(value, list, tuple, set):
        return any(map(holds_traced, elements(value)))
    parts = (attributes_of(value) or {}).values()
    return any(is_a(part, Tensor) and part._storage.symbolic for part in parts)


__all__ = ["check_output", "close_coroutines", "holds_traced", "no_collection", "run_through"]
