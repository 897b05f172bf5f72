"""Symbolic ints and floats: what stands for a number that changes from call to call while its function is traced.

A symbolic number is this call's value and how it follows from the call: a node of a small graph of Python operations.
Later calls evaluate the graph in Python again, with Python's own results and exceptions, before the program runs:

    x / (1 - 0.9 ** n)      nodes 0.9 ** n and 1 - ...; the last one is an argument of the program
    n % 10 == 0             a guard: the program is for calls that get the same answer
    range(n), hash(n), …    a guard on n itself: the number is a constant of this program

It is no subclass of int or float, whose C code would read the payload unseen. Whatever asks comes through a method of
the number's type, and every one of them that is no arithmetic is a read, which becomes a guard.
"""

from __future__ import annotations

import gc
import math
import operator
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import FunctionType, ModuleType
from typing import Any, cast

import numpy as np

from ...dialects.hl import elementwise as e
from ...dialects.types import DType, TensorSpec, f64, i64
from ...runtime.storage import Storage, SymbolicStorage
from .. import dispatch
from ..modes import modes
from ..ops.operands import expand_to
from ..tensor import Tensor, wrap
from ..tracing.again import Again
from ..tree import kind_of
from .evaluation import LIMIT, Evaluation, NumberNode
from .guards import PLAIN
from .places import is_a


def is_number(value: Any) -> bool:
    """Whether a value may be made symbolic."""
    kind = kind_of(value)
    return kind is float or kind is int or issubclass(kind, (np.floating, np.integer))


@dataclass
class Symbols:
    """The symbolic numbers of one trace: a graph, the guards on its values, and what the program takes of it."""

    trace: Any
    first_leaf: int
    """The position that the first of the program's numbers has among the leaves of a call."""
    nodes: list[NumberNode] = field(default_factory=list[NumberNode])
    values: list[Any] = field(default_factory=list[Any])
    """This call's."""
    names: list[str] = field(default_factory=list[str])
    guarded: dict[int, Any] = field(default_factory=dict[int, Any])
    """Nodes whose values the program depends on."""
    wanted: list[int] = field(default_factory=list[int])
    """Nodes whose values are leaves of each call: arguments of the program, and what Python returns or keeps."""
    _storages: dict[tuple[int, DType], Storage] = field(default_factory=dict[tuple[int, DType], Storage])
    sources: dict[int, None] = field(default_factory=dict[int, None])
    """Nodes that are numbers of the call, whose types the program depends on in any case."""
    passed: set[int] = field(default_factory=set[int])
    """Nodes that the program gets as 64-bit integers."""

    # Making

    def source(self, name: str, value: Any, find: Callable[[Sequence[Any]], Any]) -> Any:
        """A number that `find` gets from each call's leaves."""
        made = self._add(NumberNode(find, (), ()), value, name)
        self.sources[made._index] = None
        return made

    def apply(self, function: Callable[..., Any], text: str, *operands: Any) -> Any:
        """An operation on numbers, at least one of them symbolic. A result that is no number becomes a guard."""
        operands = tuple([x._value if isinstance(x, Symbolic) and not x._is_live() else x for x in operands])
        plain = [x._value if isinstance(x, Symbolic) else x for x in operands]
        try:
            value = function(*plain)
        except BaseException:
            for x in operands:  # that it raises is for these numbers alone
                read(x)
            raise
        is_node = tuple(isinstance(x, Symbolic) for x in operands)
        places = tuple(x._index if n else x for x, n in zip(operands, is_node))
        weak = text in COMPARED.values()
        names = [self._text(x._index, weak) if n else repr(x) for x, n in zip(operands, is_node)]
        node = NumberNode(function, places, is_node)
        if is_number(value):
            return self._add(node, value, text.format(*names))
        index = self._number_of(node, value, text.format(*names))
        self.guard(index)
        return value

    def result(self, function: Callable[..., Any], text: str, *operands: Any) -> Any:
        """As `apply`; a plain number where none of the operands is symbolic."""
        return apply(function, text, *operands)

    def _text(self, index: int, weak: bool) -> str:
        text = self.names[index]
        return text if weak or " " not in text else f"({text})"

    def _number_of(self, node: NumberNode, value: Any, name: str) -> int:
        self.nodes.append(node)
        self.values.append(value)
        self.names.append(name)
        return len(self.nodes) - 1

    def _add(self, node: NumberNode, value: Any, name: str) -> Any:
        return _maker(cast(Any, type(value)))(self, self._number_of(node, value, name), value)

    # Uses

    def guard(self, index: int) -> None:
        """The program is for calls in which this node has the value that it has now."""
        self.guarded[index] = self.values[index]

    def leaf(self, number: Symbolic) -> int:
        """The position of a number among the leaves of each call."""
        if number._index not in self.wanted:
            self.wanted.append(number._index)
        return self.first_leaf + self.wanted.index(number._index)

    def tensor(self, number: Symbolic, shape: tuple[int, ...], dtype: DType) -> Tensor:
        """A number as an operand of the program: every element is that number."""
        if not number._is_live():
            return dispatch.scalar(number._value, shape, dtype)
        own = f64 if dtype.kind == "float" or not isinstance(number._value, WHOLE) else i64
        if own is i64:
            if not -LIMIT <= number._value < LIMIT:
                return dispatch.scalar(read(number), shape, dtype)
            self.passed.add(number._index)
        elif isinstance(number._value, int) and abs(number._value) >= 1 << 1000:
            return dispatch.scalar(read(number), shape, dtype)  # which may be too large for a float
        storage = self._storages.get((number._index, own))
        if storage is None:
            storage = self._storages[number._index, own] = SymbolicStorage(TensorSpec((), own))
            name = self.names[number._index].rpartition(".")[2]
            self.trace.declare_number(storage, self.leaf(number), name)
        made: Tensor = wrap(storage, storage.spec)
        if dtype is not own:
            made = dispatch.apply(e.CastOp, (made,), {"dtype": dtype})[0]
        return expand_to(made, shape)

    # Calls

    def seal(self) -> Evaluation:
        """What each call evaluates."""
        return Evaluation(self)


