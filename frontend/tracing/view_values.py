"""Views in a trace: each tensor has a value of its own, since gradients by it, and hooks, are not those of its twins.

a = w.t();  b = w.t()            %a = hl.transpose %w        a.register_hook(f) is nothing to b
                                 %b = hl.transpose %w

When the trace ends, what is equal and has not been told apart is made one again: `merge`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from xdsl.ir import Block, Operation, OpResult, SSAValue

from ...dialects.hl.base import HLOp
from ..dispatch import derived, replay_value, value_of
from ..layout import LAYOUT
from ..modes import modes
from ..tensor import Tensor


class ViewValues:
    """The values of views that have a base."""

    def __init__(self) -> None:
        self.values: dict[Tensor, SSAValue] = {}
        self.bases: dict[Tensor, SSAValue] = {}
        """What each one's base was when it had that value."""
        self.taken: dict[SSAValue, bool] = {}
        """Those that are a tensor's own."""
        self._twins: list[tuple[Operation, Operation]] = []

    def new(self, trace: Any, t: Tensor, x: Tensor) -> None:
        """A tensor is the result of a view op on `x`."""
        assert t._base is not None and t._view is not None and t._view.op is not None
        value, base = value_of(trace, x), value_of(trace, t._base)
        self._set(trace, t, base, value, t._view.op, t._view.attributes)

    def value(self, trace: Any, t: Tensor) -> SSAValue:
        """What a view shows now."""
        assert t._base is not None
        base = value_of(trace, t._base)
        origin, view = t._base._view, t._view
        if not modes.grad or view is origin or view is None or view.op is None:
            return replay_value(trace, base, origin, view)
        if self.bases.get(t) is not base:
            value, before = replay_value(trace, base, origin, view.parent), self.values.get(t)
            self._set(trace, t, base, value, view.op, view.attributes)
            if before is not None and t._requires_grad and not t._base._requires_grad:  # which it had when t was made
                self.values[t] = trace.with_history(trace.detached(self.values[t]), before)
        return self.values[t]

    def _set(
        self, trace: Any, t: Tensor, base: SSAValue, x: SSAValue, op: type[HLOp], attributes: Mapping[str, Any]
    ) -> None:
        value = derived(trace, x, op, attributes)
        if value in self.taken and isinstance(value, OpResult) and trace.is_tracked(value):
            first = value.op
            twin = type(first).create(operands=[x], result_types=[value.type], properties=first.properties)
            trace.insert(twin)
            value = twin.results[0]
            trace.track((value,))
            self._twins.append((first, twin))
        self.taken[value] = True
        self.values[t], self.bases[t] = value, base

    def merge(self, block: Block, kept: Collection[SSAValue]) -> None:
        """Makes equal views in a block one, but for what is to be kept."""
        if not self._twins:
            return
        places = {op: number for number, op in enumerate(block.ops)}
        pending = [twins for twins in self._twins if _are_equal(*twins, places)]
        while pending:
            first, second = pending.pop()
            result, twin = first.results[0], second.results[0]
            if second.parent is None or twin in kept:
                continue
            views = {use.operation for use in twin.uses if type(use.operation) in LAYOUT}
            others = [use.operation for use in result.uses] if views else []
            twin.replace_all_uses_with(result)
            pending += [(other, view) for view in views for other in others if _are_equal(other, view, places)]
            second.detach()
            second.erase()

    def clear(self) -> None:
        """Lets go of everything."""
        self.values.clear()
        self.bases.clear()
        self.taken.clear()
        self._twins.clear()


def _are_equal(first: Operation, second: Operation, places: Mapping[Operation, int]) -> bool:
    """Whether two ops of a block do the same, the first one earlier."""
    if type(first) is not type(second) or first not in places or second not in places:
        return False
    same = first.operands[0] is second.operands[0] and first.properties == second.properties
    return same and first.results[0].type == second.results[0].type and places[first] < places[second]


__all__ = ["ViewValues"]
