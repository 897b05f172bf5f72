"""Rows with statements. A function of `x` and `s` is called; one of nothing makes what is called, anew for each run.

`log` (a list), `memo` (a dictionary) and `o` (an object) are new for each run too, and compared after each call.
"""

# ruff: noqa: F401
from __future__ import annotations

import array
import ast
import base64
import bisect
import cmath
import collections
import collections.abc
import colorsys
import contextlib
import copy
import ctypes
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import hashlib
import heapq
import inspect
import ipaddress
import itertools
import json
import marshal
import math
import numbers
import operator
import pickle
import pprint
import random
import reprlib
import statistics
import string
import struct
import sys
import textwrap
import time
import types
import typing
import uuid
import warnings
import zlib
from collections.abc import Callable
from typing import Any

import irtool as torch
import numpy as np
from irtool import nn, optim
from irtool.nn import functional as F

log: list[Any] = []
memo: dict[Any, Any] = {}
o: Any = None


def _for(*sequences: str) -> Callable[[Any], Any]:
    """The sequences that a row is meant for."""

    def mark(f: Any) -> Any:
        f.sequences = sequences
        return f

    return mark


# Kinds


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


@_for("whole", "kinds", "mixed", "counts")
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


# Control flow


def while_below(x, s):
    n = 0
    while n < s and n < 5:
        x = x + 1
        n += 1
    return x, n


def halve_until_small(x, s):
    k = 0
    while abs(s) > 0.2 and k < 8:
        s = s / 2
        k += 1
    return x * s, k


@_for("counts", "signed", "kinds", "bools")
def for_range(x, s):
    for i in range(s):
        x = x * 2 + i
    return x


def for_with_break(x, s):
    for i, t in enumerate((0.1, 0.6, 1.0, 2.0)):
        if t > s:
            break
    else:
        i = 9
    return x + i


def short_circuits(x, s):
    log.append("called")
    return x * ((s > 0.6 and s) or 0.5), s and log.append(1), s or log.append(2)


def conditional_effects(x, s):
    if s > 0.6:
        log.append("large")
    elif s < 0:
        memo["negative"] = True
    o.last = "seen"
    return x


def walrus(x, s):
    if (t := s * 2) > 1.2:
        return x * t
    return x


def caught_division(x, s):
    try:
        return x * (1 / s)
    except ZeroDivisionError:
        return x * 0


def caught_domain(x, s):
    try:
        return x * math.sqrt(s)
    except ValueError:
        return x - 1


def caught_overflow(x, s):
    try:
        return x + math.exp(s * 1000)
    except OverflowError:
        return x * 0


def caught_key(x, s):
    try:
        return x * {0.5: 3.0, 1: 4.0}[s]
    except KeyError as e:
        return x, e.args


def caught_index(x, s):
    try:
        return x * [10, 20][s]
    except (IndexError, TypeError):
        return x


def caught_attribute(x, s):
    try:
        return x + s.bit_length()
    except AttributeError:
        return x


def finally_with_effect(x, s):
    try:
        if s < 0:
            raise ValueError(s)
        return x * s
    finally:
        log.append("left")


def raises_with_the_number(x, s):
    if s > 1:
        raise RuntimeError(f"too large: {s}")
    return x


def raises_its_own(x, s):
    class TooLarge(Exception):
        pass

    try:
        if s > 0.6:
            raise TooLarge(s)
    except TooLarge as e:
        return x * e.args[0]
    return x


def returns_by_kind(x, s):
    return (x, s) if s > 0.6 else [x, s]


def comprehension(x, s):
    return x * sum(s * k for k in range(3)), [s + k for k in range(2)], dict.fromkeys("ab", s)


def generator(x, s):
    def values():
        yield s
        yield s * 2

    return x * sum(values())


def generator_that_is_sent_it(x, s):
    def adding():
        total = 0
        while True:
            total += yield total

    g = adding()
    next(g)
    g.send(s)
    return x * g.send(1)


def recursion(x, s):
    def go(x, s):
        return x if s < 0.2 or s != s or s > 4 else go(x + 1, s - 0.3)

    return go(x, s)


def star_arguments(x, s):
    def inner(*args, **kwargs):
        return args[0] * args[1] + kwargs["b"]

    return inner(*(x, s), b=s)


def through_lambda_and_map(x, s):
    return x * list(map(lambda v: v * 2, [s]))[0], max(map(lambda v: v + 1, (s, 0.6)))