# Numbers


class _AsType(type):
    """Classes of symbolic numbers equal those that they stand for, wherever Python compares or looks them up."""

    stands_for: type

    def __eq__(cls, other: object) -> bool:
        return other is cls.stands_for or (isinstance(other, _AsType) and other.stands_for is cls.stands_for)

    def __hash__(cls) -> int:
        return hash(cls.stands_for)

    def __repr__(cls) -> str:
        return repr(cls.stands_for)

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls.stands_for, name)

    def __call__(cls, *args: Any, **options: Any) -> Any:
        return cls.stands_for(*args, **options)


class Symbolic:
    """What all symbolic numbers have in common."""

    __slots__ = ("__weakref__", "_index", "_symbols", "_value")

    _symbols: Symbols
    _index: int
    _value: Any

    def _is_live(self) -> bool:
        """Whether its trace is going on in this thread; otherwise it is no more than its value."""
        return modes.trace is not None and modes.trace is self._symbols.trace


def read(value: Any) -> Any:
    """The number itself, on which the program depends from here on; any other value as it is."""
    if not issubclass(type(value), Symbolic):
        return value
    if value._is_live():
        value._symbols.guard(value._index)
    return value._value


def settled(value: Any) -> Any:
    """The number of an earlier trace, such as the key under which that has kept something; any other value as it is."""
    return value._value if issubclass(type(value), Symbolic) and not value._is_live() else value


def plain_type(kind: Any) -> Any:
    """The type that a class of symbolic numbers stands for; any other value as it is."""
    return kind.stands_for if type(kind) is _AsType else kind


