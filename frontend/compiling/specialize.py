"""One program of a compiled function: traced for one key, valid while what it read stays the same."""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Callable, Collection, Sequence
from functools import partial
from operator import call as called
from typing import TYPE_CHECKING, Any

from ...dialects.types import TensorSpec
from ...runtime.compiler import compile_module
from ...runtime.storage import Storage
from .. import eager, mutations, tree
from ..autograd.gradients import backward
from ..autograd.walk import check_not_freed
from ..devices import CPU, device
from ..tensor import Tensor, wrap
from ..tracing.trace import Input
from .around import no_collection
from .backward import Differentiable
from .call_arguments import CallArguments, describe_call
from .call_trace import CallTrace
from .effects import History
from .guards import PLAIN, is_by_value
from .hidden import hidden_memory
from .launch import Failures, Gone, Launch
from .let_go import let_go_of_tensors, let_go_of_what_was_there, memory_tokens, tokens
from .matching import Matching
from .memory import MEMORIES, copied, memory_of
from .outputs import Outputs
from .places import is_a
from .plans import Output
from .rebind import Captured, Exchange, captured, has_moved, may_replace, stand_for
from .weak import is_weak, referent

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from ...runtime.backend import TimedProgram
    from ...runtime.profile import Profile
    from ..used_up import UsedUp


SMALL = 1 << 20
"""Bytes of an argument that is overwritten, up to which each call copies it for gradients of gradients."""


def nbytes(spec: TensorSpec) -> int:
    """The size of a tensor."""
    return math.prod(spec.shape) * spec.dtype.itemsize


def late_checks(program: Any) -> Collection[int]:
    """The checks of a program that come after some state was updated; none where nothing is written before the end."""
    return frozenset(program.plan["errors"]["late"])


def _read(inputs: Sequence[Input], leaves: Sequence[Any]) -> list[Storage]:
    """What a program reads of a call's arguments, and state of its own."""
    tensors = [source for source in inputs if not source.is_number]
    given = [leaves[s.leaf]._storage for s in tensors if s.leaf is not None and s.leaf < len(leaves)]
    return [*given, *(s.storage for s in tensors if s.leaf is None and s.storage is not None)]


