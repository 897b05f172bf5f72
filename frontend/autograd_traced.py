"""backward() and grad() inside a compiled function: `hl.gradient` by the leaves that the trace has met."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import SSAValue

from . import dispatch, grad_mode, tape
from .autograd import FREED, hooked
from .dispatch import builder, value_of
from .errors import runtime_error
from .marks import mark
from .tensor import Tensor


def _differentiate(
    outputs: Sequence[Tensor],
    seeds: Sequence[Tensor | None],
    retain_graph: bool,
    create_graph: bool,
    wanted: Sequence[Tensor] | None,
) -> list[tuple[Tensor, Tensor]]:
    """(leaf, gradient) for every leaf that the outputs depend on; a leaf may come more than once."""
    trace = dispatch.current_trace
    found: list[tuple[Tensor, Tensor]] = []
    inner = {mark(trace, value_of(trace, x)): x for x in wanted or () if not x.is_leaf}
    for y, seed in zip(outputs, seeds):
        value: SSAValue = value_of(trace, y)
        if trace.is_freed(value):
            raise runtime_error(FREED)
        leaves = trace.leaves_of(value, free=not retain_graph)
        if wanted is not None:
            leaves = [leaf for leaf in leaves if any(trace.leaves[leaf] is x for x in wanted)]
            leaves += [leaf for leaf in inner if trace.depends(value, leaf)]
        if not leaves:
            continue
        weight = None if seed is None else value_of(trace, seed)
        for leaf, gradient in zip(leaves, trace.gradient(value, weight, leaves, create_graph)):
            result = trace.wrap(gradient)
            if create_graph:
                tape.attach(tape.TRACED, (result,))
            else:
                result._detached = True
            found.append((inner[leaf] if leaf in inner else trace.leaves[leaf], result))
    return found


def backward_traced(
    outputs: Sequence[Tensor],
    seeds: Sequence[Tensor | None],
    retain_graph: bool,
    create_graph: bool,
    inputs: Sequence[Tensor] | None,
) -> None:
    """Accumulates into `grad` of the leaves, or of `inputs`."""
    from .views import write

    for leaf, gradient in _differentiate(outputs, seeds, retain_graph, create_graph, inputs):
        for hook in leaf.__dict__.get("_hooks", ()):
            gradient = hooked(hook, gradient)
        before = leaf.grad
        mode = grad_mode.switch(create_graph)
        try:
            if before is None:
                leaf.grad = gradient
            elif create_graph:
                leaf.grad = builder.add(before, gradient)
            else:
                write(before, builder.add(before, gradient))
        finally:
            grad_mode.switch(mode)


def gradients_traced(
    outputs: Sequence[Tensor],
    seeds: Sequence[Tensor | None],
    inputs: Sequence[Tensor],
    retain_graph: bool,
    create_graph: bool,
) -> list[Tensor | None]:
    """The gradient by each input; None for one that the outputs do not depend on."""
    total: dict[int, Tensor] = {}
    for leaf, gradient in _differentiate(outputs, seeds, retain_graph, create_graph, inputs):
        before = total.get(id(leaf))
        total[id(leaf)] = gradient if before is None else builder.add(before, gradient)
    return [total.get(id(x)) for x in inputs]
