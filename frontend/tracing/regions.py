"""Bodies of ops while tracing: Python that runs into a block of its own, which then sees nothing from outside.

h = x * w                 %y = hl.checkpoint of(%h, %w) {
y = checkpoint(f, h)  ->  ^bb0(%h0, %w0):            what f used from outside is handed to it
                            ...
                            hl.yield %y0, %mean      what it returned, then what it wrote to
                          }
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from xdsl.ir import Block, BlockArgument, Operation, OpResult, SSAValue

from ...dialects.hl.autodiff import GradientOp, StopGradientOp, VariableOp
from ...dialects.hl.builder import IRBuilder
from ...dialects.hl.check import CheckBase
from ...dialects.hl.control import YieldOp
from ...dialects.locations import describe
from ...dialects.types import TensorSpec, tensor_type
from ...runtime.storage import Storage
from ..errors import refused
from ..modes import modes


@dataclass
class TracedBody:
    """A block that ends in hl.yield. Its arguments are those asked for, then one for each of `captured`."""

    block: Block
    captured: list[SSAValue]
    written: list[tuple[Storage, bool]]
    """Storages from outside whose new values are yielded last, and whether gradients flow through these."""

    def place_of_writing(self) -> str | None:
        """The user's file and line that writes to the first of them, where an op of the block says so."""
        end = self.block.last_op
        assert end is not None
        value = end.operands[len(end.operands) - len(self.written)]
        return describe(value.op.location) if isinstance(value, OpResult) else None


def trace_body(
    arguments: Sequence[TensorSpec],
    run: Callable[[Sequence[BlockArgument]], Sequence[SSAValue]],
    is_gradient: bool = False,
) -> TracedBody:
    """Runs Python into a block: `run` gets the block's arguments and returns what is yielded first.

    Tensors that are made meanwhile cannot be used afterwards. `is_gradient`: the block is a rule for a gradient, from
    which no error record comes back, so that its checks are made outside.
    """
    trace = modes.trace
    outside: IRBuilder = trace.builder
    block = Block(arg_types=[tensor_type(spec) for spec in arguments])
    before, histories = dict(trace.values), trace.histories.snapshot()
    trace.builder = IRBuilder(block, location=outside.location)
    try:
        trace.name_last()
        results = list(run(block.args))
        trace.name_last()
    finally:
        trace.builder = outside
    apart = [t for t in trace.histories.restore(histories) if t._storage in before]
    if apart:
        raise refused(
            "inside a compiled function, a checkpoint, a backward or a hook cannot give a history to a detached tensor "
            "from outside of it: write to a clone"
        )
    written: list[tuple[Storage, bool]] = []
    for storage, value in list(trace.values.items()):
        lifted = trace.lifted.get(storage)
        known = before.get(storage, lifted.value if lifted is not None else None)
        if known is None:
            trace.forget(storage)
        elif value is not known:
            written.append((storage, trace.is_tracked(value)))
            results.append(value)
            trace.values[storage] = known
    if is_gradient:
        _check_outside(trace, written, results, outside)
    end = YieldOp.create(operands=results, location=outside.location)
    block.add_op(end)
    _hoist(trace, block, outside)
    _bring_in(trace, block)
    return TracedBody(block, _capture(block), written)