def closure_counter():
    total = 0

    def f(x, s):
        nonlocal total
        total += s
        return x * total, total

    return f


def closure_of_the_number(x, s):
    def scale(y):
        return y * s

    return scale(x), scale.__closure__[0].cell_contents == s


def partial_kept():
    parts: dict[Any, Any] = {}

    def f(x, s):
        parts.setdefault(s, functools.partial(operator.mul, s))
        return x + len(parts), parts[s](x)

    return f


# Memory


def memo_by_number(x, s):
    if s not in memo:
        log.append(s)
        memo[s] = len(memo) + 1.0
    return x * memo[s]


def memo_by_tuple(x, s):
    key = (x.shape, s)
    if key not in memo:
        memo[key] = len(memo)
    return x + memo[key]


def memo_by_text(x, s):
    memo[str(s)] = memo.get(str(s), 0) + 1
    return x + memo[str(s)]


def memo_of_tensors(x, s):
    if s not in memo:
        memo[s] = x * s
    return memo[s] + 1


def memo_setdefault(x, s):
    return x + memo.setdefault(s, len(memo))


def memo_by_lru_cache():
    calls = []

    @functools.lru_cache
    def table(s):
        calls.append(s)
        return [s * k for k in range(3)]

    def f(x, s):
        return x * table(s)[2], len(calls)

    return f


def memo_by_typed_cache():
    @functools.lru_cache(typed=True)
    def kind(s):
        return type(s).__name__

    return lambda x, s: (x, kind(s))


def memo_by_cache_of_tensors():
    @functools.cache
    def table(s):
        return torch.arange(3.0) * s

    return lambda x, s: x + table(s)


def cached_property_of_it():
    class Schedule:
        def __init__(self, s):
            self.s = s

        @functools.cached_property
        def double(self):
            return self.s * 2

    def f(x, s):
        schedule = Schedule(s)
        return x * schedule.double + schedule.double

    return f


def logged(x, s):
    log.append(s)
    return x * s


def logged_many(x, s):
    log.extend([s, s * 2, (s, x)])
    return x * s


def logged_with_loss(x, s):
    log.append({"loss": (x * s).sum(), "lr": s})
    return x


def logged_first_only(x, s):
    if not log:
        log.append(s)
    return x * log[0]


def last_value_kept(x, s):
    before = getattr(o, "before", 0.0)
    o.before = s
    return x * (s - before)


def changed_since(x, s):
    changed = getattr(o, "before", None) != s
    o.before = s
    return x * 2 if changed else x


def running_mean(x, s):
    o.n = getattr(o, "n", 0) + 1
    o.mean = getattr(o, "mean", 0.0) + (s - getattr(o, "mean", 0.0)) / o.n
    return x * o.mean


def running_max(x, s):
    o.best = max(getattr(o, "best", -1.0), s)
    return x * o.best, o.best


def early_stopping(x, s):
    if s > getattr(o, "best", 0.0):
        o.best, o.waits = s, 0
    else:
        o.waits = getattr(o, "waits", 0) + 1
    return x, o.waits >= 2


def history_of_numbers(x, s):
    log.append(s)
    return x * sum(log) / len(log), log[-3:]


def sorted_history(x, s):
    log.append(s)
    log.sort()
    return x * log[0]


def written_to_entries(x, s):
    memo["last"] = s
    memo["count"] = memo.get("count", 0) + 1
    memo["sum"] = memo.get("sum", 0.0) + s
    return x


def aliased_in_two_places(x, s):
    o.a = o.b = s
    memo["a"] = o.a
    return x * o.b, o.a is o.b


def counter_returned(x, s):
    o.n = getattr(o, "n", 0) + 1
    return x * s, o.n


def counter_in_text(x, s):
    o.n = getattr(o, "n", 0) + 1
    o.label = f"step {o.n}"
    return x / o.n, o.label


def kind_of_counter(x, s):
    o.n = getattr(o, "n", 0) + 1
    o.rate = getattr(o, "rate", 1.0) * 0.5
    return x if type(o.n) is int and type(o.rate) is float else x * 100


def kind_of_counter_as_isinstance(x, s):
    o.n = getattr(o, "n", 0) + 1
    return (x * o.n, isinstance(o.n, int), isinstance(o.n, float), o.n in {3}, hash(o.n), str(o.n))


def counter_as_key(x, s):
    o.n = getattr(o, "n", 0) + 1
    memo[o.n] = s
    return x * memo[o.n]


def counter_as_index(x, s):
    o.n = getattr(o, "n", 0) + 1
    return x[o.n % 3], x[: o.n % 3]


