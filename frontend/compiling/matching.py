"""Whether a program is for a call: questions of the call's arguments and of what the function can reach.

Each program has a list of questions that it needs to ask, those that tell programs apart first; what cannot differ is
not asked.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..eager import on_host
from ..tape import leads_to
from ..tensor import Tensor
from .aliasing import Aliasing, span_of
from .call_arguments import CallArguments
from .call_trace import CallTrace
from .effects import EXCHANGED
from .guard_set import Guards
from .guards import same
from .holders import Holders
from .memory import MEMORIES
from .places import is_a
from .sharing import meet, share, sharing
from .show import show
from .traced import Traced
from .weak import Identities, referent

Question = Callable[[Sequence[Any]], bool]
"""Asks the leaves of a call; False where it needs another program."""


class Matching:
    """The calls that one program is for."""

    def __init__(self, traced: Traced, trace: CallTrace, call: CallArguments) -> None:
        leaves = call.leaves
        self._guards: Guards = trace.guards
        self._reusable = trace.reusable
        self._names, self._fixed = call.names, trace.fixed
        self._places, self._numbers = trace.places, trace.numbers
        self._values = trace.argument_values
        self._grads_found, self._kept_apart = traced.grads_found, traced.kept_apart
        self.outside = Identities(trace.outside)
        """The memory that the function can reach on its own."""
        tensors = [i for i, v in enumerate(leaves) if is_a(v, Tensor)]
        self._aliases: dict[int, tuple[Any, Any]] = {
            i: (leaves[i]._storage, leaves[i]._view) for i in tensors if leaves[i]._storage in trace.outside
        }
        watch = trace.guards.lifetime.watch
        self._themselves = {i: watch(tensor) for i, tensor in trace.themselves.items()}
        self._tensors = tensors
        self._arrays = [*map(span_of, trace.discovery.arrays)]
        self._holders = Holders(map(weakref.ref, trace.owners.values()), trace.replaced) if trace.owners else None
        self.watch_memory(traced)
        self._devices = [(i, leaves[i]._storage.device) for i in tensors]
        self._written, self._pattern = trace.written, trace.pattern
        self.over = False
        """Whether what tracing changed in Python was taken back, so that it has to be traced anew."""
        self._ask()

    def watch_memory(self, traced: Traced) -> bool:
        """Asks from here on whether memory is apart that this program relies on to be; False where it never is."""
        aliasing = Aliasing(traced.inputs, traced.updated, self._arrays)
        self._aliasing = aliasing if aliasing.asks else None
        return aliasing.is_possible

    def _ask(self) -> None:
        asked: list[tuple[Any, Question]] = [
            (len(MEMORIES) > 1 and self._tensors, self._is_where_it_was),
            (self._fixed, self._is_fixed),
            (self.outside.ids and self._tensors, self._aliases_as_before),
            (self._themselves, self._has_themselves),
            (self._values, self._has_values),
            (self._written, self._shares_as_before),
        ]
        self._questions = [question for about, question in asked if about]

    def rebound(self, guards: Guards, reference: Callable[[Any], Any], outside: Iterable[Any]) -> Matching:
        """The same for other tensors. `reference`: what refers to the one in the place of another."""
        new = copy.copy(self)
        new._guards, new.outside = guards, Identities(outside)
        new._themselves = {i: reference(tensor) for i, tensor in self._themselves.items()}
        new._grads_found = [(reference(owner), spec) for owner, spec in self._grads_found]
        new._kept_apart = [tuple([*map(reference, owners)] for owners in pair) for pair in self._kept_apart]
        new._ask()
        return new

    @property
    def aliased(self) -> list[Any]:
        """The memory that arguments share with what the function can reach on its own."""
        return [storage for storage, _ in self._aliases.values()]

    def leaves(self, leaves: Sequence[Any]) -> Sequence[Any] | None:
        """What the program is to be run with: the leaves of a call, then what the function finds in places of its own,
        then numbers computed of these. None where the call needs another program."""
        if self.over:
            return None
        for question in self._questions:
            if not question(leaves):
                return None
        numbers: Sequence[Any] | None = ()
        if self._numbers and not self._places:  # asked first: numbers often tell programs apart, and cost less
            numbers = self._numbers(leaves)
            if numbers is None:
                return None
        if not self._guards.hold():
            return None
        if self._holders is not None and not self._holders.are_none():
            return None
        if self._places:
            count, leaves = len(leaves), self._with_places(leaves)
            if self._written and meet(leaves[:count], leaves[count:]):
                return None
            numbers = self._numbers(leaves)
            if numbers is None:
                return None
        if numbers:
            leaves = [*leaves, *numbers]
        if self._grads_found and not self._has_grads(leaves):
            return None
        if self._kept_apart and self._flows_outside(leaves):
            return None  # whose trace says so at its line
        if self._aliasing is not None and not self._aliasing.holds(leaves):
            return None
        return leaves

    def traced(self, leaves: Sequence[Any]) -> Sequence[Any]:
        """The same of the call that was traced, which goes on with the numbers of its trace."""
        return [*self._with_places(leaves), *self._numbers.traced]

    # Questions

    def _is_where_it_was(self, leaves: Sequence[Any]) -> bool:
        """Whether tensors are on the devices that they were on."""
        for i, where in self._devices:
            found = leaves[i]._storage.device
            if found is not where and found != where:
                return False
        return True

    def _is_fixed(self, leaves: Sequence[Any]) -> bool:
        """Whether numbers that are constants are those traced."""
        return all(same(leaves[i], value) for i, value in self._fixed)

    def _aliases_as_before(self, leaves: Sequence[Any]) -> bool:
        """Whether arguments share memory with what the function can reach on its own exactly where they did."""
        outside, aliases = self.outside.ids, self._aliases
        for i in self._tensors:
            tensor = leaves[i]
            if id(tensor._storage) in outside:
                if aliases.get(i) != (tensor._storage, tensor._view):
                    return False
            elif i in aliases:
                return False
        return True

    def _has_themselves(self, leaves: Sequence[Any]) -> bool:
        """Whether arguments that the function can also reach on its own are the same objects."""
        return all(leaves[i] is tensor() for i, tensor in self._themselves.items())

    def _has_values(self, leaves: Sequence[Any]) -> bool:
        """Whether arguments hold the numbers that Python has asked for."""
        return all(np.array_equal(on_host(leaves[i]), array) for i, array in self._values.items())

    def _shares_as_before(self, leaves: Sequence[Any]) -> bool:
        """Whether arguments that are written to share memory with others as they did."""
        if self._pattern is None:
            return not share(leaves, self._written)
        return sharing(leaves) == self._pattern

    def _has_grads(self, leaves: Sequence[Any]) -> bool:
        """Whether gradients are such as those found, and have memory of their own where those had."""
        own: list[int] = []
        for owner, found in self._grads_found:
            grad = (leaves[owner] if isinstance(owner, int) else referent(owner))._grad
            if not found.fits(grad):
                return False
            if found.pinned is None and is_a(grad, Tensor):
                own.append(id(grad._storage))
        return len(own) == len(set(own)) and self.outside.ids.isdisjoint(own)

    def _flows_outside(self, leaves: Sequence[Any]) -> bool:
        """Whether a gradient that is asked for would flow on outside of the function."""

        def tensors(owners: Sequence[Any]) -> list[Tensor]:
            return [leaves[owner] if isinstance(owner, int) else referent(owner) for owner in owners]

        return any(
            leads_to([x.grad_fn for x in tensors(computed)], tensors(wanted)) for computed, wanted in self._kept_apart
        )

    def _with_places(self, leaves: Sequence[Any]) -> list[Any]:
        found = list(leaves)
        for place in self._places:
            tree.flatten(place.now(), found, EXCHANGED)
        return found

    # Words

    def differences(self, leaves: Sequence[Any]) -> list[str]:
        """Why a call with the same arguments needs another program, in words."""
        found = [
            f"argument {self._names[i]} was {show(value)}, is now {show(leaves[i])}"
            for i, value in self._fixed
            if not same(leaves[i], value)
        ]
        whole = self._with_places(leaves)
        found += self._guards.differences() or self._numbers.differences(whole)
        for owner, grad in self._grads_found if not found else ():
            tensor = whole[owner] if isinstance(owner, int) else referent(owner)
            if (tensor._grad is None) is not (grad.spec is None):
                before = "None" if grad.spec is None else "there"
                found.append(f".grad of a {tensor._spec} was {before} and is no longer")
            elif not grad.fits(tensor._grad):
                found.append(f".grad of a {tensor._spec} is another one, or a part of another tensor")
        if not found and not self._has_values(leaves):
            found.append("Python needs the numbers of an argument, such as lengths of sequences, and they are others")
        if not found and self.leaves(leaves) is None:
            found.append("arguments share memory with each other or with state in another way")
        if not self._reusable:
            found.append(
                "tracing changed Python values that the function depends on, or drew from an iterator or from random "
                "numbers of Python or numpy, so that each call traces anew"
            )
        return found


__all__ = ["Matching"]