def holds_symbolic(value: Any, depth: int = 4) -> bool:
    """Whether a symbolic number is in an object, of whatever kind."""
    kind = cast(Any, type(value))
    if issubclass(kind, Symbolic):
        return True
    if (
        depth == 0
        or (kind in PLAIN and kind is not slice)
        or issubclass(kind, (type, FunctionType, ModuleType, Tensor))
    ):
        return False
    return any(holds_symbolic(part, depth - 1) for part in gc.get_referents(value))


def read_all(value: Any, depth: int = 4) -> Any:
    """A value with plain numbers in it."""
    if not depth or not holds_symbolic(value):
        return plain_type(value)
    if type(value) is tuple:
        return tuple(read_all(x, depth - 1) for x in cast("tuple[Any, ...]", value))
    if is_a(value, list, deque):  # of the trace alone: its elements are read where they are
        for k, x in enumerate(cast("list[Any]", value)):
            value[k] = read_all(x, depth - 1)
    elif is_a(value, dict):
        for key, x in cast("dict[Any, Any]", value).items():
            value[key] = read_all(x, depth - 1)
    return plain_type(read(value))


def apply(function: Callable[..., Any], text: str, *operands: Any) -> Any:
    """A pure function of numbers, of which some may be symbolic: the result is symbolic too."""
    for x in operands:
        if issubclass(type(x), Symbolic) and x._is_live():
            return x._symbols.apply(function, text, *operands)
    return function(*map(read, operands))


