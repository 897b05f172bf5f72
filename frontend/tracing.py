"""Tracing: the same Python that runs eagerly, run once on tensors without values, leaves a function of hl ops.

A concrete storage becomes a function argument when it is first read. Writes go to an overlay, so that nothing outside
changes while tracing; at the end, storages whose value is another one than at the start are state, which the compiled
program updates in place.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import get_ident
from types import CodeType
from typing import TYPE_CHECKING, Any

from xdsl.dialects.builtin import LocationAttr
from xdsl.ir import Block, BlockArgument, Operation, OpResult, SSAValue

from ..dialects.hl.autodiff import StopGradientOp
from ..dialects.hl.base import Attributes, HLOp
from ..dialects.hl.builder import IRBuilder
from ..dialects.hl.regions import CustomGradientOp
from ..dialects.locations import at_line, describe
from ..dialects.types import DType, TensorSpec, spec_of, tensor_type
from ..runtime.storage import Storage, origins
from . import dispatch
from .errors import runtime_error
from .source import is_ours
from .tape import VALUE_FREE
from .targets import target_at

if TYPE_CHECKING:
    from .tensor import Tensor

_locations: dict[tuple[CodeType, int], LocationAttr] = {}


def user_location() -> LocationAttr:
    """The location of the innermost user frame; kept by code position, since frames compute lines slowly."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        code = frame.f_code
        if not is_ours(code.co_filename):
            key = (code, frame.f_lasti)
            found = _locations.get(key)
            if found is None:
                found = _locations[key] = at_line(code.co_filename, frame.f_lineno)
            return found
        frame = frame.f_back
    return at_line("", 0)


@dataclass(eq=False)
class Input:
    """An argument of the traced function and where its value comes from on each call."""

    value: BlockArgument
    spec: TensorSpec
    storage: Storage | None = None
    """The storage that held it when it was traced; None for a run-time scalar."""
    leaf: int | None = None
    """The position among the call's flattened arguments."""
    gradient_of: Tensor | int | None = None
    """The tensor whose `.grad` this is; the position of one among the arguments."""
    whole: bool = False
    """Whether the argument is a view, and this all that it is a view of."""
    getter: Callable[[], float] | None = None
    """What gives the number on each call."""
    result: int | None = None
    """The result that is its new value."""


