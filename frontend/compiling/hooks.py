"""What instrumented code calls: an object for each instruction that loads or stores; its `[...]` acts on the operands.

Without a trace in this thread a hook does what the instruction did; otherwise it asks the trace's observer.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from types import CodeType
from typing import Any

from ..modes import modes


def observing() -> Any:
    """The observer of the trace that goes on in this thread, or None."""
    trace = modes.trace
    return None if trace is None else trace.observer


class LoadAttribute:
    """`x.name`, also as the callable of a call."""

    def __init__(self, name: str, called: bool) -> None:
        self.name, self.called = name, called

    def __getitem__(self, owner: Any) -> Any:
        observer = observing()
        if observer is None:
            return getattr(owner, self.name)
        return observer.load_attribute(owner, self.name, self.called)


class LoadAppend:
    """`x.append` and the like, to be called, of an `x` that was loaded for nothing else."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, owner: Any) -> Any:
        observer = observing()
        if observer is None:
            return getattr(owner, self.name)
        return observer.load_attribute(observer.appended(owner), self.name, True)


class Entered:
    """The beginning of a function."""

    def __init__(self, code: CodeType) -> None:
        self._code = code

    def __getitem__(self, nothing: int) -> None:
        observer = observing()
        if observer is not None and self._code in observer.late:
            observer.enter_function(self._code)


class StoreAttribute:
    """`x.name = value`"""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, operands: Any) -> None:
        value, owner = operands
        observer = observing()
        if observer is None:
            setattr(owner, self.name, value)
        else:
            observer.store_attribute(owner, self.name, value)


class DeleteAttribute:
    """Before `del x.name`"""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, owner: Any) -> Any:
        observer = observing()
        return owner if observer is None else observer.delete_attribute(owner, self.name)


class LoadGlobal:
    """A global name, or a builtin."""

    def __init__(self, name: str, called: bool) -> None:
        self.name, self.called = name, called

    def __getitem__(self, value: Any) -> Any:
        observer = observing()
        if observer is None:
            return value
        return observer.load_global(sys._getframe(1).f_globals, self.name, value, self.called)


class StoreGlobal:
    """`global name; name = value`"""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, value: Any) -> None:
        names = sys._getframe(1).f_globals
        observer = observing()
        if observer is None:
            names[self.name] = value
        else:
            observer.store_global(names, self.name, value)


class DeleteGlobal:
    """Before `del name`"""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, operand: Any) -> None:
        observer = observing()
        if observer is not None:
            observer.delete_variable((id(sys._getframe(1).f_globals), self.name))


class _DeleteCell:
    """Before a variable of an enclosing function is deleted."""

    def __getitem__(self, cell: Any) -> None:
        observer = observing()
        if observer is not None:
            observer.delete_variable((id(cell), None))


class _Plain:
    """An instruction without a name of its own."""

    def __init__(self, without: Callable[[Any], Any], method: str) -> None:
        self._without, self._method = without, method

    def __getitem__(self, operands: Any) -> Any:
        observer = observing()
        return self._without(operands) if observer is None else getattr(observer, self._method)(operands)


class _Binary:
    """An operator with two operands."""

    def __init__(self, function: Callable[[Any, Any], Any], in_place: bool) -> None:
        self._function, self._in_place = function, in_place

    def __getitem__(self, operands: Any) -> Any:
        x, y = operands
        observer = observing()
        if observer is not None:
            observer.operate(x, y, self._in_place)
        return self._function(x, y)


class _Is:
    """`x is y` and `x is not y`"""

    def __init__(self, negated: bool) -> None:
        self._negated = negated

    def __getitem__(self, operands: Any) -> bool:
        x, y = operands
        observer = observing()
        same = x is y if observer is None else observer.is_same(x, y)
        return same is not self._negated


def _store_item(operands: Any) -> None:
    value, container, key = operands
    container[key] = value


def _store_cell(operands: Any) -> None:
    value, cell = operands
    cell.cell_contents = value


DELETE_CELL = _DeleteCell()
IS, IS_NOT = _Is(False), _Is(True)
LOAD_CELL = _Plain(lambda operands: operands[0], "load_cell")
STORE_CELL = _Plain(_store_cell, "store_cell")
LOAD_ITEM = _Plain(lambda operands: operands[0][operands[1]], "load_item")
STORE_ITEM = _Plain(_store_item, "store_item")
DELETE_ITEM = _Plain(lambda operands: operator.delitem(*operands), "delete_item")
ITERATE = _Plain(lambda value: value, "iterate")
CALLEE = _Plain(lambda value: None, "callee")
ELEMENT = _Plain(lambda value: value, "element")
ENTER = _Plain(lambda value: value, "enter")
MATCH = _Plain(lambda value: value, "match")
LOADED = _Plain(lambda value: value, "load")
RESULT = _Plain(lambda value: value, "result")
CALLED = _Plain(lambda value: value, "called")

_NAMES = ("add", "and_", "floordiv", "lshift", "matmul", "mul", "mod", "or_", "pow", "rshift", "sub", "truediv", "xor")
BINARY = [
    *(_Binary(getattr(operator, name), False) for name in _NAMES),
    *(_Binary(getattr(operator, "i" + name.removesuffix("_")), True) for name in _NAMES),
]
"""By the number that the instruction has for them."""
