"""Backward: walks the tape from the last recorded node to the first and applies the gradient rules of the compiler.

Inside a trace there is no tape: the same entry points emit `hl.gradient`.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..runtime.storage import Storage
from . import grad_mode, tape
from .dispatch import array_of, builder, scalar
from .errors import TYPE_NAMES, runtime_error
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from .hooks import accumulated
from .modes import modes
from .tape import CustomNode, Edge, Node, OpNode
from .tensor import Tensor, alias, wrap
from .unsupported import module_getattr

FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
    "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
    "after calling backward."
)

Target: TypeAlias = tuple[Node, int] | int
"""Where gradients collect: an output of a node, or the id of a leaf."""


class Unsaved(Storage):
    """Stands for a tensor whose values a gradient rule is not supposed to ask for."""

    __slots__ = ("reason",)

    def missing(self) -> Exception:
        return self.reason


def _placeholder(spec: Any, reason: Exception) -> Tensor:
    storage = Unsaved(None, spec)
    storage.reason = reason
    return wrap(storage, spec)


def _modified(node: Node, spec: Any, version: int, expected: int) -> Exception:
    return runtime_error(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[irtool.{TYPE_NAMES[spec.dtype]}Tensor {list(spec.shape)}], needed by {node.label}, is at version {version}; "
        f"expected version {expected} instead."
    )


# One node


def _saved(node: OpNode, create_graph: bool) -> tuple[list[Tensor], list[Tensor]]:
    """The operands and results of a node as its rule sees them."""
    if node.operands is None or node.results is None:
        not_kept = RuntimeError(f"{node.label} keeps no values, but its gradient rule asks for some")
        return (
            [_placeholder(spec, not_kept) for spec in node.specs],
            [_placeholder(spec, not_kept) for spec in node.output_specs],
        )
    versions = iter(node.versions)
    operands: list[Tensor] = []
    for x, version in zip(node.operands, versions):
        now = x._storage.version
        operands.append(x if now == version else _placeholder(x._spec, _modified(node, x._spec, now, version)))
    results: list[Tensor] = []
    for index, ((storage, spec, view), version) in enumerate(zip(node.results, versions)):
        if storage.version != version:
            results.append(_placeholder(spec, _modified(node, spec, storage.version, version)))
            continue
        y = wrap(storage, spec, view)
        if create_graph:
            y._node, y._index, y._requires_grad = node, index, spec.dtype.kind == "float"
        results.append(y)
    return operands, results


def _gradients_of(node: Node, cotangents: Sequence[Tensor | None], create_graph: bool) -> Sequence[Tensor | None]:
    if isinstance(node, CustomNode):
        if node.backward is None:
            raise runtime_error(FREED)
        return node.backward(cotangents)
    assert isinstance(node, OpNode)
    if node.operands is None and node.op not in tape.VALUE_FREE:
        raise runtime_error(FREED)
    rules, reasons, call = _rules()
    rule = rules.get(node.op)
    if rule is None:
        reason = reasons.get(node.op, "no rule is known")
        raise runtime_error(f"{node.op.name.removeprefix('hl.')} has no gradient: {reason}")
    operands, results = _saved(node, create_graph)
    needs = [edge is not None for edge in node.edges]
    return rule(builder, call(operands, results, cotangents, node.attributes, needs))


_loaded: Any = None


def _rules() -> Any:
    """The gradient tables, loaded when first needed."""
    global _loaded
    if _loaded is None:
        from ..passes.hl.gradients import GRADIENTS, NO_GRADIENT, Call

        _loaded = (GRADIENTS, NO_GRADIENT, Call)
    return _loaded


def _release(node: Node) -> None:
    if isinstance(node, OpNode):
        node.operands = node.results = None
    elif isinstance(node, CustomNode):
        node.backward = None


# The walk


class Walk:
    """One backward pass over the tape, as far back as to nodes with numbers above `floor`."""

    def __init__(
        self, create_graph: bool, retain_graph: bool, wanted: Sequence[Edge | None] | None, floor: int = 0
    ) -> None:
        self.floor = floor
        self.create_graph = create_graph
        self.retain_graph = retain_graph
        self.pending: dict[Node, list[Tensor | None]] = {}
        self.queue: list[tuple[int, Node]] = []
        self.leaves: dict[int, tuple[Tensor, Tensor]] = {}
        self.captured: dict[Target, Tensor] = {}
        self.wanted: set[Target] = {id(e) if isinstance(e, Tensor) else e for e in wanted or () if e is not None}

    def send(self, edge: Edge, gradient: Tensor) -> None:
        """Adds a gradient to what has arrived at an edge."""
        if isinstance(edge, Tensor):
            before = self.leaves.get(id(edge))
            self.leaves[id(edge)] = (edge, gradient if before is None else builder.add(before[1], gradient))
            return
        node, index = edge
        arrived = self.pending.get(node)
        if arrived is None:
            arrived = self.pending[node] = [None] * len(node.output_specs)
            heapq.heappush(self.queue, (-node.sequence, node))
        before = arrived[index]
        arrived[index] = gradient if before is None else builder.add(before, gradient)

    def run(self) -> None:
        """Visits every node that something was sent to, last recorded first."""
        while self.queue and -self.queue[0][0] > self.floor:
            _, node = heapq.heappop(self.queue)
            arrived = self.pending.pop(node)
            self._observe(node, arrived)
            gradients = _gradients_of(node, arrived, self.create_graph)
            for index, (edge, gradient) in enumerate(zip(node.edges, gradients)):
                if edge is None or gradient is None:
                    continue
                self._check(node, index, edge, gradient)
                self.send(edge, gradient)
            if not self.retain_graph:
                _release(node)

    def arrived(self, edge: Edge) -> Tensor | None:
        """What was sent to an edge where the walk ended."""
        if isinstance(edge, Tensor):
            found = self.leaves.get(id(edge))
            return None if found is None else found[1]
        gradients = self.pending.get(edge[0])
        return None if gradients is None else gradients[edge[1]]

    def _observe(self, node: Node, arrived: list[Tensor | None]) -> None:
        if node.hooks:
            for index, hook in node.hooks:
                gradient = arrived[index]
                if gradient is not None:
                    arrived[index] = hooked(hook, gradient)
        if node.retained:
            for index, reference in node.retained.items():
                t, gradient = reference(), arrived[index]
                if t is not None and gradient is not None:
                    _accumulate(t, gradient, self.create_graph)
        if self.wanted:
            for index, gradient in enumerate(arrived):
                if gradient is not None and (node, index) in self.wanted:
                    self.captured[node, index] = gradient

    @staticmethod
    def _check(node: Node, index: int, edge: Edge, gradient: Tensor) -> None:
        spec = edge._spec if isinstance(edge, Tensor) else edge[0].output_specs[edge[1]]
        if gradient._spec != spec:
            raise runtime_error(
                f"Function {node.label} returned an invalid gradient at index {index} - got {gradient.dtype} of shape "
                f"{list(gradient._spec.shape)} but expected {spec.dtype} of shape {list(spec.shape)}"
            )


def hooked(hook: Callable[[Tensor], Tensor | None], gradient: Tensor) -> Tensor:
    """What a hook makes of a gradient."""
    found = hook(gradient)
    return gradient if found is None else found


def _accumulate(t: Tensor, gradient: Tensor, create_graph: bool) -> None:
    """Adds to `t.grad`, in place unless that itself is to be differentiated."""
    before = t._grad
    if before is None:
        if create_graph:
            t._grad = gradient
            return
        # Keep the bytes where nobody else refers to them: the caller, this function and the call make three, the slot
        # and the call two.
        own = gradient._view is None and sys.getrefcount(gradient) <= 3 and sys.getrefcount(gradient._storage) <= 2
        t._grad = alias(gradient) if own else _copied(gradient)
        t._grad._detached = False
    elif create_graph:
        t._grad = builder.add(before, gradient)
    else:
        target = array_of(before)
        with np.errstate(all="ignore"):
            np.add(target, array_of(gradient), out=target)
        before._storage.version += 1


def _copied(x: Tensor) -> Tensor:
    return wrap(Storage(np.array(array_of(x), order="C"), x._spec), x._spec)


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
            seed = None if modes.trace is not None else scalar(1.0, spec.shape, spec.dtype)
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
        from .autograd_traced import backward_traced

        backward_traced(outputs, seeds, retain, create_graph, only)
        return
    walk = _walk(outputs, seeds, retain, create_graph, only)
    for leaf, gradient in _popped(walk.leaves):
        if only is None or any(leaf is x for x in only):
            for hook in leaf.__dict__.get("_hooks", ()):
                gradient = hooked(hook, gradient)
            _accumulate(leaf, gradient, create_graph)
            accumulated(leaf)
    for x in only or ():
        edge = tape.edge_of(x)
        if isinstance(edge, tuple) and edge in walk.captured:
            _accumulate(x, walk.captured[edge], create_graph)


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
        for y, seed in zip(outputs, seeds):
            edge = tape.edge_of(y)
            if edge is not None and seed is not None:
                walk.send(edge, seed)
        walk.run()
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
        from .autograd_traced import gradients_traced

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
    from .creation import full_of

    for index, (x, gradient) in enumerate(zip(xs, found)):
        if gradient is None and materialize_grads:
            found[index] = full_of(x._spec.shape, 0.0, x._spec.dtype)
        elif gradient is None and not allow_unused:
            raise runtime_error(
                "One of the differentiated Tensors appears to not have been used in the graph. Set allow_unused=True "
                "if this is the desired behavior."
            )
    return tuple(found)


def _result(gradient: Tensor | None, create_graph: bool) -> Tensor | None:
    """A gradient to hand out: with bytes of its own, unless it is part of a new graph."""
    if gradient is None or create_graph or (gradient._view is None and not gradient._storage.shared):
        return gradient
    return _copied(gradient)


from . import function  # noqa: E402
from . import functional_derivatives as functional  # noqa: E402
from .function import Function, once_differentiable  # noqa: E402
from .gradcheck import GradcheckError, gradcheck, gradgradcheck  # noqa: E402
from .legacy import Variable, detect_anomaly, set_detect_anomaly  # noqa: E402

__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "no_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
]

__getattr__ = module_getattr("irtool.autograd", lambda: __all__)
