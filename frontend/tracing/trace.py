"""Tracing: the same Python that runs eagerly, run once on tensors without values, leaves a function of hl ops.

A concrete storage becomes a function argument when it is first read. Writes go to an overlay, so that nothing outside
changes while tracing; at the end, storages whose value is another one than at the start are state, which the compiled
program updates in place.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from xdsl.ir import BlockArgument, Operation, OpResult, SSAValue

from ...dialects.hl.autodiff import StopGradientOp
from ...dialects.hl.base import Attributes, HLOp
from ...dialects.locations import describe
from ...dialects.names import identifier
from ...dialects.types import DType, TensorSpec, spec_of, tensor_type
from ...runtime.storage import Storage, SymbolicStorage, origins
from .. import dispatch
from ..devices import CPU, device
from ..errors import here
from ..modes import modes
from ..node import Node
from ..tensor import Tensor
from ..used_up import UsedUp
from . import own_fields
from .checks import Checks, RecordedCheck, expected_by
from .data import Assignments
from .deferred import DeferredCall
from .flow import Flow
from .histories import Histories
from .known import Known
from .outside import BackwardOutside
from .view_values import ViewValues


@dataclass(eq=False)
class Input:
    """An argument of the traced function and where its value comes from on each call."""

    value: BlockArgument
    spec: TensorSpec
    storage: Storage | None = None
    """The storage that holds it; None where each call has another one, and for a run-time scalar."""
    leaf: int | None = None
    """The position among the call's flattened arguments."""
    is_number: bool = False
    """Whether the argument is a float."""
    gradient_of: Tensor | int | None = None
    """The tensor whose `.grad` this is; the position of one among the arguments."""
    whole: bool = False
    """Whether the argument is a view, and this all that it is a view of."""
    getter: Callable[[], float] | None = None
    """What gives the number on each call."""
    result: int | None = None
    """The result that is its new value."""


