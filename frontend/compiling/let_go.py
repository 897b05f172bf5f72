"""What a program does not keep alive, once it is made and once the call that was traced is over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .. import tree
from .effects import Assign, Effect
from .guards import Guards, weaken
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


def let_go_of_expected(guards: Guards, effects: Iterable[Effect]) -> None:
    """Of what was in places, which nobody puts back any more."""
    guards.weaken()
    for effect in effects:
        if isinstance(effect, Assign):
            weaken(effect.place)


__all__ = ["let_go_of_expected", "let_go_of_tensors"]
