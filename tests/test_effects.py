"""Tensors that a compiled function keeps in attributes, variables, lists and dictionaries: each call puts them in."""

from __future__ import annotations

import copy
import dataclasses
import functools
import os
from collections import OrderedDict, defaultdict, deque

import irtool
import numpy as np
import pytest
from irtool import nn, optim

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))


def count(f):
    return len(f.programs())


def test_lists_and_dictionaries_that_are_written_to():
    """One program: what is in them is not read."""
    losses, log, recent, long = [], {"norm": []}, deque(maxlen=2), list(range(300))

    @compiled
    def f(x):
        losses.append(x.sum())
        log["norm"] += [x.norm(), 3]
        log["last"] = (x, [x * 2], "plain")
        recent.extend([x + 1])
        long.append(x)
        return x

    for k in (1.0, 2.0, 3.0):
        x = irtool.tensor([k])
        f(x)
    assert [y.item() for y in losses] == [1.0, 2.0, 3.0]
    assert [float(y) for y in log["norm"]] == [1.0, 3, 2.0, 3, 3.0, 3]
    assert log["last"][0] is x and log["last"][1][0].item() == 6.0 and log["last"][2] == "plain"
    assert [y.item() for y in recent] == [3.0, 4.0] and len(long) == 303
    assert count(f) <= 2


def test_what_is_read_is_traced_each_time():
    kept, groups = [], defaultdict(list)

    @compiled
    def f(x):
        if len(kept) == 2:
            kept.clear()
        kept.append(x * 2)
        groups["a"].append(x)
        return sum(kept)

    assert [f(irtool.tensor(k)).item() for k in (1.0, 2.0, 3.0, 4.0)] == [2.0, 6.0, 6.0, 14.0]
    assert [y.item() for y in groups["a"]] == [1.0, 2.0, 3.0, 4.0]


def test_hooks_that_store_activations():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    seen, outputs = {}, []

    def store(name):
        return lambda module, args, output: seen.__setitem__(name, output.detach())

    for name, layer in model.named_children():
        layer.register_forward_hook(store(name))
    model[2].register_forward_hook(functools.partial(lambda kept, module, args, output: kept.append(output), outputs))
    f = compiled(model)
    for _ in range(3):
        x = irtool.randn(4, 2)
        y = f(x)
        np.testing.assert_allclose(seen["1"], model[0](x).relu().detach(), rtol=1e-5)
        np.testing.assert_allclose(outputs[-1].detach(), y.detach())
    assert list(seen) == ["0", "1", "2"]


