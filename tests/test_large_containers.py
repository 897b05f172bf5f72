"""Containers and arrays too large to be watched wherever they are found: watched where read, or not compiled."""

from __future__ import annotations

import copy
import functools
import itertools
import operator
import os
import warnings
from collections import deque

import irtool
import numpy as np
import pytest
from irtool.frontend.compiling.discovery import Discovery

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))

N = 4_200


class Thing:
    def __init__(self, value):
        self.value, self.parts = value, [value]


def rows():
    return [[0.5] for _ in range(N)]


def things():
    return [Thing(0.5) for _ in range(N)]


def part(table):
    table[-1][0] -= 2.0


def element(table):
    table[-1] = [9.0]


def attribute(table):
    table[-1].value = 9.0


def key(table):
    table[N - 1][0] = 9.0


def held(rows):
    holder = Thing(0.0)
    holder.rows = rows
    return holder


def inner(holder):
    part(holder.rows)


def by_cell(take):
    return lambda table: lambda x: x * take(table)


def by_default(take):
    return lambda table: lambda x, table=table: x * take(table)


def by_partial(take):
    return lambda table: functools.partial(lambda table, x: x * take(table), table)


def match(holder):
    match holder:
        case Thing(rows=found):
            return found[-1][0]
    return holder.rows


def by_name(holder):
    return getattr(holder, "rows")[-1][0]  # noqa: B009


def by_vars(holder):
    return [*vars(holder).values()][-1][-1][0] if holder.value == 0 else holder.rows


def total(tables):
    return sum(itertools.chain(*itertools.chain(*tables)))


class Slotted:
    __slots__ = ("rows",)


def slotted(rows):
    holder = Slotted()
    holder.rows = rows
    return holder


CASES = {
    "item": (rows, by_cell(lambda t: t[-1][0]), part),
    "another": (rows, by_cell(lambda t: t[-1][0]), element),
    "loop": (rows, by_cell(lambda t: sum(row[0] for row in t)), part),
    "chain": (rows, by_cell(lambda t: sum(itertools.chain(*t))), part),
    "array": (rows, by_cell(lambda t: float(np.asarray(t).sum())), part),
    "tensor": (rows, by_cell(lambda t: irtool.tensor(t).sum()), part),
    "default": (rows, by_default(lambda t: t[-1][0]), part),
    "partial": (rows, by_partial(lambda t: t[-1][0]), part),
    "tuple": (lambda: tuple(rows()), by_cell(lambda t: t[-1][0]), part),
    "deque": (lambda: deque(rows()), by_cell(lambda t: t[-1][0]), part),
    "dict": (lambda: dict(enumerate(rows())), by_cell(lambda t: t[N - 1][0]), key),
    "values": (lambda: dict(enumerate(rows())), by_cell(lambda t: sum(map(sum, t.values()))), key),
    "objects": (things, by_cell(lambda t: t[-1].value), attribute),
    "getter": (things, by_cell(lambda t: sum(map(operator.attrgetter("value"), t))), attribute),
    "nested": (
        lambda: [rows(), [[1.0]]],
        by_cell(lambda t: sum(itertools.chain(*itertools.chain(*t)))),
        lambda t: part(t[0]),
    ),
    "entry": (lambda: {"a": rows(), "b": 1}, by_cell(lambda t: t["a"][-1][0]), lambda t: part(t["a"])),
    "entries": (lambda: {"a": rows()}, by_cell(lambda t: max(t.values())[-1][0]), lambda t: part(t["a"])),
    "local": (lambda: {"a": rows()}, by_default(lambda t: max(t.values())[-1][0]), lambda t: part(t["a"])),
    "attribute": (lambda: held(rows()), by_cell(lambda t: t.rows[-1][0]), inner),
    "getattr": (lambda: held(rows()), by_cell(by_name), inner),
    "base": (lambda: held(tuple(rows())), by_cell(lambda t: object.__getattribute__(t, "rows")[-1][0]), inner),
    "vars": (lambda: held(rows()), by_cell(by_vars), inner),
    "copy": (lambda: held(rows()), by_cell(lambda t: copy.copy(t).rows[-1][0]), inner),
    "match": (lambda: held(rows()), by_cell(match), inner),
    "slot": (lambda: slotted(rows()), by_cell(lambda t: t.rows[-1][0]), inner),
    "plain": (lambda: [0.5] * 70_000, by_cell(lambda t: t[-1]), lambda t: t.__setitem__(-1, 9.0)),
}


