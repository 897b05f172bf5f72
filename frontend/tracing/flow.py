"""Derivatives inside a trace: which values they flow through, and by what they are taken."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from xdsl.dialects.builtin import LocationAttr
from xdsl.ir import Block, BlockArgument, OpResult, SSAValue

from ...dialects.hl.autodiff import GradientOp, VariableOp
from ...dialects.hl.builder import IRBuilder
from ...dialects.hl.regions import CustomGradientOp
from ...dialects.hl.shape import ConcatOp, SliceOp
from ...dialects.locations import at_line, describe
from ...dialects.names import identifier
from ...dialects.types import i1, spec_of
from ...runtime.storage import Storage
from ..errors import refused
from ..node import carries_gradient
from ..source import is_ours
from ..tape import VALUE_FREE
from .targets import target_at
from .versions import Versions

if TYPE_CHECKING:
    from ..tensor import Tensor


def user_location() -> LocationAttr:
    """The location of the innermost user frame."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        code = frame.f_code
        if not is_ours(code.co_filename):
            return at_line(code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return at_line("", 0)


class Modified(NamedTuple):
    """Why a gradient cannot be taken: something that it needs has been written over."""

    message: str
    only_here: bool
    """Whether eager code goes on, or may."""


class Flow:
    """The ops of a trace, and which of their values derivatives flow through: the tracked ones."""

    def __init__(self) -> None:
        self.block = Block()
        self.builder = IRBuilder(self.block)
        self.values: dict[Storage, SSAValue] = {}
        """The current value of every storage that the trace has met."""
        self.derived: dict[Any, SSAValue] = {}
        """Values of views, by what they are views of, the op and its attributes: each emitted once."""
        self.leaves: dict[SSAValue, Tensor] = {}
        """Tensors that derivatives are taken by, under the value they were read as."""
        self._leaf_values: dict[tuple[Tensor, SSAValue], SSAValue] = {}
        self._tracked: set[SSAValue] = set()
        self._plain: set[SSAValue] = set()
        """Arguments that were used where no derivative flows."""
        self._stopped: dict[SSAValue, SSAValue] = {}
        self._freed: set[SSAValue] = set()
        """Tracked values that a backward pass has used up."""
        self.hooked: set[SSAValue] = set()
        """Values whose gradient a hook replaces."""
        self.versions = Versions()
        self.saving: set[SSAValue] = set()
        """Values that keep something for their gradient, whatever their op is: those of writes to parts of tensors."""
        self._last: SSAValue | None = None

    # Where ops stand

    def _locate(self) -> None:
        """Ops from here on stand at the user's line; the last one of the line before is named after its variable."""
        location = user_location()
        if location is not self.builder.location:
            self.name_last()
            self.builder.location = location

    def name_last(self) -> None:
        """Names the last value of a line that assigns to one variable."""
        if self._last is not None and self._last.name_hint is None:
            self._last.name_hint = identifier(target_at(self.builder.location) or "") or None
        self._last = None

    # What is tracked

    def is_tracked(self, value: SSAValue) -> bool:
        """Whether gradients may flow through a value."""
        return value in self._tracked

    def track(self, values: Iterable[SSAValue]) -> None:
        """Says that gradients may flow through these values, where they are of a kind that carries any."""
        self._tracked.update(v for v in values if carries_gradient(spec_of(v.type)))

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
        stays that of the old value, x' = value + (x - constant(x)), where that difference is a number.
        """
        value = self.detached(value)
        old = self.values.get(storage)
        if old is None or old not in self._tracked or storage.spec.dtype.kind != "float":
            return value
        leaf = self.leaves.get(old)
        return value if leaf is not None and leaf._storage is storage else self.with_history(value, old)

    def with_history(self, value: SSAValue, history: SSAValue) -> SSAValue:
        """The numbers of one value, with the derivatives of another one."""
        if history not in self._tracked:
            return value
        constant = self.detached(history)
        zeros = self.builder.constant(0.0, *spec_of(value.type))
        (difference,) = self._differentiable(lambda b: (b.sub(history, constant),))
        number = self.builder.compare("eq", difference, difference)
        (difference,) = self._differentiable(lambda b: (b.select(number, difference, zeros),))
        (result,) = self._differentiable(lambda b: (b.add(value, difference),))
        return result

    def in_place_of(self, old: SSAValue, value: SSAValue, whole: bool) -> SSAValue:
        """A value that a recorded write has put in the place of `old`, by which its derivative is zero:

        x.copy_(y)      x' = select(false, x, y)

        Where not the whole was written to, the value mostly has what is left of the old one among its parts.
        """
        if old not in self._tracked or old is value or not (whole or self._is_cut(old, value)):
            return value
        never = self.builder.constant(False, spec_of(old.type).shape, i1)
        (result,) = self._differentiable(lambda b: (b.select(never, old, value),))
        return result

    def joined(self, value: SSAValue, nothing: SSAValue) -> SSAValue:
        """A value to which elements were written that it has none of: gradients flow to them all the same.

        x[:0] = y       x' = reshape(concat(reshape(x), reshape(y)))
        """
        if value not in self._tracked and nothing not in self._tracked:
            return value
        spec = spec_of(value.type)
        parts = [self._reshaped(value, (math.prod(spec.shape),)), self._reshaped(nothing, (0,))]
        (flat,) = self._differentiable(lambda b: (b.concat(parts, 0),))
        return self._reshaped(flat, spec.shape)

    def _reshaped(self, value: SSAValue, shape: tuple[int, ...]) -> SSAValue:
        if value in self._tracked:
            return self._differentiable(lambda b: (b.reshape(value, shape),))[0]
        return self.builder.reshape(value, shape)

    def _is_cut(self, old: SSAValue, value: SSAValue) -> bool:
        """Whether a part that `old` was joined of is no part of `value`."""
        before, after = old.owner, value.owner
        if not isinstance(before, ConcatOp) or not isinstance(after, ConcatOp):
            return False
        kept = {x.op.x if isinstance(x, OpResult) and isinstance(x.op, SliceOp) else x for x in after.xs}
        return any(x in self._tracked and x not in kept and x not in after.xs for x in before.xs)

    def copied(self, value: SSAValue) -> SSAValue:
        """The same value, by which derivatives are others: those of what is computed from the copy."""
        if value not in self._tracked:
            return value
        (copy,) = self._differentiable(lambda b: (b.variable(value),))
        return copy

    # Derivatives

    def gradient(
        self, value: SSAValue, seed: SSAValue | None, leaves: Sequence[SSAValue], create_graph: bool = False
    ) -> list[SSAValue]:
        """The derivative of the sum of value * seed by each of the leaves; no seed counts as ones.

        With `create_graph`, derivatives of the result flow to the seed as well.
        """
        if seed is not None and (not create_graph or seed not in self._tracked):
            seed = self.detached(seed)
        elif seed is not None and any(self.depends(seed, leaf) for leaf in leaves):
            raise refused(
                "inside a compiled function, a grad_output that itself depends on what the gradient is taken by cannot "
                "be differentiated: detach() it, or take this gradient outside"
            )
        total = self._weighted(value, seed)
        results = list(self._differentiable(lambda b: b.gradient(total, leaves)))
        for leaf, result in zip(leaves, results, strict=True):
            result.name_hint = f"d{leaf.name_hint}" if leaf.name_hint else None
        if not create_graph:
            return [self.detached(result) for result in results]
        from .second_order import flows_on

        op = results[0].owner
        assert isinstance(op, GradientOp)
        kept = flows_on(op, self.is_tracked)
        self._tracked.difference_update(result for result, flows in zip(results, kept) if not flows)
        return results

    def _weighted(self, value: SSAValue, weight: SSAValue | None) -> SSAValue:
        """The sum over value * weight, as a 0-d value."""
        if weight is not None:
            (value,) = self._differentiable(lambda b: (b.mul(value, weight),))
        axes = tuple(range(len(spec_of(value.type).shape)))
        if axes:
            (value,) = self._differentiable(lambda b: (b.reduce_sum(value, axes),))
        return value

    def _differentiable(self, build: Callable[[IRBuilder], Sequence[SSAValue]]) -> Sequence[SSAValue]:
        """Values that derivatives flow through, made at the user's line."""
        self._locate()
        results = build(self.builder)
        self.track(results)
        return results

    def leaves_of(self, value: SSAValue) -> list[SSAValue]:
        """The values that derivatives of `value` can be taken by."""
        reached = self._slice(value)
        return [v for v in self.leaves if v in reached]

    def between(self, value: SSAValue, leaves: Iterable[SSAValue]) -> set[SSAValue]:
        """What a backward pass from a value meets on the way to leaves, without these."""
        users: dict[SSAValue, list[SSAValue]] = {}
        for v in self._slice(value):
            for x in self._sources(v):
                users.setdefault(x, []).append(v)
        pending = list(leaves)
        seen: set[SSAValue] = set()
        while pending:
            for v in users.get(pending.pop(), ()):
                if v not in seen:
                    seen.add(v)
                    pending.append(v)
        return seen

    def free(self, values: Iterable[SSAValue]) -> None:
        """Says that a backward pass has used up what the makers of these values had saved."""
        self._freed |= self.saved_by(values)

    def saved_by(self, values: Iterable[SSAValue]) -> set[SSAValue]:
        """Those whose makers have saved something for their gradient: what keeps nothing, such as the transpose of a
        weight, can serve several graphs."""
        return {v for v in values if v not in self.leaves and (v in self.saving or not self._keeps_nothing(v))}

    def _keeps_nothing(self, value: SSAValue) -> bool:
        """Whether the maker of a value has saved nothing for its gradient: it is such an op, a mark, or a hook."""
        if value in self.hooked or not isinstance(value, OpResult):
            return value in self.hooked
        return type(value.op) in VALUE_FREE or isinstance(value.op, VariableOp)

    def modified(self, values: Collection[SSAValue]) -> Modified | None:
        """What to say where a gradient through these values needs something that has been written over."""
        op = self.versions.modified(values, self.is_tracked)
        if op is None:
            return None
        hint = ""
        if self.versions.is_hidden(op):
            hint = (
                ". Through .data, eager code would go on with the new numbers; a compiled function cannot: write to it "
                "after backward(), or to a clone"
            )
        elif any(isinstance(v.owner, GradientOp) for v in values):
            hint = (
                ". For gradients of gradients, a compiled function needs all that the first was computed from, eager "
                "code perhaps not: write to a clone"
            )
        message = (
            "one of the variables needed for gradient computation has been modified by an inplace operation: it is "
            f"needed by the gradient of {op.name.removeprefix('hl.')}, at {describe(op.location)}{hint}"
        )
        return Modified(message, bool(hint))

    def is_freed(self, value: SSAValue) -> bool:
        """Whether a backward pass has used up part of what `value` is computed by."""
        return self.are_freed(self._slice(value))

    def are_freed(self, values: set[SSAValue]) -> bool:
        """Whether a backward pass has used up what the maker of one of these values had saved."""
        return not self._freed.isdisjoint(values)

    def depends(self, value: SSAValue, on: SSAValue) -> bool:
        """Whether derivatives of a value flow to another one."""
        return on in self._slice(value)

    def _slice(self, value: SSAValue) -> set[SSAValue]:
        """The tracked values that a value depends on."""
        seen: set[SSAValue] = set()
        pending = [value]
        while pending:
            current = pending.pop()
            if current in seen or current not in self._tracked:
                continue
            seen.add(current)
            pending.extend(self._sources(current))
        return seen

    def _sources(self, value: SSAValue) -> Sequence[SSAValue]:
        """What derivatives of a value flow to next, and what else its op reads."""
        if not isinstance(value, OpResult) or value in self.leaves:
            return ()
        op = value.op
        return op.inputs if isinstance(op, CustomGradientOp) else op.operands