class Cached(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.cache = None

    def forward(self, x):
        self.cache = self.layer(x)
        self.penalty = (self.cache**2).mean()
        return self.cache * 2


def test_attributes_that_gradients_flow_through():
    """A penalty that the forward leaves behind for the loss outside."""
    model = Cached()
    f = compiled(model)
    first = None
    for _ in range(3):
        x = irtool.randn(3, 2)
        model.zero_grad()
        (f(x).sum() + model.penalty).backward()
        found = model.layer.weight.grad
        model.zero_grad()
        (model(x).sum() + model.penalty).backward()
        np.testing.assert_allclose(found, model.layer.weight.grad, rtol=1e-5)
        first = model.cache if first is None else first
    assert first is not model.cache and count(f.program) <= 2


@dataclasses.dataclass
class State:
    h: irtool.Tensor
    steps: int = 0


def test_state_that_is_read_and_replaced():
    """Each call finds what is there, and earlier values stay what they were."""
    cell = nn.RNNCell(2, 3)
    box = State(irtool.zeros(1, 3))
    pair = None

    @compiled
    def f(x):
        nonlocal pair
        box.h = cell(x, box.h)
        pair = (box.h, x) if pair is None else (pair[0] + box.h, x)
        return box.h

    expected, total, values = box.h, irtool.zeros(1, 3), []
    for k in range(4):
        if k == 2:
            box.h = expected = irtool.ones(1, 3)
        x = irtool.randn(1, 2)
        expected = cell(x, expected)
        total = total + expected
        assert f(x) is not None
        values.append((box.h, expected))
        np.testing.assert_allclose(pair[0].detach(), total.detach(), rtol=1e-5)
    for found, wanted in values:
        np.testing.assert_allclose(found.detach(), wanted.detach(), rtol=1e-5)
    values[-1][0].sum().backward()  # through the calls since the state was replaced
    found = cell.weight_hh.grad
    cell.weight_hh.grad = None
    expected.sum().backward()
    np.testing.assert_allclose(found, cell.weight_hh.grad, rtol=1e-5)


def test_state_that_grows_compiles_for_each_shape():
    box = State(irtool.zeros(0, 2))

    @compiled
    def f(x):
        box.h = irtool.cat([box.h, x])

    for k in range(3):
        f(irtool.full((1, 2), float(k)))
    assert box.h.tolist() == [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]


def test_attributes_that_appear():
    class Model(nn.Module):
        def forward(self, x):
            return x * (3 if getattr(self, "triple", False) else 1)

    model = Model()
    f = compiled(model)
    assert f(irtool.ones(1)).item() == 1
    model.triple = True
    assert f(irtool.ones(1)).item() == 3


def test_another_function_sees_what_was_kept():
    model = Cached()
    write, read = compiled(model), compiled(lambda x: model.cache + x)
    for _ in range(3):
        y = write(irtool.randn(1, 2))
        np.testing.assert_allclose(read(irtool.zeros(1)).detach() * 2, y.detach(), rtol=1e-6)


def test_arguments_that_are_changed():
    @compiled
    def f(batch, items, state):
        batch["y"] = batch.pop("x") * 2
        items[0].append(batch["y"] + 1)
        state.h, state.steps = state.h + 1, 5

    for k in (1.0, 2.0):
        batch, items, state = {"x": irtool.tensor(k)}, [[0]], State(irtool.tensor(k))
        f(batch, items, state)
        assert list(batch) == ["y"] and batch["y"].item() == 2 * k
        assert items[0][1].item() == 2 * k + 1 and state.h.item() == k + 1 and state.steps == 5
    assert count(f) == 1


class Output(OrderedDict):
    """Entries that are attributes too."""

    def __init__(self, **entries):
        super().__init__(entries)
        self.__dict__.update(entries)


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    a: irtool.Tensor
    b: list


def test_objects_are_returned_anew():
    class Plain:
        def __init__(self, y):
            self.y, self.n = y, 3

    layer = nn.Linear(2, 2)

    @compiled
    def f(pair):
        y = layer(pair.a)
        return Output(loss=y.sum(), y=y), Pair(y, [y, 1]), Plain(y), defaultdict(list, {"y": y})

    kept = []
    for _ in range(2):
        x = irtool.randn(1, 2)
        output, pair, plain, mapping = f(Pair(x, []))
        y = layer(x).tolist()
        assert type(output) is Output and output.y is output["y"] and list(output) == ["loss", "y"]
        assert (
            output.y.tolist() == pair.a.tolist() == pair.b[0].tolist() == plain.y.tolist() == mapping["y"].tolist() == y
        )
        assert plain.n == 3 and mapping["z"] == []
        kept.append(plain)
    assert kept[0] is not kept[1] and count(f) == 1
    output.loss.backward()
    assert layer.bias.grad.tolist() == [1.0, 1.0]


def test_a_whole_step_that_keeps_its_losses():
    model = Cached()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    losses = []

    @compiled
    def step(x):
        loss = model(x).pow(2).mean() + model.penalty
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())

    x = irtool.randn(4, 2)
    for _ in range(4):
        step(x)
    assert losses[0] > losses[1] > losses[2] > losses[3]


def test_a_failed_trace_leaves_nothing_behind():
    kept, entries, box = [], {"a": 1}, State(irtool.zeros(1))

    @compiled
    def f(x, items):
        kept.append(x * 2)
        entries["b"] = x
        box.h, box.late = x, x
        items.append(x)
        raise KeyError("late")

    items = []
    with pytest.raises(KeyError):
        f(irtool.ones(1), items)
    assert not kept and entries == {"a": 1} and box.h.item() == 0 and not hasattr(box, "late") and not items


