"""Values in the middle of a trace that derivatives are taken by: an hl.variable behind the op that made them."""

from __future__ import annotations

from typing import Any, cast

from xdsl.ir import OpResult, SSAValue

from ...dialects.hl.autodiff import VariableOp
from .flow import Flow


def mark(trace: Flow, value: SSAValue) -> SSAValue:
    """What stands for `value` from here on, also in what was computed from it before; hl.gradient can name it.

    %h = hl.tanh %x            %h0 = hl.tanh %x
    %y = hl.exp %h      ->     %h = hl.variable %h0
                               %y = hl.exp %h
    """
    if not isinstance(value, OpResult) or isinstance(value.op, VariableOp):
        return value
    op = value.op
    block = op.parent
    assert block is not None
    variable = VariableOp.create(operands=[value], result_types=[value.type])
    variable.location = op.location
    new: SSAValue = variable.result
    value.replace_all_uses_with(new)
    variable.operands[0] = value
    new.name_hint = value.name_hint
    block.insert_op_after(variable, op)
    rename(trace, value, new)
    return new


def rename(trace: Any, old: SSAValue, new: SSAValue) -> None:
    """Lets everything that a trace remembers speak of the new value."""
    tables: tuple[dict[Any, Any], ...] = (
        *(trace.values, trace._stopped, trace._leaf_values, trace.derived, trace.hook_values),
        *(trace.histories.values, trace.histories.numbers),
        *(trace.views.values, trace.views.bases, trace.views.taken),
    )
    for table in tables:
        for key, value in list(table.items()):
            if value is old:
                table[key] = new
            if key is old:
                table[new] = table.pop(key)
            elif isinstance(key, tuple):
                parts = cast("tuple[Any, ...]", key)
                if any(part is old for part in parts[:2]):
                    table[tuple(new if part is old else part for part in parts)] = table.pop(key)
    trace.track([new])


__all__ = ["mark", "rename"]
