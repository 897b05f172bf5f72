"""Backward passes of a traced function that go on through what was computed outside, after each call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
G = TypeVar("G")


@dataclass(frozen=True)
class BackwardOutside(Generic[T, G]):
    """One pass: it meets what several of the tensors were computed from once, as it does eagerly."""

    gradients: list[tuple[T, G]]
    """Tensors, and what has arrived at them."""
    retain_graph: bool
    line: str
    """The user's, of the pass."""

    def mapped(self, tensor: Callable[[T], Any], gradient: Callable[[G], Any]) -> BackwardOutside[Any, Any]:
        """The same pass of what stands for the tensors and gradients."""
        pairs = [(tensor(t), gradient(g)) for t, g in self.gradients]
        return BackwardOutside(pairs, self.retain_graph, self.line)


__all__ = ["BackwardOutside"]