def test_elements_of_lists_and_dictionaries_that_are_replaced():
    """Moving averages beside a model: read and replaced in one program."""
    model = nn.Linear(2, 2)
    means, totals = [p.detach().clone() for p in model.parameters()], {"x": irtool.zeros(())}
    expected, total = [m.clone() for m in means], 0.0

    @compiled
    def f(x):
        for k, p in enumerate(model.parameters()):
            means[k] = 0.5 * means[k] + x * p.detach()
        totals["x"] = totals["x"] + x
        return x

    for k in (1.0, 2.0, 3.0):
        earlier = means[0]
        before = earlier.tolist()
        f(irtool.tensor(k))
        assert earlier.tolist() == before
        expected = [0.5 * m + k * p.detach() for m, p in zip(expected, model.parameters(), strict=True)]
        total += k
    for found, wanted in zip(means, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert totals["x"].item() == total and count(f) == 1


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.calls, self.rows = nn.Linear(2, 2), 0, 10

    def forward(self, x):
        if self.training:
            self.calls += 1
        self.rows = self.rows - 1 + len(x) + 1
        return self.linear(x)


def test_counters_of_modules():
    """One program, which depends on no value of a counter."""
    model, x = Counting(), irtool.ones(1, 2)
    f = compiled(model)
    for k in range(5):
        f(x)
        assert (model.calls, model.rows) == (k + 1, k + 11) and type(model.calls) is int
    model(x)
    model.calls = 41
    f(x)
    assert (model.calls, model.rows, count(f)) == (42, 17, 1)
    f(irtool.ones(3, 2))
    f(irtool.ones(3, 2))
    assert (model.calls, model.rows, count(f)) == (44, 23, 2)
    model.eval()
    f(x)
    model.calls = 7
    f(x)
    assert (model.calls, model.rows, count(f)) == (7, 25, 3)
    model.calls = 0.5  # no int any more
    f(x)
    assert model.calls == 0.5 and count(f) == 4


STEPS = 0


def test_counters_in_variables_and_containers():
    seen, names, turns = {"n": 0, "m": 1}, [5, 6], 0

    @compiled
    def f(x):
        global STEPS
        nonlocal turns
        STEPS += 1
        turns -= 2
        seen["n"] = 3 + seen["n"]
        names[1] += len(names)
        return x * seen["m"]

    for k in range(1, 5):
        assert f(irtool.ones(1)).item() == 1.0
        assert (STEPS, turns, seen["n"], names) == (k, -2 * k, 3 * k, [5, 6 + 2 * k])
    assert count(f) == 1
    seen["m"], names[0] = 4, 0
    assert f(irtool.ones(1)).item() == 4.0 and names == [0, 16] and count(f) == 2


@pytest.mark.parametrize(
    "read",
    [
        lambda kept, n, x: x * 2 if n % 2 else x,
        lambda kept, n, x: x * n + [1, 2, 4, 8, 16][n],
        lambda kept, n, x: irtool.full((2,), n) + float(f"{n}"),
        lambda kept, n, x: x.sum(n - n) + np.asarray(n).item(),
        lambda kept, n, x: kept.append(n) or x,
        lambda kept, n, x: kept.append({"n": (copy.deepcopy(n),)}) or x,
        lambda kept, n, x: kept.append(lambda: n + 1) or x,
        lambda kept, n, x: (x, n),
    ],
)
def test_counters_that_are_read_are_traced_each_time(read):
    def outcome(wrap):
        kept, counter = [], {"n": 0}

        @wrap
        def f(x):
            counter["n"] += 1
            return read(kept, counter["n"], x)

        found = [f(irtool.tensor([1.0, k])) for k in (2.0, 3.0, 4.0)]
        found += [k() if callable(k) else k for k in kept]
        return str(found), counter

    assert outcome(compiled) == outcome(lambda f: f)


def test_counters_of_a_function_that_fails():
    """What fails with a counter as with a number says nothing about the counter."""
    counter = {"n": 0, "m": 0}

    @compiled
    def f(x, y):
        counter["n"] += 1
        return x @ y

    for k in range(4):
        f(irtool.ones(2, 2), irtool.ones(2, 2))
        with pytest.raises(RuntimeError):
            f(irtool.ones(2, 2), irtool.ones(3))
        assert counter["n"] == k + 1
    assert count(f) == 1


def test_many_counters_that_are_read():
    """More than a function is traced for."""
    counters = [0] * 100

    @compiled
    def f(x):
        for k in range(len(counters)):
            counters[k] += 1
            x = x * (counters[k] % 2)
        return x

    assert [f(irtool.ones(())).item() for _ in range(3)] == [1.0, 0.0, 1.0]
    assert counters == [3] * 100
