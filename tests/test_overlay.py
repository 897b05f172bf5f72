"""While a function is traced, other threads find live objects as they were: tensors without values are not among them.

Each case is a function that calls `peek` after it has changed something; what that sees in another thread must hold
values. `peek` counts as code of the library, so that traces do not look into it, and runs once in a first call."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import nn

from .peek import Peek

compiled = functools.partial(irtool.compile, target="reference")


CASES: dict[str, Callable[[Peek], Callable[[Any], Any]]] = {}


def case(make: Callable[[Peek], Callable[[Any], Any]]) -> Callable[[Peek], Callable[[Any], Any]]:
    CASES[make.__name__] = make
    return make


@case
def attribute(peek: Peek) -> Any:
    o = SimpleNamespace(h=irtool.zeros(3))
    peek.look = lambda: o.h

    def f(x: Any) -> Any:
        o.h = o.h * 0.5 + x
        peek()
        return o.h

    return f


@case
def new_attribute(peek: Peek) -> Any:
    o = SimpleNamespace()
    peek.look = lambda: getattr(o, "h", None)

    def f(x: Any) -> Any:
        o.h = x * 2
        peek()
        assert hasattr(o, "h")
        return o.h + getattr(o, "h", 0)

    return f


@case
def tuple_of_state(peek: Peek) -> Any:
    o = SimpleNamespace(h=(irtool.zeros(3), irtool.zeros(3)))
    peek.look = lambda: o.h

    def f(x: Any) -> Any:
        o.h = o.h[0] + x, o.h[1] * 2 + x
        peek()
        return o.h[0] + o.h[1]

    return f


class Cellular(nn.Module):
    def __init__(self, peek: Peek) -> None:
        super().__init__()
        self.linear, self.peek, self.h = nn.Linear(3, 3), peek, irtool.zeros(3)
        self.register_buffer("running", irtool.zeros(3))

    def forward(self, x: Any) -> Any:
        self.h = self.linear(x + self.h).detach()
        self.running = self.running * 0.9 + x
        self.peek()
        return self.h + self.running


def cellular(peek: Peek) -> Cellular:
    irtool.manual_seed(0)
    module = Cellular(peek)
    peek.look = lambda: (module.h, module.running, list(module.buffers()), dict(module.state_dict()))
    return module


@case
def module(peek: Peek) -> Any:
    return cellular(peek)


@case
def buffers_read_as_a_whole(peek: Peek) -> Any:
    made = cellular(peek)

    def f(x: Any) -> Any:
        made(x)
        return sum(b.sum() for b in made.buffers()) + made.state_dict()["running"] + made.running

    return f


@case
def global_variable(peek: Peek) -> Any:
    names = {"h": irtool.zeros(3), "peek": peek, "__name__": "some"}
    exec("def f(x):\n  global h\n  h = h * 0.5 + x\n  peek()\n  return h", names)
    peek.look = lambda: names["h"]
    return names["f"]


@case
def enclosing_variable(peek: Peek) -> Any:
    h = irtool.zeros(3)
    peek.look = lambda: h

    def f(x: Any) -> Any:
        nonlocal h
        h = h * 0.5 + x
        peek()
        return h

    return f


@case
def class_attribute(peek: Peek) -> Any:
    class C:
        h = irtool.zeros(3)

    peek.look = lambda: C.h

    def f(x: Any) -> Any:
        C.h = C.h * 0.5 + x
        peek()
        return C().h + C.h

    return f


@case
def slot(peek: Peek) -> Any:
    class C:
        __slots__ = ("h",)

    c = C()
    c.h = irtool.zeros(3)
    peek.look = lambda: c.h

    def f(x: Any) -> Any:
        c.h = c.h * 0.5 + x
        peek()
        return c.h

    return f


@case
def attribute_of_a_property(peek: Peek) -> Any:
    class C:
        def __init__(self) -> None:
            self.kept = irtool.zeros(3)

        @property
        def h(self) -> Any:
            return self.kept

        @h.setter
        def h(self, value: Any) -> None:
            self.kept = value * 2

    c = C()
    peek.look = lambda: c.kept

    def f(x: Any) -> Any:
        c.h = c.h + x
        peek()
        return c.h

    return f


@case
def object_that_holds_one(peek: Peek) -> Any:
    class Result:
        def __init__(self, h: Any) -> None:
            self.h = h

    o = SimpleNamespace(result=Result(irtool.zeros(3)))
    peek.look = lambda: o.result.h

    def f(x: Any) -> Any:
        o.result = Result(o.result.h + x)
        peek()
        return o.result.h

    return f


@case
def dictionary_filled_later(peek: Peek) -> Any:
    o = SimpleNamespace(entries={})
    peek.look = lambda: o.entries

    def f(x: Any) -> Any:
        o.entries = {}
        o.entries["k"] = x + 1
        peek()
        return o.entries["k"] * 2

    return f


@case
def deleted_attribute(peek: Peek) -> Any:
    o = SimpleNamespace(h=irtool.zeros(3))
    peek.look = lambda: getattr(o, "h", None)

    def f(x: Any) -> Any:
        h = o.h
        del o.h
        o.h = h + x
        peek()
        del o.h
        o.h = h + x
        return o.h

    return f


@case
def gradients_and_in_place(peek: Peek) -> Any:
    w, v = irtool.ones(3, requires_grad=True), irtool.zeros(3)
    peek.look = lambda: (w, v, w.grad)

    def f(x: Any) -> Any:
        (w * x).sum().backward()
        v.add_(x)
        peek()
        return v * 2

    return f


@case
def data(peek: Peek) -> Any:
    o = SimpleNamespace(w=irtool.zeros(3))
    peek.look = lambda: o.w

    def f(x: Any) -> Any:
        o.w.data = o.w.data * 0.5 + x
        peek()
        return o.w * 1

    return f


@case
def data_exchanged(peek: Peek) -> Any:
    v, w = irtool.zeros(3), irtool.ones(3)
    peek.look = lambda: (v, w)

    def f(x: Any) -> Any:
        v.data, w.data = w.data + x, v.data
        peek()
        return v + w * 2

    return f


@case
def data_of_parameters(peek: Peek) -> Any:
    irtool.manual_seed(0)
    model = nn.Linear(3, 3)
    peek.look = lambda: (*model.parameters(), *(p.requires_grad for p in model.parameters()))

    def f(x: Any) -> Any:
        loss = model(x).pow(2).sum()
        loss.backward()
        for p in model.parameters():
            p.data = p.data - 0.01 * p.grad
        model.requires_grad_(False)
        peek()
        model.requires_grad_(True)
        model.zero_grad()
        return loss

    return f


@case
def history(peek: Peek) -> Any:
    w, h = irtool.ones(3, requires_grad=True), irtool.zeros(3)
    rows = h[:2]
    peek.look = lambda: (w, h, rows)

    def f(x: Any) -> Any:
        h.detach_()
        h.mul_(w * x)
        rows.add_(1)
        peek()
        return h * 1

    return f


@pytest.mark.parametrize("name", CASES)
def test_other_threads_find_values(name: str) -> None:
    peek = Peek()
    eager, step = CASES[name](Peek()), compiled(CASES[name](peek))
    for k in range(3):
        x, before = irtool.full((3,), 1.0 + k), len(peek.calls)
        np.testing.assert_allclose(step(x).detach().numpy(), eager(x).detach().numpy(), rtol=1e-6)
        assert len(peek.calls) - before <= 1


# What looks at objects as a whole finds what traced code has assigned.


@dataclass
class State:
    h: Any
    n: int = 0


def by_copy(o: Any) -> Any:
    made = copy.copy(o)
    return made.h * made.n


def by_dictionary(o: Any) -> Any:
    return vars(o)["h"] * o.__dict__["n"]


def by_getter(o: Any) -> Any:
    h, n = attrgetter("h", "n")(o)
    return h * n


def by_pattern(o: Any) -> Any:
    match o:
        case State(h=h, n=n):
            return h * n
        case _:
            return o.h


@pytest.mark.parametrize("look", [by_copy, by_dictionary, by_getter, by_pattern])
def test_whole_objects(look: Callable[[Any], Any]) -> None:
    def make() -> Callable[[Any], Any]:
        o = State(irtool.zeros(3))

        def f(x: Any) -> Any:
            o.h = o.h + x
            o.n += 1
            return look(o)

        return f

    eager, step = make(), compiled(make())
    for k in range(3):
        x = irtool.full((3,), 1.0 + k)
        np.testing.assert_allclose(step(x).numpy(), eager(x).numpy())


def test_attributes_assigned_by_code_of_the_user() -> None:
    """A `__setattr__` of the user's runs as in eager code."""

    class C:
        def __init__(self) -> None:
            self.h = irtool.zeros(3)
            self.n = 0

        def __setattr__(self, name: str, value: Any) -> None:
            object.__setattr__(self, name, value)
            object.__setattr__(self, "last", name)

    def make(c: Any) -> Any:
        def f(x: Any) -> Any:
            c.n += 1
            c.h = c.h + x
            return c.h * (2 if c.last == "h" else 3) * c.n

        return f

    eager, step = make(C()), compiled(make(C()))
    for k in range(3):
        x = irtool.full((3,), 1.0 + k)
        np.testing.assert_allclose(step(x).numpy(), eager(x).numpy())
