"""Computing twice instead of keeping: torch.utils.checkpoint.

The gradient of a checkpointed function runs it again, so that between forward and backward only its arguments are kept.
In compiled code it is one hl.checkpoint op.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from typing import Any

from xdsl.ir import BlockArgument, SSAValue

from ...dialects.hl.regions import CheckpointOp
from .. import grad_mode, tape, tree
from ..autograd.walk import Walk
from ..dispatch import traced, value_of
from ..errors import runtime_error
from ..generator import set_states, states
from ..modes import modes
from ..node import TRACED, Edge, Node
from ..tensor import Tensor, alias


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    context_fn: Any = None,
    determinism_check: str = "default",
    debug: bool = False,
    **kwargs: Any,
) -> Any:
    """function(*args, **kwargs), whose insides are computed again for the gradient; random numbers are the same ones.

    `use_reentrant` makes no difference; `preserve_rng_state=False` lets the second run draw other numbers, when eager.
    """
    if context_fn is not None:
        raise runtime_error("checkpoint: context_fn is not supported; enter the contexts inside the function")
    if not modes.grad:
        return function(*args, **kwargs)
    if modes.trace is not None:
        return _traced(lambda: function(*args, **kwargs))
    return _eager(lambda: function(*args, **kwargs), (args, kwargs), preserve_rng_state)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True
) -> Any:
    """Runs a chain of modules, all parts of it but the last checkpointed."""
    chain = list(functions.children()) if hasattr(functions, "children") else list(functions)
    size = len(chain) // segments

    def part(members: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            for member in members:
                x = member(x)
            return x

        return run

    for k in range(segments - 1):
        members = chain[k * size : (k + 1) * size]
        input = checkpoint(part(members), input, preserve_rng_state=preserve_rng_state)
    return part(chain[(segments - 1) * size :])(input)


# Eager


def _eager(run: Callable[[], Any], arguments: Any, preserve_random: bool) -> Any:
    state = states()
    first = _now()
    leaves: list[Any] = []
    structure = tree.flatten(run(), leaves)
    places = [k for k, y in enumerate(leaves) if _recorded(y, first)]
    if not places:
        return tree.rebuild(structure, iter(leaves))
    edges = _frontier([leaves[k] for k in places], first)
    given: list[Any] = []
    tree.flatten(arguments, given)
    kept = [(x, x._storage.version) for x in given if isinstance(x, Tensor)]

    def backward(cotangents: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        if any(x._storage.version != version for x, version in kept):
            raise runtime_error(
                "checkpoint: an argument of the checkpointed function has been modified by an inplace operation, so it "
                "cannot be computed again"
            )
        create_graph = modes.grad
        again: list[Any] = []
        floor = _now()
        with grad_mode.enable_grad(), _random_from(state if preserve_random else None):
            tree.flatten(run(), again)
        walk = Walk(create_graph, create_graph, None, floor)
        for place, ct in zip(places, cotangents):
            edge = tape.edge_of(again[place]) if ct is not None else None
            if ct is not None and edge is not None:
                walk.send(edge, ct)
        walk.run()
        return [walk.arrived(edge) for edge in edges]

    made = [alias(leaves[k]) for k in places]
    node = tape.CustomNode("CheckpointBackward", (), made, backward)
    node.edges = edges
    for k, y in zip(places, made):
        y._detached = False
        leaves[k] = y
    return tree.rebuild(structure, iter(leaves))


def _now() -> int:
    """Nodes recorded from here on have a larger number than this."""
    return Node("", (), ()).sequence


def _recorded(y: Any, first: int) -> bool:
    return isinstance(y, Tensor) and y.requires_grad and y.grad_fn is not None and y.grad_fn.sequence > first


def _frontier(results: Sequence[Tensor], first: int) -> list[Edge]:
    """Where gradients leave what was recorded since: leaves, and outputs of older nodes."""
    found: dict[Any, Edge] = {}
    seen: set[Node] = set()
    pending = [y.grad_fn for y in results]
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        for edge in node.edges:
            if isinstance(edge, Tensor):
                found[id(edge)] = edge
            elif edge is not None and edge[0].sequence > first:
                pending.append(edge[0])
            elif edge is not None:
                found[edge] = edge
    return list(found.values())


@contextlib.contextmanager
def _random_from(state: Sequence[Tensor] | None) -> Generator[None]:
    """Draws random numbers from a state, and goes on from the present one afterwards."""
    if state is None:
        yield
        return
    now = states()
    set_states(state)
    try:
        yield
    finally:
        set_states(now)


# Traced


def _traced(run: Callable[[], Any]) -> Any:
    from ..tracing.regions import trace_body

    trace = modes.trace
    leaves: list[Any] = []
    structure: Any = None
    places: list[int] = []

    def body(_: Sequence[BlockArgument]) -> Sequence[SSAValue]:
        nonlocal structure
        structure = tree.flatten(run(), leaves)
        places.extend(k for k, y in enumerate(leaves) if isinstance(y, Tensor) and y._storage.symbolic)
        return [value_of(trace, leaves[k]) for k in places]

    traced_body = trace_body((), body)
    op = CheckpointOp.make(traced_body.captured, traced_body.block)
    trace.insert(op)
    for k, result in zip(places, op.outputs):
        y: Tensor = leaves[k]
        leaves[k] = traced(result, y._spec)
        if y.requires_grad:
            trace.track([result])
            tape.attach(TRACED, (leaves[k],))
    for (storage, flows), result in zip(traced_body.written, op.outputs[len(places) :]):
        trace.write(storage, result)
        if flows:
            trace.track([result])
    return tree.rebuild(structure, iter(leaves))


__all__ = ["checkpoint", "checkpoint_sequential"]
