"""Tracing one call: what the function can reach, tensors in the place of arguments, and what it did to Python."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ..runtime.storage import Storage
from . import dispatch, grad_mode, tree
from .errors import runtime_error
from .guards import Cell, Contents, Entry, Guards, bump
from .launch import ELSEWHERE
from .modes import modes
from .reach import Reach
from .scalars import SPEC as NUMBER
from .scalars import number
from .tensor import Tensor, wrap
from .traced import Finisher, Traced
from .tracing import Trace, tracing


@dataclass(frozen=True)
class Call:
    """The arguments of one call, flattened."""

    structure: Any
    leaves: Sequence[Any]
    names: Sequence[str]
    """What the user calls them."""
    dynamic_floats: bool
    """Whether floats are run-time numbers; otherwise they are constants."""


class CallTrace:
    """A function traced for one call."""

    traced: Traced
    requires_grad: list[tuple[int, bool]]
    """Arguments whose `requires_grad` the function sets."""

    def __init__(self, function: Callable[..., Any], call: Call, keep_gradients: bool) -> None:
        self.reusable = True
        """Whether later calls may use the program; not where tracing changed what it depends on."""
        self._reach = reach = Reach()
        reach.add_root(function, getattr(function, "__name__", "function"))
        for value, name in zip(call.leaves, call.names, strict=True):
            if not isinstance(value, Tensor):
                reach.add_root(value, name)
        self.guards: Guards = reach.finish()
        self._found = (*reach.runtime, *self.guards.always, *self.guards.slow)
        """All that was there before."""
        self.outside = frozenset(reach.names_of_storages)
        """Storages that the function can reach on its own."""
        self._trace = Trace(dict(reach.names_of_storages))
        self._run(function, call, keep_gradients)
        reach.add_optimizer_state()
        self._trace.release()

    def _run(self, function: Callable[..., Any], call: Call, keep_gradients: bool) -> None:
        trace = self._trace
        given, stand_ins = self._arguments(trace, call)
        mode = modes.grad
        try:
            with tracing(trace):
                args, kwargs = tree.rebuild(call.structure, iter(given))
                output = function(*args, **kwargs)
                grad_mode.switch(mode)
                self._settle_hooks(trace, output)
                self._settle(trace)
                self.requires_grad = [
                    (i, t._requires_grad)
                    for t, i in stand_ins.items()
                    if t._node is None and t._requires_grad is not getattr(call.leaves[i], "requires_grad", False)
                ]
                self._check_arguments(call, given, args, kwargs)
                self._check_output(output)
                known = self._reach.tensors
                finisher = Finisher(trace, stand_ins, lambda t: id(t) in known, keep_gradients)
                self.traced = finisher.finish(output)
        except BaseException:
            self.undo()
            raise
        finally:
            grad_mode.switch(mode)
            trace.end()

    def undo(self) -> None:
        """Takes back what tracing changed in Python."""
        self._trace.fail()
        for guard in self._found:
            if not guard.holds():
                guard.restore()
        bump()

    # Before

    def _arguments(self, trace: Trace, call: Call) -> tuple[list[Any], dict[Tensor, int]]:
        """What the function is called with, and which of it stands for which leaf."""
        given: list[Any] = []
        stand_ins: dict[Tensor, int] = {}
        by_id: dict[int, Tensor] = {}
        leaves, dynamic_floats = call.leaves, call.dynamic_floats
        storages = [v._storage for v in leaves if isinstance(v, Tensor)]
        for i, (value, name) in enumerate(zip(leaves, call.names, strict=True)):
            if isinstance(value, Tensor):
                new = by_id.get(id(value))
                if new is None:
                    new = by_id[id(value)] = self._stand_in(trace, value, i, name, storages.count(value._storage) > 1)
                    stand_ins[new] = i
                given.append(new)
            elif dynamic_floats and is_float(value):
                storage = Storage(None, NUMBER)
                trace.declare_number(storage, i, name)
                new = number(storage)
                stand_ins[new] = i
                given.append(new)
            else:
                given.append(value)
        return given, stand_ins

    def _stand_in(self, trace: Trace, value: Tensor, leaf: int, name: str, shared: bool) -> Tensor:
        """A tensor in the place of an argument, so that what the trace does to it leaves the caller's alone."""
        storage = value._storage
        if value._view is None or shared or storage in self.outside:
            new = wrap(storage, value._spec, value._view, type(value))
        else:
            # A view: later calls may pass any view of this shape, so the trace sees bytes of their own.
            storage = Storage(ELSEWHERE, value._spec)
            new = wrap(storage, value._spec, None, type(value))
        trace.declare_argument(storage, leaf, name, whole=new._view is not None)
        new._requires_grad = value.requires_grad
        new._grad = value._grad
        new.__dict__.update(value.__dict__)
        return new

    # After

    def _settle_hooks(self, trace: Trace, output: Any) -> None:
        if "hooks" in trace.__dict__ and modes.grad:
            from .autograd_traced import settle_hooks

            leaves: list[Any] = []
            tree.flatten(output, leaves)
            settle_hooks(trace, [y for y in leaves if isinstance(y, Tensor) and y.requires_grad])

    def _settle(self, trace: Trace) -> None:
        """After the function ran: what happened to the Python values that it depends on.

        A traced tensor assigned over one from outside becomes an update of that one in place. Other traced tensors
        would have no value after the trace. A function that changes plain values is traced again on each call.
        """
        for entry in self._reach.runtime:
            if not entry.holds():
                raise runtime_error(
                    f"the compiled function changes {entry.name}, which compiled programs read on each call. Change it "
                    "outside, before or after the call"
                )
        for guard in list(self.guards.broken()):
            now = guard.now()
            before = guard.expected
            if not isinstance(now, Tensor) or now._storage.array is not None:
                if holds_traced(guard.container if isinstance(guard, Contents) else now):
                    raise self._kept(guard.name)
                self.reusable = False
                continue
            if (
                isinstance(guard, (Entry, Cell))
                and isinstance(before, Tensor)
                and before._spec == now._spec
                and before._view is None
                and before._storage.array is not None
            ):
                trace.write(before._storage, trace.detached(dispatch.value_of(trace, now)))
                guard.restore()
                continue
            raise self._kept(guard.name)

    def _kept(self, name: str) -> RuntimeError:
        return runtime_error(
            f"the compiled function keeps a tensor in `{name}`, which would have no value after tracing. Return the "
            "tensor instead, or write into an existing one of the same shape"
        )

    def _check_arguments(self, call: Call, given: Sequence[Any], args: Any, kwargs: Any) -> None:
        after: list[Any] = []
        same = tree.flatten((args, kwargs), after) == call.structure
        if not same or any(a is not b for a, b in zip(after, given, strict=True)):
            raise runtime_error(
                "the compiled function changes a list or dictionary that it was given, which later calls would not "
                "repeat. Return the new values instead"
            )

    def _check_output(self, output: Any) -> None:
        leaves: list[Any] = []
        tree.flatten(output, leaves)
        for value in leaves:
            if not isinstance(value, Tensor) and holds_traced(value):
                raise runtime_error(
                    f"the compiled function returns a {type(value).__name__} that holds tensors. Return tensors, plain "
                    "values, or tuples, lists, dictionaries and named tuples of these"
                )


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


def is_float(value: Any) -> bool:
    """Whether an argument is a number that may change from call to call."""
    return type(value) is float or isinstance(value, np.floating)


def holds_traced(value: Any) -> bool:
    """Whether a container holds tensors without bytes."""
    if isinstance(value, Tensor):
        return value._storage.array is None
    if isinstance(value, dict):
        value = tuple(cast(dict[Any, Any], value).values())
    if isinstance(value, (list, tuple, set)):
        return any(map(holds_traced, cast(Sequence[Any], value)))
    return any(isinstance(v, Tensor) and v._storage.array is None for v in getattr(value, "__dict__", {}).values())