def lifted(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A pure function of Python's that takes symbolic numbers: `math.sqrt(n)` is symbolic where n is."""

    def call(*operands: Any, **options: Any) -> Any:
        if not any(issubclass(type(x), Symbolic) for x in operands):
            return function(*operands, **options)
        if options or not all(issubclass(type(x), Symbolic) or type(x) in (int, float, bool) for x in operands):
            return function(*[read(x) for x in operands], **options)
        return apply(function, f"{name}({', '.join(['{}'] * len(operands))})", *operands)

    call.__name__ = call.__qualname__ = name
    return call


BINARY = {
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "truediv": "{} / {}", "floordiv": "{} // {}",
    "mod": "{} % {}", "pow": "{} ** {}", "and": "{} & {}", "or": "{} | {}", "xor": "{} ^ {}", "lshift": "{} << {}",
    "rshift": "{} >> {}",
}  # fmt: skip
COMPARED = {"eq": "{} == {}", "ne": "{} != {}", "lt": "{} < {}", "le": "{} <= {}", "gt": "{} > {}", "ge": "{} >= {}"}
UNARY: dict[str, tuple[Callable[..., Any], str]] = {
    "__neg__": (operator.neg, "-{}"),
    "__pos__": (operator.pos, "+{}"),
    "__abs__": (abs, "abs({})"),
    "__invert__": (operator.invert, "~{}"),
    "__floor__": (math.floor, "floor({})"),
    "__ceil__": (math.ceil, "ceil({})"),
    "__trunc__": (math.trunc, "trunc({})"),
    "__bool__": (bool, "bool({})"),
    "__str__": (str, "str({})"),
    "__repr__": (repr, "repr({})"),
}
"""Functions of one number; those whose results are no numbers are guards."""

WHOLE: tuple[type[Any], ...] = (int, np.integer)
NUMBERS = (int, float, bool, np.floating, np.integer)
FOREIGN = (type(None), str, bytes, tuple, list, dict)
"""What no number is equal to."""


def _binary(name: str, text: str, swapped: bool) -> Callable[[Any, Any], Any]:
    function: Callable[..., Any] = getattr(operator, name + "_" * (name in ("and", "or")))

    def method(self: Any, other: Any) -> Any:
        if isinstance(other, Tensor):
            return NotImplemented
        operands = (other, self) if swapped else (self, other)
        if isinstance(other, (Symbolic, *NUMBERS)):
            return apply(function, text, *operands)
        return function(*map(read, operands))

    return method


def _comparison(name: str, text: str) -> Callable[[Any, Any], Any]:
    function: Callable[..., Any] = getattr(operator, name)

    def method(self: Any, other: Any) -> Any:
        if isinstance(other, Tensor):
            return NotImplemented
        if name in ("eq", "ne") and isinstance(other, FOREIGN):
            return name == "ne"
        if isinstance(other, (Symbolic, *NUMBERS)):
            return apply(function, text, self, other)
        return function(*map(read, (self, other)))

    return method


def _unary(function: Callable[..., Any], text: str) -> Callable[[Any], Any]:
    return lambda self: apply(function, text, self)


def _formatted(self: Any, spec: str) -> str:
    def formatted(number: Any) -> str:
        return format(number, spec)

    return apply(formatted, f"format({{}}, {spec!r})", self)


def _rounded(self: Any, *digits: Any) -> Any:
    return apply(round, "round({}" + ", {}" * len(digits) + ")", self, *digits)


def _hash(self: Any) -> int:
    if self._value != self._value and self._is_live():  # NaN, whose hash says which object it is
        raise Again(lambda hints: hints.keep_plain())
    return hash(read(self))


def _array(self: Any, *args: Any, **options: Any) -> Any:
    return np.asarray(read(self), *args[:1])


def _attribute(self: Any, name: str) -> Any:
    getattr(cast(Any, type(self._value)), name)  # raises AttributeError whatever the number is
    return getattr(read(self), name)


def _assign(self: Any, name: str, value: Any) -> None:
    setattr(self._value, name, value)  # numbers have no attributes: the same error


def _names(self: Any) -> list[str]:
    return dir(self._value)


def _itself(self: Any, *memo: Any) -> Any:
    return self


def _reading(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any) -> Any:
        return getattr(read(self), name)(*map(read, args))

    return method


OWN = {
    "__class__", "__new__", "__init__", "__getattribute__", "__init_subclass__", "__subclasshook__", "__doc__",
    "__delattr__", "__dir__", "__getnewargs__", "__class_getitem__", "__getformat__",
}  # fmt: skip
"""What a class of numbers has and its stand-in does not take over."""


@cache
def _maker(kind: type) -> Callable[[Symbols, int, Any], Any]:
    """What makes stand-ins for numbers of a type."""
    members: dict[str, Any] = {"__slots__": (), "__class__": property(lambda self: kind)}
    for name in {*dir(kind), "__reduce__", "__reduce_ex__"} - OWN:
        if name.startswith("__"):
            members[name] = _reading(name)
    for name, text in BINARY.items():
        members[f"__{name}__"] = _binary(name, text, swapped=False)
        members[f"__r{name}__"] = _binary(name, text, swapped=True)
    members.update({f"__{name}__": _comparison(name, text) for name, text in COMPARED.items()})
    members.update({name: _unary(*rule) for name, rule in UNARY.items() if hasattr(kind, name)})
    members["__format__"], members["__round__"], members["__array__"] = _formatted, _rounded, _array
    members["__getattr__"], members["__setattr__"] = _attribute, _assign
    members["__hash__"] = _hash
    members["__copy__"] = members["__deepcopy__"] = _itself
    members["__array_ufunc__"] = None  # numpy's numbers let these decide
    members["__doc__"] = kind.__doc__
    members["__dir__"] = _names
    if not issubclass(kind, int):
        members.pop("__index__", None)
        members.pop("__invert__", None)
    new = _AsType(kind.__name__, (Symbolic,), members)
    new.stands_for = kind
    new.__module__, new.__qualname__ = kind.__module__, kind.__qualname__

    def make(symbols: Symbols, index: int, value: Any) -> Any:
        made = object.__new__(new)
        for name, part in (("_symbols", symbols), ("_index", index), ("_value", value)):
            object.__setattr__(made, name, part)
        return made

    return make
