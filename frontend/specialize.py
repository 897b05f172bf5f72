"""One program of a compiled function: traced for one key, valid while what it read stays the same."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..runtime.storage import Storage
from . import dispatch, grad_mode, tree
from .backward import Backward, split
from .errors import runtime_error
from .guards import PLAIN, Cell, Entry, Guards, bump
from .inspection import describe_call
from .launch import ELSEWHERE, Launch
from .reach import Reach
from .reference import REFERENCE, ReferenceProgram
from .scalars import SPEC as NUMBER
from .scalars import number
from .tensor import Tensor, alias, wrap
from .traced import Alias, Finisher, Fresh, Given, Held, Output, Traced
from .tracing import Trace, tracing
from .views import replay

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from ..runtime.profiling import Profile, ProfiledProgram


def make_program(module: ModuleOp, target: str) -> Any:
    """The program of a traced module."""
    if target == REFERENCE:
        return ReferenceProgram(module)
    from ..runtime.compiler import compile_module

    return compile_module(module, target)


class Specialization:
    """A traced and compiled function for one shape of call."""

    def __init__(
        self,
        function: Callable[..., Any],
        structure: Any,
        leaves: Sequence[Any],
        names: Sequence[str],
        dynamic_floats: bool,
        keep_gradients: bool,
        target: str,
    ) -> None:
        self.target = target
        self.signature = describe_call(leaves, names, dynamic_floats)
        """What the program is chosen by, in words."""
        self._profiled: tuple[ProfiledProgram, Launch] | None = None
        self.reusable = True
        """Whether later calls may use the program; not where tracing changed what it depends on."""
        self.objects = [v for v in leaves if not isinstance(v, Tensor) and type(v) not in PLAIN]
        reach = Reach()
        reach.add_root(function, getattr(function, "__name__", "function"))
        for value, name in zip(leaves, names, strict=True):
            if not isinstance(value, Tensor):
                reach.add_root(value, name)
        self.guards: Guards = reach.finish()
        self._runtime = reach.runtime
        self._outside = frozenset(reach.names_of_storages)
        """Storages that the function can reach on its own."""
        self._aliases = {
            i: (v._storage, v._view)
            for i, v in enumerate(leaves)
            if isinstance(v, Tensor) and v._storage in self._outside
        }
        with no_collection():
            self.traced = self._trace(function, structure, leaves, names, dynamic_floats, keep_gradients, reach)
        reach.add_optimizer_state()
        self._cleared = [t for t in self.traced.cleared if not isinstance(t, int)]
        self._cleared_leaves = [t for t in self.traced.cleared if isinstance(t, int)]
        self._tensor_leaves = [i for i, v in enumerate(leaves) if isinstance(v, Tensor)]
        with no_collection():
            self._compile()

    # Tracing

    def _trace(
        self,
        function: Callable[..., Any],
        structure: Any,
        leaves: Sequence[Any],
        names: Sequence[str],
        dynamic_floats: bool,
        keep_gradients: bool,
        reach: Reach,
    ) -> Traced:
        trace = Trace(dict(reach.names_of_storages))
        given, stand_ins = self._arguments(trace, leaves, names, dynamic_floats)
        mode = grad_mode.enabled
        try:
            with tracing(trace):
                args, kwargs = tree.rebuild(structure, iter(given))
                output = function(*args, **kwargs)
                grad_mode.switch(mode)
                self._settle(trace)
                self._check_arguments(structure, given, args, kwargs)
                known = reach.tensors
                self._check_output(output)
                finisher = Finisher(trace, stand_ins, lambda t: id(t) in known, keep_gradients)
                return finisher.finish(output)
        except BaseException:
            trace.fail()
            self._restore()
            raise
        finally:
            grad_mode.switch(mode)
            trace.end()
            self._undo = trace.fail

    def _arguments(
        self, trace: Trace, leaves: Sequence[Any], names: Sequence[str], dynamic_floats: bool
    ) -> tuple[list[Any], dict[Tensor, int]]:
        """What the function is called with, and which of it stands for which leaf."""
        given: list[Any] = []
        stand_ins: dict[Tensor, int] = {}
        by_id: dict[int, Tensor] = {}
        storages = [v._storage for v in leaves if isinstance(v, Tensor)]
        for i, (value, name) in enumerate(zip(leaves, names, strict=True)):
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
        if value._view is None or shared or storage in self._outside:
            new = wrap(storage, value._spec, value._view, type(value))
        else:
            # A view: later calls may pass any view of this shape, so the trace sees bytes of their own.
            storage = Storage(ELSEWHERE, value._spec)
            new = wrap(storage, value._spec, None, type(value))
        trace.declare_argument(storage, leaf, name)
        new._requires_grad = value.requires_grad
        new._grad = value._grad
        new.__dict__.update(value.__dict__)
        return new

    def _settle(self, trace: Trace) -> None:
        """After the function ran: what happened to the Python values that it depends on.

        A traced tensor assigned over one from outside becomes an update of that one in place. Other traced tensors
        would have no value after the trace. A function that changes plain values is traced again on each call.
        """
        for entry in self._runtime:
            if not entry.holds():
                raise runtime_error(
                    f"the compiled function changes {entry.name}, which compiled programs read on each call. Change it "
                    "outside, before or after the call"
                )
        for guard in list(self.guards.broken()):
            now = guard.now()
            before = guard.expected
            if not isinstance(now, Tensor) or now._storage.array is not None:
                if holds_traced(now):
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

    def _check_arguments(self, structure: Any, given: Sequence[Any], args: Any, kwargs: Any) -> None:
        after: list[Any] = []
        same = tree.flatten((args, kwargs), after) == structure
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

    def undo(self) -> None:
        """Takes back what tracing changed in Python."""
        self._undo()
        self._restore()

    def _restore(self) -> None:
        for guard in (*self._runtime, *self.guards.broken()):
            guard.restore()
        bump()

    # Compiling

    def _compile(self) -> None:
        traced = self.traced
        self.backward: Backward | None = None
        try:
            if traced.wrt and traced.differentiable:
                parts = split(traced)
                self.backward = Backward(parts, lambda module: make_program(module, self.target))
                self.program = make_program(parts.forward, self.target)
            else:
                self.program = make_program(traced.module, self.target)
            self.launch = self._launch_of(self.program)
        except BaseException:
            self.undo()
            raise

    def _launch_of(self, program: Any) -> Launch:
        traced = self.traced
        saved = self.backward.parts.saved if self.backward else []
        first = len(traced.results)
        own = [*traced.own, *range(first, first + len(saved))]
        launch = Launch(program, traced.inputs, traced.updated, [*traced.results, *saved], own, traced.copies)
        for of, index in self.backward.parts.residuals if self.backward else ():
            if of == "argument":
                launch.keep(traced.inputs[index])
        return launch

    def modules(self) -> list[ModuleOp]:
        """The traced function, or its two halves where its outputs are differentiated outside."""
        return [self.backward.parts.forward, self.backward.parts.backward] if self.backward else [self.traced.module]

    def loaded(self) -> list[Any]:
        """The compiled programs so far: backward follows when it is first needed."""
        found = [self.program, self.backward.program if self.backward else None]
        return [program for program in found if hasattr(program, "plan")]

    # Calls

    def mismatch(self, leaves: Sequence[Any]) -> bool:
        """Whether this call's tensors share memory otherwise than those traced, or what was read has changed."""
        outside, aliases = self._outside, self._aliases
        for i in self._tensor_leaves:
            tensor = leaves[i]
            if tensor._storage in outside:
                if aliases.get(i) != (tensor._storage, tensor._view):
                    return True
            elif i in aliases:
                return True
        for owner, spec in self.traced.grads_found:
            grad = (leaves[owner] if isinstance(owner, int) else owner)._grad
            if (grad is None) is not (spec is None) or (grad is not None and grad._spec != spec):
                return True
        return not self.guards.hold()

    def changes(self, leaves: Sequence[Any]) -> list[str]:
        """Why a call with the same arguments needs another program, in words."""
        found = self.guards.differences()
        for owner, spec in self.traced.grads_found:
            tensor = leaves[owner] if isinstance(owner, int) else owner
            if (tensor._grad is None) is not (spec is None):
                found.append(f".grad of a {tensor._spec} was {'None' if spec is None else 'there'} and is no longer")
        if not found and self.mismatch(leaves):
            found.append("arguments share memory with each other or with state in another way")
        if not self.reusable:
            found.append("tracing changed Python values that the function depends on, so that each call traces anew")
        return found

    def run(self, leaves: Sequence[Any]) -> Any:
        """One call."""
        results = self.launch.run(leaves)
        traced = self.traced
        made: dict[Fresh, Tensor] = {}
        outputs = [self._output(plan, leaves, results, made) for plan in traced.outputs]
        for tensor in self._cleared:
            tensor._grad = None
        for leaf in self._cleared_leaves:
            leaves[leaf]._grad = None
        for owner, plan in traced.grads:
            (leaves[owner] if isinstance(owner, int) else owner)._grad = self._output(plan, leaves, results, made)
        for callback in traced.after_call:
            callback()
        if self.backward is not None:
            self._record(leaves, results, made)
        return tree.rebuild(traced.structure, iter(outputs))

    def profile(self, leaves: Sequence[Any], steps: int) -> Profile:
        """The time of each kernel, as the mean of several runs; state is left as it is."""
        from ..runtime.profiling import ProfiledProgram

        if not self.loaded():
            raise RuntimeError(f"programs for the target {self.target!r} have no kernels to measure")
        if self._profiled is None:
            program = ProfiledProgram(self.modules()[0], self.target)
            self._profiled = program, self._launch_of(program)
        program, launch = self._profiled
        copies = self._snapshot(leaves)
        try:
            launch.run(leaves)
            program.reset()
            for _ in range(max(steps, 1)):
                launch.run(leaves)
        finally:
            for array, copy in copies:
                np.copyto(array, copy)
        return program.report(max(steps, 1))

    def _snapshot(self, leaves: Sequence[Any]) -> list[tuple[Any, Any]]:
        """The memory that a run would change, and copies of it."""
        found: list[tuple[Any, Any]] = []
        for source in self.traced.updated:
            tensor: Any = leaves[source.leaf] if source.leaf is not None else None
            if isinstance(source.gradient_of, int):
                tensor = leaves[source.gradient_of]._grad
            elif source.gradient_of is not None:
                tensor = source.gradient_of._grad
            storage = source.storage if tensor is None else tensor._storage
            found.append((storage.array, storage.array.copy()))
        return found

    def _output(self, plan: Output, leaves: Sequence[Any], results: Sequence[Storage], made: dict[Fresh, Tensor]) -> Any:
        match plan:
            case Fresh():
                found = made.get(plan)
                if found is None:
                    found = made[plan] = wrap(results[plan.result], plan.spec, plan.view)
                return found
            case Given():
                return leaves[plan.leaf]
            case Held():
                return plan.value
            case Alias():
                if plan.leaf is None:
                    return wrap(plan.storage, plan.spec, plan.view)
                tensor = leaves[plan.leaf]
                if plan.storage.array is not ELSEWHERE:
                    return wrap(tensor._storage, plan.spec, plan.view)
                return replay(alias(tensor), None, plan.view)

    def _record(self, leaves: Sequence[Any], results: Sequence[Storage], made: Mapping[Fresh, Tensor]) -> None:
        assert self.backward is not None
        by_result = {plan.result: tensor for plan, tensor in made.items() if plan.differentiable}
        inputs = self.traced.inputs
        self.backward.record(
            leaves,
            lambda i: self.launch.storage_of(inputs[i]),
            results,
            [by_result[number] for number in self.backward.parts.outputs],
        )


@contextmanager
def no_collection() -> Iterator[None]:
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
        return any(map(holds_traced, value.values()))
    if isinstance(value, (list, tuple, set)):
        return any(map(holds_traced, value))
    return any(isinstance(v, Tensor) and v._storage.array is None for v in getattr(value, "__dict__", {}).values())