def _check_outside(
    trace: Any, written: list[tuple[Storage, bool]], results: list[SSAValue], outside: IRBuilder
) -> None:
    """Makes the checks of a body outside of it, with what they look at computed there again:

    ^bb0(%dy):                               %1 = hl.reshape %index
      %1 = hl.reshape %index                 %2 = hl.check_range %1, %errors
      %2 = hl.check_range %1, %errors   ->   ^bb0(%dy):
      %3 = hl.scatter_add %dy, %1 …            %1 = hl.reshape %index
      hl.yield %3, %2                          %3 = hl.scatter_add %dy, %1 …
                                               hl.yield %3
    """
    storage = trace.checks.record
    place = next((k for k, (each, _) in enumerate(written) if each is storage), None)
    if place is None:
        return
    at = len(results) - len(written) + place
    value, checks = results[at], list[CheckBase]()
    while isinstance(value.owner, CheckBase) and value is not trace.values[storage]:
        checks.insert(0, value.owner)
        value = value.owner.record
    copies: dict[SSAValue, SSAValue] = {}

    def outer(value: SSAValue) -> SSAValue:
        if not isinstance(value, OpResult) or value.op.parent is not checks[0].parent:
            if value.owner is checks[0].parent:
                raise refused(
                    "inside a compiled function, a backward or a hook cannot use indices that it computes from "
                    "gradients: what is out of bounds could not be raised",
                    describe(checks[0].location),
                )
            return value
        if value not in copies:
            new = value.op.clone({x: outer(x) for x in value.op.operands})
            outside.insert(new)
            copies.update(zip(value.op.results, new.results))
        return copies[value]

    if value is not trace.values[storage]:
        return  # made in a loop in there
    del written[place], results[at]
    for check in checks:
        new = check.clone({check.x: outer(check.x), check.record: trace.values[storage]})
        outside.insert(new)
        trace.values[storage] = new.results[0]
    for check in reversed(checks):
        check.detach()
        check.erase()


def _hoist(trace: Any, block: Block, outside: IRBuilder) -> None:
    """Moves out what the trace remembers to use again: views, and what marks leaves and constants."""
    inside = _values(block)
    views = {*trace.derived.values(), *trace.views.values.values()}
    for op in list(block.ops):
        shared = isinstance(op, VariableOp | StopGradientOp) or any(r in views for r in op.results)
        if shared and inside.isdisjoint(op.operands):
            op.detach()
            outside.insert(op)
            inside.difference_update(op.results)


def _bring_in(trace: Any, block: Block) -> None:
    """Computes again, inside, what comes from outside and depends on what a gradient is taken by in here:

    %wt = hl.transpose %w            ^bb0:
    ^bb0:                      ->      %wt = hl.transpose %w
      ... %wt ...                      ... %wt ...
      hl.gradient %y wrt %w            hl.gradient %y wrt %w
    """
    inside = _values(block)
    ops = _ops(block)
    wrt = {x for op in ops if isinstance(op, GradientOp) for x in op.xs if x not in inside}
    copies: dict[SSAValue, SSAValue] = {x: x for x in wrt}
    first = block.first_op
    assert first is not None

    def inner(value: SSAValue) -> SSAValue:
        if value not in copies:
            if not isinstance(value, OpResult) or not any(trace.depends(value, x) for x in wrt):
                copies[value] = value
            else:
                operands = {x: inner(x) for x in value.op.operands}
                new = value.op.clone(dict(operands))
                block.insert_op_before(new, first)
                trace.track(new.results)
                copies.update(zip(value.op.results, new.results))
        return copies[value]

    for op in ops if wrt else ():
        for index, value in enumerate(op.operands):
            if value not in inside:
                op.operands[index] = inner(value)


def _capture(block: Block) -> list[SSAValue]:
    """Gives the block an argument for each value that it uses from outside; these values."""
    inside = _values(block)
    arguments: dict[SSAValue, SSAValue] = {}
    for op in _ops(block):
        for index, value in enumerate(op.operands):
            if value in inside:
                continue
            if value not in arguments:
                argument = arguments[value] = block.insert_arg(value.type, len(block.args))
                argument.name_hint = value.name_hint
            op.operands[index] = arguments[value]
    return list(arguments)


def _ops(block: Block) -> list[Operation]:
    return [inner for op in block.ops for inner in op.walk()]


def _values(block: Block) -> set[SSAValue]:
    """All values that are defined in a block, also deeper in."""
    found: set[SSAValue] = set(block.args)
    for op in _ops(block):
        found.update(op.results)
        for region in op.regions:
            for nested in region.blocks:
                found.update(nested.args)
    return found


__all__ = ["TracedBody", "trace_body"]
