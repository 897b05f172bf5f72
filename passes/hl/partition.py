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

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from xdsl.context import Context
from xdsl.dialects.builtin import FunctionType, ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, BlockArgument, Operation, OpResult, Region, SSAValue
from xdsl.passes import ModulePass

from ...dialects.effects import register_effects
from ...dialects.hl import elementwise as e
from ...dialects.hl import shape as s
from ...dialects.hl.autodiff import VariableOp
from ...dialects.hl.builder import IRBuilder
from ...dialects.locations import gradient_of
from ...dialects.types import DYNAMIC, spec_of
from ..interface import check_tensors
from ..pass_base import functions, remove, walk
from .differentiate import erase_markers, expand_gradients, reverse
from .simplify import simplify

Wrt: TypeAlias = "int | VariableOp"
"""What a derivative is taken by: an argument, or a value inside the function that was marked."""

STATE_RESULT = "irtool.result"
"""Attribute of an argument: the result that is its new value."""


@dataclass(frozen=True)
class Residual:
    """A value that backward takes from forward."""

    of: Literal["argument", "result"]
    index: int
    """Among the arguments or the results of the forward function."""


@dataclass(frozen=True)
class Partition:
    """The two functions, and how their arguments and results belong together."""

    forward: FuncOp
    """All arguments of the original -> all its results, then what is saved only for backward."""
    backward: FuncOp
    """Residuals, then cotangents -> gradients."""
    residuals: tuple[Residual, ...]
    cotangents: tuple[int, ...]
    """Which results of forward the cotangents belong to."""
    gradients: tuple[Wrt, ...]
    """What the gradients are of; what else was asked for does not influence the results."""


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
    register_effects()
    joint = function.clone()
    block = joint.body.block
    arguments, results = tuple(block.args), len(_returned(block))
    states = _state_results(joint)
    if outputs is None:
        floats = (spec_of(v.type).dtype.kind == "float" for v in _returned(block))
        outputs = [k for k, is_float in enumerate(floats) if is_float and k not in states]
    variables = dict(zip(_variables(function), _variables(joint), strict=True))
    values = [variables[w].result if isinstance(w, VariableOp) else arguments[w] for w in wrt]
    given = _differentiate(joint, values, outputs)
    simplify(joint.body)

    returned = _returned(block)
    cotangents = tuple(block.args[len(arguments) :])
    parts = _Split(block, arguments, cotangents, returned[:results], returned[results:], states)
    forward = _function(
        function, function.sym_name.data, arguments, parts.forward_ops, (*returned[:results], *parts.saved)
    )
    backward_arguments = (*parts.residuals, *cotangents)
    name = f"{function.sym_name.data}_backward"
    backward = _function(None, name, backward_arguments, parts.backward_ops, returned[results:])
    return Partition(
        forward,
        backward,
        tuple(parts.where(v) for v in parts.residuals),
        tuple(outputs),
        tuple(i for i, known in zip(wrt, given, strict=True) if known),
    )


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
    arguments, returned, last = tuple(block.args), _returned(block), block.last_op
    assert last is not None
    variables = dict(zip(_variables(function), _variables(joint), strict=True))
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
    returned = _returned(block)
    results = [returned[k] for k in outputs]
    needed = {*results, *(v for op in _needed(list(block.ops), results) for v in _uses(op))}
    return tuple(i for i, a in enumerate(block.args) if a in needed)


def _variables(function: FuncOp) -> list[VariableOp]:
    return [op for op in walk(function.body) if isinstance(op, VariableOp)]


def _returned(block: Block) -> tuple[SSAValue, ...]:
    last = block.last_op
    assert isinstance(last, ReturnOp), "a function of one block that ends in func.return"
    return tuple(last.operands)


def _state_results(function: FuncOp) -> set[int]:
    """The results that are written to where an argument was."""
    attributes = function.arg_attrs.data if function.arg_attrs is not None else ()
    return {a.data[STATE_RESULT].value.data for a in attributes if STATE_RESULT in a.data}  # pyright: ignore


