"""The tape of eager execution: what each recorded operation saves for its gradient.

A node holds the op class, its attributes, the operands with the versions they had, and where each operand came from.
Gradients themselves are computed in `walk`, by the same rules that differentiate compiled programs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..dialects.hl import HLOp
from ..dialects.hl import elementwise as e
from ..dialects.hl import reduction as r
from ..dialects.hl import shape as s
from ..dialects.hl import window as w
from ..dialects.types import TensorSpec
from ..runtime.storage import Storage
from . import eager
from .layout import View
from .node import TRACED, Edge, Node, carries_gradient, made_by, now
from .tensor import Tensor, sync, version_of, wrap

VALUE_FREE: frozenset[type[HLOp]] = frozenset(
    (
        *(e.AddOp, e.SubOp, e.NegOp, e.CastOp),
        *(s.BroadcastOp, s.ReshapeOp, s.TransposeOp, s.SliceOp, s.PadOp, s.ConcatOp, s.ReverseOp),
        *(s.DiagonalOp, w.WindowsOp),
        r.ReduceSumOp,
    )
)
"""Ops whose gradient asks for no operand's or result's values: nothing is kept for them."""

NAMES: dict[str, str] = {
    "cast": "ToCopy",
    "concat": "Cat",
    "matmul": "Mm",
    "reduce_max": "Amax",
    "reduce_min": "Amin",
    "reduce_prod": "Prod",
    "reduce_sum": "Sum",
    "reshape": "View",
    "select": "Where",
    "windows": "Unfold",
}
"""Where PyTorch's name for a node differs from the op's, in camel case."""


class OpNode(Node):
    """An hl op. Operands and results are kept with their versions, until they have been used."""

    __slots__ = ("attributes", "op", "operands", "results", "specs", "versions")

    def __init__(
        self,
        op: type[HLOp],
        attributes: Mapping[str, Any],
        operands: Sequence[Tensor],
        results: Sequence[Tensor],
        edges: Sequence[Edge | None],
    ) -> None:
        super().__init__(_names.get(op) or _node_name(op), edges, [t._spec for t in results])
        self.op = op
        self.attributes = attributes
        self.operands: Sequence[Tensor] | None = None
        self.versions: Sequence[int] = ()
        """Of the operands' storages."""
        self.results: Sequence[tuple[Storage, TensorSpec, View | None, int]] | None = None
        """Storage, spec, view and version, but not the tensors: they refer to this node, and the circle would keep the
        bytes alive."""
        self.specs: Sequence[TensorSpec] = ()
        """Of the operands, where these are not kept."""
        if op in VALUE_FREE:
            self.specs = [t._spec for t in operands]
        else:
            self.operands = operands
            # As `version_of` and `seen` say, which each op would call several times.
            self.versions = [version_of(t) if (s := t._storage).hidden else s.version for t in operands]
            self.results = [((s := t._storage), t._spec, t._view, s.version - s.hidden) for t in results]


class CustomNode(Node):
    """A node with a backward of its own: gradients of the outputs in (None where there is none), of the inputs out."""

    __slots__ = ("backward", "keeps_values", "spend")

    def __init__(
        self,
        name: str,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        backward: Callable[[Sequence[Tensor | None]], Sequence[Tensor | None]],
        keeps_values: bool = True,
    ) -> None:
        super().__init__(name, [edge_of(t) for t in inputs], [t._spec for t in outputs])
        self.backward: Callable[[Sequence[Tensor | None]], Sequence[Tensor | None]] | None = backward
        self.keeps_values = keeps_values
        """Whether it has saved what it can use once only."""
        self.spend: Callable[[CustomNode], None] | None = None
        """Called with the node when that has been used, instead of letting go of it. It may not refer to the node by
        itself: such a circle would keep alive what is saved."""
        attach(self, outputs)


class SpentNode(CustomNode):
    """The history of a tensor that cannot be gone back. Each call of a compiled training step makes one: in one go."""

    __slots__ = ()

    def __init__(self, t: Tensor, refuse: Callable[[Sequence[Tensor | None]], Sequence[Tensor | None]]) -> None:
        self.label, self.edges, self.output_specs = "CompiledBackward", (), (t._spec,)
        self.sequence = now()
        self.hooks = self.retained = self.spend = None
        self.backward, self.keeps_values = refuse, True
        t._node, t._index, t._requires_grad = self, 0, True


