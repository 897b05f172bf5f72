"""Tensors that share memory, each with a history of its own: a storage has one value, whose history is its maker's.

v = w * 2;  a = v.detach();  a.mul_(u)          v and a hold the same numbers; gradients of v go to w, those of a to u

A tensor of another history is value + (history - constant(history)): the numbers of the storage as it is now, and the
derivatives of what was written to the tensor last.
"""

from __future__ import annotations

from typing import Any

from xdsl.ir import SSAValue

from ..dispatch import replay_value
from ..node import TRACED
from ..tensor import Tensor


class Histories:
    """The aliases in a trace whose history is not that of their storage's value."""

    def __init__(self) -> None:
        self.values: dict[Tensor, SSAValue] = {}
        """What each was when it was written to last."""
        self.numbers: dict[Tensor, SSAValue] = {}
        """What its memory held at that time."""

    def __contains__(self, t: Tensor) -> bool:
        return t in self.values and t._node is TRACED

    def is_apart(self, t: Tensor) -> bool:
        """Whether what is written to a tensor is no history of others that share its memory."""
        return bool(t._detached) or t in self

    def set(self, trace: Any, t: Tensor, value: SSAValue) -> None:
        """A tensor has another history from here on, and its memory the same numbers."""
        self.values[t], self.numbers[t] = value, self._held(trace, t)

    def keep(self, t: Tensor, value: SSAValue) -> None:
        """A tensor is given other memory, and goes on with the history that it has."""
        self.values[t] = self.numbers[t] = value

    def value(self, trace: Any, t: Tensor) -> SSAValue:
        """What the tensor is now."""
        now = self._held(trace, t)
        if now is not self.numbers[t]:
            self.values[t] = trace.with_history(trace.detached(now), self.values[t])
            self.numbers[t] = now
        return self.values[t]

    @staticmethod
    def _held(trace: Any, t: Tensor) -> SSAValue:
        return replay_value(trace, trace.read(t._storage), None, t._view)

    def snapshot(self) -> tuple[dict[Tensor, SSAValue], dict[Tensor, SSAValue]]:
        """What `restore` takes."""
        return dict(self.values), dict(self.numbers)

    def restore(self, snapshot: tuple[dict[Tensor, SSAValue], dict[Tensor, SSAValue]]) -> list[Tensor]:
        """Takes back what has happened since; the tensors from before that were written to."""
        before, numbers = snapshot
        changed = [t for t, value in self.values.items() if value is not before.get(t)]
        self.values, self.numbers = before, numbers
        return changed

    def clear(self) -> None:
        """Lets go of everything."""
        self.values.clear()
        self.numbers.clear()


__all__ = ["Histories"]
