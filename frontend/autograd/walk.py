"""One backward pass: from the last recorded node to the first, by the gradient rules of the compiler."""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from ...dialects.hl.shape import SliceOp
from ...dialects.types import TensorSpec
from ...runtime.storage import SymbolicStorage
from .. import eager, tape
from ..devices import device_of, run_at, use
from ..dispatch import builder
from ..errors import TYPE_NAMES, located, runtime_error
from ..node import Edge, Node, carries_gradient, made_by
from ..tape import CustomNode, OpNode
from ..tensor import Tensor, alias, version_of, wrap
from ..used_up import UsedUp

FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
    "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
    "after calling backward."
)

Target: TypeAlias = tuple[Node, int] | int
"""Where gradients collect: an output of a node, or the id of a leaf."""


# What a rule sees


class UnkeptStorage(SymbolicStorage):
    """Stands for a tensor whose values no gradient rule asks for."""

    __slots__ = ()

    def missing(self) -> Exception:
        return RuntimeError("a gradient rule asks for values of an operation that keeps none")


class ModifiedStorage(SymbolicStorage):
    """Stands for a tensor that has been written to since it was used."""

    __slots__ = ("reason",)

    def missing(self) -> Exception:
        return self.reason


_unkept: dict[TensorSpec, Tensor] = {}


def _without_values(spec: TensorSpec) -> Tensor:
    found = _unkept.get(spec)
    if found is None:
        if len(_unkept) > 4096:
            _unkept.clear()
        found = _unkept[spec] = wrap(UnkeptStorage(spec), spec)
    return found


def _modified(node: Node, spec: TensorSpec, version: int, expected: int) -> Tensor:
    storage = ModifiedStorage(spec)
    storage.reason = runtime_error(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[irtool.{TYPE_NAMES[spec.dtype]}Tensor {list(spec.shape)}], needed by {node.label}, is at version {version}; "
        f"expected version {expected} instead."
    )
    return wrap(storage, spec)


def _saved(node: OpNode, create_graph: bool) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """The operands and results of a node as its rule sees them."""
    if node.operands is None or node.results is None:
        return [_without_values(spec) for spec in node.specs], [_without_values(spec) for spec in node.output_specs]
    operands = node.operands
    if (now := [version_of(x) for x in operands]) != node.versions:
        operands = [
            x if version == expected else _modified(node, x._spec, version, expected)
            for x, version, expected in zip(operands, now, node.versions)
        ]
    results: list[Tensor] = []
    for index, (storage, spec, view, version) in enumerate(node.results):
        if storage.seen != version:
            results.append(_modified(node, spec, storage.seen, version))
            continue
        y = wrap(storage, spec, view)
        if create_graph:
            y._node, y._index, y._requires_grad = node, index, carries_gradient(spec)
        results.append(y)
    return operands, results


_loaded: Any = None


def _rules() -> Any:
    """The gradient tables, loaded when first needed."""
    global _loaded
    if _loaded is None:
        from ...passes.hl.gradients import GRADIENTS, NO_GRADIENT, OpCall

        _loaded = (GRADIENTS, NO_GRADIENT, OpCall)
    return _loaded


def _gradients_of(node: Node, cotangents: Sequence[Tensor | None], create_graph: bool) -> Sequence[Tensor | None]:
    if use.elsewhere:
        return run_at(device_of(cotangents), _gradients_there, node, cotangents, create_graph)
    return _gradients_there(node, cotangents, create_graph)


def _gradients_there(node: Node, cotangents: Sequence[Tensor | None], create_graph: bool) -> Sequence[Tensor | None]:
    if isinstance(node, CustomNode):
        if node.backward is None:
            raise runtime_error(FREED)
        return node.backward(cotangents)
    assert isinstance(node, OpNode)
    if node.operands is None and node.op not in tape.VALUE_FREE:
        raise runtime_error(FREED)
    rules, reasons, call = _loaded or _rules()
    rule = rules.get(node.op)
    if rule is None:
        reason = reasons.get(node.op, "no rule is known")
        raise runtime_error(f"{node.op.name.removeprefix('hl.')} has no gradient: {reason}")
    operands, results = _saved(node, create_graph)
    needs = [edge is not None for edge in node.edges]
    return rule(builder, call(operands, results, cotangents, node.attributes, needs))


