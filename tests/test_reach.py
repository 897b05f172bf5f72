"""What programs depend on, wherever it is kept: a change of it is seen by the next call."""

from __future__ import annotations

import argparse
import functools
import os
import weakref
from collections import ChainMap, UserDict, UserList
from types import MappingProxyType, SimpleNamespace

import irtool
import numpy as np
import pytest
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
    with pytest.raises(RuntimeError, match=r"cannot loop over a DataLoader.*loop outside \(at test_reach.py"):
        f(irtool.ones(1))
