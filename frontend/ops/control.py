"""Loops over tensors: eager ones are Python loops, traced ones a single op however many rounds they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.ir import Block, SSAValue

from ...dialects.hl.builder import IRBuilder
from ...dialects.hl.control import ScanOp, YieldOp
from ...dialects.types import TensorSpec, spec_of, tensor_type
from .. import dispatch, tape
from ..creation import zeros_like
from ..errors import runtime_error
from ..grad_mode import no_grad
from ..modes import modes
from ..node import TRACED
from ..tensor import Tensor
from .joining import stack
from .splitting import unbind

Tensors = Sequence[Tensor]
Body = Callable[[Tensors, Tensors, Tensors], tuple[Tensors, Tensors]]
"""(carried, slices, constants) -> (new carried, what is stacked)"""


def scan(
    body: Body, carried: Tensors, xs: Tensors, constants: Tensors = (), reverse: bool = False
) -> tuple[list[Tensor], list[Tensor]]:
    """Runs `body` once for each index of the first dimension of `xs`, which all agree in it and is not 0.

    Returns the last carried values, of the shapes and dtypes of the first ones, and what every round gave to stack,
    along a new first dimension. In compiled code the body may compute with its arguments and with Python numbers only.
    """
    if modes.trace is not None:
        return _traced(body, carried, xs, constants, reverse)
    length = xs[0].shape[0]
    rounds: list[Tensors] = []
    slices = [_slices(x) for x in xs]
    for t in reversed(range(length)) if reverse else range(length):
        carried, given = body(carried, [parts[t] for parts in slices], constants)
        rounds.append(given)
    if reverse:
        rounds.reverse()
    return list(carried), [stack(values) for values in zip(*rounds, strict=True)]


def _slices(x: Tensor) -> list[Tensor]:
    """The slices along the first dimension; their gradients are stacked once instead of added up one by one."""
    with no_grad():
        parts = [part.clone() for part in unbind(x)]
    if modes.grad and x.requires_grad:

        def backward(gradients: Sequence[Tensor | None]) -> list[Tensor]:
            return [stack([zeros_like(part) if g is None else g for g, part in zip(gradients, parts)])]

        tape.CustomNode("UnbindBackward0", (x,), parts, backward)
    return parts


def _traced(
    body: Body, carried: Tensors, xs: Tensors, constants: Tensors, reverse: bool
) -> tuple[list[Tensor], list[Tensor]]:
    trace = modes.trace
    operands = (*carried, *xs, *constants)
    values: list[SSAValue] = [dispatch.value_of(trace, t) for t in operands]
    slices = [TensorSpec(x._spec.shape[1:], x._spec.dtype) for x in xs]
    specs = [*(t._spec for t in carried), *slices, *(t._spec for t in constants)]
    block = Block(arg_types=[tensor_type(spec) for spec in specs])
    count, scanned = len(carried), len(xs)
    flows = modes.grad and any(t.requires_grad for t in operands)
    # A body sees nothing from outside: the record of errors is carried, as soon as something in it is checked.
    errors = trace.checks.record
    before, record = trace.values.get(errors), block.insert_arg(tensor_type(errors.spec), count)

    outside = trace.builder
    trace.builder = IRBuilder(block, location=outside.location)
    try:
        given_to_body = [argument for argument in block.args if argument is not record]
        inner = [dispatch.traced(argument, spec, x.device) for argument, spec, x in zip(given_to_body, specs, operands)]
        trace.values[errors] = record
        for tensor, argument, outer, value in zip(inner, given_to_body, operands, values):
            argument.name_hint = value.name_hint
            if modes.grad and outer.requires_grad:
                tape.attach(TRACED, (tensor,))
        if flows:  # what is carried depends on what gradients are taken by, from the second round on
            tape.attach(TRACED, inner[:count])
        trace.track(block.args)
        after, given = body(inner[:count], inner[count : count + scanned], inner[count + scanned :])
        results_inside = (*after, *given)
        yielded = [dispatch.value_of(trace, t) for t in results_inside]
        recorded = trace.values[errors]
    finally:
        trace.builder = outside
        if before is None and errors in trace.lifted:  # by what the body has checked
            before = trace.lifted[errors].value
        if before is None:
            del trace.values[errors]
        else:
            trace.values[errors] = before
    _check_isolated(block, yielded)
    if [v.type for v in yielded[:count]] != [tensor_type(t._spec) for t in carried]:
        expected, got = ([str(s) for s in specs] for specs in ([t._spec for t in carried], [t._spec for t in after]))
        raise runtime_error(f"scan: the body must carry on what it was given: expected {expected}, got {got}")
    checked = recorded is not record
    if checked:
        values.insert(count, trace.read(errors))
        yielded.insert(count, recorded)
    else:
        block.erase_arg(record)
    carry = count + checked
    end = YieldOp.create(operands=yielded, location=outside.location)
    block.add_op(end)
    op = ScanOp.make(
        values[:carry], values[carry : carry + scanned], values[carry + scanned :], xs[0].shape[0], block, reverse
    )
    trace.insert(op)
    outputs = list(op.outputs)
    if checked:
        trace.write(errors, outputs.pop(count))
    results = [dispatch.traced(y, spec_of(y.type), x.device) for y, x in zip(outputs, results_inside)]
    if flows:
        trace.track(op.outputs)
        tape.attach(TRACED, results)
    return results[:count], results[count:]


def _check_isolated(block: Block, yielded: Sequence[SSAValue]) -> None:
    used = [*yielded, *(v for op in block.ops for v in op.operands)]
    for value in used:
        inside = value.owner is block or getattr(value.owner, "parent", None) is block
        if not inside:
            name = f"%{value.name_hint}" if value.name_hint else "a tensor"
            raise runtime_error(
                f"scan: the body uses {name} from outside of it; pass it in `constants`, so that every round gets it"
            )
