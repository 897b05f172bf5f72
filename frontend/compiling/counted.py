"""What stands for an int in an attribute or variable while its function is traced: whoever needs the number is noticed.

n + 1, n - 1        the same int, so much further
beta ** n, x / n    a float in any case: a run-time number
n % 10 == 0, n < 5  the answer, which programs depend on instead of the number
range(n), x[n]      need the number itself: the function is traced again with it
"""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable
from typing import Any, NoReturn

from ...runtime.storage import Storage
from ..modes import modes
from ..tensor import Tensor
from .effects import Again, Place
from .guards import Attribute
from .scalars import SPEC, RuntimeNumber, number


class Counter:
    """An int of before the trace, and all that stands for it and sums with it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.by: int | None = None
        """What the function added; None where it assigned something else."""
        self.put: int | None = None
        """The number that it assigned, whatever was there."""
        self.answers: dict[str, Attribute] = {}
        """What the function has asked about the number, and what the program depends on."""
        self._made: list[weakref.ref[Counted]] = []
        self._numbers: dict[int, RuntimeNumber] = {}

    def make(self, by: int) -> Counted:
        """The int plus a constant."""
        new = Counted(self, by)
        self._made.append(weakref.ref(new))
        return new

    def number(self, by: int) -> RuntimeNumber:
        """The int plus a constant as a float, which each call computes."""
        if by not in self._numbers:
            now = self.place.now
            self._numbers[by] = runtime(lambda: now() + by, self.place)
        return self._numbers[by]

    def answer(self, question: str, ask: Callable[[int], bool]) -> bool:
        """What holds for the number, as a call will find it as well."""
        now = self.place.now
        found = ask(self.place.expected)
        self.answers[question] = Attribute(question, lambda: ask(now()), found)
        return found

    def take_out(self) -> None:
        """Puts the number back into its place."""
        now = self.place.now()
        if type(now) is Counted and now._counter is self:
            self.by = now._by
            self.place.restore()
        elif type(now) is int:
            self.put = now
            self.place.restore()

    def is_elsewhere(self) -> bool:
        """Whether something still refers to the number: it was returned, or put into another place."""
        return any(reference() is not None for reference in self._made)

    def read(self) -> NoReturn:
        """The function is to be traced with the number itself."""
        place = self.place
        raise Again(lambda hints: hints.number(place))


def runtime(now: Callable[[], Any], place: Place) -> RuntimeNumber:
    """A number that each call finds anew; where Python has to know it, the function is traced again with it."""

    def needed() -> NoReturn:
        raise Again(lambda hints: hints.number(place))

    storage = Storage(None, SPEC)
    trace = modes.trace
    trace.declare_getter(storage, lambda: float(now()), place.name.rpartition(".")[2])
    trace.known.needed[storage] = needed
    return number(storage)


class _Questioned:
    """What compares: the answers are plain, and the program depends on them alone."""

    __slots__ = ("__weakref__", "_counter")

    _counter: Counter
    __class__: Any = property(lambda self: int)  # what isinstance() asks

    def _ask(self, symbol: str, other: Any, compare: Callable[[Any, Any], bool]) -> bool:
        text, value = self._described()
        return self._counter.answer(f"{text} {symbol} {other!r}", lambda n: compare(value(n), other))

    def _described(self) -> tuple[str, Callable[[int], int]]:
        """How it follows from the number, for people and for calls."""
        raise NotImplementedError

    def __bool__(self) -> bool:
        return self._ask("!=", 0, operator.ne)

    def __getattr__(self, name: str) -> NoReturn:
        self._counter.read()


class Counted(_Questioned):
    """Stands for an int while its function is traced. No subclass of int: C code would read the number unseen."""

    __slots__ = ("_by",)

    def __init__(self, counter: Counter, by: int) -> None:
        self._counter, self._by = counter, by

    def _described(self) -> tuple[str, Callable[[int], int]]:
        by, name = self._by, self._counter.place.name
        return (f"({name} {'+' if by > 0 else '-'} {abs(by)})" if by else name), lambda n: n + by

    def as_number(self) -> RuntimeNumber:
        """As a float."""
        return self._counter.number(self._by)

    def __mod__(self, other: Any) -> Any:
        return _Remainder(self, other) if type(other) is int and other else self._counter.read()


class _Remainder(_Questioned):
    """A Counted % an int."""

    __slots__ = ("_by", "_of")

    def __init__(self, of: Counted, by: int) -> None:
        self._counter, self._of, self._by = of._counter, of, by

    def _described(self) -> tuple[str, Callable[[int], int]]:
        by = self._by
        text, value = self._of._described()
        return f"{text} % {by}", lambda n: value(n) % by


def _sum(name: str, sign: int) -> Callable[..., Any]:
    floats = _as_float(name, (float, RuntimeNumber))

    def method(self: Counted, other: Any) -> Any:
        return self._counter.make(self._by + sign * other) if type(other) is int else floats(self, other)

    return method


def _as_float(name: str, kinds: tuple[type, ...]) -> Callable[..., Any]:
    """An operator that gives a float where the other operand is of these kinds."""

    def method(self: Counted, other: Any) -> Any:
        if type(other) not in kinds and not (isinstance(other, Tensor) and other.is_floating_point()):
            self._counter.read()
        return getattr(self.as_number(), name)(other)

    return method


def _comparison(symbol: str, compare: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    def method(self: _Questioned, other: Any) -> bool:
        return self._ask(symbol, other, compare) if type(other) in (int, float) else self._counter.read()

    return method


def _refuse(name: str) -> Callable[..., NoReturn]:
    def method(self: _Questioned, *args: Any) -> NoReturn:
        self._counter.read()

    return method


_FLOATS = (float, RuntimeNumber)
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def _install() -> None:
    sums = {name: _sum(name, sign) for name, sign in (("__add__", 1), ("__radd__", 1), ("__sub__", -1))}
    floats = {name: _as_float(name, _FLOATS) for name in ("__rsub__", "__mul__", "__rmul__", "__pow__", "__rpow__")}
    quotients = {name: _as_float(name, (int, *_FLOATS)) for name in ("__truediv__", "__rtruediv__")}
    compared = {f"__{k}__": _comparison(symbol, getattr(operator, k)) for k, symbol in _COMPARISONS.items()}
    own = {"__new__", "__init__", "__getattribute__", "__setattr__", "__delattr__", "__init_subclass__"}
    own |= {"__subclasshook__", "__class__", "__doc__", "__module__", "__slots__"}
    for kind, known in ((_Remainder, compared), (Counted, {**compared, **sums, **floats, **quotients})):
        known |= {name: getattr(kind, name) for name in ("__bool__", "__getattr__")}
        for name in {*dir(int), "__reduce__", "__reduce_ex__", "__copy__", "__deepcopy__"} - own:
            if name in known:
                setattr(kind, name, known[name])
            elif name not in vars(kind):
                setattr(kind, name, _refuse(name))


_install()

__all__ = ["Counted", "Counter", "runtime"]
