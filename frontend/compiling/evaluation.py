"""Numbers of a call: the graph of Python operations that a trace has left, evaluated before the program runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from .guards import same

if TYPE_CHECKING:
    from .symbolic import Symbols

LIMIT = 1 << 63
"""Integers from here on do not fit the program's arguments."""


class Stale(Exception):
    """Another thread has changed a number that a program is for, after the program was chosen and before it ran."""


class Evaluation:
    """A graph of numbers, evaluated by each call."""

    def __init__(self, symbols: Symbols) -> None:
        self._steps: list[tuple[Callable[..., Any], Any, Any]] = []
        """Function, operands (None for what comes with the call), and the value or the type that it must have. All are
        evaluated, since any may raise."""
        self._names = list(symbols.names)
        self._read = frozenset(symbols.guarded)
        for index, (node, value) in enumerate(zip(symbols.nodes, symbols.values)):
            operands: Any = None
            if index not in symbols.sources:
                operands = tuple((x if n else -1, x) for x, n in zip(node.operands, node.is_node))
            kind = cast(Any, type(value))
            self._steps.append((node.function, operands, value if index in self._read else kind))
        self._passed = list(symbols.passed)
        self._wanted = list(symbols.wanted)
        self.traced = [symbols.values[index] for index in self._wanted]
        """What the call that was traced brings along."""

    def __len__(self) -> int:
        """How many operations a call makes."""
        return len(self._steps)

    def __call__(self, leaves: Sequence[Any]) -> list[Any] | None:
        """The numbers that a call brings along, in their places among its leaves; None where it needs another program:
        Python gets another answer, or an exception."""
        if not self._steps:
            return []
        values: list[Any] = []
        for k, (function, operands, expected) in enumerate(self._steps):
            try:
                if operands is None:
                    value = function(leaves)
                else:
                    value = function(*[x if at < 0 else values[at] for at, x in operands])
            except Exception:
                return None
            if not (same(value, expected) if k in self._read else type(value) is expected):
                return None
            values.append(value)
        if not all(-LIMIT <= values[at] < LIMIT for at in self._passed):
            return None
        return [values[at] for at in self._wanted]

    def differences(self, leaves: Sequence[Any]) -> list[str]:
        """Where a call goes another way, for people."""
        values: list[Any] = []
        for k, (function, operands, expected) in enumerate(self._steps):
            name = self._names[k]
            try:
                value = (
                    function(leaves)
                    if operands is None
                    else function(*[x if at < 0 else values[at] for at, x in operands])
                )
            except Exception as error:
                return [f"{name} raises {type(error).__name__}"]
            if k in self._read and not same(value, expected):
                return [f"{name} was {expected!r}, is now {value!r}"]
            if k not in self._read and type(value) is not expected:
                return [f"{name} was of type {expected.__name__}, is now of type {type(value).__name__}"]
            values.append(value)
        return []


__all__ = ["LIMIT", "Evaluation", "Stale"]
