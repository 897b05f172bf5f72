"""What programs depend on, wherever it is kept: a change of it is seen by the next call."""

from __future__ import annotations

import argparse
import functools
import os
import weakref
from collections import ChainMap, UserDict, UserList
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Any

import irtool
import numpy as np
import pytest
from irtool.frontend.compiling.discovery import Discovery
from irtool.utils.data import DataLoader

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))


class Holder:
    """Attributes."""

    k = 2


def scale(x):
    return x * scale.k


def holders():
    """A name, a function of a tensor, and what makes it multiply with 5 instead of 2."""
    args, nested = argparse.Namespace(k=2), SimpleNamespace(inner=argparse.Namespace(k=2))
    user, items, base, plain = UserDict(k=2), UserList([2]), {"k": 2}, {"k": 2}
    chain, view, held, array = ChainMap({}, base), MappingProxyType(plain), Holder(), np.full(1000, 2.0, np.float32)
    referred, dynamic, added, scale.k = weakref.ref(held), Holder(), Holder(), 2
    dynamic.w1, added.w1, held.k = 2, 2, 2
    return [
        ("Namespace", lambda x: x * args.k, lambda: setattr(args, "k", 5)),
        ("nested", lambda x: x * nested.inner.k, lambda: setattr(nested, "inner", argparse.Namespace(k=5))),
        ("UserDict", lambda x: x * user["k"], lambda: user.update(k=5)),
        ("UserList", lambda x: x * items[0], lambda: items.__setitem__(0, 5)),
        ("ChainMap", lambda x: x * chain["k"], lambda: base.update(k=5)),
        ("MappingProxyType", lambda x: x * view["k"], lambda: plain.update(k=5)),
        ("weak reference", lambda x: x * referred().k, lambda: setattr(held, "k", 5)),
        ("attribute of a function", scale, lambda: setattr(scale, "k", 5)),
        ("numpy array", lambda x: x * irtool.tensor(array)[:2], lambda: array.fill(5)),
        ("getattr", lambda x: x * getattr(dynamic, f"w{len(x) - 1}"), lambda: setattr(dynamic, "w1", 5)),
        ("hasattr", lambda x: x * (5 if hasattr(dynamic, "w" + str(len(x))) else 2), lambda: setattr(dynamic, "w2", 5)),
        ("vars", lambda x: x * sum(vars(added).values()), lambda: setattr(added, "w2", 3)),
    ]


@pytest.mark.parametrize("name, f, change", holders(), ids=[name for name, *_ in holders()])
def test_changes_are_seen(name, f, change):
    f = compiled(f)
    assert f(irtool.ones(2)).tolist() == f(irtool.ones(2)).tolist() == [2.0, 2.0] and len(f.programs()) == 1
    change()
    assert f(irtool.ones(2)).tolist() == [5.0, 5.0]


def test_loaders_are_looped_over_outside():
    loader = DataLoader([irtool.ones(2)] * 3, shuffle=True)
    f = compiled(lambda x: sum(batch.sum() for batch in loader) * x)
    with pytest.raises(RuntimeError, match=r"cannot loop over a DataLoader.*loop outside \(at test_discovery.py"):
        f(irtool.ones(1))


def asked_for_nothing():
    """Objects that tell what of their code runs."""
    asked: list[str] = []

    class Attributes:
        k = 2

        def __getattribute__(self, name):
            asked.append(name)
            return object.__getattribute__(self, name)

        def __eq__(self, other):
            asked.append("==")
            return self is other

        __hash__ = object.__hash__

    class Proxy:
        def __getattr__(self, name):
            asked.append(name)
            raise KeyError(name)

        @property
        def __class__(self):
            asked.append("class")
            raise KeyError("class")

        @property
        def __dict__(self):
            asked.append("dict")
            raise KeyError("dict")

    class Entries(dict):
        def get(self, key, default=None):
            asked.append("get")

        def __getitem__(self, key):
            asked.append("item")
            return super().__getitem__(key)

        def __iter__(self):
            asked.append("iter")
            return super().__iter__()

        def __len__(self):
            asked.append("len")
            return super().__len__()

    class Elements(list):
        def __iter__(self):
            asked.append("iter")
            return super().__iter__()

        def __len__(self):
            asked.append("len")
            return super().__len__()

    class Lazy(ModuleType):
        def __getattr__(self, name):
            asked.append(name)
            raise ImportError(name)

    lazy = Lazy("lazy")
    lazy.k = 2
    return asked, [Attributes(), Proxy(), Entries(k=2), Elements([2]), lazy, {Attributes(): 2}, [Attributes()]]


