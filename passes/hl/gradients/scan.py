"""The gradient of a scan is a scan the other way.

    %h, %ys = hl.scan 60 carry(%h0) over(%xs) with(%w) { body }
    ->
    %h, %ys, %saved = hl.scan 60 carry(%h0) over(%xs) with(%w) { body, which also yields what backward needs }
    ...
    %dh0, %dxs, %p = hl.scan 60 reverse carry(%dh) over(%saved, %xs, %dys) with(%w) { the body's pullback }
    %dw = hl.matmul of %p and %xs, all steps at once

The derivative by a `with` value is a sum over the steps. Where each term is a matrix product, its factors are stacked
and multiplied once, behind the loop: one large product instead of many small ones that each read and write the whole
sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.dialects.builtin import FunctionType
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, BlockArgument, OpResult, SSAValue

from ....dialects.hl.builder import IRBuilder
from ....dialects.hl.contraction import MatmulOp
from ....dialects.hl.control import ScanOp, YieldOp
from ....dialects.hl.shape import TransposeOp
from ....dialects.locations import gradient_of
from ....dialects.types import spec_of
from ..engine import Engine


def is_float(value: SSAValue) -> bool:
    """Whether a value can have a derivative."""
    return spec_of(value.type).dtype.kind == "float"


def as_function(op: ScanOp) -> FuncOp:
    """The body as a function of its arguments."""
    region = op.body.clone()
    block = region.block
    last = block.last_op
    assert isinstance(last, YieldOp)
    values = list(last.values)
    end = ReturnOp(*values)
    end.location = last.location
    block.insert_op_before(end, last)
    last.detach()
    last.erase()
    return FuncOp("body", FunctionType.from_lists(list(block.arg_types), [v.type for v in values]), region)


def take_body(function: FuncOp) -> tuple[Block, list[SSAValue]]:
    """The block of a function and what it returns, its terminator gone."""
    block = function.body.block
    last = block.last_op
    assert isinstance(last, ReturnOp)
    values = list(last.operands)
    last.detach()
    last.erase()
    function.body.detach_block(block)
    return block, values


@dataclass
class Stacks:
    """What a scan yields at every step, each value once."""

    values: list[SSAValue]

    def place(self, value: SSAValue) -> int:
        """The position of a value among those stacked, which it joins if it must."""
        for k, known in enumerate(self.values):
            if known is value:
                return k
        self.values.append(value)
        return len(self.values) - 1


@dataclass
class Backward:
    """The backward scan while it is put together: arguments of its body beside what is passed for them."""

    body: Block
    carried: list[tuple[SSAValue, SSAValue]] = field(default_factory=lambda: [])
    xs: list[tuple[SSAValue, SSAValue]] = field(default_factory=lambda: [])
    constants: list[tuple[SSAValue, SSAValue]] = field(default_factory=lambda: [])


def scan_gradient(
    engine: Engine,
    builder: IRBuilder,
    op: ScanOp,
    cotangents: Sequence[SSAValue | None],
    needs: Sequence[bool],
) -> list[SSAValue | None]:
    """The cotangents of a scan's operands. Puts a scan that also saves what backward needs in the place of `op`."""
    count, scanned = len(op.carried), len(op.xs)
    inner_needs = [is_float(v) and (need or i < count) for i, (v, need) in enumerate(zip(op.body.block.args, needs))]
    wrt = [i for i, need in enumerate(inner_needs) if need]
    outputs = [
        k
        for k, (value, ct) in enumerate(zip(op.terminator.values, cotangents))
        if is_float(value) and (k < count or ct is not None)
    ]
    parts = engine.partition(as_function(op), wrt, outputs)

    # forward: what backward needs of a step is stacked; what a step was handed is what the one before handed on
    body, returned = take_body(parts.forward)
    stacks = Stacks(returned[count:])
    sources: list[
        tuple[str, int]
    ] = []  # of each residual: ("x" | "constant" | "before", operand) or ("stack", position)
    for residual in parts.residuals:
        if residual.of == "result":
            sources.append(("stack", stacks.place(returned[residual.index])))
        elif residual.index < count:
            stacks.place(returned[residual.index])
            sources.append(("before", residual.index))
        else:
            sources.append(("x" if residual.index < count + scanned else "constant", residual.index))
    yielded = YieldOp.create(operands=[*returned[:count], *stacks.values])
    yielded.location = op.terminator.location
    body.add_op(yielded)
    forward = ScanOp.make(op.carried, op.xs, op.constants, op.steps, body, op.backwards)
    forward.location = op.location
    block = op.parent
    assert block is not None
    block.insert_op_before(forward, op)
    for old, new in zip(op.outputs, forward.outputs):
        new.name_hint = old.name_hint
        old.replace_all_uses_with(new)

    # backward
    builder.location = gradient_of(op.location)
    body, gradients = take_body(parts.backward)
    arguments = iter(body.args)
    made = Backward(body)
    for kind, index in sources:
        argument = next(arguments)
        if kind == "constant":
            made.constants.append((argument, forward.operands[index]))
        elif kind == "before":
            after = forward.outputs[count + stacks.place(returned[index])]
            made.xs.append((argument, before(builder, forward, forward.carried[index], after)))
        else:
            made.xs.append((argument, forward.operands[index] if kind == "x" else forward.outputs[count + index]))
    incoming: dict[int, SSAValue] = {}  # carried value -> the argument for its cotangent
    for k in parts.cotangents:
        argument, cotangent = next(arguments), cotangents[k]
        if k < count:
            initial = cotangent if cotangent is not None else zeros(builder, forward.outputs[k])
            incoming[k] = argument
            made.carried.append((argument, initial))
        else:
            assert cotangent is not None
            made.xs.append((argument, cotangent))
    by_argument = {k: value for k, value in zip(parts.gradients, gradients) if isinstance(k, int)}
    return _finish(builder, op, forward, made, by_argument, incoming)


