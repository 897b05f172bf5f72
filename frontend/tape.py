"""The tape of eager execution: what each recorded operation saves for its gradient.

A node holds the op class, its attributes, the operands with the versions they had, and where each operand came from.
Gradients themselves are computed in `walk`, by the same rules that differentiate compiled programs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ..dialects.hl import HLOp
from ..dialects.hl import elementwise as e
from ..dialects.hl import reduction as r
from ..dialects.hl import shape as s
from ..dialects.hl import window as w
from ..dialects.types import TensorSpec
from ..runtime.storage import Storage
from . import grad_mode, mutations
from .errors import runtime_error, type_error

if TYPE_CHECKING:
    from .tensor import Tensor
    from .views import View

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

Edge: TypeAlias = "tuple[Node, int] | Tensor"
_sequence = itertools.count(1)


class Node:
    """A recorded operation, or anything else that has a backward."""

    __slots__ = ("__weakref__", "edges", "hooks", "label", "output_specs", "retained", "sequence")

    def __init__(self, label: str, edges: Sequence[Edge | None], output_specs: Sequence[TensorSpec]) -> None:
        self.label = label
        self.edges = edges
        """Per operand: the (node, index) that made it, the tensor itself for a leaf, None where no gradient is due."""
        self.output_specs = output_specs
        self.sequence = next(_sequence)
        self.hooks: list[tuple[int, Callable[[Tensor], Tensor | None]]] | None = None
        """(index, hook): called with the gradient of that output, may return another one."""
        self.retained: dict[int, Any] | None = None
        """Outputs, by index and weakly, whose gradient is kept in their `grad`."""

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """Where the operands came from, as PyTorch shows it."""
        return tuple(edge if isinstance(edge, tuple) else (None, 0) for edge in self.edges)

    def name(self) -> str:
        """What PyTorch calls such a node."""
        return self.label

    def __repr__(self) -> str:
        return f"<{self.label}>"


HIDDEN = 2
"""Among the values of `Tensor._detached`: an alias by `.data`, or a view of one."""


def version_of(t: Tensor) -> int:
    """How often a tensor was written to, as far as whoever saved it is to notice: writes through an alias by `.data`
    count for aliases alone."""
    storage = t._storage
    return storage.version if t._detached == HIDDEN else storage.version - storage.hidden


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
            self.versions = [version_of(t) for t in operands]
            self.results = [(t._storage, t._spec, t._view, t._storage.seen) for t in results]


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
        self.spend: Callable[[], None] | None = None
        """Called when that has been used, instead of letting go of it."""
        attach(self, outputs)


TRACED = Node("TracedBackward", (), ())
"""The node of every value inside a trace that a gradient can flow through; the trace itself knows the graph."""

OUTSIDE = Node("OutsideBackward", (), ())
"""The node of what stands in a trace for an argument that was computed outside: no leaf, but read as one."""

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


def is_traced(t: Tensor) -> bool:
    """Whether an operation of the trace in progress made a tensor's values, and gradients flow through them."""
    if t._base is not None:
        sync(t)
    return t._node is TRACED


def carries_gradient(spec: TensorSpec) -> bool:
    """Whether gradients flow through values of a kind: the one rule of the tape and of traces."""
    return spec.dtype.kind == "float"


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


def now() -> int:
    """A number greater than that of every node so far, and less than that of every later one."""
    return next(_sequence)


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
        pending.extend(edge[0] for edge in node.edges if isinstance(edge, tuple))
        if not isinstance(node, OpNode) or node.operands is None:
            continue
        if any(x._storage is storage for x in node.operands):
            node.operands = [_copied(x, copies) if x._storage is storage else x for x in node.operands]
            node.versions = [version_of(x) for x in node.operands]


def _copied(x: Tensor, copies: dict[tuple[TensorSpec, View | None], Storage]) -> Tensor:
    from .dispatch import array_of
    from .tensor import wrap

    key = (x._spec, x._view)
    if key not in copies:
        copies[key] = Storage(array_of(x).copy(order="C"), x._spec)
    copy: Tensor = wrap(copies[key], x._spec)
    copy._node, copy._index, copy._requires_grad = x._node, x._index, x._requires_grad
    return copy


def sync(t: Tensor) -> None:
    """Brings the history of a differentiable view up to date with writes to what it is a view of."""
    base = t._base
    assert base is not None
    if t._history == base._history:
        return
    from .views import replayed

    before = grad_mode.switch(True)
    try:
        fresh = replayed(base, t._view)
    finally:
        grad_mode.switch(before)
    t._node, t._index, t._requires_grad = fresh._node, fresh._index, fresh._requires_grad
    t._history = base._history


def set_requires_grad(t: Tensor, value: bool) -> None:
    """What assigning `requires_grad` does."""
    if t._base is not None:
        sync(t)
    value = bool(value)
    if t._node is not None:
        if not value:
            raise runtime_error(
                "you can only change requires_grad flags of leaf variables. If you want to use a computed variable "
                "in a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
            )
        return
    if value and t._spec.dtype.kind != "float":
        raise runtime_error("only Tensors of floating point dtype can require gradients")
    if value != t._requires_grad:
        t._requires_grad = value
        t._base = None
        t._history += 1
        mutations.bump()


def check_grad(t: Tensor, grad: Any) -> None:
    """Raises unless `grad` may be assigned to `t.grad`."""
    if grad is None:
        return
    if not isinstance(getattr(grad, "_storage", None), Storage):
        raise type_error(f"assigned grad expected to be a Tensor or None but got grad of type {type(grad).__name__}")
    if grad._spec.shape != t._spec.shape:
        raise runtime_error(
            f"assigned grad has data of a different size: expected {list(t._spec.shape)}, got {list(grad._spec.shape)}"
        )
    if grad._spec.dtype is not t._spec.dtype:
        raise runtime_error(f"assigned grad has data of a different type: expected {t.dtype}, got {grad.dtype}")


__all__ = [
    "OUTSIDE",
    "TRACED",
    "CustomNode",
    "Edge",
    "Node",
    "OpNode",
    "attach",
    "carries_gradient",
    "edge_of",
    "is_traced",
    "keep_overwritten",
    "named",
    "now",
    "record",
    "sync",
    "target_of",
]
