"""Nodes of the graph that gradients walk back along: what they are called, and where their operands came from."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

from ..dialects.types import TensorSpec

_sequence = itertools.count(1)


Edge: TypeAlias = "tuple[Node, int] | Any"
"""(node, number of its output), or the tensor itself where no recorded operation made it."""


class Node:
    """A recorded operation, or anything else that has a backward."""

    __slots__ = ("__weakref__", "edges", "hooks", "label", "output_specs", "retained", "sequence")

    def __init__(self, label: str, edges: Sequence[Edge | None], output_specs: Sequence[TensorSpec]) -> None:
        self.label = label
        self.edges = edges
        """Per operand: the (node, index) that made it, the tensor itself for a leaf, None where no gradient is due."""
        self.output_specs = output_specs
        self.sequence = next(_sequence)
        self.hooks: dict[int, tuple[int, Callable[[Any], Any]]] | None = None
        """By handle, (index, hook): called with the gradient of that output, may return another one."""
        self.retained: dict[int, Any] | None = None
        """Outputs, by index and weakly, whose gradient is kept in their `grad`."""

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """Where the operands came from, as PyTorch shows it."""
        return tuple(made_by(edge) or (None, 0) for edge in self.edges)

    def makers(self) -> list[Node]:
        """The nodes that made the operands."""
        return [made[0] for made in map(made_by, self.edges) if made]

    def name(self) -> str:
        """What PyTorch calls such a node."""
        return self.label

    def __repr__(self) -> str:
        return f"<{self.label}>"


TRACED = Node("TracedBackward", (), ())
"""The node of every value inside a trace that a gradient can flow through; the trace itself knows the graph."""

OUTSIDE = Node("OutsideBackward", (), ())
"""The node of what stands in a trace for an argument that was computed outside: no leaf, but read as one."""


def made_by(edge: Edge | None) -> tuple[Node, int] | None:
    """The node and output that an edge leads to; None for a leaf, and for no edge."""
    return cast("tuple[Node, int]", edge) if isinstance(edge, tuple) else None


def now() -> int:
    """A number greater than that of every node so far, and less than that of every later one."""
    return next(_sequence)


def carries_gradient(spec: TensorSpec) -> bool:
    """Whether gradients flow through values of a kind: the one rule of the tape and of traces."""
    return spec.dtype.kind == "float"


__all__ = ["OUTSIDE", "TRACED", "Edge", "Node", "carries_gradient", "made_by", "now"]
