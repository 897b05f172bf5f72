"""autograd.Function in a compiled function: its backward is traced at once, as the body of hl.custom_gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xdsl.ir import BlockArgument, SSAValue

from ...dialects.hl.regions import CustomGradientOp
from .. import dispatch, grad_mode, tape
from ..dispatch import traced, value_of
from ..errors import refused
from ..modes import modes
from ..node import TRACED
from ..tensor import Tensor
from ..tracing.regions import trace_body
from .context import FunctionCtx

Gradients = Callable[[FunctionCtx, "tuple[Any, ...]", "Sequence[Tensor | None]"], "list[Tensor | None]"]


def values_of(ctx: FunctionCtx, args: tuple[Any, ...]) -> list[SSAValue]:
    """The arguments that gradients go to, as they are before forward, which may change them in place."""
    return [value_of(modes.trace, x) for x, needed in zip(args, ctx.needs_input_grad) if needed]


def variable(x: Tensor) -> Tensor:
    """The same value as one of its own, whose gradient is that of its own uses."""
    trace = modes.trace
    result: SSAValue = trace.builder.variable(value_of(trace, x))
    trace.track([result])
    y = traced(result, x._spec, x.device)
    tape.attach(TRACED, (y,))
    return y


def attach(
    ctx: FunctionCtx,
    args: tuple[Any, ...],
    inputs: Sequence[SSAValue],
    outputs: Sequence[Any],
    gradients: Gradients,
    name: str,
) -> list[Any]:
    """The outputs of a forward, such that their gradients are what the user's backward makes of them.

    `inputs`: what `values_of` gave.
    """
    trace = modes.trace
    places = [k for k, y in enumerate(outputs) if ctx.is_differentiable(y)]
    ys: list[Tensor] = [outputs[k] for k in places]
    with grad_mode.no_grad():
        values: list[SSAValue] = [trace.detached(value_of(trace, y)) for y in ys]
    wrt = [k for k, needed in enumerate(ctx.needs_input_grad) if needed]
    known: list[int] = []

    made: list[Any] = list(outputs)
    for k, y, value in zip(places, ys, values):
        if ctx.is_dirty(y):
            trace.values[y._storage] = value
        else:
            y = made[k] = traced(value, y._spec, y.device)
        tape.attach(TRACED, (y,))
    ctx.replace({id(y): made[k] for k, y in zip(places, ys)})

    def backward(arguments: Sequence[BlockArgument]) -> Sequence[SSAValue]:
        """Given the outputs and their cotangents."""
        trace.track(arguments)
        given: list[Tensor | None] = [None] * len(outputs)
        for k, result, cotangent in zip(places, arguments, arguments[len(ys) :]):
            trace.values[made[k]._storage] = result
            ct = given[k] = traced(cotangent, made[k]._spec, made[k].device)
            tape.attach(TRACED, (ct,))
        if ctx._materialize:
            for k, y in enumerate(outputs):
                if given[k] is None and isinstance(y, Tensor) and y._spec.dtype.kind == "float":
                    given[k] = dispatch.scalar(0.0, y._spec.shape, y._spec.dtype)
        with grad_mode.enable_grad():
            found = gradients(ctx, args, given)
            known.extend(i for i, k in enumerate(wrt) if found[k] is not None)
            results = [value_of(trace, g) for k in wrt if (g := found[k]) is not None]
        for k, value in zip(places, values):
            trace.values[made[k]._storage] = value
        return results

    specs = [y._spec for y in ys]
    body = trace_body([*specs, *specs], backward, is_gradient=True)
    if body.written:
        raise refused(
            f"{name}.backward changes a tensor from outside (or draws random numbers), which it cannot do inside a "
            "compiled function: compute it in forward and keep it with ctx.save_for_backward",
            body.place_of_writing(),
        )
    op = CustomGradientOp.make(values, [inputs[i] for i in known], body.captured, body.block)
    trace.insert(op)
    trace.track(op.outputs)
    for k, result in zip(places, op.outputs):
        trace.values[made[k]._storage] = result
    return made
