"""Numbers of a call: the graph of Python operations that a trace has left, evaluated before the program runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, cast

from .guards import same

LIMIT = 1 << 63
"""Integers from here on do not fit the program's arguments."""


class NumberNode(NamedTuple):
    """One operation. `operands` are numbers of nodes where `is_node` says so, and constants otherwise."""

    function: Callable[..., Any]
    operands: tuple[Any, ...]
    is_node: tuple[bool, ...]


class NumberGraph(Protocol):
    """What is evaluated of the symbolic numbers of a trace (`symbolic.Symbols`)."""

    nodes: list[NumberNode]
    values: list[Any]
    names: list[str]
    guarded: dict[int, Any]
    wanted: list[int]
    sources: dict[int, None]
    passed: set[int]


class Evaluation:
    """A graph of numbers, evaluated by each call."""

    def __init__(self, symbols: NumberGraph) -> None:
        self._steps: list[tuple[Callable[..., Any], Any, bool, Any]] = []
        """Function, operands (None for what comes with the call), whether Python has read it, and the value that it
        must have then, or else the type. All are evaluated, since any may raise."""
        self._names = list(symbols.names)
        for index, (node, value) in enumerate(zip(symbols.nodes, symbols.values)):
            operands: Any = None
            if index not in symbols.sources:
                operands = tuple((x if n else -1, x) for x, n in zip(node.operands, node.is_node))
            read = index in symbols.guarded
            self._steps.append((node.function, operands, read, value if read else cast(Any, type(value))))
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
        values: list[Any] = []
        try:
            for function, operands, read, expected in self._steps:
                if operands is None:
                    value = function(leaves)
                else:
                    value = function(*[x if at < 0 else values[at] for at, x in operands])
                if not (same(value, expected) if read else type(value) is expected):
                    return None
                values.append(value)
        except Exception:
            return None
        for at in self._passed:
            if not -LIMIT <= values[at] < LIMIT:
                return None
        return [values[at] for at in self._wanted]

    def differences(self, leaves: Sequence[Any]) -> list[str]:
        """Where a call goes another way, for people."""
        values: list[Any] = []
        for name, (function, operands, read, expected) in zip(self._names, self._steps):
            try:
                value = (
                    function(leaves)
                    if operands is None
                    else function(*[x if at < 0 else values[at] for at, x in operands])
                )
            except Exception as error:
                return [f"{name} raises {type(error).__name__}"]
            if read and not same(value, expected):
                return [f"{name} was {expected!r}, is now {value!r}"]
            if not read and type(value) is not expected:
                return [f"{name} was of type {expected.__name__}, is now of type {type(value).__name__}"]
            values.append(value)
        return []


__all__ = ["LIMIT", "Evaluation"]
