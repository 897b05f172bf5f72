"""Evaluates a function of hl ops by the reference meanings: straight lines, calls, `scf.for` and `scf.if`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
from xdsl.dialects import arith, func, scf
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from ..hl.base import HLOp
from ..hl.control import ScanOp, YieldOp
from ..locations import blame, describe, location_of
from ..types import TensorSpec, dtype_of_numpy, spec_of
from . import NO_REFERENCE, evaluate
from .table import Array

Values: TypeAlias = "dict[SSAValue, Any]"
"""Arrays, and Python numbers for what is not a tensor."""


class InterpretError(ValueError):
    """A program that cannot be evaluated, or arguments that do not fit it. The text names the op and its line."""

    def __init__(self, message: str, op: Operation) -> None:
        self.message, self.location = message, location_of(op)
        line = describe(self.location)
        super().__init__(f"{line}: {message}" if line else message)


def interpret(function: func.FuncOp, arrays: Sequence[Array]) -> list[Array]:
    """The results of a function for the given arguments. Calls go to functions of the same module."""
    if function.is_declaration:
        raise InterpretError(f"@{function.sym_name.data} has no body", function)
    block = function.body.block
    if len(arrays) != len(block.args):
        message = f"@{function.sym_name.data}: expected {len(block.args)} arguments, got {len(arrays)}"
        raise InterpretError(message, function)
    for i, (argument, array) in enumerate(zip(block.args, arrays)):
        expected, given = spec_of(argument.type), TensorSpec(array.shape, dtype_of_numpy(array.dtype))
        if expected != given:
            message = f"@{function.sym_name.data}: argument {i}: expected {expected}, got {given}"
            raise InterpretError(message, function)
    return run_block(block, {}, arrays)


def run_block(block: Block, outer: Values, arguments: Sequence[Any]) -> list[Any]:
    """The operands of a block's terminator, for the given block arguments."""
    values = {**outer, **dict(zip(block.args, arguments))}
    for op in block.ops:
        operands = [values[v] for v in op.operands]
        if isinstance(op, func.ReturnOp | scf.YieldOp | YieldOp):
            return operands
        try:
            values.update(zip(op.results, run_op(op, operands, values)))
        except Exception as error:
            blame(error, op)
            raise
    return []


def run_op(op: Operation, operands: Sequence[Any], values: Values) -> Sequence[Any]:
    """The results of one op. `values` are those that its regions may use."""
    if isinstance(op, HLOp):
        reason = NO_REFERENCE.get(type(op))
        if reason:
            raise _error(op, reason)
        return evaluate(type(op), operands, op.attributes_dict())
    rule = RULES.get(type(op))
    if rule is None:
        raise _error(op, "the reference interpreter does not know this op")
    return rule(op, operands, values)


def _error(op: Operation, reason: str) -> InterpretError:
    return InterpretError(f"{op.name}: {reason}", op)


def _call(op: Operation, operands: Sequence[Any], values: Values) -> Sequence[Any]:
    name = cast(func.CallOp, op).callee.root_reference.data
    root = op
    while not isinstance(root, ModuleOp):
        parent = root.parent_op()
        if parent is None:
            raise _error(op, f"@{name} is called outside a module")
        root = parent
    for candidate in root.ops:
        if isinstance(candidate, func.FuncOp) and candidate.sym_name.data == name:
            return interpret(candidate, operands)
    raise _error(op, f"there is no function @{name}")


def _constant(op: Operation, operands: Sequence[Any], values: Values) -> Sequence[Any]:
    value = cast(arith.ConstantOp, op).value
    if isinstance(value, IntegerAttr | FloatAttr):
        return [value.value.data]
    raise _error(op, "a constant tensor is an hl.constant")


def _for(op: Operation, operands: Sequence[Any], values: Values) -> Sequence[Any]:
    body = cast(scf.ForOp, op).body.block
    low, high, step, *carried = operands
    if step < 1:
        raise _error(op, f"expected a step of at least 1, got {step}")
    for i in range(low, high, step):
        carried = run_block(body, values, [i, *carried])
    return carried


def _if(op: Operation, operands: Sequence[Any], values: Values) -> Sequence[Any]:
    chosen = cast(scf.IfOp, op).true_region if operands[0] else cast(scf.IfOp, op).false_region
    return run_block(chosen.block, values, []) if chosen.blocks else []


def _scan(op: Operation, operands: Sequence[Any], values: Values) -> Sequence[Any]:
    scan = cast(ScanOp, op)
    count, scanned = len(scan.carried), len(scan.xs)
    carried, xs, constants = operands[:count], operands[count : count + scanned], operands[count + scanned :]
    specs = [spec_of(result.type) for result in scan.outputs[count:]]
    stacked = [np.empty(spec.shape, spec.dtype.numpy) for spec in specs]
    for t in reversed(range(scan.steps)) if scan.backwards else range(scan.steps):
        yielded = run_block(scan.body.block, values, [*carried, *(x[t] for x in xs), *constants])
        carried = yielded[:count]
        for stack, value in zip(stacked, yielded[count:]):
            stack[t] = value
    return [*carried, *stacked]


RULES: dict[type[Operation], Callable[[Operation, Sequence[Any], Values], Sequence[Any]]] = {
    func.CallOp: _call,
    arith.ConstantOp: _constant,
    scf.ForOp: _for,
    scf.IfOp: _if,
    ScanOp: _scan,
}
"""Meanings of what is not an hl op."""