@pytest.mark.parametrize(("make", "use", "change"), CASES.values(), ids=CASES)
def test_what_is_read_is_compared_whole(make, use, change):
    table = make()
    f, x = use(table), irtool.ones(1)
    step = compiled(f)
    before = f(x).item()
    assert [step(x).item(), step(x).item()] == [before] * 2
    assert len(step._recent) == 1
    change(table)
    assert step(x).item() == f(x).item() != before


def objects():
    array = np.empty(3, object)
    array[:] = [[1.0], [2.0], [3.0]]
    return array


def mapped(path, size):
    return np.memmap(path / "numbers", dtype=np.float64, mode="w+", shape=size)


def last(array):
    array[-1] = 9.0


def read_only(array):
    view = array[:]
    view.flags.writeable = False
    return view


READS = {
    "sum": lambda a: a.sum(),
    "item": lambda a: a[-1],
    "slice": lambda a: a[-3:].max(),
    "numpy": lambda a: np.square(a).sum(),
    "tensor": lambda a: irtool.from_numpy(np.asarray(a)).sum(),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("size", [1 << 7, 1 << 17])
def test_arrays_are_compared_whole(tmp_path, size, read):
    for array in (np.zeros(size), np.zeros(2 * size)[::2], mapped(tmp_path, size)):
        step, x = compiled(lambda x, array=array: x * read(array)), irtool.ones(1)
        assert [step(x).item(), step(x).item()] == [0.0] * 2
        last(array)
        assert step(x).item() == read(array) != 0


def test_arrays_of_objects():
    array, x = objects(), irtool.ones(1)
    step = compiled(lambda x: x * array[-1][0])
    assert [step(x).item(), step(x).item()] == [3.0] * 2
    array[-1][0] = 5.0
    assert step(x).item() == 5.0


LARGE = 1 << 20
"""Numbers of an array of 8 MB."""


def refused(tmp_path):
    array, file, table = np.zeros(LARGE), mapped(tmp_path, LARGE), [[0.0] for _ in range(70_000)]
    pair = [np.zeros(1), np.zeros(LARGE)]
    return [
        (lambda x: x * array.sum(), array, last),
        (lambda x: x * read_only(array).sum(), array, last),
        (lambda x: x * file[-1], file, last),
        (lambda x: x * sum(map(np.sum, pair)), pair, lambda a: last(a[1])),
        (lambda x, array=array: x * array.sum(), array, lambda a: a.__setitem__(-1, 4.0)),
        (lambda x: x * table[-1][0], table, part),
        (lambda x: x * sum(row[0] for row in table), table, lambda t: t.__setitem__(-1, [9.0])),
    ]


@pytest.mark.parametrize("case", range(7))
def test_what_is_too_large_is_not_compiled(tmp_path, case):
    f, value, change = refused(tmp_path)[case]
    step, x = compiled(f), irtool.ones(1)
    with pytest.warns(UserWarning, match="reading a .* run uncompiled") as seen:
        results = [step(x).item() for _ in range(4)]
        change(value)
        results.append(step(x).item())
    assert results == [0.0] * 4 + [f(x).item()] and results[-1] != 0
    assert len(seen) == 1 and seen[0].filename == __file__


def test_what_is_not_read_is_not_looked_into(monkeypatch):
    looked = []
    container = Discovery._container
    monkeypatch.setattr(Discovery, "_container", lambda self, *of: (looked.append(of[0]), container(self, *of))[1])
    state = Thing(2.0)
    state.log, state.data = things(), {"all": [[0.5]] * (1 << 17), "array": np.zeros(LARGE), "scale": 3.0}

    def f(x):
        state.log.append(x * state.value)
        state.log.append(x)
        return x * state.data["scale"]

    step, x = compiled(f), irtool.ones(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [step(x).item() for _ in range(3)] == [3.0] * 3
    assert len(step._recent) == 1
    assert [t.item() for t in state.log[N:]] == [2.0, 1.0] * 3
    assert not any(value is state.log or value is state.data["all"] for value in looked)


def test_what_a_refused_trace_has_changed_is_put_back():
    table = rows()

    def f(x):
        table[-1][0] += 1.0
        return x * table[-1][0]

    step, x = compiled(f), irtool.ones(1)
    assert [step(x).item() for _ in range(4)] == [1.5, 2.5, 3.5, 4.5]
    assert table[-1][0] == 4.5