def before(b: IRBuilder, scan: ScanOp, initial: SSAValue, after: SSAValue) -> SSAValue:
    """What each step was handed, stacked: the initial value, then what the steps before handed on (`after`)."""
    first = b.reshape(initial, (1, *b.shape(initial)))
    if scan.steps == 1:
        return first
    rank, drop_first = len(b.shape(after)), int(scan.backwards)
    start = (drop_first, *([0] * (rank - 1)))
    stop = (scan.steps - 1 + drop_first, *b.shape(after)[1:])
    others = b.slice(after, start, stop, (1,) * rank)
    return b.concat((others, first) if scan.backwards else (first, others), 0)


def _finish(
    builder: IRBuilder,
    op: ScanOp,
    forward: ScanOp,
    made: Backward,
    gradients: dict[int, SSAValue],
    incoming: dict[int, SSAValue],
) -> list[SSAValue | None]:
    count, scanned = len(op.carried), len(op.xs)
    inside = IRBuilder(made.body, location=builder.location)
    next_carried = [
        gradients[k] if k in gradients else inside.constant(0.0, *spec_of(argument.type))
        for k, argument in incoming.items()
    ]
    sums = {i: g for i, g in gradients.items() if i >= count + scanned}
    factors = {i: g.owner for i, g in sums.items() if isinstance(g.owner, MatmulOp) and len(spec_of(g.type).shape) == 2}
    accumulators: dict[int, int] = {}
    for i, gradient in sums.items():
        if i in factors:
            continue
        accumulators[i] = len(made.carried)
        argument = made.body.insert_arg(gradient.type, len(made.body.args))
        made.carried.append((argument, zeros(builder, gradient)))
        next_carried.append(inside.add(argument, gradient))

    slices = {i: g for i, g in gradients.items() if count <= i < count + scanned}
    stacks = Stacks(list(slices.values()))
    passed = dict(made.xs)
    needed: dict[int, tuple[StackedFactor, StackedFactor]] = {}
    for i, product in factors.items():
        needed[i] = (
            StackedFactor.of(product.operands[0], passed, stacks),
            StackedFactor.of(product.operands[1], passed, stacks),
        )
    end = YieldOp.create(operands=[*next_carried, *stacks.values])
    end.location = builder.location
    made.body.add_op(end)
    order = [argument for group in (made.carried, made.xs, made.constants) for argument, _ in group]
    scan = ScanOp.make(
        [v for _, v in made.carried], [v for _, v in made.xs], [v for _, v in made.constants],
        op.steps, reordered(made.body, order), not op.backwards,
    )  # fmt: skip
    builder.insert(scan)
    outputs = list(scan.outputs)
    stacked = outputs[len(made.carried) :]
    found: list[SSAValue | None] = [None] * len(forward.operands)
    for position, k in enumerate(incoming):
        found[k] = outputs[position]
    for position, i in enumerate(slices):
        found[i] = stacked[position]
    for i, position in accumulators.items():
        found[i] = outputs[position]
    for i, (left, right) in needed.items():
        found[i] = builder.matmul(left.rows(builder, stacked), right.columns(builder, stacked))
    op.detach()
    op.erase()
    return found


@dataclass(frozen=True)
class StackedFactor:
    """A factor of a product that every step makes: where it lies stacked, and whether transposed."""

    stacked: SSAValue | int
    """A value outside the loop, or a position among what the loop stacks."""
    transposed: bool

    @staticmethod
    def of(value: SSAValue, passed: dict[SSAValue, SSAValue], stacks: Stacks) -> StackedFactor:
        transposed = False
        if isinstance(value, OpResult) and isinstance(value.op, TransposeOp):
            value, transposed = value.op.x, True
        if isinstance(value, BlockArgument) and value in passed:
            return StackedFactor(passed[value], transposed)
        return StackedFactor(stacks.place(value), transposed)

    def value(self, outputs: Sequence[SSAValue]) -> SSAValue:
        return outputs[self.stacked] if isinstance(self.stacked, int) else self.stacked

    def rows(self, b: IRBuilder, outputs: Sequence[SSAValue]) -> SSAValue:
        """The left factors side by side: [m, steps * k]."""
        value = self.value(outputs)
        t, first, second = b.shape(value)
        if self.transposed:
            return b.transpose(b.reshape(value, (t * first, second)), (1, 0))
        return b.reshape(b.transpose(value, (1, 0, 2)), (first, t * second))

    def columns(self, b: IRBuilder, outputs: Sequence[SSAValue]) -> SSAValue:
        """The right factors one below the other: [steps * k, n]."""
        value = self.value(outputs)
        t, first, second = b.shape(value)
        if self.transposed:
            return b.reshape(b.transpose(value, (0, 2, 1)), (t * second, first))
        return b.reshape(value, (t * first, second))


def zeros(b: IRBuilder, like: SSAValue) -> SSAValue:
    """A zero of a value's type."""
    return b.constant(0.0, *spec_of(like.type))


def reordered(block: Block, order: Sequence[SSAValue]) -> Block:
    """The block with its arguments in another order."""
    fresh = Block(arg_types=[argument.type for argument in order])
    for old, new in zip(order, fresh.args):
        new.name_hint = old.name_hint
        old.replace_all_uses_with(new)
    for op in list(block.ops):
        op.detach()
        fresh.add_op(op)
    return fresh


__all__ = ["scan_gradient"]