def test_no_code_of_the_user_runs_to_find_out_what_a_function_reaches():
    asked, found = asked_for_nothing()
    attributes, proxy, entries, numbers, lazy, keyed, several = found

    @compiled
    def f(x):
        if x.dim() > 1:
            return (attributes.k, proxy.k, entries["k"], numbers[0], lazy.k, keyed, several)
        return x * 2

    assert [f(irtool.ones(1)).item() for _ in range(3)] == [2.0, 2.0, 2.0]
    assert asked == [] and len(f.programs()) == 1
    dict.__setitem__(entries, "k", 3)
    list.append(numbers, 3)
    assert f(irtool.ones(1)).item() == 2.0 and asked == []


def test_a_failure_before_there_is_a_trace_is_not_hidden(monkeypatch):
    def fails(self):
        raise KeyError("on the way")

    monkeypatch.setattr(Discovery, "finish", fails)
    with pytest.raises(KeyError, match="on the way"):
        compiled(lambda x: x)(irtool.ones(1))


def test_objects_that_look_like_modules():
    class Lookalike:
        def __init__(self):
            self._parameters, self._modules, self.param_groups, self.state, self.k = 5, "none", (), "idle", 2

    lookalike = Lookalike()
    f = compiled(lambda x: x * lookalike.k)
    assert f(irtool.ones(1)).item() == 2.0
    lookalike.k = 3
    assert f(irtool.ones(1)).item() == 3.0


class Counted:
    """Attributes of a class."""

    n = 0


def test_attributes_of_classes_are_state():
    class Lazily:
        def __call__(self, x):
            kind = type(self)
            kind.calls = getattr(kind, "calls", 0) + 1
            kind.last = x.sum()
            return x * kind.calls

    lazily = Lazily()

    @compiled
    def f(x):
        Counted.n += 1
        if not hasattr(Counted, "made"):
            Counted.made = 10
        Counted.made += 1
        return lazily(x) + Counted.made

    for k in range(1, 5):
        assert f(irtool.full((2,), float(k))).tolist() == [k * k + 10.0 + k] * 2
        assert (Counted.n, Counted.made, Lazily.calls, Lazily.last.item()) == (k, 10 + k, k, 2 * k)
    Counted.n = 0
    del Counted.made


def test_a_failed_trace_takes_back_slots_and_classes():
    class Slots:
        __slots__ = ("n",)

    slots = Slots()
    slots.n, Counted.n = 0, 0

    @compiled
    def f(x):
        slots.n += 1
        Counted.n += 1
        Counted.new = 1
        raise KeyError("the user's own")

    with pytest.raises(KeyError, match="own"):
        f(irtool.ones(1))
    assert (slots.n, Counted.n, hasattr(Counted, "new")) == (0, 0, False)


def test_a_call_that_writes_to_an_array_runs_as_it_is():
    array = np.zeros(2)

    @compiled
    def f(x):
        Counted.n += 1
        array[0] += 1
        raise KeyError("the user's own")

    Counted.n = 0
    with pytest.raises(KeyError, match="own"), pytest.warns(UserWarning, match="numpy.ndarray is not known"):
        f(irtool.ones(1))
    assert (Counted.n, array.tolist()) == (1, [1.0, 0.0])


class _Table:
    def __init__(self) -> None:
        self.rows = [[0.5], [0.5]]


def _matched(table: Any, x: Any) -> Any:
    match table:
        case _Table(rows=rows):
            return x * rows[-1][0]


@pytest.mark.parametrize(
    "read",
    [
        lambda table, x: x * getattr(table, "".join(("ro", "ws")))[-1][0],
        lambda table, x: x * [*vars(table).values()][-1][-1][0],
        _matched,
    ],
    ids=["getattr", "vars", "match"],
)
def test_what_attributes_hold_is_watched_whose_name_no_code_mentions(read: Any) -> None:
    table = _Table()
    step = irtool.compile(lambda x: read(table, x), target="reference")
    assert step(irtool.ones(1)).item() == 0.5
    table.rows[-1][0] = 9.0
    assert step(irtool.ones(1)).item() == 9.0