def counter_modulo(x, s):
    o.n = getattr(o, "n", 0) + 1
    return x * 2 if o.n % 2 == 0 else x


def counter_in_schedule(x, s):
    o.n = getattr(o, "n", 0) + 1
    return x * min(o.n / 4, 1.0) * 0.5 * (1 + math.cos(math.pi * o.n / 10))


def counter_read_late():
    class Counter:
        n = 0

    counter = Counter()

    def f(x, s):
        counter.n += 1
        y = x * s
        log.append(counter.n)
        return y, counter.n * 2

    return f


def class_counter():
    class Counter:
        n = 0
        total = 0.0

    def f(x, s):
        Counter.n += 1
        Counter.total += s
        return x * Counter.n, Counter.n, Counter.total

    return f


def float_counter(x, s):
    o.t = getattr(o, "t", 0.0) + 0.1
    return x * o.t, o.t > 0.25


def bool_flag(x, s):
    o.flag = not getattr(o, "flag", False)
    return x if o.flag else x * 2, o.flag


def swapped(x, s):
    o.a, o.b = getattr(o, "b", 1.0), s
    return x * o.a + o.b


# Objects that hold it


def dataclass_of_it():
    @dataclasses.dataclass
    class Options:
        lr: float = 0.1
        steps: int = 1

    def f(x, s):
        options = Options(lr=s)
        return x * options.lr, options, options == Options(0.5), dataclasses.asdict(options)

    return f


def frozen_dataclass_as_key():
    @dataclasses.dataclass(frozen=True)
    class Key:
        s: float

    return lambda x, s: x * {Key(0.5): 2.0, Key(1): 3.0}.get(Key(s), 4.0)


def ordered_dataclass():
    @dataclasses.dataclass(order=True)
    class Priority:
        s: float

    return lambda x, s: (x, Priority(s) < Priority(0.6), max(Priority(s), Priority(1)).s)


def namedtuple_of_it():
    Point = collections.namedtuple("Point", "a b")

    def f(x, s):
        p = Point(s, 2)
        return x * p.a, p, p == (0.5, 2), p._replace(b=s)

    return f


def slots():
    class Slotted:
        __slots__ = ("s",)

        def __init__(self, s):
            self.s = s

    def f(x, s):
        kept = Slotted(s)
        kept.s += 1
        return x * kept.s, kept.s

    return f


def properties():
    class Schedule:
        def __init__(self, s):
            self._s = s

        @property
        def rate(self):
            return self._s / 2

        @rate.setter
        def rate(self, value):
            if value < 0:
                raise ValueError(value)
            self._s = value * 2

    def f(x, s):
        schedule = Schedule(s)
        schedule.rate = s
        return x * schedule.rate

    return f


def descriptor():
    class Positive:
        def __set_name__(self, owner, name):
            self.name = "_" + name

        def __get__(self, instance, owner):
            return getattr(instance, self.name)

        def __set__(self, instance, value):
            if not value > 0:
                raise ValueError(value)
            setattr(instance, self.name, value)

    class Options:
        lr = Positive()

    def f(x, s):
        options = Options()
        options.lr = s
        return x * options.lr

    return f


def operators_of_a_class():
    class Scale:
        def __init__(self, by):
            self.by = by

        def __mul__(self, other):
            return Scale(self.by * other)

        def __rmul__(self, other):
            return Scale(other * self.by)

        def __radd__(self, other):
            return self.by + other

        def __eq__(self, other):
            return self.by == other

        def __hash__(self):
            return hash(self.by)

    def f(x, s):
        return x * (s * Scale(2.0)).by, (Scale(3.0) * s).by, s + Scale(1), s == Scale(0.5), len({Scale(s), Scale(0.5)})

    return f


def reflected_only():
    class Meters:
        __slots__ = ()

        def __rtruediv__(self, other):
            return ("over", other)

        def __rsub__(self, other):
            return type(other).__name__

        def __gt__(self, other):
            return isinstance(other, float)

    return lambda x, s: (x, s / Meters(), s - Meters(), s < Meters())


def own_float_like():
    class Rate:
        def __init__(self, s):
            self.s = s

        def __float__(self):
            return float(self.s)

        def __index__(self):
            return operator.index(self.s)

    return lambda x, s: (x * float(Rate(s)), math.sqrt(abs(Rate(s).s)), math.floor(float(Rate(s))))