class Trace(Flow):
    """A function being traced: its ops so far, its arguments, and what Python would see changed."""

    def __init__(self, names: dict[Storage, str] | None = None) -> None:
        super().__init__()
        self.inputs: list[Input] = []
        self.lifted: dict[Storage, Input] = {}
        """The arguments by the storage they stand for."""
        self.grads: dict[Tensor, Tensor | UsedUp | None] = {}
        """`.grad` of every tensor where the trace has set it."""
        self.grads_found: dict[Tensor, Tensor | UsedUp | None] = {}
        self.pinned: set[Tensor] = set()
        """Tensors whose `.grad` has no memory of its own, so that the program is for that very gradient."""
        """`.grad` as it was before, where the trace has asked for it."""
        self.grads_used: dict[Tensor, str] = {}
        """Tensors whose gradient an optimizer has applied, and at which line."""
        self.rewritten: dict[Tensor, Node | None] = {}
        """Tensors from outside that values with a history were written to, and what had made them."""
        self.deferred: list[DeferredCall] = []
        """What each call does after the program has run."""
        self.hooks: dict[int, tuple[Tensor, Callable[..., Any]]] = {}
        """By handle, hooks on gradients of tensors of the trace."""
        self.reads_by_name: list[tuple[Any, ...]] = []
        """Objects and the attributes that were read by names which no code mentions; without a name, all of them."""
        self.counted: set[Tensor] = set()
        """Step counts of optimizers that each call raises: see `optim/steps.py`."""
        self.steps_ahead: dict[int, int] = {}
        """By how much step counts, by identity, are ahead of what Python has counted."""
        self.came_from: dict[Tensor, Tensor] = {}
        """The argument that a tensor stands for in this call."""
        self.histories = Histories()
        self.views = ViewValues()
        self.after_call: list[Callable[[], None]] = []
        """Called after each run of the program, for counts that Python keeps."""
        self.prepared: list[tuple[dict[Any, Any], Any]] = []
        """Entries of dictionaries, such as an optimizer's state, that were made outside of the trace for all calls."""
        self.hyperparameters: dict[tuple[int, Any], Any] = {}
        """What optimizers' groups have for all numbers that each call reads anew, when the trace begins."""
        self.counted_ahead: dict[Storage, int] = {}
        """By how much counts that nobody has read in the trace are to be raised after a call."""
        self.assignments = Assignments()
        """Those to `.data`."""
        self.known = Known()
        self.hook_values: dict[int, SSAValue] = {}
        """Hooks by identity: what their tensor was when they were registered."""
        self.hooks_placed: dict[int, list[SSAValue]] = {}
        """Hooks by identity that are part of gradients now, and what was computed from their tensor before that."""
        self.retained: list[Tensor] = []
        """Tensors that are no leaves, whose gradient is kept."""
        self.retained_outside: list[Tensor] = []
        """Arguments that were computed outside, whose gradient is kept."""
        self.refused: list[RuntimeError] = []
        """What the function asked for that no trace can give, whether or not it has caught the error."""
        self.shared: set[Storage] = set()
        """Memory of arguments that other tensors from outside have too."""
        self.passed_on: list[BackwardOutside[Tensor, Tensor]] = []
        """Backward passes that have come to tensors which were computed outside."""
        self.kept_apart: list[tuple[list[Tensor], list[Tensor]]] = []
        """Tensors that gradients come to, and others that gradients are asked by, to which none may flow on outside."""
        self.checks = Checks()
        self.of_any_device: set[Storage] = set()
        """Python numbers as operands, which may stand beside tensors of any device."""
        self.device: device = CPU
        """Where the tensors of the trace are that are not on the CPU."""
        self.observer: Any = None
        """What sees the values that traced Python code loads and stores."""
        self._names = names or {}
        self._argument_leaves: dict[Storage, int] = {}
        self._numbers: set[Storage] = set()
        self._whole: set[Storage] = set()
        self._gradients: dict[Storage, Tensor] = {}
        self._undo: list[Callable[[], None]] = []
        self._restore: list[Callable[[], None]] = []

    # Arguments and storages

    def add_names(self, names: Iterable[tuple[Storage, str]]) -> None:
        """What the memory of tensors is called that are found while the trace goes on."""
        for entry in names:
            self._names.setdefault(*entry)

    def declare_argument(self, storage: Storage, leaf: int, name: str, whole: bool = False) -> None:
        """Says that a storage is that of the flattened argument number `leaf`. `whole`: that is a view of it."""
        if whole:
            self._whole.add(storage)
        self._argument_leaves.setdefault(storage, leaf)
        self._names.setdefault(storage, name)

    def argument_of(self, storage: Storage) -> tuple[int | None, bool]:
        """The position of the argument whose storage this is, if any, and whether it is a view of it."""
        return self._argument_leaves.get(storage), storage in self._whole

    def is_argument(self, storage: Storage) -> bool:
        """Whether a storage stands for an argument of each call."""
        return storage in self._argument_leaves

    def declare_number(self, storage: Storage, leaf: int, name: str) -> None:
        """Says that a storage without bytes stands for the float that is leaf number `leaf` of each call."""
        self._numbers.add(storage)
        self.declare_argument(storage, leaf, name)

    def name_after(self, storage: Storage, owner: Storage, suffix: str) -> None:
        """Calls a storage `weight_exp_avg` where it belongs to one that is called `weight`."""
        name = self._names.get(owner)
        if name and not self._names.get(storage, "").isidentifier():
            self._names[storage] = f"{name}_{suffix}"

    def _lift(self, storage: Storage) -> Input:
        found = self.lifted.get(storage)
        if found is not None:
            return found
        if isinstance(storage, SymbolicStorage) and storage not in self._numbers:
            raise storage.missing()
        name = self._names.get(storage)
        owner = self._gradients.get(storage)
        if owner is not None:
            name = f"d{self._names.get(owner._storage, 'gradient')}"
        value = self.argument(storage.spec, name)
        source = Input(value, storage.spec, storage, self._argument_leaves.get(storage), gradient_of=owner)
        source.whole = storage in self._whole
        source.is_number = storage in self._numbers
        self.inputs.append(source)
        self.lifted[storage] = source
        self.values[storage] = value
        self.count(storage, self.counted_ahead.pop(storage, 0))
        return source

    def count(self, storage: Storage, by: int) -> None:
        """Raises a count: what nobody reads in the trace is left to Python, after each call."""
        if storage not in self.values:
            self.counted_ahead[storage] = self.counted_ahead.get(storage, 0) + by
        elif by:
            self._locate()
            more = self.builder.constant(float(by), *storage.spec)
            self.values[storage] = self.builder.add(self.values[storage], more)

    def argument(self, spec: TensorSpec, name: str | None) -> BlockArgument:
        """A new argument of the function."""
        value = self.block.insert_arg(tensor_type(spec), len(self.block.args))
        value.name_hint = identifier(name or "") or None
        return value

    def read(self, storage: Storage, leaf: Tensor | None = None) -> SSAValue:
        """The current value of a storage; one from outside is lifted to a function argument once.

        `leaf` is the tensor whose gradient may be asked for, where it is read to compute with.
        """
        value = self.values.get(storage)
        if value is None:
            self._lift(storage)
            value = self.values[storage]
        return value if leaf is None else self.leaf_value(storage, leaf, value)

    def write(self, storage: Storage, value: SSAValue) -> None:
        """Makes `value` what the storage holds from here on, in this trace."""
        if not storage.symbolic:
            self._lift(storage)
        self.values[storage] = value

    # Ops

    def emit(
        self,
        op: type[HLOp],
        values: Sequence[SSAValue],
        attributes: Attributes,
        specs: Sequence[TensorSpec] | None = None,
    ) -> Sequence[SSAValue]:
        """The results of one op, stamped with the user's line. `specs` are theirs, when the caller has inferred them.

        Raises ShapeError where the op's rule is broken.
        """
        self._locate()
        new = op.build_op(values, attributes, specs)
        self.builder.insert(new)
        results: Sequence[SSAValue] = new.results
        flows = False
        for value in values:
            if value in self._tracked:
                flows = True
            elif type(value) is BlockArgument:
                self._plain.add(value)
        if flows and op is not StopGradientOp:
            self.track(results)
        self._last = results[0] if len(results) == 1 else None
        return results

    def check(
        self,
        op: type[HLOp],
        value: SSAValue,
        attributes: Attributes,
        error: type[Exception],
        message: str,
        condition: bool,
    ) -> None:
        """One op that checks a value in each run of the program."""
        record = self.checks.record
        expected = None if condition else expected_by(op, attributes)
        check = RecordedCheck(error, message, here(), expected, spec_of(value.type).shape)
        words = {"number": self.checks.new(check), "error": error.__name__, "message": message}
        self._names.setdefault(record, "errors")
        (after,) = self.emit(op, (value, self.read(record)), {**attributes, **words})
        self.write(record, after)

    def insert(self, op: Operation) -> None:
        """Places an op that was made elsewhere, at the user's line."""
        self._locate()
        self.builder.insert(op)

    def runtime_scalar(self, getter: Callable[[], float], dtype: DType, name: str = "scalar") -> Tensor:
        """A 0-d tensor that `getter` fills on each call, beside tensors of any device: a learning rate, a step."""
        spec = TensorSpec((), dtype)
        source = Input(self.argument(spec, name), spec, getter=getter)
        self.inputs.append(source)
        return self.wrap(source.value, CPU)

    def computed(self, function: Callable[..., float], operands: Sequence[Any], dtype: DType) -> Any:
        """A Python function of numbers that change from call to call, as a float or a tensor without dimensions. An
        operand may be a function that gives the number of each call."""
        symbols = self.observer.symbols
        found = [symbols.source(getattr(x, "__name__", "number"), x(), _ask(x)) if callable(x) else x for x in operands]
        result = symbols.result(function, f"computed({', '.join(['{}'] * len(found))})", *found)
        return dispatch.scalar(result, (), dtype) if dispatch.is_symbolic(result) else float(result)

    def has_assigned(self, group: dict[str, Any], key: str) -> bool:
        """Whether the function has put another number into an optimizer's group."""
        place = (id(group), key)
        if place in self.observer.sources:
            return self.observer.sources[place] is not as_traced(group)[key]
        return place in self.hyperparameters and self.hyperparameters[place] is not group[key]

    def wrap(self, value: SSAValue, where: device | None = None) -> Tensor:
        """A new tensor that holds a value of this trace."""
        return dispatch.traced(value, spec_of(value.type), where)

    # Gradients

    def get_grad(self, tensor: Tensor) -> Tensor | UsedUp | None:
        """What `tensor.grad` is at this point of the trace."""
        if tensor in self.grads:
            return self.grads[tensor]
        if tensor not in self.grads_found:
            found = self.grads_found[tensor] = tensor._grad
            if isinstance(found, UsedUp):
                return found
            if found is not None:
                self._found_grad(tensor, found)
        return self.grads_found[tensor]

    def gradient_owner(self, storage: Storage) -> Tensor | None:
        """The tensor whose gradient, another one in each call, has this memory."""
        return self._gradients.get(storage)

    def _found_grad(self, tensor: Tensor, grad: Tensor) -> None:
        """Each call brings gradients along in memory of their own. A part of a flat buffer, or what shares its memory
        with something else, is state that the program is for."""
        storage = grad._storage
        other = self._gradients.get(storage)
        if grad._view is None and other is None and storage not in self.lifted and storage not in self._names:
            self._gradients[storage] = tensor
            return
        self.pinned.add(tensor)
        if other is not None:
            self.pinned.add(other)
            del self._gradients[storage]
            if storage in self.lifted:
                self.lifted[storage].gradient_of = None

    def set_grad(self, tensor: Tensor, grad: Tensor | UsedUp | None) -> None:
        """Sets `tensor.grad` from this point of the trace on."""
        self.grads[tensor] = grad

    def pass_on(self, gradients: Sequence[tuple[Tensor, Tensor]], retain_graph: bool) -> None:
        """A backward pass has come to tensors that were computed outside, from where it goes on after the call."""
        if gradients:
            self.passed_on.append(BackwardOutside([*gradients], retain_graph, here()))

    def use_grad(self, tensor: Tensor) -> Tensor | None:
        """`tensor.grad` for an optimizer, which uses it up."""
        self._locate()
        self.grads_used[tensor] = describe(self.builder.location)
        found = self.get_grad(tensor)
        if isinstance(found, UsedUp):
            raise found.missing()
        return found

    def keep_gradient(self, tensor: Tensor) -> None:
        """A tensor from outside is written to: if its gradient is kept, then from here on that of its new value."""
        if any(t is tensor for t in self.retained_outside):
            self.retained_outside = [t for t in self.retained_outside if t is not tensor]
            self.retained.append(tensor)

    # Python state

    def on_failure(self, undo: Callable[[], None]) -> None:
        """Registers what to call if the trace fails, to take back what Python could see."""
        self._undo.append(undo)

    def release(self) -> None:
        """Lets go of the tensors of the call that was traced; what is needed on each call is in the inputs."""
        for source in self.inputs:
            if source.leaf is not None or source.gradient_of is not None:
                source.storage = None
        for table in (self.values, self.lifted, self.leaves, self.grads, self.grads_found, self._leaf_values):
            table.clear()
        for table in (self._argument_leaves, self._gradients, self._names):
            table.clear()
        self.grads_used.clear()
        for values in (self._numbers, self._whole):
            values.clear()
        for tensors in (self.passed_on, self.retained, self.retained_outside, self.pinned):
            tensors.clear()
        self.versions.clear()
        self.rewritten.clear()
        self.came_from.clear()
        self.kept_apart.clear()
        self.histories.clear()
        self.views.clear()

    def on_end(self, restore: Callable[[], None]) -> None:
        """Registers what to call when the trace ends, however it does."""
        self._restore.append(restore)

    def fail(self) -> None:
        """Takes back what was registered, last first."""
        while self._undo:
            self._undo.pop()()

    def keep_own(self, tensor: Tensor) -> None:
        """Before a tensor from outside gets other memory, or another history: other threads are not to see that."""
        if tensor not in self.came_from and not tensor._storage.symbolic:
            own_fields.keep_own(tensor)

    def end(self) -> None:
        """From here on, values of this trace cannot be used; those still alive know where they were made."""
        while self._restore:
            self._restore.pop()()
        own_fields.give_up()
        for storage, value in self.values.items():
            _remember(storage, value)

    def forget(self, storage: Storage) -> None:
        """What a storage holds cannot be used from here on."""
        _remember(storage, self.values.pop(storage))


def _remember(storage: Storage, value: SSAValue) -> None:
    """Lets whoever keeps a storage of a trace know where it was made."""
    if storage.symbolic and isinstance(value, OpResult):
        origins[storage] = value.op.location


@contextmanager
def tracing(trace: Trace) -> Generator[Trace]:
    """Makes a trace the current one. Traces do not nest: a compiled function inside another is traced into it."""
    before = modes.trace
    modes.trace = trace
    try:
        yield trace
    finally:
        modes.trace = before


@contextmanager
def paused() -> Generator[None]:
    """Code in here runs eagerly: optimizers make their state tensors so."""
    before = modes.trace
    modes.trace = None
    try:
        yield
    finally:
        modes.trace = before


def as_traced(value: Any) -> Any:
    """What traced code gets in the place of an object, such as a dictionary of numbers that change."""
    trace = current()
    return value if trace is None else trace.observer.stand_ins.get(id(value), value)


def _ask(function: Callable[..., Any]) -> Callable[[Sequence[Any]], Any]:
    return lambda leaves: function()


def current() -> Trace | None:
    """The trace that is going on, if any."""
    return modes.trace
