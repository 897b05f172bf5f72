"""Partition: a function with a gradient becomes two, for when the loss is computed outside.

    func.func @f(%w, %x) -> %y {                    func.func @f(%w, %x) -> %y, %h {
      %a = hl.matmul %x, %w                           %a = hl.matmul %x, %w
      %h = hl.tanh %a                        ->       %h = hl.tanh %a
      %y = hl.matmul %h, %w                           %y = hl.matmul %h, %w
      func.return %y                                  func.return %y, %h          // %h is saved
    }                                               }
                                                    func.func @f_backward(%w, %x, %h, %dy) -> %dw, %dx {
                                                      %1 = hl.transpose %h [1, 0]
                                                      ...
                                                    }

What backward needs of forward are its residuals: arguments and results by reference, the rest as further results. What
is cheap to compute from other residuals is computed again instead of being saved.

    parts = partition(function, wrt=(0, 1))
    results = run(parts.forward, arguments)
    residuals = [(arguments if r.of == "argument" else results)[r.index] for r in parts.residuals]
    gradients = run(parts.backward, residuals + cotangents)      # of the arguments in parts.gradients, in order
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import FunctionType, ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import BlockArgument, OpResult, SSAValue
from xdsl.passes import ModulePass

from ...dialects.effects import register_effects
from ...dialects.hl.autodiff import VariableOp
from ...dialects.hl.builder import IRBuilder
from ...dialects.locations import gradient_of
from ...dialects.types import spec_of
from ..interface import check_tensors
from ..pass_base import functions, remove
from .differentiate import ENGINE
from .engine import Partition, Residual, Wrt
from .joint import needed_by, returned_by, uses_in, variables_of


@dataclass(frozen=True)
class PartitionFunctions(ModulePass):
    """Puts forward and backward, by all floating-point arguments, in the place of every function of a module."""

    name = "partition"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in functions(op):
            check_tensors(function, static=False)
            arguments = function.body.block.args
            wrt = tuple(i for i, a in enumerate(arguments) if spec_of(a.type).dtype.kind == "float")
            parts = partition(function, wrt)
            op.body.block.insert_ops_before([parts.forward, parts.backward], function)
            remove(function)


def partition(function: FuncOp, wrt: Sequence[Wrt], outputs: Sequence[int] | None = None) -> Partition:
    """Splits the vector-Jacobian product of a function. `wrt`: what to differentiate by, arguments by number or
    `hl.variable` ops. `outputs`: the results that have cotangents, by default all floating-point ones that are no
    argument's new value. The given function is left as it is."""
    return ENGINE.partition(function, wrt, outputs)


@dataclass(frozen=True)
class GradientFunction:
    """The gradient as a function that can itself be differentiated."""

    function: FuncOp
    """Some of the arguments of the original, then a cotangent for each output -> gradients."""
    arguments: tuple[int, ...]
    """Which of the original's arguments it has."""
    wrt: tuple[Wrt, ...]
    """What to differentiate it by: what the original is differentiated by, as far as it is used, and the cotangents."""
    sources: tuple[int, ...]
    """For each of `wrt`, its number among what the original is differentiated by, and the cotangents after that."""


def gradient_function(function: FuncOp, wrt: Sequence[Wrt], outputs: Sequence[int]) -> GradientFunction:
    """The vector-Jacobian product of some results by `wrt`, before anything is differentiated:

    func.func @f(%w, %x) -> %y         ->    func.func @f_gradient(%w, %x, %dy) -> %dw
                                                %y = ...
                                                %1 = hl.mul %y, %dy
                                                %2 = hl.reduce_sum %1 [0]
                                                %dw = hl.gradient %2 wrt %w
    """
    register_effects()
    joint = function.clone()
    block = joint.body.block
    arguments, returned, last = tuple(block.args), returned_by(block), block.last_op
    assert last is not None
    variables = dict(zip(variables_of(function), variables_of(joint), strict=True))
    values = [variables[w].result if isinstance(w, VariableOp) else arguments[w] for w in wrt]
    builder = IRBuilder(block, last, gradient_of(last.location))
    total: SSAValue | None = None
    for k in outputs:
        cotangent = block.insert_arg(returned[k].type, len(block.args))
        weighted = builder.mul(returned[k], cotangent)
        axes = tuple(range(len(spec_of(weighted.type).shape)))
        part = builder.reduce_sum(weighted, axes) if axes else weighted
        total = part if total is None else builder.add(total, part)
    assert total is not None
    results = builder.gradient(total, values)
    block.insert_op_before(ReturnOp(*results), last)
    block.erase_op(last)
    for op in reversed(list(block.ops)):
        if op.results and not any(result.first_use for result in op.results):
            remove(op)
    used = tuple(i for i, a in enumerate(arguments) if a.first_use)
    for argument in reversed(arguments):
        if not argument.first_use:
            block.erase_arg(argument)
    sources = tuple(k for k, v in enumerate(values) if isinstance(v, OpResult) or v in block.args)
    places: list[Wrt] = [v.index if isinstance(v, BlockArgument) else v.op for v in (values[k] for k in sources)]  # pyright: ignore
    cotangents = range(len(used), len(block.args))
    types = FunctionType.from_lists(block.arg_types, [r.type for r in results])
    made = FuncOp(f"{function.sym_name.data}_gradient", types, joint.detach_region(joint.body))
    return GradientFunction(
        made, used, (*places, *cotangents), (*sources, *range(len(values), len(values) + len(cotangents)))
    )


def arguments_of(function: FuncOp, outputs: Sequence[int]) -> tuple[int, ...]:
    """The arguments that some results depend on."""
    block = function.body.block
    returned = returned_by(block)
    results = [returned[k] for k in outputs]
    needed = {*results, *(v for op in needed_by(list(block.ops), results) for v in uses_in(op))}
    return tuple(i for i, a in enumerate(block.args) if a in needed)


__all__ = [
    "GradientFunction",
    "Partition",
    "PartitionFunctions",
    "Residual",
    "Wrt",
    "arguments_of",
    "gradient_function",
    "partition",
]