def _is_freed(node: Node) -> bool:
    if isinstance(node, OpNode):
        return node.operands is None and node.op not in tape.VALUE_FREE
    return isinstance(node, CustomNode) and node.backward is None


def _keeps_values(node: Node) -> bool:
    if isinstance(node, OpNode):
        return node.operands is not None
    return isinstance(node, CustomNode) and node.keeps_values and node.spend is None


def check_not_freed(passes: Sequence[tuple[Sequence[Tensor], bool, str]]) -> None:
    """Raises where one of several passes would meet what another has used up: tensors, `retain_graph`, the user's line.

    What lies behind a backward of somebody's own may get no gradient, and is not looked at.
    """
    used: set[Node] = set()
    for tensors, retain_graph, line in passes:
        pending = [made[0] for made in map(made_by, map(tape.edge_of, tensors)) if made]
        reached: set[Node] = set()
        while pending:
            node = pending.pop()
            if node not in reached:
                if _is_freed(node) or node in used:
                    raise located(RuntimeError, FREED, line)
                reached.add(node)
                pending += node.makers() if isinstance(node, OpNode) else ()
        if not retain_graph:
            used |= {node for node in reached if _keeps_values(node)}


def _release(node: Node) -> None:
    if isinstance(node, OpNode):
        node.operands = node.results = None
    elif isinstance(node, CustomNode) and node.spend is not None:
        node.spend(node)
    elif isinstance(node, CustomNode) and node.keeps_values:
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
        self._only = wanted is not None
        """Whether to visit just the nodes on the way to what is wanted: others keep what they have saved."""
        self._on_the_way: set[Node] = set()
        self._own: set[Target] = set()
        """Where what has arrived was made here: nobody else refers to it, and more is added in place."""

    def start(self, edges: Sequence[tuple[Edge, Tensor]]) -> None:
        """Sends the first gradients, and visits every node that they reach."""
        if self._only:
            self._find_way([edge[0] for edge, _ in edges if not isinstance(edge, Tensor)])
        for edge, gradient in edges:
            self.send(edge, gradient)
        self.run()

    def _find_way(self, pending: list[Node]) -> None:
        reached: set[Node] = set()
        while pending:
            node = pending.pop()
            if node not in reached:
                reached.add(node)
                pending.extend(node.makers())
        for node in sorted(reached, key=lambda node: node.sequence):
            if any(edge is not None and self._leads(edge) for edge in node.edges):
                self._on_the_way.add(node)

    def _leads(self, edge: Edge) -> bool:
        """Whether something wanted is at an edge or behind it."""
        if isinstance(edge, Tensor):
            return id(edge) in self.wanted
        return edge[0] in self._on_the_way or edge in self.wanted

    def send(self, edge: Edge, gradient: Tensor, at: tuple[Any, ...] | None = None) -> None:
        """Adds a gradient to what has arrived at an edge, or to a part of it."""
        if self._only and not self._leads(edge):
            return
        if isinstance(edge, Tensor):
            found = self.leaves.get(id(edge))
            before = None if found is None else found[1]
            self.leaves[id(edge)] = edge, self._sum(id(edge), edge._spec, before, gradient, at)
            return
        node, index = edge
        arrived = self.pending.get(node)
        if arrived is None:
            arrived = self.pending[node] = [None] * len(node.output_specs)
            heapq.heappush(self.queue, (-node.sequence, node))
        arrived[index] = self._sum(edge, node.output_specs[index], arrived[index], gradient, at)

    def _sum(
        self, target: Target, spec: TensorSpec, before: Tensor | None, more: Tensor, at: tuple[Any, ...] | None
    ) -> Tensor:
        if at is None:
            if before is None:
                return more
            if target not in self._own:
                if not self.create_graph:
                    self._own.add(target)
                return builder.add(before, more)
        elif before is None:
            self._own.add(target)
            return wrap(eager.placed(spec, at, more), spec)
        elif target not in self._own:
            self._own.add(target)
            before = copied(before)
        eager.add(before, more, at)
        return before

    def run(self) -> None:
        """Visits every node that something was sent to, last recorded first."""
        queue, create_graph = self.queue, self.create_graph
        while queue and -queue[0][0] > self.floor:
            _, node = heapq.heappop(queue)
            arrived = self.pending.pop(node)
            if node.hooks or node.retained or self.wanted:
                self._observe(node, arrived)
            if self._only and node not in self._on_the_way:
                continue
            if not create_graph and isinstance(node, OpNode) and node.op is SliceOp:
                self._send_slice(node, arrived[0])
                continue
            gradients = _gradients_of(node, arrived, create_graph)
            for index, (edge, gradient) in enumerate(zip(node.edges, gradients)):
                if edge is None or gradient is None:
                    continue
                self._check(node, index, edge, gradient)
                self.send(edge, gradient)
            if not self.retain_graph:
                _release(node)

    def _send_slice(self, node: OpNode, gradient: Tensor | None) -> None:
        """What the rule of slices says, pads that are added up, without the pads: slices are often parts of a whole."""
        edge = node.edges[0]
        if edge is not None and gradient is not None:
            at = node.attributes
            self.send(edge, gradient, (*map(slice, at["start"], at["stop"], at["step"]), ...))

    def arrived(self, edge: Edge) -> Tensor | None:
        """What was sent to an edge where the walk ended."""
        if isinstance(edge, Tensor):
            found = self.leaves.get(id(edge))
            return None if found is None else found[1]
        gradients = self.pending.get(edge[0])
        return None if gradients is None else gradients[edge[1]]

    def _observe(self, node: Node, arrived: list[Tensor | None]) -> None:
        if node.hooks:
            for index, hook in tuple(node.hooks.values()):
                gradient = arrived[index]
                if gradient is not None:
                    arrived[index] = hooked(hook, gradient)
        if node.retained:
            for index, reference in node.retained.items():
                t, gradient = reference(), arrived[index]
                if t is not None and gradient is not None:
                    accumulate(t, gradient, self.create_graph)
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
    gradient = handed_out(gradient)
    found = hook(gradient)
    return gradient if found is None else found