class Trace:
    """A function being traced: its ops so far, its arguments, and what Python would see changed."""

    def __init__(self, names: dict[Storage, str] | None = None) -> None:
        self.block = Block()
        self.builder = IRBuilder(self.block)
        self.inputs: list[Input] = []
        self.values: dict[Storage, SSAValue] = {}
        """The current value of every storage that the trace has met."""
        self.lifted: dict[Storage, Input] = {}
        """The arguments by the storage they stand for."""
        self.leaves: dict[SSAValue, Tensor] = {}
        """Tensors that derivatives are taken by, under the value they were read as."""
        self.grads: dict[Tensor, Tensor | None] = {}
        """`.grad` of every tensor where the trace has set it."""
        self.grads_found: dict[Tensor, Tensor | None] = {}
        """`.grad` as it was before, where the trace has asked for it."""
        self.grads_used: set[Tensor] = set()
        """Tensors whose gradient an optimizer has applied."""
        self.after_call: list[Callable[[], None]] = []
        """Called after each run of the program, for counts that Python keeps."""
        self._names = names or {}
        self._argument_leaves: dict[Storage, int] = {}
        self._numbers: set[Storage] = set()
        self._whole: set[Storage] = set()
        self._gradients: dict[Storage, Tensor] = {}
        self._leaf_values: dict[tuple[Tensor, SSAValue], SSAValue] = {}
        self._tracked: set[SSAValue] = set()
        self._plain: set[SSAValue] = set()
        self._stopped: dict[SSAValue, SSAValue] = {}
        self._freed: set[SSAValue] = set()
        self._thread = get_ident()
        self._undo: list[Callable[[], None]] = []
        self._restore: list[Callable[[], None]] = []
        self._last: SSAValue | None = None

    # Arguments and storages

    def declare_argument(self, storage: Storage, leaf: int, name: str, whole: bool = False) -> None:
        """Says that a storage is that of the flattened argument number `leaf`. `whole`: that is a view of it."""
        if whole:
            self._whole.add(storage)
        self._argument_leaves.setdefault(storage, leaf)
        self._names.setdefault(storage, name)

    def argument_of(self, storage: Storage) -> tuple[int | None, bool]:
        """The position of the argument whose storage this is, if any, and whether it is a view of it."""
        return self._argument_leaves.get(storage), storage in self._whole

    def declare_number(self, storage: Storage, leaf: int, name: str) -> None:
        """Says that a storage without bytes stands for the float that is the flattened argument number `leaf`."""
        self._numbers.add(storage)
        self.declare_argument(storage, leaf, name)

    def name_after(self, storage: Storage, owner: Storage, suffix: str) -> None:
        """Calls a storage `weight_exp_avg` where it belongs to one that is called `weight`."""
        name = self._names.get(owner)
        if name:
            self._names.setdefault(storage, f"{name}_{suffix}")

    def _lift(self, storage: Storage) -> Input:
        found = self.lifted.get(storage)
        if found is not None:
            return found
        if storage.array is None and storage not in self._numbers:
            raise storage.missing()
        name = self._names.get(storage)
        owner = self._gradients.get(storage)
        if owner is not None:
            name = f"d{self._names.get(owner._storage, 'gradient')}"
        value = self.argument(storage.spec, name)
        source = Input(value, storage.spec, storage, self._argument_leaves.get(storage), owner)
        source.whole = storage in self._whole
        self.inputs.append(source)
        self.lifted[storage] = source
        self.values[storage] = value
        return source

    def argument(self, spec: TensorSpec, name: str | None) -> BlockArgument:
        """A new argument of the function."""
        value = self.block.insert_arg(tensor_type(spec), len(self.block.args))
        if name and name.isidentifier():
            value.name_hint = name
        return value

    def read(self, storage: Storage, leaf: Tensor | None = None) -> SSAValue:
        """The current value of a storage; one from outside is lifted to a function argument once.

        `leaf` is the tensor whose gradient may be asked for, where it is read to compute with.
        """
        value = self.values.get(storage)
        if value is None:
            value = self._lift(storage).value
        return value if leaf is None else self.leaf_value(storage, leaf, value)

    def write(self, storage: Storage, value: SSAValue) -> None:
        """Makes `value` what the storage holds from here on, in this trace."""
        if storage.array is not None:
            self._lift(storage)
        self.values[storage] = value

    def leaf_value(self, storage: Storage, leaf: Tensor, value: SSAValue) -> SSAValue:
        """The value to compute with for a leaf that gradients are taken of, given its current one.

        A function argument can be named by hl.gradient itself, unless it already stands for another tensor or for a
        constant.
        """
        if self.leaves.get(value) is leaf:
            return value
        key = (leaf, value)
        found = self._leaf_values.get(key)
        if found is None:
            if isinstance(value, BlockArgument) and value not in self._tracked and value not in self._plain:
                found = value
            else:
                stopped = self.detached(value)
                self._locate()
                found = self.builder.variable(stopped)
                found.name_hint = value.name_hint
            self._leaf_values[key] = found
            self._tracked.add(found)
            self.leaves[found] = leaf
        return found

    def detached(self, value: SSAValue) -> SSAValue:
        """The value as a constant for derivatives."""
        if value not in self._tracked:
            if isinstance(value, BlockArgument):
                self._plain.add(value)
            return value
        found = self._stopped.get(value)
        if found is None:
            self._locate()
            found = self._stopped[value] = self.builder.stop_gradient(value)
            found.name_hint = value.name_hint
        return found

    def unrecorded(self, storage: Storage, value: SSAValue) -> SSAValue:
        """What a storage holds after a write that is not recorded for gradients: `value`, constant for derivatives.

        Where gradients flow through what it held, they go on as if nothing had been written: as in PyTorch, the history
        stays that of the old value, x' = value + (x - constant(x)).
        """
        value = self.detached(value)
        old = self.values.get(storage)
        if old is None or old not in self._tracked or storage.spec.dtype.kind != "float":
            return value
        leaf = self.leaves.get(old)
        if leaf is not None and leaf._storage is storage:
            return value
        constant = self.detached(old)
        (difference,) = self._differentiable(lambda b: (b.sub(old, constant),))
        (result,) = self._differentiable(lambda b: (b.add(value, difference),))
        return result

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
        if get_ident() != self._thread:
            raise runtime_error(
                "tensors were used in another thread while a function was being traced for irtool.compile"
            )
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
            self._tracked.update(results)
        self._last = results[0] if len(results) == 1 else None
        return results

    def insert(self, op: Operation) -> None:
        """Places an op that was made elsewhere, at the user's line."""
        self._locate()
        self.builder.insert(op)

    def is_tracked(self, value: SSAValue) -> bool:
        """Whether gradients may flow through a value."""
        return value in self._tracked

    def track(self, values: Iterable[SSAValue]) -> None:
        """Says that gradients may flow through these values."""
        self._tracked.update(values)

    def _locate(self) -> None:
        """Ops from here on stand at the user's line; the last one of the line before is named after its variable."""
        location = user_location()
        if location is not self.builder.location:
            self.name_last()
            self.builder.location = location

    def name_last(self) -> None:
        """Names the last value of a line that assigns to one variable."""
        if self._last is not None and self._last.name_hint is None:
            self._last.name_hint = target_at(self.builder.location)
        self._last = None

    def runtime_scalar(self, getter: Callable[[], float], dtype: DType, name: str = "scalar") -> Tensor:
        """A 0-d tensor that `getter` fills on each call: a learning rate, a step count."""
        spec = TensorSpec((), dtype)
        source = Input(self.argument(spec, name), spec, getter=getter)
        self.inputs.append(source)
        return self.wrap(source.value)

    def wrap(self, value: SSAValue) -> Tensor:
        """A new tensor that holds a value of this trace."""
        return dispatch.traced(value, spec_of(value.type))

    # Derivatives

    def get_grad(self, tensor: Tensor) -> Tensor | None:
        """What `tensor.grad` is at this point of the trace."""
        if tensor in self.grads:
            return self.grads[tensor]
        if tensor not in self.grads_found:
            found = self.grads_found[tensor] = tensor._grad
            if found is not None:
                self._gradients.setdefault(found._storage, tensor)
        return self.grads_found[tensor]

    def set_grad(self, tensor: Tensor, grad: Tensor | None) -> None:
        """Sets `tensor.grad` from this point of the trace on."""
        self.grads[tensor] = grad

    def use_grad(self, tensor: Tensor) -> Tensor | None:
        """`tensor.grad` for an optimizer, which uses it up."""
        self.grads_used.add(tensor)
        return self.get_grad(tensor)

    def gradient(
        self, value: SSAValue, seed: SSAValue | None, leaves: Sequence[SSAValue], create_graph: bool = False
    ) -> list[SSAValue]:
        """The derivative of the sum of value * seed by each of the leaves; no seed counts as ones."""
        total = self._weighted(value, seed)
        results = list(self._differentiable(lambda b: b.gradient(total, leaves)))
        for leaf, result in zip(leaves, results, strict=True):
            result.name_hint = f"d{leaf.name_hint}" if leaf.name_hint else None
        return results if create_graph else [self.detached(result) for result in results]

    def _weighted(self, value: SSAValue, weight: SSAValue | None) -> SSAValue:
        """The sum over value * weight, as a 0-d value."""
        if weight is not None:
            stopped = self.detached(weight)
            (value,) = self._differentiable(lambda b: (b.mul(value, stopped),))
        axes = tuple(range(len(spec_of(value.type).shape)))
        if axes:
            (value,) = self._differentiable(lambda b: (b.reduce_sum(value, axes),))
        return value

    def _differentiable(self, build: Callable[[IRBuilder], Sequence[SSAValue]]) -> Sequence[SSAValue]:
        """Values that derivatives flow through, made at the user's line."""
        self._locate()
        results = build(self.builder)
        self._tracked.update(results)
        return results

    def leaves_of(self, value: SSAValue, free: bool = True) -> list[SSAValue]:
        """The values that derivatives of `value` can be taken by; `free`: its graph is not to be used again."""
        reached = self._slice(value)
        if free:
            # What keeps no values for its gradient, such as the transpose of a weight, can serve several graphs.
            self._freed.update(
                v
                for v in reached
                if v not in self.leaves and not (isinstance(v, OpResult) and type(v.op) in VALUE_FREE)
            )
        return [v for v in self.leaves if v in reached]

    def is_freed(self, value: SSAValue) -> bool:
        """Whether a backward pass has used up part of what `value` is computed by."""
        return not self._freed.isdisjoint(self._slice(value))

    def _slice(self, value: SSAValue) -> set[SSAValue]:
        """The tracked values that a value depends on."""
        seen: set[SSAValue] = set()
        pending = [value]
        while pending:
            current = pending.pop()
            if current in seen or current not in self._tracked:
                continue
            seen.add(current)
            if isinstance(current, OpResult) and current not in self.leaves:
                op = current.op
                pending.extend(op.inputs if isinstance(op, CustomGradientOp) else op.operands)
        return seen

    # Python state

    def on_failure(self, undo: Callable[[], None]) -> None:
        """Registers what to call if the trace fails, to take back what Python could see."""
        self._undo.append(undo)

    def on_end(self, restore: Callable[[], None]) -> None:
        """Registers what to call when the trace ends, however it does."""
        self._restore.append(restore)

    def fail(self) -> None:
        """Takes back what was registered, last first."""
        while self._undo:
            self._undo.pop()()

    def end(self) -> None:
        """From here on, values of this trace cannot be used; those still alive know where they were made."""
        while self._restore:
            self._restore.pop()()
        for storage, value in self.values.items():
            if storage.array is None and isinstance(value, OpResult):
                origins[storage] = describe(value.op.location)


@contextmanager
def tracing(trace: Trace) -> Generator[Trace]:
    """Makes a trace the current one. Traces do not nest: a compiled function inside another is traced into it."""
    before = dispatch.current_trace
    dispatch.current_trace = trace
    try:
        yield trace
    finally:
        dispatch.current_trace = before


@contextmanager
def paused() -> Generator[None]:
    """Code in here runs eagerly: optimizers make their state tensors so."""
    before = dispatch.current_trace
    dispatch.current_trace = None
    try:
        yield
    finally:
        dispatch.current_trace = before


def current() -> Trace | None:
    """The trace that is going on, if any."""
    found: Any = dispatch.current_trace
    return found
