"""Captured tensors that are replaced: compiled calls give what eager calls give, and need no further program where the
new tensor is of the old one's kind."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import nn, optim

Wrap = Callable[[Any], Any]
Case = Callable[[Wrap], Iterator[Any]]


def vector(*values: float) -> Any:
    return irtool.tensor([*map(float, values)])


X = vector(1, 3)
CASES: dict[str, tuple[Case, int | None]] = {}
"""What calls give and leave, and how often the function is compiled; None where it has to be."""


def case(programs: int | None = 1) -> Callable[[Case], Case]:
    def add(f: Case) -> Case:
        CASES[f.__name__] = f, programs
        return f

    return add


@case()
def written_to(wrap: Wrap) -> Iterator[Any]:
    h = SimpleNamespace(a=vector(1, 2))

    def f(x: Any) -> Any:
        h.a.add_(x)
        return h.a * 2

    step, old = wrap(f), h.a
    yield step(X)
    h.a = vector(5, 5)
    yield step(X), old, h.a
    h.a = old
    yield step(X), old


@case(2)
def one_tensor_in_two_places(wrap: Wrap) -> Iterator[Any]:
    h = SimpleNamespace(a=vector(1, 2), b=None)
    h.b = h.a
    step = wrap(lambda x: (x * h.a + h.b.sum(), h.a is h.b))
    yield step(X)
    h.a = vector(3, 4)
    yield step(X)
    h.b = h.a
    yield step(X)
    h.a = h.b = vector(5, 6)
    yield step(X)
    h.b = vector(7, 8)
    yield step(X)


@case(None)
def views_of_each_other(wrap: Wrap) -> Iterator[Any]:
    h = SimpleNamespace(a=vector(1, 2, 3, 4))
    h.b = h.a[:2]

    def f(x: Any) -> Any:
        h.a.add_(1)
        return h.b * x

    step = wrap(f)
    yield step(X)
    h.a = vector(9, 9, 9, 9)
    yield step(X), h.a, h.b
    h.b = h.a[:2]
    yield step(X), h.a


@case(2)
def exchanged_for_each_other(wrap: Wrap) -> Iterator[Any]:
    h = SimpleNamespace(a=vector(1, 2), b=vector(3, 4))

    def f(x: Any) -> Any:
        h.a.add_(h.b)
        return h.a * x

    step = wrap(f)
    for _ in range(4):
        h.a, h.b = h.b, h.a
        yield step(X), h.a, h.b
    h.b = h.a
    yield step(X), h.a


@case(2)
def parameters(wrap: Wrap) -> Iterator[Any]:
    """A new one has no gradient yet, which is asked for."""
    h = SimpleNamespace(w=nn.Parameter(vector(1, 2)))
    step, old = wrap(lambda x: (h.w * x).sum().backward()), h.w
    for w in (old, old, nn.Parameter(vector(3, 4)), old, nn.Parameter(vector(5, 6))):
        h.w = w
        step(X)
        yield h.w.grad, old.grad


@case()
def gradients_outside(wrap: Wrap) -> Iterator[Any]:
    h = SimpleNamespace(w=None)
    step = wrap(lambda x: h.w * x)
    for k in range(3):
        h.w = nn.Parameter(vector(k, 2))
        step(X).sum().backward()
        yield h.w.grad


@case(None)
def parameters_of_an_optimizer(wrap: Wrap) -> Iterator[Any]:
    model = nn.Linear(2, 1)
    for p in model.parameters():
        nn.init.ones_(p)
    optimizer = optim.Adam(model.parameters(), lr=0.1)

    def f(x: Any) -> Any:
        loss = model(x).pow(2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    step = wrap(f)
    yield step(X), step(X)
    model.weight = nn.Parameter(vector(3, 4)[None])
    yield step(X), step(X), model.weight, model.bias
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    yield step(X), step(X)
    optimizer.load_state_dict(optimizer.state_dict())
    yield step(X), step(X), model.weight, optimizer.state[model.weight]["step"]


@case()
def data_assigned(wrap: Wrap) -> Iterator[Any]:
    model = nn.Linear(2, 1, bias=False)
    step = wrap(lambda x: model(x))
    for k in range(4):
        model.weight.data = vector(k, k)[None]
        yield step(X)
    model.load_state_dict({"weight": vector(1, 5)[None]}, assign=True)
    yield step(X)


@case()
def buffers(wrap: Wrap) -> Iterator[Any]:
    model = nn.BatchNorm1d(2)
    step, x = wrap(lambda x: model(x)), irtool.tensor([[1.0, 2.0], [3.0, 5.0]])
    yield step(x), model.running_mean, model.num_batches_tracked
    model.running_mean = vector(5, 5)
    yield step(x), model.running_mean
    model.num_batches_tracked = irtool.tensor(7)
    yield step(x), model.num_batches_tracked


@case()
def returned(wrap: Wrap) -> Iterator[Any]:
    h = SimpleNamespace(w=None)
    step = wrap(lambda x: (h.w, h.w.detach(), h.w[0:1]))
    for k in range(3):
        h.w = vector(k, 2)
        whole, same, part = step(X)
        same.add_(1)
        part.add_(1)
        yield whole is h.w, h.w


@case()
def class_attributes_and_slots(wrap: Wrap) -> Iterator[Any]:
    class Holder:
        __slots__ = ("w",)
        shared = vector(1, 2)

    h = Holder()
    h.w = vector(0, 1)
    step = wrap(lambda x: x * Holder.shared + h.w)
    for k in range(3):
        Holder.shared = vector(k, 1)
        yield step(X)
        h.w = vector(k, 2)
        yield step(X)


@case(2)
def elements(wrap: Wrap) -> Iterator[Any]:
    some, last, named = [vector(1, 2), vector(3, 4)], deque([vector(1, 1)], maxlen=1), {"a": vector(1, 2)}
    step = wrap(lambda x: sum(w * x for w in some) + last[0] + named["a"])
    for k in range(3):
        some[k % 2] = vector(k, k)
        last.append(vector(k, 9))
        named["a"] = vector(7, k)
        yield step(X)
        some.reverse()
        yield step(X)
    some[0] = some[1]
    yield step(X)


@case(None)
def default_value(wrap: Wrap) -> Iterator[Any]:
    """Which no guard watches: there the old tensor stays."""
    h = SimpleNamespace(w=vector(1, 2))

    def helper(x: Any, w: Any = h.w) -> Any:
        return x * w

    part = functools.partial(lambda w, x: w - x, h.w)
    step = wrap(lambda x: helper(x) + part(x) + h.w)
    for k in range(3):
        yield step(X)
        h.w = vector(k, 5)


@case(None)
def tuples(wrap: Wrap) -> Iterator[Any]:
    w = vector(1, 2)
    h = SimpleNamespace(w=w, both=(w, vector(3, 3)))
    step = wrap(lambda x: h.both[0] * x + h.w.sum() + h.both[1])
    yield step(X)
    h.w = vector(5, 6)
    yield step(X)
    h.both = (h.w, vector(1, 1))
    yield step(X)
    h.both = (vector(0, 0), vector(1, 1))
    yield step(X)


@case(None)
def looked_up(wrap: Wrap) -> Iterator[Any]:
    """By identity: as a key, as an element, by its number."""
    h = SimpleNamespace(w=vector(1, 2))
    keys, several, numbers = {h.w: 2.0}, [h.w], {id(h.w): 2.0}
    found = wrap(lambda x: x * keys.get(h.w, 5.0))
    among = wrap(lambda x: x * (2 if any(w is h.w for w in several) else 3))
    known = wrap(lambda x: x * numbers.get(id(h.w), 7.0) + h.w)
    old = h.w
    for w in (old, vector(1, 2), old):
        h.w = w
        yield found(X), among(X), known(X)
    h.w = vector(3, 4)
    keys[h.w], several[0] = 3.0, h.w
    yield found(X), among(X)


@case(2)
def numbers(wrap: Wrap) -> Iterator[Any]:
    h = SimpleNamespace(n=None)
    step = wrap(lambda x: x * 2 if int(h.n) > 1 else x * 3)
    for n in (2, 0, 2, 0):
        h.n = irtool.tensor(n)
        yield step(X)


@case(None)
def given_too(wrap: Wrap) -> Iterator[Any]:
    h = SimpleNamespace(w=vector(1, 2))

    def f(x: Any) -> Any:
        h.w.add_(1)
        return x * 1

    step = wrap(f)
    yield step(h.w), h.w
    h.w = vector(5, 6)
    yield step(h.w), step(vector(0, 0)), step(h.w[:]), h.w
    h.w = vector(3, 3)
    yield step(h.w[:]), h.w


@case(None)
def other_kinds(wrap: Wrap) -> Iterator[Any]:
    h = SimpleNamespace(w=None)
    step = wrap(lambda x: h.w * x)
    hooked = vector(1, 2).requires_grad_()
    hooked.register_hook(lambda g: g * 10)
    kinds = [
        vector(1, 2),
        vector(1, 2).requires_grad_(),
        hooked,
        vector(5),
        irtool.tensor([1, 2]),
        X.requires_grad_(False),
    ]
    for w in (*kinds, vector(1, 2).requires_grad_() * 2, irtool.ones(2, 2).t()[0]):
        h.w = w
        y = step(vector(1, 3))
        if y.requires_grad and w.is_leaf:
            y.sum().backward()
            yield w.grad
        yield y.detach(), y.requires_grad


@case()
def memory_of_numpy(wrap: Wrap) -> Iterator[Any]:
    a, b = np.array([1, 2], np.float32), np.zeros(5, np.float32)[1:3]
    h = SimpleNamespace(w=None)

    def f(x: Any) -> Any:
        h.w.add_(1)
        return h.w * x

    step = wrap(f)
    for w in (vector(1, 2), irtool.from_numpy(a), irtool.from_numpy(b), vector(5, 5)):
        h.w = w
        yield step(X), a.tolist(), b.tolist()


@case(None)
def memory_of_a_leaf(wrap: Wrap) -> Iterator[Any]:
    """Under another name, by which no gradient flows."""
    h = SimpleNamespace(p=nn.Parameter(vector(2, 1)), s=vector(5, 6))
    step = wrap(lambda x: x + h.p * 2 + h.s * 3 + h.s[:1])
    for k in range(4):
        if k == 1:
            h.p.data = h.s
        elif k == 2:
            h.s = h.p.data
        elif k == 3:
            h.s = vector(1, k)
        y = step(X)
        y.sum().backward()
        yield y.detach(), h.p.grad


@case(None)
def kept_and_changed(wrap: Wrap) -> Iterator[Any]:
    h = SimpleNamespace(w=None, best=vector(0, 0), log=[])

    def f(x: Any) -> Any:
        h.best = h.w
        h.log.append(h.w)
        h.w.requires_grad_(False)
        h.w.data = h.w.data + 1
        return x * h.w

    step = wrap(f)
    for k in range(3):
        h.w = vector(k, 1).requires_grad_()
        yield step(X), h.best is h.w, h.log[-1] is h.w, h.w


def plain(value: Any) -> Any:
    if isinstance(value, irtool.Tensor):
        return type(value).__name__, str(value.dtype), value.tolist(), value.requires_grad
    return [*map(plain, value)] if isinstance(value, (tuple, list)) else value


@pytest.mark.parametrize("target", ["reference", "cpu"])
@pytest.mark.parametrize("name", CASES)
def test_replaced(name: str, target: str) -> None:
    f, programs = CASES[name]
    if target == "cpu" and programs is None:
        pytest.skip("many programs, of which nothing is special in C")
    made: list[Any] = []

    def wrap(function: Any) -> Any:
        made.append(irtool.compile(function, target=target))
        return made[-1]

    expected = [plain(value) for value in f(lambda function: function)]
    assert [plain(value) for value in f(wrap)] == expected
    assert programs is None or made[0]._compilations == programs


def test_checks_name_what_is_wrong_with_the_new_tensor() -> None:
    """Copies share a record of errors."""
    h = SimpleNamespace(i=irtool.tensor([0, 1]), w=vector(1, 2))
    step = irtool.compile(lambda x: (x * h.w)[h.i])
    assert step(X).tolist() == [1.0, 6.0]
    old, h.i = h.i, irtool.tensor([0, 7])
    with pytest.raises(IndexError, match="7"):
        step(X)
    h.i, h.w = old, vector(2, 2)
    assert step(X).tolist() == [2.0, 6.0] and step._compilations == 1


def test_programs_of_replaced_tensors_are_few() -> None:
    """Also where the old tensors die after the next call, or stay."""
    h, kept = SimpleNamespace(w=vector(1, 2)), deque[Any](maxlen=2)
    step = irtool.compile(lambda x: x * h.w, target="reference")
    for k in range(200):
        kept.append(h.w)
        h.w = vector(k, k)
        assert step(X).tolist() == [k, 3 * k]
    assert step._compilations == 1 and len(step._recent) + len(step._vacant) <= 4
    old = [vector(k, k) for k in range(200)]
    for k, h.w in enumerate(old):
        assert step(X).tolist() == [k, 3 * k]
    assert step._compilations == 1 and len(step._recent) <= 64
