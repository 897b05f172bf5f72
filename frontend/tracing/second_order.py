"""Which derivatives can be differentiated again: those whose ops, once they stand there, gradients flow through.

%g = hl.gradient %l wrt %w       l = sum(w * w)  ->  g = 2 * w     flows on to w
                                 l = sum(w * c)  ->  g = c         does not: its own gradient is None, not zero
"""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects.builtin import FunctionType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Operation, OpResult, Region, SSAValue

from ...dialects.hl.autodiff import GradientOp, StopGradientOp
from ...dialects.hl.regions import CustomGradientOp
from ...dialects.types import spec_of
from ...passes.hl.differentiate import expand_gradients
from ..node import carries_gradient


def flows_on(op: GradientOp, is_tracked: Callable[[SSAValue], bool]) -> list[bool]:
    """For each result, whether gradients flow through it, which is seen on a copy of what it is computed by."""
    needed = _needed(op)
    made = {result for each in needed for inner in each.walk() for result in inner.results}
    outside = dict.fromkeys(v for each in needed for v in each.operands if v not in made)
    block = Block(arg_types=[v.type for v in outside])
    copies: dict[SSAValue, SSAValue] = dict(zip(outside, block.args))
    for each in needed:
        block.add_op(each.clone(copies))
    block.add_op(ReturnOp(*(copies[result] for result in op.results)))
    flowing = {copy for value, copy in copies.items() if is_tracked(value)}
    flowing.difference_update(copies[result] for result in op.results)
    expand_gradients(FuncOp("copy", FunctionType.from_lists([], [r.type for r in op.results]), Region(block)))
    for each in block.ops:
        inputs = each.inputs if isinstance(each, CustomGradientOp) else each.operands
        if not isinstance(each, StopGradientOp) and not flowing.isdisjoint(inputs):
            flowing.update(r for r in each.results if carries_gradient(spec_of(r.type)))
    last = block.last_op
    assert last is not None
    found = [value in flowing for value in last.operands]
    for each in reversed(list(block.ops)):
        each.detach()
        each.erase(safe_erase=False)
    return found


def _needed(op: Operation) -> list[Operation]:
    """The ops of its block that an op depends on, and itself."""
    wanted, found = {op}, list[Operation]()
    current: Operation | None = op
    while current is not None:
        if current in wanted:
            found.append(current)
            for inner in current.walk():
                wanted.update(v.op for v in inner.operands if isinstance(v, OpResult))
        current = current.prev_op
    return found[::-1]


__all__ = ["flows_on"]
