"""One program of a compiled function: traced for one key, valid while what it read stays the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...dialects.types import TensorSpec
from ...runtime.storage import Storage
from .. import mutations, tree
from ..autograd.gradients import backward
from ..autograd.hooks import retain_grad
from ..dispatch import array_of
from ..tensor import Tensor, alias, wrap
from ..views import replay
from ..writes import adopt
from .backward import Differentiable, spend
from .call_trace import Call, CallTrace, no_collection, share, sharing
from .effects import EXCHANGED, History
from .evaluation import Stale
from .guards import PLAIN, is_by_value, same, show
from .inspection import describe_call
from .launch import Failures, Launch
from .let_go import let_go_of_tensors, let_go_of_what_was_there
from .reference import REFERENCE, ReferenceProgram
from .traced import Alias, Fresh, Given, Held, Output, Owner, Part
from .weak import Identities, Weak, referent, weakened

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from ...runtime.profiling import Profile, ProfiledProgram


SMALL = 1 << 20
"""Bytes of an argument that is overwritten, up to which each call copies it for gradients of gradients."""


def nbytes(spec: TensorSpec) -> int:
    """The size of a tensor."""
    return math.prod(spec.shape) * spec.dtype.itemsize


def make_program(module: ModuleOp, target: str) -> Any:
    """The program of a traced module."""
    if target == REFERENCE:
        return ReferenceProgram(module)
    from ...runtime.compiler import compile_module

    return compile_module(module, target)


def late_checks(program: Any) -> Collection[int]:
    """The checks of a program that come after some state was updated; none where nothing is written before the end."""
    plan = getattr(program, "plan", None)
    return frozenset(plan["errors"]["late"]) if plan else ()


class Specialization:
    """A traced and compiled function for one shape of call."""

    def __init__(self, function: Callable[..., Any], call: Call, keep_gradients: bool, target: str) -> None:
        self.target = target
        leaves = call.leaves
        self.signature = describe_call(call)
        """What the program is chosen by, in words."""
        self._profiled: tuple[ProfiledProgram, Launch] | None = None
        self._undone = False
        """Whether what tracing changed in Python was taken back, so that it has to be traced anew."""
        with no_collection():
            self._call_trace: CallTrace | None = CallTrace(function, call, keep_gradients)
            """What can take back the trace; None once a call has run to its end, or has changed state."""
            trace = self._call_trace
            self.traced, self.guards, self.reusable = trace.traced, trace.guards, trace.reusable
            self.lifetime = self.guards.lifetime
            objects = [v for v in leaves if not isinstance(v, Tensor) and type(v) not in PLAIN]
            self._objects = [v if is_by_value(v) else self.lifetime.watch(v) for v in objects]
            """Objects that keys know by their id: the program goes with the first of them."""
            let_go_of_tensors(self.traced, trace.discovery.has_seen, self.lifetime)
            self._compile()
        self._fixed, self.numbers = trace.fixed, trace.numbers
        self._names = call.names
        self.impure = bool(trace.impure)
        """Whether the trace has done something that the program does not: other calls like it run uncompiled."""
        self._outside = Identities(trace.outside)
        self._effects, self._places = trace.effects, trace.places
        self._histories = [effect for effect in trace.effects if isinstance(effect, History)]
        self._themselves = {i: weakened(tensor) for i, tensor in trace.themselves.items()}
        self._written, self._pattern, self._requires_grad = trace.written, trace.pattern, trace.requires_grad
        self._values = trace.argument_values
        self._aliases = {
            i: (v._storage, v._view)
            for i, v in enumerate(leaves)
            if isinstance(v, Tensor) and v._storage in trace.outside
        }
        self._tensor_leaves = [i for i, v in enumerate(leaves) if isinstance(v, Tensor)]
        self._cleared = [(t, mark) for t, mark in self.traced.cleared if not isinstance(t, int)]
        self._cleared_leaves = [(t, mark) for t, mark in self.traced.cleared if isinstance(t, int)]

    def undo(self) -> None:
        """Takes back what tracing changed in Python."""
        if self._call_trace is not None:
            self._undone = True
            self._call_trace.undo()
            self._call_trace = None

    # Compiling

    def _compile(self) -> None:
        traced = self.traced
        self._differentiable: Differentiable | None = None
        try:
            module = traced.module
            if traced.wrt and traced.differentiable:
                function: Any = next(iter(module.ops))
                self._differentiable = Differentiable(
                    *(function, [place for place, _ in traced.wrt], [k for k, _ in traced.differentiable]),
                    partial(make_program, target=self.target),
                    traced.reached,
                    traced.together,
                )
                module = self._differentiable.forward.module
            self.program = make_program(module, self.target)
            self._plan_gradients()
            self.launch = self._launch_of(self.program)
        except BaseException:
            self.undo()
            raise

    def _plan_gradients(self) -> None:
        """What each call keeps for gradients of its outputs: residuals, and arguments for gradients of gradients."""
        from ...passes.hl.partition import arguments_of

        self._residuals: list[tuple[str, int]] = []
        self._kept: list[int] = []
        if self._differentiable is None:
            return
        traced, parts = self.traced, self._differentiable.parts
        returned = len(self._differentiable.function.function_type.outputs)
        first = returned - len(traced.own)
        for residual in parts.residuals:
            if residual.of == "argument":
                self._residuals.append(("argument", residual.index))
            elif residual.index < returned:
                self._residuals.append(("result", traced.own[residual.index - first]))
            else:
                self._residuals.append(("result", len(traced.results) + residual.index - returned))
        needed = {i for of, i in self._residuals if of == "argument"}
        updated = {id(source) for source in traced.updated}
        for i in arguments_of(self._differentiable.function, [k for k, _ in traced.differentiable]):
            if id(traced.inputs[i]) not in updated or nbytes(traced.inputs[i].spec) <= SMALL:
                needed.add(i)
        self._kept = sorted(needed)

    def _launch_of(self, program: Any) -> Launch:
        traced = self.traced
        saved: list[TensorSpec] = []
        if self._differentiable is not None:
            runner = self._differentiable.forward
            saved = runner.results[len(self._differentiable.function.function_type.outputs) :]
        first = len(traced.results)
        own = [*traced.own, *range(first, first + len(saved))]
        launch = Launch(
            program,
            traced.inputs,
            traced.updated,
            [*traced.results, *saved],
            own,
            traced.copies,
            self._failures(program),
        )
        for index in self._kept:
            launch.keep(traced.inputs[index])
        return launch

    def _failures(self, program: Any) -> Failures | None:
        checks = self.traced.checks
        return Failures(checks, late_checks(program)) if checks.made else None

    def modules(self) -> list[ModuleOp]:
        """The traced function, or its two halves where its outputs are differentiated outside."""
        if self._differentiable is None:
            return [self.traced.module]
        return [self._differentiable.forward.module, self._differentiable.backward.module]

    def loaded(self) -> list[Any]:
        """The compiled programs so far: backward follows when it is first needed."""
        found = [self.program, None if self._differentiable is None else self._differentiable.backward.program]
        return [program for program in found if hasattr(program, "plan")]

    # Calls

    def mismatch(self, leaves: Sequence[Any]) -> bool:
        """Whether this call's tensors share memory otherwise than those traced, or what was read has changed."""
        if self.impure and not self.reusable:
            return False  # whatever has changed: these calls run uncompiled
        for i, value in self._fixed:
            if leaves[i] is not value and not same(leaves[i], value):
                return True
        outside, aliases = self._outside.ids, self._aliases
        if self._undone:
            return True
        for i in self._tensor_leaves:
            tensor = leaves[i]
            if id(tensor._storage) in outside:
                if aliases.get(i) != (tensor._storage, tensor._view):
                    return True
            elif i in aliases:
                return True
        if any(leaves[i] is not tensor() for i, tensor in self._themselves.items()):
            return True
        if not self._has_values(leaves):
            return True
        written, pattern = self._written, self._pattern
        if written and (share(leaves, written) if pattern is None else sharing(leaves) != pattern):
            return True
        if not self.guards.hold():
            return True
        found = self._all(leaves)
        if found is None:
            return True
        for owner, spec in self.traced.grads_found:
            grad = (found[owner] if isinstance(owner, int) else referent(owner))._grad
            if (grad is None) is not (spec is None) or (grad is not None and grad._spec != spec):
                return True
        return False

    def _has_values(self, leaves: Sequence[Any]) -> bool:
        """Whether arguments hold the numbers that Python has asked for."""
        return all(np.array_equal(array_of(leaves[i]), array) for i, array in self._values.items())

    def _all(self, leaves: Sequence[Any]) -> Sequence[Any] | None:
        """The arguments of a call, with what the function finds in places of its own, and numbers computed of them;
        None where these need another program."""
        if not self._places and not self.numbers:
            return leaves
        found = self._with_places(leaves)
        numbers = self.numbers(found)
        return None if numbers is None else found + numbers

    def _with_places(self, leaves: Sequence[Any]) -> list[Any]:
        found = list(leaves)
        for place in self._places:
            tree.flatten(place.now(), found, EXCHANGED)
        return found

    def _leaves(self, leaves: Sequence[Any]) -> Sequence[Any]:
        found = self._all(leaves)
        if found is None:
            raise Stale
        return found

    def changes(self, leaves: Sequence[Any]) -> list[str]:
        """Why a call with the same arguments needs another program, in words."""
        found = [
            f"argument {self._names[i]} was {show(value)}, is now {show(leaves[i])}"
            for i, value in self._fixed
            if not same(leaves[i], value)
        ]
        found += self.guards.differences() or self.numbers.differences(self._with_places(leaves))
        for owner, spec in self.traced.grads_found if not found else ():
            tensor = self._leaves(leaves)[owner] if isinstance(owner, int) else referent(owner)
            if (tensor._grad is None) is not (spec is None):
                found.append(f".grad of a {tensor._spec} was {'None' if spec is None else 'there'} and is no longer")
        if not found and not self._has_values(leaves):
            found.append("Python needs the numbers of an argument, such as lengths of sequences, and they are others")
        if not found and self.mismatch(leaves):
            found.append("arguments share memory with each other or with state in another way")
        if not self.reusable:
            found.append(
                "tracing changed Python values that the function depends on, or drew from an iterator or from random "
                "numbers of Python or numpy, so that each call traces anew"
            )
        return found

    def run(self, leaves: Sequence[Any], arguments: Any, is_new: bool = False) -> Any:
        """One call. `arguments`: what was flattened to the leaves. `is_new`: the call that was traced, which goes on
        with the numbers of the trace."""
        leaves = [*self._with_places(leaves), *self.numbers.traced] if is_new else self._leaves(leaves)
        for history in self._histories:
            history.check(leaves)
        results, kept = self._launched(leaves)
        self._set_requires_grad(leaves, True)
        traced = self.traced
        made: dict[Output, Tensor] = {}
        if self._differentiable is not None:  # before what is a view of its results
            self._record(leaves, results, kept, made)
        self._set_requires_grad(leaves, False)
        outputs = [self._output(plan, leaves, results, made) for plan in traced.outputs]
        for tensor, mark in self._cleared:
            referent(tensor)._grad = mark
        for leaf, mark in self._cleared_leaves:
            leaves[leaf]._grad = mark
        for owner, plan in traced.grads:
            self._owned(owner, leaves, results, made)._grad = self._output(plan, leaves, results, made)
        self._retain(traced.retained_before, leaves, results, made)
        for owner, plan, retain_graph in traced.passed_on:
            tensor = self._owned(owner, leaves, results, made)
            backward([tensor], [self._output(plan, leaves, results, made)], retain_graph=retain_graph)
        for callback in traced.after_call:
            callback()
        output, values = tree.rebuild(traced.structure, iter(outputs))
        if self._effects:
            sealed = self.guards.checked_at == mutations.count
            for effect, value in zip(self._effects, values, strict=True):
                effect.apply(value, arguments)
            if sealed:  # what the program itself replaces, it does not depend on
                self.guards.checked_at = mutations.count
        self._retain(traced.retained, leaves, results, made)
        return output

    def _retain(
        self,
        owners: Sequence[Owner],
        leaves: Sequence[Any],
        results: Sequence[Storage],
        made: dict[Output, Tensor],
    ) -> None:
        for owner in owners:
            tensor = self._owned(owner, leaves, results, made)
            if tensor.requires_grad:
                retain_grad(tensor)

    def _set_requires_grad(self, leaves: Sequence[Any], which: bool) -> None:
        for leaf, requires_grad in self._requires_grad:
            if requires_grad is which:
                leaves[leaf].requires_grad = requires_grad

    def _launched(self, leaves: Sequence[Any]) -> tuple[list[Storage], list[Storage]]:
        """Runs the program. A first call that fails leaves nothing behind, such as the state that an optimizer made."""
        try:
            results = self.launch.run(leaves)
        except Exception as error:
            if not getattr(error, "changed_state", False):
                self.undo()
            raise
        finally:
            if self._call_trace is not None:
                let_go_of_what_was_there(self._call_trace)
                self._call_trace = None
        return results

    def profile(self, leaves: Sequence[Any], steps: int) -> Profile:
        """The time of each kernel, as the mean of several runs; state is left as it is."""
        from ...runtime.profiling import ProfiledProgram

        if not self.loaded():
            raise RuntimeError(f"programs for the target {self.target!r} have no kernels to measure")
        if self._profiled is None:
            program = ProfiledProgram(self.modules()[0], self.target)
            self._profiled = program, self._launch_of(program)
        program, launch = self._profiled
        leaves = self._leaves(leaves)
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
                tensor = referent(source.gradient_of)._grad
            storage: Any = source.storage if tensor is None else tensor._storage
            found.append((storage.array, storage.array.copy()))
        return found

    def _output(
        self, plan: Output, leaves: Sequence[Any], results: Sequence[Storage], made: dict[Output, Tensor]
    ) -> Any:
        match plan:
            case Given():
                return leaves[plan.leaf]
            case Held():
                return plan.value
            case _:
                found = made.get(plan)
                if found is None:
                    found = made[plan] = self._make(plan, leaves, results, made)
                return found

    def _make(
        self,
        plan: Fresh | Alias | Part,
        leaves: Sequence[Any],
        results: Sequence[Storage],
        made: dict[Output, Tensor],
    ) -> Tensor:
        match plan:
            case Part():
                return replay(self._output(plan.base, leaves, results, made), plan.origin, plan.view)
            case Fresh():
                new = wrap(results[plan.result], plan.spec, plan.view)
                if plan.spent is not None:
                    spend(new, plan.spent)
            case Alias():
                new = self._share(plan, leaves)
        if plan.leaf_of_graph:
            new._requires_grad = True
        if isinstance(plan, Alias) and plan.history is not None:
            adopt(new, self._output(plan.history, leaves, results, made))
        return new

    @staticmethod
    def _share(plan: Alias, leaves: Sequence[Any]) -> Tensor:
        """A tensor over memory from outside."""
        if plan.leaf is None:
            assert plan.storage is not None
            return wrap(plan.storage, plan.spec, plan.view)
        tensor = leaves[plan.leaf]
        return wrap(tensor._storage, plan.spec, plan.view) if plan.whole else replay(alias(tensor), None, plan.view)

    def _owned(
        self, owner: Owner, leaves: Sequence[Any], results: Sequence[Storage], made: dict[Output, Tensor]
    ) -> Tensor:
        """The tensor of this call that an owner stands for."""
        if isinstance(owner, int):
            return leaves[owner]
        if isinstance(owner, (Tensor, Weak)):
            return referent(owner)
        return self._output(owner, leaves, results, made)

    def _record(
        self,
        leaves: Sequence[Any],
        results: Sequence[Storage],
        kept: Sequence[Storage],
        made: dict[Output, Tensor],
    ) -> None:
        assert self._differentiable is not None
        outputs = [self._output(plan, leaves, results, made) for _, plan in self.traced.differentiable]
        inputs = [self._owned(owner, leaves, results, made) for _, owner in self.traced.wrt]
        arguments = dict(zip(self._kept, kept))
        residuals = [arguments[i] if of == "argument" else results[i] for of, i in self._residuals]
        self._differentiable.attach(outputs, inputs, residuals, arguments)
