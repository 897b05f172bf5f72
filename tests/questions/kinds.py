"""Rows that ask what kind of number it is."""

from __future__ import annotations

from .names import *


def match_class(x, s):
    match s:
        case bool():
            return x
        case int():
            return x + 1
        case float():
            return x * 2
        case None:
            return x * 3
        case str():
            return x * 4
    return x * 5


def match_float_capture(x, s):
    match s:
        case float(v):
            return x * v
        case int(v):
            return x + v
    return x


def match_values(x, s):
    match s:
        case 0.5:
            return x
        case 1 | 2:
            return x * 2
        case "mean":
            return x.mean()
        case None:
            return x * 0
        case _ if s > 1:
            return x * 3
    return x * 4


def match_sequence(x, s):
    match [s, 1]:
        case [0.5, _]:
            return x
        case [float() | int() as v, 1] if v > 1:
            return x * v
    return x * 4


def match_mapping(x, s):
    match {"lr": s}:
        case {"lr": 0.5}:
            return x
        case {"lr": float(v)}:
            return x * v
    return x * 4


def range_check(x, s):
    if isinstance(s, float) and not 0 <= s <= 1:
        raise ValueError(f"p must be between 0 and 1, got {s}")
    return x * s


def range_check_without_kind(x, s):
    if s < 0 or s > 1:
        raise ValueError("p out of range")
    return x * (1 - s)


def assertion(x, s):
    assert s > 0, "positive"
    return x / s


def assertion_of_kind(x, s):
    assert type(s) is float
    return x * s


def singledispatch_on_it():
    @functools.singledispatch
    def scale(s, x):
        return x

    @scale.register
    def _(s: float, x):
        return x * 2

    @scale.register
    def _(s: int, x):
        return x * 3

    @scale.register
    def _(s: bool, x):
        return x * 4

    return lambda x, s: scale(s, x)


def singledispatch_method():
    class Scale:
        @functools.singledispatchmethod
        def of(self, s, x):
            return x

        @of.register
        def _(self, s: float, x):
            return x * s

        @of.register
        def _(self, s: int, x):
            return x + s

    scale = Scale()
    return lambda x, s: scale.of(s, x)


def table_of_kinds(x, s):
    table = {float: lambda: x * s, int: lambda: x + s, bool: lambda: x, str: lambda: x.sum()}
    return table.get(type(s), lambda: x * 0)()


def table_of_names(x, s):
    return {"float": x * 2, "int": x * 3}.get(type(s).__name__, x)


def own_abc():
    import abc

    class Scalar(abc.ABC):  # noqa: B024
        pass

    Scalar.register(float)
    return lambda x, s: x * 2 if isinstance(s, Scalar) else x


def own_instancecheck():
    class Meta(type):
        def __instancecheck__(cls, instance):
            return type(instance) is float

    class Exactly(metaclass=Meta):
        pass

    return lambda x, s: x * 2 if isinstance(s, Exactly) else x


def protocol():
    @typing.runtime_checkable
    class Whole(typing.Protocol):
        def is_integer(self) -> bool: ...

    return lambda x, s: x * 2 if isinstance(s, Whole) else x


def subclass_made_of_it():
    class Rate(float):
        pass

    def f(x, s):
        rate = Rate(s)
        return x * rate, rate + 1

    return f


def duck_typing(x, s):
    try:
        return x * s.item()
    except AttributeError:
        return x * s + 1


def duck_typing_by_len(x, s):
    try:
        n = len(s)
    except TypeError:
        n = 1
    return x * n


def duck_typing_by_iter(x, s):
    try:
        values = [*s]
    except TypeError:
        values = [s, s]
    return x * values[0]


def unpacking_it(x, s):
    try:
        a, b = s
    except (TypeError, ValueError):
        a = b = s
    return x * a + b


def overloads_by_index(x, s):
    try:
        n = operator.index(s)
    except TypeError:
        return x * s
    return x + n


def int_or_float(x, s):
    if s == int(s):
        return x + int(s)
    return x * s


@meant_for("whole", "kinds", "mixed", "counts")
def int_division_against_float(x, s):
    half = s / 2 if isinstance(s, float) else s // 2
    return x * half, half


def promoted(x, s):
    return x.long() * s, x.long() + s, (x > 0) * s


def optional_number(x, s=None):
    if s is None:
        s = 0.25
    return x * s


def default_argument(x, s=0.5):
    def inner(x, s=s):
        return x * s

    return inner(x), inner.__defaults__[0]


def annotated(x, s):
    def inner(a: float = s) -> float:
        return a

    return x * inner(), typing.get_type_hints(inner)["a"] is float