def _differentiate(function: FuncOp, wrt: Sequence[SSAValue], outputs: Sequence[int]) -> list[bool]:
    """Adds an argument per cotangent, and returns the gradients too. Says which of `wrt` have one."""
    expand_gradients(function)
    block = function.body.block
    last, returned = block.last_op, _returned(block)
    assert last is not None
    builder = IRBuilder(block, last, gradient_of(last.location))
    seeds: dict[SSAValue, SSAValue] = {}
    for k in outputs:
        cotangent = block.insert_arg(returned[k].type, len(block.args))
        cotangent.name_hint = f"d{returned[k].name_hint}" if returned[k].name_hint else None
        before = seeds.get(returned[k])
        seeds[returned[k]] = cotangent if before is None else builder.add(before, cotangent)
    gradients = reverse(builder, seeds, wrt)
    returned = _returned(block)  # a scan that saves more has taken the place of one
    block.insert_op_before(ReturnOp(*returned, *(g for g in gradients if g is not None)), last)
    block.erase_op(last)
    erase_markers(function)
    return [g is not None for g in gradients]


MOVEMENTS: frozenset[type[Operation]] = frozenset((s.BroadcastOp, s.ReshapeOp, s.TransposeOp, s.ConstantOp, s.IotaOp))
"""Ops that nobody would rather load than compute."""
CHEAP: frozenset[type[Operation]] = frozenset(
    (
        *(e.NegOp, e.AbsOp, e.SignOp, e.FloorOp, e.CeilOp, e.RoundOp, e.TruncOp, e.ReluOp, e.LogicalNotOp, e.IsNanOp),
        *(e.AddOp, e.SubOp, e.MulOp, e.DivOp, e.MaximumOp, e.MinimumOp, e.CompareOp, e.SelectOp, e.CastOp),
        *(e.BitwiseAndOp, e.BitwiseOrOp, e.BitwiseXorOp, e.ShiftLeftOp, e.ShiftRightLogicalOp),
    )
)
"""Ops worth computing again, where that does not mean to save more."""


class _Split:
    """Which op of the joint function belongs where, and what goes from one to the other."""

    def __init__(
        self,
        block: Block,
        arguments: Sequence[SSAValue],
        cotangents: Sequence[SSAValue],
        results: Sequence[SSAValue],
        gradients: Sequence[SSAValue],
        states: set[int],
    ) -> None:
        ops = [op for op in block.ops if not isinstance(op, ReturnOp)]
        updated = {v for k, v in enumerate(results) if k in states}
        self._arguments = {v: i for i, v in enumerate(arguments) if not self._overwritten(block, i)}
        self._results = {v: k for k, v in reversed(list(enumerate(results))) if v not in updated}
        self._count = len(results)

        late: set[SSAValue] = set(cotangents)
        for op in ops:
            if any(v in late for v in _uses(op)):
                late.update(op.results)
        behind = [op for op in ops if any(r in late for r in op.results)]
        demanded = {v for op in behind for v in _uses(op) if v not in late}
        demanded.update(v for v in gradients if v not in late)
        again = self._decide([op for op in ops if late.isdisjoint(op.results)], demanded)

        self.residuals: list[SSAValue] = _ordered(demanded, arguments, ops)
        self.saved = [v for v in self.residuals if v not in self._arguments and v not in self._results]
        self.backward_ops = [op for op in ops if op in again or any(r in late for r in op.results)]
        self.forward_ops = _needed(ops, (*results, *self.saved))

    @staticmethod
    def _overwritten(block: Block, index: int) -> bool:
        function = block.parent_op()
        assert isinstance(function, FuncOp)
        attributes = function.arg_attrs
        return attributes is not None and STATE_RESULT in attributes.data[index].data

    def _decide(self, ops: Sequence[Operation], demanded: set[SSAValue]) -> set[Operation]:
        """Replaces demanded values by what they are computed from, where that is as good; returns the ops to repeat."""
        heavy = [op for op in ops if type(op) not in CHEAP and type(op) not in MOVEMENTS]
        in_memory = {source for op in heavy for v in _uses(op) for source in _sources(v)}
        free = set(self._arguments) | set(self._results)
        again: set[Operation] = set()
        before = -1
        while before != len(again):
            before = len(again)
            for op in reversed(ops):
                if demanded.isdisjoint(op.results) or not self._repeat(op, demanded | free, in_memory):
                    continue
                again.add(op)
                free.update(op.results)
                demanded.difference_update(op.results)
                demanded.update(v for v in op.operands if not (isinstance(v, OpResult) and v.op in again))
        return again

    def _repeat(self, op: Operation, at_hand: set[SSAValue], in_memory: set[SSAValue]) -> bool:
        if type(op) in MOVEMENTS:
            return True
        if type(op) not in CHEAP or any(r in self._results for r in op.results):
            return False
        more = {v for operand in op.operands if operand not in at_hand for v in _sources(operand)} - at_hand
        if any(r in in_memory for r in op.results):
            return not more
        return sum(map(_bytes, more)) <= sum(map(_bytes, op.results))

    def where(self, value: SSAValue) -> Residual:
        """Where a caller finds a residual."""
        if value in self._arguments:
            return Residual("argument", self._arguments[value])
        if value in self._results:
            return Residual("result", self._results[value])
        return Residual("result", self._count + self.saved.index(value))


