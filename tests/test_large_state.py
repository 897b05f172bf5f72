"""Functions that reach much: long chains, long containers, many programs. What they cost is counted, not timed."""

from __future__ import annotations

import functools
import os

import irtool
import pytest
from irtool import nn
from irtool.frontend.compiling.discovery import Discovery
from irtool.frontend.compiling.guards import Contents, Flag, Property
from irtool.frontend.compiling.places import Entry, Item

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))


class Link:
    def __init__(self, value, after):
        self.value, self.after = value, after


def test_a_chain_is_walked_once(monkeypatch):
    looked = []
    attributes = Discovery._attributes
    monkeypatch.setattr(Discovery, "_attributes", lambda self, *of: (looked.append(None), attributes(self, *of))[1])
    head = None
    for k in range(1500):  # longer than Python's stack is deep
        head = Link(float(k % 2), head)

    def f(x):
        link, total = head, 0.0
        while link is not None:
            link, total = link.after, total + link.value
        return x * total

    step = compiled(f)
    assert step(irtool.ones(1)).item() == 750
    assert len(looked) <= 4 * 1500
    head.after.after.value = 10.0
    assert step(irtool.ones(1)).item() == f(irtool.ones(1)).item() != 750


def test_modules_below_modules():
    module = nn.Linear(2, 2)
    for _ in range(200):
        module = nn.Sequential(module)
    step, x = compiled(lambda x: module(x)), irtool.ones(1, 2)
    assert irtool.allclose(step(x), module(x))


def tables():
    """A container, what a function takes of it, and a change of that."""
    numbers = [float(k) for k in range(10_000)]
    return [
        ("item", [*numbers], lambda t: t[3], lambda t: t.__setitem__(3, -1.0)),
        ("sum", [*numbers], sum, lambda t: t.__setitem__(9_999, -1.0)),
        ("in", [*numbers], lambda t: 2.0 if 77.0 in t else 3.0, lambda t: t.__setitem__(77, -1.0)),
        ("value", dict(enumerate(numbers)), lambda t: t[3], lambda t: t.__setitem__(3, -1.0)),
        ("key", dict(enumerate(numbers)), lambda t: 2.0 if 3 in t else 3.0, lambda t: t.__setitem__(-1, t.pop(3))),
    ]


@pytest.mark.parametrize(("table", "take", "change"), [row[1:] for row in tables()], ids=[row[0] for row in tables()])
def test_long_containers_are_compared_whole(table, take, change):
    step, x = compiled(lambda x: x * take(table)), irtool.ones(1)
    assert step(x).item() == step(x).item() == take(table)
    before = take(table)
    change(table)
    assert step(x).item() == take(table) != before


KINDS = (Contents, Entry, Flag, Item, Property)


def test_only_what_is_another_object_is_asked_by_itself(monkeypatch):
    asked = []
    for kind in KINDS:
        holds = kind.holds
        monkeypatch.setattr(kind, "holds", lambda self, holds=holds: (asked.append(self), holds(self))[1])
    module = nn.Sequential(*[nn.Linear(2, 2) for _ in range(20)])
    sizes, scale = [*range(500, 600)], {"a": 1000.5, "b": 2.0}
    step, x = compiled(lambda x: module(x) * scale["a"] * scale["b"] + sizes[0] + sum(sizes)), irtool.ones(1, 2)
    for _ in range(2):
        step(x)
    asked.clear()
    step(x)
    assert not asked
    scale["a"] = float("1000.5")  # equal, and another object
    sizes[7] = int("507")
    module.train()  # says that something has changed
    step(x)
    assert len(step._recent) == 1 and len(asked) == 2
    module.eval()
    step(x)
    module.train()
    asked.clear()
    step(x)
    assert len(step._recent) == 2 and len(asked) <= 4