class Specialization(Outputs):
    """A traced and compiled function for one shape of call."""

    def __init__(self, function: Callable[..., Any], call: CallArguments, keep_gradients: bool, target: str) -> None:
        self.target = target
        leaves = call.leaves
        self.signature = describe_call(call)
        """What the program is chosen by, in words."""
        self._profiled: tuple[TimedProgram, Launch] | None = None
        self._captured: list[Captured] = []
        self._stands_for = {}
        self._run_lock = threading.Lock()
        with no_collection():
            self._call_trace: CallTrace | None = CallTrace(function, call, keep_gradients)
            """What can take back the trace; None once a call has run to its end, or has changed state."""
            trace = self._call_trace
            self.traced, self.guards, self.reusable = trace.traced, trace.guards, trace.reusable
            self.lifetime = self.guards.lifetime
            objects = [v for v in leaves if not is_a(v, Tensor) and type(v) not in PLAIN]
            self._objects = [v if is_by_value(v) else self.lifetime.watch(v) for v in objects]
            """Objects that keys know by their id: the program goes with the first of them."""
            let_go_of_tensors(trace)
            self.matching = Matching(self.traced, trace, call)
            """Which calls the program is for."""
            self._place(leaves, trace.where)
            self._compile()
        self._effects = trace.effects
        _, self._returned, self._assigned = self.traced.structure
        """Structures of what the function returns, and of what its effects assign."""
        self._histories = [effect for effect in trace.effects if isinstance(effect, History)]
        self._requires_grad = trace.requires_grad
        self._cleared_leaves = [(t, mark) for t, mark in self.traced.cleared if isinstance(t, int)]
        self._set_owners()

    def _set_owners(self) -> None:
        """What each call holds while it goes on, since other threads may replace it; first, whose `.grad` it clears."""
        by_mark: dict[int, tuple[UsedUp | None, list[Any]]] = {}
        for t, mark in self.traced.cleared:
            if not isinstance(t, int):
                by_mark.setdefault(id(mark), (mark, []))[1].append(t)
        cleared: list[Any] = []
        self._marks: list[tuple[UsedUp | None, slice]] = []
        """What becomes of gradients, and of which owners."""
        for mark, some in by_mark.values():
            self._marks.append((mark, slice(len(cleared), len(cleared) + len(some))))
            cleared += some
        others = {id(token): token for token in tokens(self.traced, self._effects)}
        for token in cleared:
            others.pop(id(token), None)
        self._owners = [_finder(self._meant(token)) for token in (*cleared, *others.values())]
        self._shared = [_finder(self._meant(token)) for token in memory_tokens(self.traced)]

    # Other tensors

    def rebound(self, leaves: Sequence[Any]) -> Specialization | None:
        """This program for the tensors that have taken the place of those that it is for; None where that needs another
        trace. The guards of the copy are still to be asked."""
        if not self._captured or self.matching.over or self._call_trace is not None:
            return None
        exchange = Exchange(self.guards, self._captured, self.matching.outside, leaves)
        if not exchange.is_possible:
            return None
        new = copy.copy(self)
        new.guards, new.lifetime = exchange.guards(self.guards), exchange.lifetime
        new._captured = exchange.captured()
        new._stands_for = stand_for(new._captured)
        new._objects = [*map(exchange.reference, self._objects)]
        new.matching = self.matching.rebound(new.guards, exchange.reference, exchange.outside(self.matching.outside))
        new.traced, new._profiled = exchange.traced(self.traced), None
        new._set_owners()
        if not new.matching.watch_memory(new.traced) or exchange.lifetime.over:
            return None
        new.launch = new._launch_of(new.program)
        return new

    def keeps_for_nothing(self) -> bool:
        """Whether a tensor has come to other memory than this copy is for."""
        return has_moved(self._captured)

    def lose(self, reference: Any) -> bool:
        """One of the objects that this copy depends on has died. Whether others of its kind may take its place: then
        nothing else is kept of it."""
        lost = [known for known in self._captured if known.tensor is reference]
        self.launch = None
        for known in lost:
            for place in known.inputs:
                self.traced.inputs[place].storage = None
        if not lost:
            self._captured = []
        return bool(lost)

    def _place(self, leaves: Sequence[Any], where: device) -> None:
        """The program runs where the trace has found tensors besides the CPU's, which are sent there with each call."""
        read = [s for s in _read(self.traced.inputs, leaves) if s.device is not CPU]
        self._where = read[0].device if read else where
        self._memory = memory_of(read) if where is CPU else MEMORIES[where.type]
        if self.target == CPU.type:
            self.target = self._memory.target or self.target
        checks = self.traced.checks
        if self._memory.target is not None and checks.made:
            record, _ = copied(self._memory, self._memory.buffer(checks.record), checks.record.spec)
            for source in self.traced.inputs:
                if source.storage is checks.record:
                    source.storage = record
            checks.record = record

    def undo(self) -> None:
        """Takes back what tracing changed in Python."""
        if self._call_trace is not None:
            self.matching.over = True
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
                    partial(compile_module, target=self.target),
                    traced.reached,
                    traced.together,
                    self._where,
                )
                module = self._differentiable.forward.module
            self.program = compile_module(module, self.target)
            self._plan_gradients()
            self.launch: Launch | None = self._launch_of(self.program)
            """None where the memory that it is for is gone."""
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
            self._memory,
            self._failures(program),
            lock=self._run_lock,
        )
        for index in self._kept:
            launch.keep(traced.inputs[index])
        return launch

    def _failures(self, program: Any) -> Failures | None:
        checks = self.traced.checks
        return Failures(checks, late_checks(program), self._memory) if checks.made else None

    def modules(self) -> list[ModuleOp]:
        """The traced function, or its two halves where its outputs are differentiated outside."""
        if self._differentiable is None:
            return [self.traced.module]
        return [self._differentiable.forward.module, self._differentiable.backward.module]

    def loaded(self) -> list[Any]:
        """The compiled programs so far: backward follows when it is first needed."""
        found = [self.program, None if self._differentiable is None else self._differentiable.backward.program]
        return [program for program in found if program is not None]

    # Calls

    def run(self, leaves: Sequence[Any], arguments: Any) -> Any:
        """One call. `leaves`: what `matching` gives; `arguments`: what the call was given."""
        launch = self.launch
        owners = [*map(called, self._owners)] if self._owners else ()
        memory = self._shared and [find() for find in self._shared]
        if launch is None or (self.lifetime.over and self._call_trace is None) or (memory and None in memory):
            self.lifetime.over = True
            raise Gone
        for history in self._histories:
            history.check(leaves)
        traced = self.traced
        passes = [each.mapped(lambda t: self._given(t, leaves), lambda plan: plan) for each in traced.passed_on]
        if passes:
            check_not_freed([([t for t, _ in each.gradients], each.retain_graph, each.line) for each in passes])
        results, kept = self._launched(launch, leaves)
        if self._requires_grad:
            self._set_requires_grad(leaves, True)
        made: dict[Output, Tensor] = {}
        if self._differentiable is not None:  # before what is a view of its results
            self._record(leaves, results, kept, made)
        if self._requires_grad:
            self._set_requires_grad(leaves, False)
        outputs = [self._output(plan, leaves, results, made) for plan in traced.outputs]
        for mark, some in self._marks:
            for tensor in owners[some]:
                tensor._grad = mark
        for leaf, mark in self._cleared_leaves:
            leaves[leaf]._grad = mark
        for owner, plan in traced.grads:
            self._owned(owner, leaves, results, made)._grad = self._output(plan, leaves, results, made)
        if traced.retained_before:
            self._retain(traced.retained_before, leaves, results, made)
        for each in passes:
            seeds = [self._output(plan, leaves, results, made) for _, plan in each.gradients]
            backward([t for t, _ in each.gradients], seeds, retain_graph=each.retain_graph)
        for callback in traced.after_call:
            callback()
        rest = iter(outputs)
        output = tree.rebuild(self._returned, rest)
        if self._effects:
            self._apply_effects(tree.rebuild(self._assigned, rest), arguments)
        if traced.retained:
            self._retain(traced.retained, leaves, results, made)
        return output

    def _apply_effects(self, values: Sequence[Any], arguments: Any) -> None:
        sealed = self.guards.checked_at == mutations.count
        for effect, value in zip(self._effects, values, strict=True):
            effect.apply(value, arguments)
        if sealed:  # what the program itself replaces, it does not depend on
            self.guards.checked_at = mutations.count

    def _set_requires_grad(self, leaves: Sequence[Any], which: bool) -> None:
        for owner in [owner for owner, requires_grad in self._requires_grad if requires_grad is which]:
            if isinstance(owner, int):
                leaves[owner].requires_grad = which
            else:
                owner.assign(which)

    def _launched(self, launch: Launch, leaves: Sequence[Any]) -> tuple[list[Storage], list[Storage]]:
        """Runs the program. A first call that fails leaves nothing behind, such as the state that an optimizer made."""
        try:
            results = launch.run(leaves)
        except Exception as error:
            if not getattr(error, "changed_state", False):
                self.undo()
            raise
        finally:
            if self._call_trace is not None:
                self._let_go(self._call_trace)
        return results

    def _let_go(self, trace: CallTrace) -> None:
        hidden = hidden_memory(trace.discovery) if may_replace(trace) else None
        let_go_of_what_was_there(trace)
        self._captured = captured(trace, self.traced, self._effects, self.matching.aliased, hidden)
        self._call_trace = None

    def profile(self, leaves: Sequence[Any], steps: int) -> Profile:
        """The time of each kernel, as the mean of several runs with what `matching` gives; state is left as it is."""
        from ...runtime.backend import find_backend

        if self._profiled is None:
            program = find_backend(self.target).profiled(self.modules()[0])
            self._profiled = program, self._launch_of(program)
        program, launch = self._profiled
        saved = self._snapshot(leaves)
        try:
            launch.run(leaves)
            program.reset()
            for _ in range(max(steps, 1)):
                launch.run(leaves)
        finally:
            for state, before in saved:
                eager.assign(state, before)
        return program.report(max(steps, 1))

    def _snapshot(self, leaves: Sequence[Any]) -> list[tuple[Tensor, Tensor]]:
        """The memory that a run would change, and copies of it."""
        found: list[tuple[Tensor, Tensor]] = []
        for source in self.traced.updated:
            tensor: Any = leaves[source.leaf] if source.leaf is not None else None
            if isinstance(source.gradient_of, int):
                tensor = leaves[source.gradient_of]._grad
            elif source.gradient_of is not None:
                tensor = referent(source.gradient_of)._grad
            storage: Any = source.storage if tensor is None else tensor._storage
            state: Tensor = wrap(storage, storage.spec)
            found.append((state, wrap(eager.copied(state), state._spec)))
        return found

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


def _finder(tensor: Any) -> Callable[[], Any]:
    """What gives a tensor that may be referred to weakly."""
    return tensor if is_weak(tensor) else lambda: tensor
