"""The end of a trace: what the function returns and changes, as results of an IR function and a plan for each call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import BlockArgument, Region, SSAValue

from ...dialects.hl.autodiff import VariableOp
from ...dialects.types import TensorSpec, spec_of
from ...runtime.storage import Storage
from .. import dispatch, tape, tree
from ..autograd.walk import FREED
from ..errors import runtime_error
from ..modes import modes
from ..node import TRACED
from ..ops.selection import Selection
from ..tracing.again import Again
from ..tracing.checks import Checks
from ..tracing.outside import BackwardOutside
from ..tracing.trace import Input, Trace
from ..used_up import UsedUp
from .argument_marks import marks_of
from .effects import Hints
from .plans import Alias, Copy, DerivedView, Fresh, Given, GradFound, Gradient, Held, Output, Owner
from .prune import prune
from .symbolic import Symbolic, Symbols, holds_symbolic, plain_type, settled
from .weak import Weak

if TYPE_CHECKING:
    from ..tensor import Tensor


@dataclass
class Traced:
    """A traced function, and all that a call has to do beside running it."""

    module: ModuleOp
    inputs: list[Input]
    updated: list[Input]
    """State: arguments whose memory changes."""
    results: list[TensorSpec]
    """Memory that each call makes anew, for outputs and gradients."""
    own: list[int]
    """Which of the results the program makes, in its order; the others are copies."""
    copies: list[Copy]
    structure: Any
    outputs: list[Output]
    cleared: list[tuple[Tensor | Weak | int, UsedUp | None]]
    """Whose `.grad` reads None afterwards: tensors, or positions among the arguments."""
    grads: list[tuple[Owner, Output]]
    """What `.grad` is set to."""
    retained_before: list[Owner]
    """Tensors whose gradient is to be kept, although they are no leaves, and that are what they were before."""
    retained: list[Owner]
    """The same of those that are made or written to."""
    passed_on: list[BackwardOutside[Tensor | Weak | int, Output]]
    """Backward passes inside that go on outside."""
    kept_apart: list[tuple[list[Owner], ...]]
    """Tensors from outside, and others from which they must not have been computed."""
    grads_found: list[tuple[Tensor | Weak | int, GradFound]]
    """What `.grad` was where the trace has read it."""
    after_call: list[Callable[[], None]]
    wrt: list[tuple[int | VariableOp, Owner]]
    """What gradients of the differentiable outputs flow to: an argument's number or a value inside, and whose it is."""
    reached: list[frozenset[int | VariableOp]]
    """For each of `differentiable`, which of `wrt` it depends on."""
    together: list[frozenset[int]]
    """For each of `differentiable`, which of them have no history any more once it has been gone back from there."""
    differentiable: list[tuple[int, Fresh]]
    """The outputs that gradients flow back from, with the number of what the function returns."""
    checks: Checks
    """What the program checks."""