def enumeration():
    class Rate(enum.Enum):
        half = 0.5
        one = 1
        two = 2

    def f(x, s):
        try:
            return x, Rate(s).name
        except ValueError:
            return x, "none"

    return f


def int_flags():
    class Mode(enum.IntFlag):
        a = 1
        b = 2

    return lambda x, s: (x, Mode.a in Mode(int(s) & 3) if s == s and abs(s) < 9 else None)


def context_manager():
    @contextlib.contextmanager
    def scaled(s):
        log.append(("enter", s))
        yield s * 2
        log.append("exit")

    def f(x, s):
        with scaled(s) as t:
            return x * t

    f.__globals__["log"].clear()
    return f


def suppressed(x, s):
    with contextlib.suppress(ZeroDivisionError):
        x = x / (1 / s)
    return x


def setattr_by_name(x, s):
    setattr(o, "lr", s)
    setattr(o, f"lr_{isinstance(s, float)}", 1)
    return x * getattr(o, "lr")


def vars_of_it(x, s):
    vars(o).update(lr=s)
    return x * o.lr, sorted(vars(o))


def locals_and_eval(x, s):
    return x * eval("s * 2"), locals()["s"]


def globals_written(x, s):
    globals()["latest"] = s
    return x * globals()["latest"]


def exec_of_it(x, s):
    scope = {"s": s}
    exec("t = s * 2 if s > 0.6 else s", scope)
    return x * scope["t"]


def printed(x, s):
    print(s, f"{s:.1f}", [s], sep=" | ")
    return x * s


def printed_after_arithmetic(x, s):
    print("lr", s * 0.5, round(s * 3, 2))
    return x * s * 0.5


def printed_on_condition(x, s):
    if s > 0.6:
        print("large")
    return x


def formatted_later(x, s):
    template = "lr={lr:.3f}"
    o.text = template.format(lr=s)
    return x


# Optimizers, layers and schedules


def learning_rate():
    w = torch.ones(3, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9)

    def f(x, s):
        for group in optimizer.param_groups:
            group["lr"] = s
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        return w.detach().clone()

    return f


def adam_by_hand(x, s):
    o.t = getattr(o, "t", 0) + 1
    o.m = getattr(o, "m", 0.0) * 0.9 + 0.1 * s
    return x * (o.m / (1 - 0.9**o.t)) / (math.sqrt(o.t) + 1e-8)


def warmup(x, s):
    return x * (min(s / 3, 1.0) if s < 3 else max(0.0, 1 - (s - 3) / 10))


def cosine_with_restarts(x, s):
    t = s % 3
    return x * (0.1 + 0.45 * (1 + math.cos(math.pi * t / 3)))


def piecewise(x, s):
    rate = 0.1
    for boundary in (1, 2, 4):
        if s >= boundary:
            rate *= 0.5
    return x * rate


def transformer_schedule(x, s):
    step = max(s, 1)
    return x * 512**-0.5 * min(step**-0.5, step * 4000**-1.5)


def table_of_rates(x, s):
    rates = {0: 0.1, 1: 0.05, 2: 0.01}
    return x * rates.get(s, 0.001)


def list_of_rates(x, s):
    rates = [0.1, 0.05, 0.01, 0.005, 0.001]
    return x * rates[min(int(s), len(rates) - 1)] if s == s and abs(s) < 1e9 else x


def every_other_step(x, s):
    if s % 2 == 0:
        log.append("even")
        return x * 2
    return x


def gradient_of_a_number(x, s):
    x = x.detach().requires_grad_()
    (x * s).pow(2).sum().backward()
    return x.grad


def clipping(x, s):
    norm = x.norm()
    return x * (s / (norm + 1e-6)).clamp(max=1.0)


def module_with_eps():
    layer = nn.LayerNorm(3)

    def f(x, s):
        layer.eps = s if s == s and 0 < s < 1 else 1e-5
        return layer(x).detach()

    return f


def dropout_rate():
    layer = nn.Dropout(0.5)
    layer.eval()

    def f(x, s):
        layer.p = s
        return layer(x)

    return f


def made_layer(x, s):
    return nn.LeakyReLU(s)(x), nn.Hardtanh(-1.0, 1.0)(x * s)


def checked_layer(x, s):
    return nn.Dropout(s).eval()(x)


def temperature(x, s):
    return F.softmax(x / max(s, 1e-2), 0), torch.logsumexp(x * s, 0)


def label_of_the_step(x, s):
    name = "warmup" if s < 1 else "train"
    memo[name] = memo.get(name, 0) + 1
    return x * (0.1 if name == "warmup" else 1.0)


