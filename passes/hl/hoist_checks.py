"""Checks of what the caller passes come first, so that nothing has happened where one of them fails.

    %0 = hl.check_range %computed, %errors …        %0 = hl.check_range %i, %errors …
    …                                          ->    %1 = hl.check_range %computed, %0 …
    %1 = hl.check_range %i, %0 …                     …
    func.return %1                                   func.return %1

Several records lead from one to the next in the order of the program; here those that look at an argument, perhaps
through a slice or a transposition, change places with all others. `records_of` gives them.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, OpResult, SSAValue

from ...dialects.hl.check import CheckBase
from ...dialects.marks import KERNEL_ATTRIBUTE
from ..pass_base import FunctionPass
from .checks import errors_argument, record_before, records_of
from .group.roles import Role, role_of


@dataclass(frozen=True)
class HoistChecks(FunctionPass):
    """See the module's text."""

    name = "hoist-checks"

    def takes(self, function: FuncOp) -> bool:
        return KERNEL_ATTRIBUTE not in function.attributes

    def apply_to_function(self, function: FuncOp) -> None:
        argument = errors_argument(function)
        if argument is not None:
            _hoist(function, argument)


def looks_at_arguments(value: SSAValue) -> bool:
    """Whether a value is an argument, seen through ops that cost nothing."""
    if isinstance(value, OpResult):
        free = role_of(value.op) in (Role.INLINE, Role.ALIAS)
        return free and all(map(looks_at_arguments, value.op.operands))
    return True


def _hoist(function: FuncOp, argument: SSAValue) -> None:
    block, chain = function.body.block, records_of(function)
    first = [r for r in chain if isinstance(r.op, CheckBase) and looks_at_arguments(r.op.x)]
    order = [*first, *(r for r in chain if r not in first)]
    if order == chain or any(len(list(record.uses)) != 1 for record in chain):
        return
    moving: set[Operation] = set()
    for record in first:
        _collect(record.op, record_before(record), moving)
    ops = [op for op in block.ops if op in moving]
    anchor = next(op for op in block.ops if op not in moving)
    for op in ops:
        op.detach()
    block.insert_ops_before(ops, anchor)
    end = chain[-1].uses
    ((user, index),) = [(use.operation, use.index) for use in end]
    places = [next(k for k, v in enumerate(r.op.operands) if v is record_before(r)) for r in order]
    previous = argument
    for record, place in zip(order, places):
        record.op.operands[place] = previous
        previous = record
    user.operands[index] = previous


def _collect(op: Operation, record: SSAValue | None, found: set[Operation]) -> None:
    """An op, and what it is computed from but the record."""
    found.add(op)
    for operand in op.operands:
        if operand is not record and isinstance(operand, OpResult):
            _collect(operand.op, None, found)