def _sources(value: SSAValue) -> set[SSAValue]:
    """The values that a chain of movements starts from."""
    found: set[SSAValue] = set()
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, OpResult) and type(value.op) in MOVEMENTS:
            pending.extend(value.op.operands)
        else:
            found.add(value)
    return found


def _bytes(value: SSAValue) -> int:
    spec = spec_of(value.type)
    return math.prod(n for n in spec.shape if n != DYNAMIC) * spec.dtype.itemsize


def _uses(op: Operation) -> Iterable[SSAValue]:
    """Values that an op and what it contains use."""
    for inner in op.walk():
        yield from inner.operands


def _ordered(values: set[SSAValue], arguments: Sequence[SSAValue], ops: Sequence[Operation]) -> list[SSAValue]:
    """Values in the order in which the program makes them."""
    return [v for v in (*arguments, *(r for op in ops for r in op.results)) if v in values]


def _needed(ops: Sequence[Operation], results: Iterable[SSAValue]) -> list[Operation]:
    """The ops that results depend on, in order."""
    wanted = set(results)
    kept: list[Operation] = []
    for op in reversed(ops):
        if any(r in wanted for r in op.results):
            kept.append(op)
            wanted.update(_uses(op))
    return kept[::-1]


def _function(
    like: FuncOp | None,
    name: str,
    arguments: Sequence[SSAValue],
    ops: Sequence[Operation],
    results: Sequence[SSAValue],
) -> FuncOp:
    """A function of copies of ops. With `like`, its arguments' attributes are kept."""
    block = Block(arg_types=[v.type for v in arguments])
    copies: dict[SSAValue, SSAValue] = {}
    for old, new in zip(arguments, block.args, strict=True):
        copies[old] = new
        new.name_hint = old.name_hint
        new.location = old.location if isinstance(old, BlockArgument) else old.owner.location  # pyright: ignore
    for op in ops:
        block.add_op(op.clone(copies))
    block.add_op(ReturnOp(*(copies[v] for v in results)))
    types = FunctionType.from_lists([v.type for v in arguments], [v.type for v in results])
    function = FuncOp(name, types, Region(block))
    if like is not None:
        function.location = like.location
        if like.arg_attrs is not None:
            function.arg_attrs = like.arg_attrs
    return function
