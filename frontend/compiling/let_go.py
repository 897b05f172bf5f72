"""What a program does not keep alive, once it is made and once the call that was traced is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import tree
from .call_trace import CallTrace
from .effects import Assign
from .guards import weaken
from .traced import Traced
from .weak import Lifetime


def let_go_of_tensors(traced: Traced, was_there: Callable[[Any], bool], lifetime: Lifetime) -> None:
    """Of the tensors that were there before the trace, and whose gradients the program touches."""

    def weak(owner: Any) -> Any:
        return lifetime.watch(owner) if tree.is_tensor(owner) and was_there(owner) else owner

    traced.cleared = [(weak(t), mark) for t, mark in traced.cleared]
    traced.grads = [(weak(t), plan) for t, plan in traced.grads]
    traced.retained_before = [*map(weak, traced.retained_before)]
    traced.retained = [*map(weak, traced.retained)]
    traced.passed_on = [(weak(t), plan, retain) for t, plan, retain in traced.passed_on]
    traced.grads_found = [(weak(t), spec) for t, spec in traced.grads_found]
    traced.wrt = [(place, weak(t)) for place, t in traced.wrt]
    for source in traced.inputs:
        source.gradient_of = weak(source.gradient_of)


def let_go_of_what_was_there(trace: CallTrace) -> None:
    """Of what the function could reach, and of what was in places, which nobody puts back any more."""
    trace.discovery.let_go()
    trace.guards.weaken()
    for effect in trace.effects:
        if isinstance(effect, Assign):
            weaken(effect.place)


__all__ = ["let_go_of_tensors", "let_go_of_what_was_there"]