class Finisher:
    """Turns what a function returned into a Traced."""

    def __init__(
        self,
        trace: Trace,
        stand_ins: Mapping[Tensor, int],
        known: Callable[[Tensor], bool],
        keep_gradients: bool,
        symbols: Symbols,
    ) -> None:
        self.symbols = symbols
        self.trace = trace
        self.stand_ins = stand_ins
        """Tensors that the function got in the place of its arguments."""
        self.known = known
        """Whether a tensor existed before the trace."""
        self.keep_gradients = keep_gradients
        self.fresh: list[SSAValue] = []
        """The values of results that live in memory of their own."""
        self.differentiable: dict[int, SSAValue] = {}
        """The results that gradients flow back from."""
        self._plans: dict[Tensor, Output] = {}
        self._fresh: dict[int, Fresh] = {}
        """The plans of results that gradients flow back from."""
        self.shared: dict[Storage, int] = {}
        """The result that holds the base of several outputs."""

    def finish(self, output: Any, guide: tree.Guide | None = None) -> Traced:
        """Ends the function. `guide` says which objects in the output are to be taken apart."""
        trace = self.trace
        leaves: list[Any] = []
        structure = tree.flatten(output, leaves, guide)
        leaves = [leaf.result() if type(leaf) is Selection else leaf for leaf in leaves]
        grads, cleared = self._grads()
        uses = Counter(t._storage for t in (*leaves, *(g for _, g in grads)) if tree.is_plain_tensor(t))
        self.shared = {s: -1 for s, count in uses.items() if count > 1 and s.symbolic}
        outputs = [self._output(leaf) for leaf in leaves]
        grad_outputs = [(self._owner_now(t), self._output(g)) for t, g in [*grads, *self._inner_grads()]]
        passed_on = self._passed_on()
        wrt = self._wrt()
        state = [(i, trace.values[s]) for s, i in trace.lifted.items() if trace.values[s] is not i.value]
        returned, own, copies = self._returns(state)
        for source in trace.inputs:
            if source.gradient_of is not None and not isinstance(source.gradient_of, int):
                source.gradient_of = self._owner(source.gradient_of)
        return Traced(
            module=self._module(returned),
            inputs=trace.inputs,
            updated=[i for i, _ in state],
            results=[spec_of(v.type) for v in self.fresh],
            own=own,
            copies=copies,
            structure=structure,
            outputs=outputs,
            cleared=[(self._owner(t), mark) for t, mark in cleared],
            grads=grad_outputs,
            retained_before=[self._owner(t) for t in trace.retained_outside if t not in trace.rewritten],
            retained=self._retained(),
            passed_on=passed_on,
            grads_found=[(self._owner(t), self._grad_found(t, g)) for t, g in trace.grads_found.items()],
            kept_apart=[tuple([*map(self._owner, tensors)] for tensors in pair) for pair in trace.kept_apart],
            after_call=trace.after_call,
            wrt=wrt,
            together=self._together([self.differentiable[k] for k in own if k in self.differentiable]),
            reached=[self._reached(self.differentiable[k]) for k in own if k in self.differentiable],
            differentiable=[
                (len(returned) - len(own) + i, self._fresh[k]) for i, k in enumerate(own) if k in self.differentiable
            ],
            checks=trace.checks,
        )

    # Outputs

    def _owner(self, tensor: Tensor) -> Tensor | int:
        return self.stand_ins.get(tensor, tensor)

    def _owner_now(self, tensor: Tensor) -> Owner:
        """As `_owner`, also of a tensor that the trace has made."""
        made = tensor not in self.stand_ins and not self.known(tensor)
        return self._output(tensor) if made else self._owner(tensor)

    def _output(self, value: Any) -> Output:
        value = settled(value)
        if issubclass(type(value), Symbolic):
            return Given(self.symbols.leaf(value))
        if not tree.is_plain_tensor(value):
            if holds_symbolic(value):
                raise Again(Hints.keep_constant)  # inside an object that no call could make anew
            return Held(self.trace.observer.copies.original(plain_type(value)))
        found = self._plans.get(value)
        if found is None:
            found = self._plans[value] = self._plan(value)
        return found

    def _plan(self, value: Tensor) -> Output:
        leaf = self.stand_ins.get(value)
        if leaf is not None:
            return Given(leaf)
        storage: Storage = value._storage
        if storage in self.trace.assignments.left and not self.known(value):
            left = dispatch.replay_value(self.trace, self.trace.assignments.left[storage], None, value._view)
            return Fresh(self._result(left), value._spec, None, where=value.device)
        if storage in self.trace.assignments.homes and not self._is_differentiable(value):
            storage = self.trace.assignments.homes[storage]
        base, is_leaf = value._base, value._requires_grad and value._node is None
        if not storage.symbolic:
            if self.known(value):
                return Held(value)
            owner = next((t for t, found in self.trace.grads_found.items() if found is value), None)
            if owner is not None:
                return Gradient(self._owner(owner))
            if base is not None and value.requires_grad and modes.grad and self._is_outside(base):
                return DerivedView(self._output(base), base._view, value._view)
            leaf, whole = self.trace.argument_of(storage)
            history = self._history(value) if base is None else None
            owner = self.trace.gradient_owner(storage) if leaf is None else None
            return Alias(
                *(storage if leaf is None and owner is None else None, leaf, whole, value._spec, value._view),
                *(is_leaf, history, None if owner is None else self._owner(owner)),
            )
        if self._is_differentiable(value) and not is_leaf:
            if base is not None and storage in self.shared and (self._is_differentiable(base) or base._node is None):
                return DerivedView(self._output(base), base._view, value._view)
            return self._differentiable_result(value)
        shared, result = storage in self.shared, dispatch.value_of(self.trace, value)
        spent = None if is_leaf else self._spent(value, result)
        number, view = (self._shared_result(storage), value._view) if shared else (self._result(result), None)
        return Fresh(number, value._spec, view, leaf_of_graph=is_leaf, spent=spent, where=value.device)

    def _history(self, value: Tensor) -> Output | None:
        """What a tensor over memory from outside holds, if it was written to it with a history."""
        if value not in self.trace.rewritten or not value.requires_grad or not modes.grad:
            return None
        held = self.trace.wrap(dispatch.value_of(self.trace, value), value.device)
        tape.attach(TRACED, (held,))
        return self._output(held)

    def _is_outside(self, base: Tensor) -> bool:
        """Whether the history of a tensor over memory from outside is not that of what the trace has computed."""
        return base._node is not TRACED or base in self.trace.rewritten

    def _differentiable_result(self, value: Tensor) -> Fresh:
        storage, whole = value._storage, value._view is None
        ir_value = dispatch.value_of(self.trace, value)
        if storage in self.shared and value in self.trace.histories:
            number, memory = self._result(ir_value), self._shared_result(storage)
            self.differentiable[number] = ir_value
            plan = self._fresh[number] = Fresh(
                number, value._spec, value._view, True, memory=memory, where=value.device
            )
            return plan
        number = self.shared.get(storage, -1) if whole else -1
        if number < 0:
            number = self._result(ir_value)
        if whole and storage in self.shared:
            self.shared[storage] = number
        self.differentiable[number] = ir_value
        return self._fresh.setdefault(number, Fresh(number, value._spec, None, differentiable=True, where=value.device))

    def _shared_result(self, storage: Storage) -> int:
        """The result that holds memory which several outputs share."""
        if self.shared[storage] < 0:
            self.shared[storage] = self._result(self.trace.read(storage))
        return self.shared[storage]

    def _result(self, value: SSAValue) -> int:
        self.fresh.append(value)
        return len(self.fresh) - 1

    def _is_differentiable(self, value: Tensor) -> bool:
        if not value.requires_grad or not modes.grad:
            return False
        ir_value = dispatch.value_of(self.trace, value)
        return bool(self.trace.leaves_of(ir_value)) and self._spent(value, ir_value) is None

    def _spent(self, value: Tensor, ir_value: SSAValue) -> str | None:
        """Why no gradients can flow back from an output, although it has a history."""
        trace = self.trace
        if not (value.requires_grad and modes.grad):
            return None
        if trace.is_freed(ir_value):
            return FREED
        modified = trace.modified(trace.between(ir_value, trace.leaves_of(ir_value)))
        return None if modified is None else modified.message

    def _grads(self) -> tuple[list[tuple[Tensor, Tensor]], list[tuple[Tensor, UsedUp | None]]]:
        """`.grad` to set afterwards, and to clear: also that of tensors whose gradient was made and used up inside."""
        trace = self.trace
        sets: list[tuple[Tensor, Tensor]] = []
        cleared: list[tuple[Tensor, UsedUp | None]] = []
        marks: dict[str, UsedUp] = {}
        for tensor, grad in trace.grads.items():
            if tensor not in self.stand_ins and not self.known(tensor):
                continue  # made in here: `_inner_grads`
            found = trace.grads_found.get(tensor)
            used_up = tensor in trace.grads_used and tensor not in trace.grads_found
            if grad is None or isinstance(grad, UsedUp):
                cleared.append((tensor, grad))
            elif used_up and not self.keep_gradients and grad._storage.symbolic:
                line = trace.grads_used[tensor]
                cleared.append((tensor, marks.setdefault(line, UsedUp(line))))
            elif grad is not found:
                sets.append((tensor, grad))
        return sets, cleared

    def _grad_found(self, tensor: Tensor, grad: Tensor | UsedUp | None) -> GradFound:
        if grad is None or isinstance(grad, UsedUp) or tensor not in self.trace.pinned:
            return GradFound(None if grad is None else grad._spec)
        return GradFound(grad._spec, grad, (grad._storage, grad._view))

    def _inner_grads(self) -> list[tuple[Tensor, Tensor]]:
        """`.grad` of tensors that were made in here and live on."""
        return [
            (tensor, grad)
            for tensor, grad in self.trace.grads.items()
            if grad is not None
            and not isinstance(grad, UsedUp)
            and tensor in self._plans
            and tensor not in self.stand_ins
            and not self.known(tensor)
        ]

    def _retained(self) -> list[Owner]:
        kept = [t for t in self.trace.retained if t in self.trace.rewritten or t in self._plans]
        for t in kept:
            value = dispatch.value_of(self.trace, t)
            if any(other is not value and self.trace.depends(other, value) for other in self.differentiable.values()):
                raise runtime_error(
                    "inside a compiled function, retain_grad() of a tensor that lives on beside what was computed from "
                    "it is not supported: their gradients come together in one step"
                )
        return [self._owner_now(t) for t in kept if t in self._plans or t in self.stand_ins]

    def _passed_on(self) -> list[BackwardOutside[Tensor | Weak | int, Output]]:
        """Backward passes that go on outside, which is after the call: optimizers inside would miss their gradients."""
        trace = self.trace
        if trace.passed_on and trace.grads_used:
            raise runtime_error(
                "inside a compiled function, backward() goes on through a tensor that was computed outside, and an "
                "optimizer steps before that: detach() the tensor, compute it inside, or take the step outside"
            )
        return [each.mapped(self._owner, self._output) for each in trace.passed_on]

    # The function

    def _wrt(self) -> list[tuple[int | VariableOp, Owner]]:
        trace = self.trace
        found: dict[SSAValue, None] = {}
        for value in self.differentiable.values():
            found.update(dict.fromkeys(trace.leaves_of(value)))
        places = [_place(v) for v in found]
        owners = [self._owner_now(trace.leaves[v]) for v in found]
        return [(p, t) for p, t in zip(places, owners, strict=True) if isinstance(p, int | VariableOp)]

    def _reached(self, value: SSAValue) -> frozenset[int | VariableOp]:
        places = [_place(leaf) for leaf in self.trace.leaves_of(value)]
        return frozenset(place for place in places if isinstance(place, int | VariableOp))

    def _together(self, outputs: Sequence[SSAValue]) -> list[frozenset[int]]:
        trace = self.trace
        spent = [trace.saved_by(trace.between(y, trace.leaves_of(y))) for y in outputs]
        return [frozenset(k for k, other in enumerate(spent) if not other.isdisjoint(mine)) for mine in spent]

    def _returns(self, state: list[tuple[Input, SSAValue]]) -> tuple[list[SSAValue], list[int], list[Copy]]:
        arguments = {i.value: i for i in self.trace.inputs}
        holder: dict[SSAValue, Input | int] = {}
        returned: list[SSAValue] = []
        own: list[int] = []
        copies: list[Copy] = []
        for target, value in (*state, *enumerate(self.fresh)):
            # Where gradients flow back, each result needs a place of its own in the function.
            if isinstance(target, int) and target in self.differentiable:
                returned.append(value)
                own.append(target)
            elif isinstance(value, BlockArgument):
                copies.append(Copy(arguments[value], target, before=True))
            elif value in holder:
                copies.append(Copy(holder[value], target, before=False))
            else:
                holder[value] = target
                returned.append(value)
                if isinstance(target, int):
                    own.append(target)
                else:
                    target.result = len(returned) - 1
        return returned, own, copies

    def _module(self, returned: list[SSAValue]) -> ModuleOp:
        trace = self.trace
        trace.name_last()
        block = trace.block
        block.add_op(ReturnOp(*returned))
        trace.views.merge(block, set(self.differentiable.values()))
        prune(block, self.differentiable.values())
        function = FuncOp("step", (block.arg_types, [v.type for v in returned]), Region(block))
        function.arg_attrs = ArrayAttr(DictionaryAttr(marks_of(i, trace.checks.record)) for i in trace.inputs)
        return ModuleOp([function])


def _place(leaf: SSAValue) -> Any:
    """How a function names what it is differentiated by."""
    return leaf.index if isinstance(leaf, BlockArgument) else leaf.owner
