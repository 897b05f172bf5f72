"""What a program does not keep alive, once it is made and once the call that was traced is over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from .. import tree
from .call_trace import CallTrace
from .effects import Assign, Data, Effect, History
from .guards import is_by_value, weaken
from .plans import Alias, GradFound, Gradient, Held, Output
from .traced import Traced
from .weak import Weak, is_weak


def let_go_of_tensors(trace: CallTrace) -> None:
    """Of the tensors that were there before the trace: those that the program returns or keeps, shares the memory of,
    gives a history, and whose gradients it touches."""
    traced, was_there, lifetime = trace.traced, trace.discovery.has_seen, trace.guards.lifetime

    def weak(owner: Any) -> Any:
        return lifetime.watch(owner) if tree.is_plain_tensor(owner) and was_there(owner) else owner

    def weak_grad(found: GradFound) -> GradFound:
        if found.pinned is None:
            return found
        storage, view = found.memory
        return replace(found, pinned=lifetime.watch(found.pinned), memory=(lifetime.refer(storage), view))

    for plan in all_plans(traced):
        if isinstance(plan, Held):
            value = plan.value
            plan.value = lifetime.watch(value) if was_there(value) and not is_by_value(value) else value
        elif isinstance(plan, Gradient):
            plan.owner = weak(plan.owner)
        elif isinstance(plan, Alias) and plan.gradient_of is not None:
            plan.gradient_of = weak(plan.gradient_of)
        elif isinstance(plan, Alias) and plan.storage in trace.outside:
            plan.storage = lifetime.refer(plan.storage)
    for effect in trace.effects:
        if isinstance(effect, (History, Data)):
            effect.target = weak(effect.target)
    traced.cleared = [(weak(t), mark) for t, mark in traced.cleared]
    traced.grads = [(weak(t), plan) for t, plan in traced.grads]
    traced.retained_before = [*map(weak, traced.retained_before)]
    traced.retained = [*map(weak, traced.retained)]
    traced.passed_on = [each.mapped(weak, lambda plan: plan) for each in traced.passed_on]
    traced.grads_found = [(weak(t), weak_grad(found)) for t, found in traced.grads_found]
    traced.kept_apart = [tuple([*map(weak, owners)] for owners in pair) for pair in traced.kept_apart]
    traced.wrt = [(place, weak(t)) for place, t in traced.wrt]
    for source in traced.inputs:
        source.gradient_of = weak(source.gradient_of)


def owners_of(traced: Traced) -> list[Any]:
    """What the plans of a program say of whom."""
    found = [t for t, _ in (*traced.cleared, *traced.grads, *traced.grads_found)] + [t for _, t in traced.wrt]
    found += [*traced.retained_before, *traced.retained, *(t for each in traced.passed_on for t, _ in each.gradients)]
    found += [owner for pair in traced.kept_apart for owners in pair for owner in owners]
    return [*found, *(source.gradient_of for source in traced.inputs)]


def all_plans(traced: Traced) -> Iterator[Output]:
    """The outputs, and what they are made of."""
    gradients = [pair for each in traced.passed_on for pair in each.gradients]
    values = [plan for _, plan in (*traced.grads, *gradients)]
    pending: list[Any] = [*traced.outputs, *values, *owners_of(traced)]
    seen: set[int] = set()
    while pending:
        plan = pending.pop()
        if isinstance(plan, Output) and id(plan) not in seen:
            seen.add(id(plan))
            yield plan
            pending += [getattr(plan, "base", None), getattr(plan, "history", None)]


def tokens(traced: Traced, effects: Iterable[Effect]) -> list[Weak]:
    """The references by which plans and effects know objects."""
    found = owners_of(traced)
    for plan in all_plans(traced):
        if isinstance(plan, (Held, Gradient)):
            found.append(plan.value if isinstance(plan, Held) else plan.owner)
        elif isinstance(plan, Alias):
            found.append(plan.gradient_of)
    for effect in effects:
        if isinstance(effect, (History, Data)):
            found.append(effect.target)
    return [value for value in found if is_weak(value)]


def memory_tokens(traced: Traced) -> list[Weak]:
    """The same of memory that outputs share."""
    return [plan.storage for plan in all_plans(traced) if isinstance(plan, Alias) and type(plan.storage) is Weak]


def let_go_of_what_was_there(trace: CallTrace) -> None:
    """Of what the function could reach, and of what was in places, which nobody puts back any more."""
    trace.discovery.let_go()
    trace.guards.weaken()
    for place in trace.places:
        weaken(place)
    for effect in trace.effects:
        if isinstance(effect, Assign):
            weaken(effect.place)


__all__ = ["let_go_of_tensors", "let_go_of_what_was_there", "memory_tokens", "tokens"]