_names: dict[type[HLOp], str] = {}


def _node_name(op: type[HLOp]) -> str:
    name = op.name.removeprefix("hl.")
    camel = NAMES.get(name) or "".join(part.capitalize() for part in name.split("_"))
    return _names.setdefault(op, f"{camel}Backward0")


def named(t: Tensor, name: str) -> Tensor:
    """The tensor, its node shown under the name that PyTorch has for what was done."""
    if t._node is not None and t._node is not TRACED:
        t._node.label = name
    return t


def edge_of(t: Tensor) -> Edge | None:
    """Where a gradient for this tensor goes."""
    if t._base is not None:
        sync(t)
    return target_of(t) if t._requires_grad else None


def target_of(t: Tensor) -> Edge:
    """Where a gradient for this tensor goes, although it may no longer ask for one."""
    return t if t._node is None else (t._node, t._index)


def leads_to(nodes: Iterable[Node | None], targets: Iterable[Tensor]) -> bool:
    """Whether gradients flow from any of the nodes to any of the tensors."""
    pending = [node for node in nodes if node is not None]
    if not pending:
        return False
    wanted = {_identity(edge) for edge in map(edge_of, targets) if edge is not None}
    seen: set[Node] = set()
    while pending:
        node = pending.pop()
        if node not in seen:
            seen.add(node)
            if any(edge is not None and _identity(edge) in wanted for edge in node.edges):
                return True
            pending.extend(node.makers())
    return False


def _identity(edge: Edge) -> Any:
    """What tells edges apart: tensors by identity."""
    return made_by(edge) or id(edge)


def is_traced(t: Tensor) -> bool:
    """Whether an operation of the trace in progress made a tensor's values, and gradients flow through them."""
    if t._base is not None:
        sync(t)
    return t._node is TRACED


def attach(node: Node, outputs: Sequence[Tensor]) -> None:
    """Makes these tensors the outputs of the node."""
    for index, t in enumerate(outputs):
        if carries_gradient(t._spec):
            t._node = node
            t._index = index
            t._requires_grad = True


def record(
    op: type[HLOp], attributes: Mapping[str, Any], operands: Sequence[Tensor], results: Sequence[Tensor]
) -> None:
    """Records an op that was run, where one of its operands asks for it."""
    for t in operands:
        if t._base is not None:
            sync(t)
        if t._requires_grad:
            attach(OpNode(op, attributes, operands, results, [edge_of(x) for x in operands]), results)
            return


def keep_overwritten(result: Tensor, storage: Storage, since: int) -> None:
    """Before a result is written over its own operand: nodes made since then get a copy of what they saved of it.

    x.mul_(w)      the gradient by w asks for x as it was
    """
    copies: dict[tuple[TensorSpec, View | None], Storage] = {}
    seen: set[int] = set()
    pending = [result._node]
    while pending:
        node = pending.pop()
        if node is None or node.sequence < since or node.sequence in seen:
            continue
        seen.add(node.sequence)
        pending.extend(node.makers())
        if not isinstance(node, OpNode) or node.operands is None:
            continue
        if any(x._storage is storage for x in node.operands):
            node.operands = [_copied(x, copies) if x._storage is storage else x for x in node.operands]
            node.versions = [version_of(x) for x in node.operands]


def _copied(x: Tensor, copies: dict[tuple[TensorSpec, View | None], Storage]) -> Tensor:
    key = (x._spec, x._view)
    if key not in copies:
        copies[key] = eager.copied(x)
    copy = wrap(copies[key], x._spec)
    copy._node, copy._index, copy._requires_grad = x._node, x._index, x._requires_grad
    return copy


def identity(x: Tensor, name: str = "CloneBackward0") -> Tensor:
    """The same bytes under a node of its own that passes gradients on."""
    new = wrap(x._storage, x._spec, x._view)
    CustomNode(name, (x,), (new,), tuple, keeps_values=False)
    return new


__all__ = [
    "VALUE_FREE",
    "CustomNode",
    "OpNode",
    "attach",
    "edge_of",
    "identity",
    "is_traced",
    "keep_overwritten",
    "named",
    "record",
    "target_of",
]