def shape_of_number(x, s):
    n = int(abs(s)) % 4 if s == s and abs(s) < 1e9 else 1
    return torch.zeros(n), x[:n], torch.arange(n), x.new_ones((n, 2)).sum()


def quantized(x, s):
    return torch.round(x / s) * s if s else x


def mixed_with_item(x, s):
    return x * s + x.detach().sum().item() * 0 if s is None else x * 2


def nan_checked(x, s):
    if s != s:
        return x * 0
    if s in (math.inf, -math.inf):
        return x * -1
    return x * s


def signs_of_zero(x, s):
    return x * 0 + s, math.copysign(1.0, s), s == 0, str(s), 1 / (s + math.copysign(1e-300, s))


def agrees_at_first(x, s):
    return x * int(s), x * round(s), x * math.floor(s), x * ("%.0f" % s == "1"), x * (s in (2.0, -0.5))


def two_questions(x, s):
    a = s > 0.6
    b = s < 0
    log.append((a, b))
    return x * (2 if a else 3) * (5 if b else 7)


def constant_then_used(x, s):
    n = int(s * 2) if s == s and abs(s) < 1e9 else 0
    return x * s + n, n


def stored_then_asked(x, s):
    memo["s"] = s
    o.s = memo["s"]
    return x * 2 if isinstance(o.s, float) else x, o.s in {0.5}


def wrapped_by_decorator():
    def checked(f):
        @functools.wraps(f)
        def inner(x, s):
            log.append(type(s).__name__)
            return f(x, s)

        return inner

    @checked
    def f(x, s):
        return x * s

    return lambda x, s: f(x, s)


def compared_to_previous_tensor(x, s):
    log.append(x * s)
    return log[-1] - log[0]


def identity_of_parts(x, s):
    parts = [s, s]
    return x, parts[0] is parts[1], parts[0] is s, (s,)[0] is s


def nested_containers(x, s):
    config = {"opt": {"lr": s, "betas": (s, 0.9)}, "list": [s]}
    flat = json.dumps(config, sort_keys=True, default=str)
    return x * config["opt"]["lr"], len(flat), config


def sums_of_squares(x, s):
    return x * (s**2 + 1) / (abs(s) + 1), s**2 + 1


def number_and_text_keys(x, s):
    return x * {"0.5": 1.0, "1": 2.0, "True": 3.0}.get(str(s), 4.0)


def truth_of_containers(x, s):
    return x * 2 if [v for v in [s] if v] else x, bool((s,)), not [s]


def unused(x, s):
    return x * 2


def deleted(x, s):
    del s
    return x * 2


def returned_only(x, s):
    return s


def inner_compiled(x, s):
    f = torch.compile(lambda x, s: x * s, target="reference")
    return f(x, s)


def by_string_method(x, s):
    return x * len(f"{s:.3f}"), f"{s:.3f}".strip("0"), str(s).isdigit()


def bitwise_decisions(x, s):
    try:
        return x * 2 if s & 1 else x
    except TypeError:
        return x * 3


def sorting_tensors_by_it(x, s):
    pairs = sorted([(s, 0), (0.6, 1)], key=lambda p: p[0])
    return x + pairs[0][1]


def loop_over_values(x, s):
    return [x * t for t in (s, s * 2) if t < 1.2]


def min_of_tensor_and_number(x, s):
    return min(x.max().item() if s is None else 5.0, s), x


def any_over_generator(x, s):
    return x * 2 if any(s == t for t in (0.7, 2.0)) else x


def try_int(x, s):
    try:
        n = int(s)
    except (ValueError, OverflowError, TypeError) as e:
        return x, type(e).__name__
    return x + min(n, 100)


def comparison_chain_with_effects(x, s):
    def noted(v):
        log.append(v)
        return v

    return x, noted(0) < noted(s) < noted(1)


def augmented(x, s):
    s += 1
    s *= 2
    s -= 0.5
    return x * s, s


def augmented_int_ops(x, s):
    try:
        s <<= 1
        s |= 1
    except TypeError:
        s = -1
    return x + s if abs(s) < 1e6 else x, s


def floor_of_product(x, s):
    return x + (s * 3) // 1, int(s * 3) if s == s and abs(s) < 1e9 else None


def kinds_after_arithmetic(x, s):
    return [type(v).__name__ for v in (s, s + 1, s * 1.0, s / 1, -s, abs(s), s**2, s // 1, s % 2)], x
