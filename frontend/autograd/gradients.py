"""What users ask for derivatives: `backward` and `grad`, by a walk over the tape.

Inside a trace there is no tape: the same entry points emit `hl.gradient`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import grad_mode, tape
from ..devices import run_at
from ..dispatch import builder, scalar
from ..errors import runtime_error
from ..modes import modes
from ..node import made_by
from ..tensor import Tensor
from .hooks import accumulated, hooks_of
from .walk import Walk, accumulate, copied, handed_out, hooked


def _seeds(outputs: Sequence[Tensor], given: Sequence[Tensor | None]) -> list[Tensor | None]:
    """What backward starts from; None for a single number's 1 in a trace."""
    seeds: list[Tensor | None] = []
    for y, seed in zip(outputs, given):
        if not y.requires_grad:
            raise runtime_error("element 0 of tensors does not require grad and does not have a grad_fn")
        spec = y._spec
        if seed is None:
            if y.numel() != 1:
                raise runtime_error("grad can be implicitly created only for scalar outputs")
            seed = None if modes.trace is not None else run_at(y.device, scalar, 1.0, spec.shape, spec.dtype)
        elif seed._spec.shape != spec.shape:
            raise runtime_error(
                f"Mismatch in shape: grad_output[0] has a shape of {seed.shape} and output[0] has a shape of {y.shape}."
            )
        elif seed._spec.dtype is not spec.dtype:
            seed = builder.cast(seed, spec.dtype)
        seeds.append(seed)
    return seeds


def _many(value: Any, count: int | None = None) -> list[Any]:
    if value is None:
        return [None] * (count or 0)
    return [value] if isinstance(value, Tensor) else list(value)


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Adds the gradient of the tensors to `grad` of the leaves they were computed from (or of `inputs` only)."""
    outputs = _many(tensors)
    seeds = _seeds(outputs, _many(grad_tensors, len(outputs)))
    retain = create_graph if retain_graph is None else retain_graph
    only = None if inputs is None else _many(inputs)
    if modes.trace is not None:
        from .gradients_traced import backward_traced

        backward_traced(outputs, seeds, retain, create_graph, only)
        return
    walk = _walk(outputs, seeds, retain, create_graph, only)
    for leaf, gradient in _popped(walk.leaves):
        if leaf._requires_grad and (only is None or any(leaf is x for x in only)):
            for hook in hooks_of(leaf)[0]:
                gradient = hooked(hook, gradient)
            accumulate(leaf, gradient, create_graph)
            accumulated(leaf)
    for x in only or ():
        made = made_by(tape.edge_of(x))
        if made and made in walk.captured and made[1] not in (made[0].retained or ()):
            accumulate(x, walk.captured[made], create_graph)


def _popped(leaves: dict[int, tuple[Tensor, Tensor]]) -> Any:
    """Each pair, which nobody else refers to any longer."""
    while leaves:
        yield leaves.pop(next(iter(leaves)))


def _walk(
    outputs: Sequence[Tensor],
    seeds: Sequence[Tensor | None],
    retain_graph: bool,
    create_graph: bool,
    wanted: Sequence[Tensor] | None,
) -> Walk:
    walk = Walk(create_graph, retain_graph, None if wanted is None else [tape.edge_of(x) for x in wanted])
    before = grad_mode.switch(create_graph)
    try:
        pairs = [(tape.edge_of(y), seed) for y, seed in zip(outputs, seeds)]
        walk.start([(edge, seed) for edge, seed in pairs if edge is not None and seed is not None])
    finally:
        grad_mode.switch(before)
    return walk


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the outputs by the inputs, without touching any `grad`."""
    if is_grads_batched:
        raise runtime_error("autograd.grad: is_grads_batched is not supported; call grad once for each row")
    ys, xs = _many(outputs), _many(inputs)
    seeds = _seeds(ys, _many(grad_outputs, len(ys)))
    retain = create_graph if retain_graph is None else retain_graph
    for x in xs:
        if not x.requires_grad:
            raise runtime_error("One of the differentiated Tensors does not require grad")
    if modes.trace is not None:
        from .gradients_traced import gradients_traced

        found: list[Tensor | None] = gradients_traced(ys, seeds, xs, retain, create_graph)
    else:
        walk = _walk(ys, seeds, retain, create_graph, xs)
        found = []
        for x in xs:
            edge = tape.edge_of(x)
            if isinstance(edge, Tensor):
                found.append(walk.leaves[id(x)][1] if id(x) in walk.leaves else None)
            else:
                found.append(walk.captured.get(edge) if edge is not None else None)
        found = [_result(g, create_graph) for g in found]
    from ..creation import full_of

    for index, (x, gradient) in enumerate(zip(xs, found)):
        if gradient is None and materialize_grads:
            found[index] = full_of(x._spec.shape, 0.0, x._spec.dtype, x.device)
        elif gradient is None and not allow_unused:
            raise runtime_error(
                "One of the differentiated Tensors appears to not have been used in the graph. Set allow_unused=True "
                "if this is the desired behavior."
            )
    return tuple(found)


def _result(gradient: Tensor | None, create_graph: bool) -> Tensor | None:
    """A gradient to hand out: with bytes of its own, unless it is part of a new graph."""
    if gradient is None or (not create_graph and gradient._view is None and not gradient._storage.shared):
        return gradient
    if create_graph:
        return handed_out(gradient)
    return copied(gradient)


def directional(
    outputs: Sequence[Any], inputs: Sequence[Tensor], tangents: Sequence[Tensor], create_graph: bool
) -> list[Tensor]:
    """The derivatives of outputs that were computed from inputs, in the direction of the tangents."""
    reached = [y for y in outputs if y.requires_grad]
    cotangents = [y.detach().clone().zero_().requires_grad_() for y in reached]
    options = {"allow_unused": True, "materialize_grads": True}
    pulled = grad(reached, inputs, cotangents, create_graph=True, **options) if reached else ()
    linear = [(g, t) for g, t in zip(pulled, tangents) if g is not None and g.requires_grad]
    found: Sequence[Any] = [None] * len(reached)
    if linear:
        seeds = [t for _, t in linear]
        found = grad([g for g, _ in linear], cotangents, seeds, create_graph=create_graph, **options)
    by_output = {id(y): t for y, t in zip(reached, found, strict=True)}
    derived: list[Tensor] = []
    for y in outputs:
        tangent = by_output.get(id(y))
        derived.append(y.detach().clone().zero_() if tangent is None else tangent)
    return derived


__all__ = ["backward", "grad"]