def accumulate(t: Tensor, gradient: Tensor, create_graph: bool) -> None:
    """Adds to `t.grad`, in place unless that itself is to be differentiated."""
    before = t._grad
    if isinstance(before, UsedUp):
        t._grad = before.plus()
    elif before is None:
        if create_graph:
            t._grad = handed_out(gradient)
            return
        # Keep the bytes where nobody else refers to them: the caller, this function and the call make three, the slot
        # and the call two.
        own = gradient._view is None and sys.getrefcount(gradient) <= 3 and sys.getrefcount(gradient._storage) <= 2
        t._grad = alias(gradient) if own else copied(gradient)
        t._grad._detached = False
    elif create_graph:
        t._grad = builder.add(before, gradient)
    else:
        eager.add(before, gradient)
        before._storage.version += 1


def handed_out(gradient: Tensor) -> Tensor:
    """A gradient for users, who may write to it: not the number 1 that everybody shares."""
    return copied(gradient) if gradient._storage.is_constant() and not gradient._requires_grad else gradient


def copied(x: Tensor) -> Tensor:
    """The values in bytes of their own, without history."""
    return wrap(eager.copied(x), x._spec)


__all__ = ["FREED", "Walk", "accumulate", "check_not_freed", "copied", "handed_out", "hooked"]
