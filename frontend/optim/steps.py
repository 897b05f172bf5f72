"""Step counts: tensors without dimensions in the state, which parameters that were always updated together share.

Python counts, not the compiled program: a count takes part in numbers such as bias corrections, which reach the program
as run-time scalars.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .. import eager
from ..creation import tensor
from ..eager import on_host
from ..modes import modes
from ..tensor import Tensor
from ..tracing.trace import paused

KEY = "step"


def new_step(value: float = 0.0) -> Tensor:
    """A count of its own."""
    with paused():
        return tensor(float(value))


def started(step: Tensor) -> bool:
    """Whether anything was counted."""
    return _count(step) > 0 or id(step) in _ahead(modes.trace)


def separate(stepping: Iterable[dict[str, Any]], states: Iterable[Mapping[str, Any]]) -> None:
    """Before some parameters step without others: those that stay behind no longer share their count."""
    sharing = Counter(id(state[KEY]) for state in states if KEY in state)
    stepping = list(stepping)
    together = Counter(id(state[KEY]) for state in stepping)
    fresh: dict[int, Tensor] = {}
    for state in stepping:
        step: Tensor = state[KEY]
        if sharing[id(step)] != together[id(step)]:
            if id(step) not in fresh:
                fresh[id(step)] = new_step(_count(step))
            _assign(state, fresh[id(step)])


def must_separate(stepping: Iterable[Mapping[str, Any]], states: Iterable[Mapping[str, Any]]) -> bool:
    """Whether parameters that have stepped together in the call being traced now step without others."""
    sharing = Counter(id(state[KEY]) for state in states if KEY in state)
    together = Counter(id(state[KEY]) for state in stepping)
    ahead = _ahead(modes.trace)
    return any(key in ahead and sharing[key] != count for key, count in together.items())


def set_apart(states: Iterable[dict[str, Any]]) -> None:
    """Gives each state a count of its own."""
    for state in states:
        if KEY in state:
            state[KEY] = new_step(_count(state[KEY]))


def share(states: Iterable[dict[str, Any]]) -> None:
    """Makes equal counts one, as after loading a state."""
    known: dict[float, Tensor] = {}
    for state in states:
        if KEY in state:
            value = state[KEY]
            count = float(value.item() if isinstance(value, Tensor) else value)
            state[KEY] = known.setdefault(count, new_step(count))


def advance(step: Tensor) -> Callable[[], int]:
    """Counts one more, at once or after each call of the program being traced; returns what gives the new count."""
    trace = modes.trace
    if trace is None:
        _increment(step)
        count = _count(step)
        return lambda: count
    ahead = _ahead(trace)
    offset = ahead[id(step)] = ahead.get(id(step), 0) + 1
    _count_later(trace, step, 1)
    return lambda: _count(step) + offset


def _count_later(trace: Any, step: Tensor, by: int) -> None:
    later, storage = trace.counted_ahead, step._storage
    if step not in trace.counted:
        trace.counted.add(step)
        trace.after_call.append(lambda: _increment(step, later.get(storage, 0)))
    trace.count(storage, by)


def _ahead(trace: Any) -> dict[int, int]:
    """How many steps of each count the program being traced makes in a call."""
    return {} if trace is None else trace.steps_ahead


def _count(step: Tensor) -> int:
    return int(on_host(step))


def _increment(step: Tensor, by: int = 1) -> None:
    if by:
        eager.increment(step, by)
        step._storage.version += 1


def _assign(state: dict[str, Any], step: Tensor) -> None:
    before = state[KEY]
    state[KEY] = step
    trace = modes.trace
    if trace is not None:
        trace.on_failure(lambda: state.__setitem__(KEY, before))
        trace.prepared.append((state, KEY))
