"""backward() and grad() inside a compiled function: `hl.gradient` by the leaves that the trace has met."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xdsl.ir import BlockArgument, Operation, OpResult, SSAValue

from ...dialects.hl.regions import CustomGradientOp
from ...dialects.types import spec_of
from .. import grad_mode, tape
from ..dispatch import builder, value_of
from ..errors import refused, runtime_error
from ..modes import modes
from ..node import TRACED
from ..tensor import Tensor
from ..tracing.marks import mark, rename
from ..tracing.regions import trace_body
from ..used_up import UsedUp
from .hooks import accumulated, hooks_of
from .walk import FREED, hooked

if TYPE_CHECKING:
    from ..tracing.trace import Trace


def _differentiate(
    outputs: Sequence[Tensor],
    seeds: Sequence[Tensor | None],
    retain_graph: bool,
    create_graph: bool,
    wanted: Sequence[Tensor] | None,
) -> list[tuple[Tensor, Tensor, bool]]:
    """(tensor, gradient, whether it is a leaf) for every leaf that the outputs depend on, or what else was asked for,
    and for what keeps its gradient on the way there; a tensor may come more than once."""
    trace = modes.trace
    found: list[tuple[Tensor, Tensor, bool]] = []
    for y, seed in zip(outputs, seeds):
        _run_hooks(y, seed)
    used: list[SSAValue] = []
    inner = {_before_hooks(trace, _in_graph(x)): x for x in wanted or () if tape.is_traced(x)}
    kept = {_before_hooks(trace, _in_graph(x)): x for x in trace.retained if tape.is_traced(x)}
    for y, seed in zip(outputs, seeds):
        value = _in_graph(y)
        leaves = trace.leaves_of(value)
        if wanted is not None:
            # One that was written to stands for what it holds now, which is among `inner`.
            outside = [x for x in wanted if not tape.is_traced(x)]
            _check_outside(trace, [trace.leaves[leaf] for leaf in leaves], outside)
            leaves = [leaf for leaf in leaves if any(trace.leaves[leaf] is x for x in outside)]
        leaves += [leaf for leaf in inner if trace.depends(value, leaf)]
        on_the_way = [x for x in kept if wanted is None or any(trace.depends(x, leaf) for leaf in leaves)]
        leaves += [x for x in on_the_way if x not in inner and trace.depends(value, x)]
        way = trace.between(value, leaves)
        if trace.are_freed(way):
            raise runtime_error(FREED)
        modified = trace.modified(way)
        if modified is not None:
            raise (refused if modified.only_here else runtime_error)(modified.message)
        used += () if retain_graph else way
        if not leaves:
            continue
        weight = None if seed is None else value_of(trace, seed)
        for leaf, gradient in zip(leaves, trace.gradient(value, weight, leaves, create_graph)):
            computed = inner.get(leaf, kept.get(leaf))
            target = trace.leaves[leaf] if computed is None else computed
            result = trace.wrap(gradient, target.device)
            if trace.is_tracked(gradient):
                tape.attach(TRACED, (result,))
            else:
                result._detached = True
            found.append((target, result, computed is None))
    trace.free(used)
    return found


def _check_outside(trace: Trace, reached: Sequence[Tensor], wanted: Sequence[Tensor]) -> None:
    """Raises where a gradient would go on outside, from what was computed there to what is asked for."""
    nodes = [trace.rewritten.get(x, trace.came_from.get(x, x).grad_fn) for x in reached]
    computed = [x for x, node in zip(reached, nodes) if x in trace.came_from or node is not None]
    if computed and wanted:
        trace.kept_apart.append((computed, list(wanted)))
    if tape.leads_to(nodes, [trace.came_from.get(x, x) for x in wanted]):
        raise refused(
            "inside a compiled function, a tensor was computed outside from what a gradient is asked by, which does "
            "not flow there: compute it inside, or take this gradient outside"
        )


def _in_order(trace: Trace) -> list[Any]:
    """The hooks as gradients come to them: those of the last tensor first, and of one tensor in their own order.

    A further hook of a tensor goes between the tensor and the hooks before it: x -> hook 2 -> hook 1 -> what uses x.
    """
    entries: list[Any] = list(trace.hooks.values())
    if len(entries) < 2:
        return entries
    places = {op: number for number, op in enumerate(trace.block.ops)}

    def place(entry: Any) -> int:
        value = _before_hooks(trace, trace.hook_values[id(entry)], False)
        return places.get(value.op, 0) if isinstance(value, OpResult) else -1

    return sorted(entries, key=lambda entry: -place(entry))


def _before_hooks(trace: Trace, value: SSAValue, marked: bool = True) -> SSAValue:
    """By what the gradient of a tensor is taken, to be what its hooks have made of it."""
    while value in trace.hooked and isinstance(value, OpResult):
        assert isinstance(value.op, CustomGradientOp)
        value = value.op.inputs[0]
    return mark(trace, value) if marked else value


def _in_graph(x: Tensor) -> SSAValue:
    """The value of a tensor as a part of its graph, which backward passes walk under `no_grad` too."""
    with grad_mode.enable_grad():
        return value_of(modes.trace, x)


def _run_hooks(y: Tensor, seed: Tensor | None) -> None:
    """Calls the hooks of computed tensors that an output depends on, in the order in which gradients arrive.

    Where one returns another gradient, the tensor becomes one with that gradient.
    """
    trace = modes.trace
    for entry in _in_order(trace):
        hook = entry[1]
        value = _before_hooks(trace, trace.hook_values[id(entry)])
        root = _in_graph(y)
        if not trace.depends(root, value):
            continue
        weight = None if seed is None else value_of(trace, seed)
        (found,) = trace.gradient(root, weight, [value])
        with grad_mode.no_grad():
            if hook(trace.wrap(found, entry[0].device)) is not None:
                _place(trace, entry, value, [root])


def settle_hooks(trace: Trace, outputs: Sequence[Tensor]) -> None:
    """Makes hooks that outputs of the function depend on part of their gradients, which are taken outside."""
    for entry in _in_order(trace):
        t, value = entry[0], trace.hook_values[id(entry)]
        if not t._storage.symbolic and any(y._storage is t._storage for y in outputs):
            raise refused(
                "inside a compiled function, register_hook() of a view of a tensor from outside is not supported where "
                "views of that are returned: register it outside"
            )
        roots = [value_of(trace, y) for y in outputs]
        if any(trace.depends(root, value) and not trace.is_freed(root) for root in roots):
            _place(trace, entry, _before_hooks(trace, value), roots)


def _place(trace: Trace, entry: Any, value: SSAValue, roots: Sequence[SSAValue]) -> None:
    """Puts a hook into the graph, once: from then on it is a part of all gradients that flow to its tensor."""
    placed = trace.hooks_placed.get(id(entry))
    if placed is None:
        placed = trace.hooks_placed[id(entry)] = _regrade(trace, value, entry)
    if any(trace.depends(root, result) for root in roots for result in placed):
        raise refused(_EARLY)


_EARLY = (
    "inside a compiled function, a hook that returns another gradient may use only what was there before the result "
    "was computed from the tensor that it is registered for"
)


def _regrade(trace: Trace, value: SSAValue, entry: Any) -> list[SSAValue]:
    """Puts hl.custom_gradient, whose body is the hook, behind a value, or behind the last value that the hook uses.
    Returns what was computed from the value before that: gradients that flow through it would miss the hook."""

    def body(arguments: Sequence[BlockArgument]) -> Sequence[SSAValue]:
        gradient = trace.wrap(arguments[1], entry[0].device)
        return [value_of(trace, hooked(entry[1], gradient))]

    spec = spec_of(value.type)
    traced = trace_body([spec, spec], body, is_gradient=True)
    assert isinstance(value, OpResult) and value.op.parent is not None
    place = value.op
    for x in traced.captured:
        if isinstance(x, OpResult) and x.op.parent is place.parent and place.is_before_in_block(x.op):
            place = x.op
    early = [use for use in value.uses if place is not value.op and _is_reached(place, use.operation)]
    through: list[SSAValue] = [result for use in early for result in use.operation.results if trace.is_tracked(result)]
    outside = any(isinstance(x, OpResult) and x.op.parent is not place.parent for x in traced.captured)
    if traced.written or outside:
        raise refused(_EARLY)
    op = CustomGradientOp.make([value], [value], traced.captured, traced.block)
    op.location = value.op.location
    result = op.outputs[0]
    trace.hooked.add(result)
    kept = {use.operation for use in early}
    value.replace_uses_with_if(result, lambda use: use.operation is not op and use.operation not in kept)
    value.op.parent.insert_op_after(op, place)
    rename(trace, value, result)
    return through


def _is_reached(place: Operation, user: Operation) -> bool:
    """Whether an op runs no later than another one, in whose block it is or in a region of an op there."""
    while user.parent is not place.parent:
        parent = user.parent_op()
        if parent is None:
            return False
        user = parent
    return user is place or user.is_before_in_block(place)


def backward_traced(
    outputs: Sequence[Tensor],
    seeds: Sequence[Tensor | None],
    retain_graph: bool,
    create_graph: bool,
    inputs: Sequence[Tensor] | None,
) -> None:
    """Accumulates into `grad` of the leaves, or of `inputs`."""
    reached: dict[Tensor, None] = {}
    outside: list[tuple[Tensor, Tensor]] = []
    for leaf, gradient, is_leaf in _differentiate(outputs, seeds, retain_graph, create_graph, inputs):
        if is_leaf and not leaf._requires_grad:
            continue
        for hook in hooks_of(leaf)[0]:
            gradient = hooked(hook, gradient)
        node = modes.trace.rewritten.get(leaf, leaf.grad_fn)
        if inputs is None and is_leaf and node is not None and node is not TRACED:
            outside.append((leaf, gradient))
            continue
        _accumulate(leaf, gradient, create_graph)
        reached[leaf] = None
    modes.trace.pass_on(outside, retain_graph)
    for leaf in reached:
        accumulated(leaf)


def _accumulate(leaf: Tensor, gradient: Tensor, create_graph: bool) -> None:
    """Adds to `leaf.grad`."""
    from ..writes import write

    before = modes.trace.get_grad(leaf)
    mode = grad_mode.switch(create_graph)
    try:
        if before is None:
            leaf.grad = gradient
        elif isinstance(before, UsedUp):
            modes.trace.set_grad(leaf, before.plus())
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
    trace = modes.trace
    keeping = [*trace.retained, *trace.retained_outside]
    for leaf, gradient, _ in _differentiate(outputs, seeds, retain_graph, create_graph, inputs):
        if any(leaf is x for x in keeping):
            own = gradient if create_graph else trace.wrap(value_of(trace, gradient), gradient.device)
            _accumulate(leaf, own, create_graph)
        before = total.get(id(leaf))
        total[id(leaf)] = gradient if before is None else builder.add(before, gradient)
    return [total.get(id(x)) for x in inputs]
