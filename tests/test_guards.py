"""What a program relies on: each change of it is noticed, and nothing else compiles anew."""

from __future__ import annotations

import functools
import os
import sys
import types

import irtool
import numpy as np
import pytest
from irtool import nn, optim

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))
ones = irtool.ones(1)

SCALE = 2
SETTINGS = {"scale": 2.0, "other": [1, 2]}
LAYERS = [irtool.ones(1), irtool.ones(1)]


def helper(x):
    return x * SCALE


def count(f):
    return len(f.programs())


def test_globals(monkeypatch):
    f = compiled(lambda x: helper(x) + 1)
    assert f(ones).item() == 3.0
    monkeypatch.setitem(globals(), "SCALE", 5)
    assert f(ones).item() == 6.0
    monkeypatch.setitem(globals(), "SCALE", 2)
    assert f(ones).item() == 3.0 and count(f) == 2
    assert "SCALE was 2, is now 5" in f.explain()


def test_redefined_functions(monkeypatch):
    f = compiled(lambda x: helper(x))
    f(ones)
    monkeypatch.setitem(globals(), "helper", lambda x: x + 10)
    assert f(ones).item() == 11.0


def test_closures():
    scale = 2

    def set_scale(value):
        nonlocal scale
        scale = value

    f = compiled(lambda x: x * scale)
    assert f(ones).item() == 2.0
    set_scale(3)
    assert f(ones).item() == 3.0 and count(f) == 2


def test_containers(monkeypatch):
    f = compiled(lambda x: x * SETTINGS["scale"] + SETTINGS["other"][1])
    assert f(ones).item() == 4.0
    monkeypatch.setitem(SETTINGS, "scale", 3.0)
    assert f(ones).item() == 5.0
    monkeypatch.setattr(sys.modules[__name__], "SETTINGS", {"scale": 3.0, "other": [1, 0]})
    assert f(ones).item() == 3.0 and count(f) == 3


def test_tensors_in_containers():
    def f(x):
        for layer in LAYERS:
            x = x * layer
        return x

    f = compiled(f)
    assert f(ones).item() == 1.0
    LAYERS[0].fill_(3.0)
    assert f(ones).item() == 3.0 and count(f) == 1
    LAYERS.append(irtool.full((1,), 2.0))
    assert f(ones).item() == 6.0 and count(f) == 2
    LAYERS.pop()


def test_another_tensor_under_the_same_name():
    w = first = irtool.ones(1)
    f = compiled(lambda x: x * w)
    f(ones)
    w = irtool.full((1,), 4.0)
    assert f(ones).item() == 4.0 and count(f) == 2
    w = first
    assert f(ones).item() == 1.0 and count(f) == 1  # the other tensor is gone, and its program
    w = irtool.full((1,), 5.0)
    assert f(ones).item() == 5.0 and count(f) == 2


def test_objects_and_their_classes():
    class Config:
        bias = 1
        __slots__ = ("__dict__", "slot")

        def __init__(self):
            self.scale = 2
            self.slot = 0
            self.unrelated = 0

    config = Config()
    f = compiled(lambda x: x * config.scale + config.bias + config.slot)
    assert f(ones).item() == 3.0
    config.unrelated = 1
    assert f(ones).item() == 3.0 and count(f) == 1
    config.scale = 3
    assert f(ones).item() == 4.0
    Config.bias = 2
    assert f(ones).item() == 5.0
    config.slot = 1
    assert f(ones).item() == 6.0 and count(f) == 4


def test_modules_of_the_users():
    config = types.ModuleType("users_config")
    config.scale = 2
    f = compiled(lambda x: x * config.scale)
    assert f(ones).item() == 2.0
    config.scale = 3
    assert f(ones).item() == 3.0 and count(f) == 2


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)
        self.scale = 2
        self.steps = 0
        self.table = {"shift": 1.0}

    def forward(self, x):
        x = self.linear(x) * self.scale + self.table["shift"]
        return x if self.training else x * 0


def test_module_attributes():
    net = Net()
    f = compiled(net)
    with irtool.no_grad():
        first = f(ones).item()
        net.steps += 1
        assert f(ones).item() == first and count(f) == 1
        net.scale = 3
        assert f(ones).item() != first
        net.scale = 2
        assert f(ones).item() == first and count(f) == 2
        net.table["shift"] = 2.0
        assert f(ones).item() == pytest.approx(first + 1) and count(f) == 3
        net.eval()
        assert f(ones).item() == 0.0
        net.train()
        assert f(ones).item() == pytest.approx(first + 1) and count(f) == 4


def test_replaced_modules_and_parameters():
    net = nn.Sequential(nn.Linear(1, 1, bias=False))
    f = compiled(net)
    with irtool.no_grad():
        f(ones)
        net[0].weight.fill_(2.0)
        assert f(ones).item() == 2.0 and count(f) == 1
        seen = [net[0].weight]  # with which its program would go
        net[0].weight = nn.Parameter(irtool.full((1, 1), 3.0))
        assert f(ones).item() == 3.0
        assert count(f) == 2  # for either
        net[0].weight.data = irtool.full((1, 1), 4.0)
        assert f(ones).item() == 4.0 and count(f) == 2  # none for memory that no tensor has any more
        assert f.program._compilations == 1
        net.append(nn.Linear(1, 1, bias=False))
        net[1].weight.fill_(2.0)
        assert f(ones).item() == 8.0 and count(f) == 3
        net.load_state_dict({"0.weight": irtool.full((1, 1), 5.0), "1.weight": irtool.ones(1, 1)})
        assert f(ones).item() == 5.0 and count(f) == 3
        seen.clear()
        assert count(f) == 2 and f.program._compilations == 2


def test_requires_grad_and_grad_mode():
    net = nn.Linear(1, 1)
    f = compiled(net)
    assert f(ones).requires_grad
    net.requires_grad_(False)
    assert not f(ones).requires_grad and count(f) == 2
    net.requires_grad_(True)
    assert f(ones).requires_grad and count(f) == 2
    with irtool.no_grad():
        assert not f(ones).requires_grad and count(f) == 3


def test_hyperparameters_of_optimizers():
    w = nn.Parameter(irtool.ones(1))
    optimizer = optim.SGD([w], lr=1.0, weight_decay=0.0)

    @compiled
    def step():
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()

    step()
    optimizer.param_groups[0]["lr"] = 0.5
    step()
    assert w.item() == -0.5 and count(step) == 1
    optimizer.param_groups[0]["weight_decay"] = 1.0
    step()
    assert w.item() == -0.75 and count(step) == 2


def test_optimizer_state_from_elsewhere():
    w = nn.Parameter(irtool.ones(1))
    optimizer = optim.SGD([w], lr=1.0, momentum=0.5)

    @compiled
    def step():
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()

    step()
    saved = optimizer.state_dict()
    step()
    assert w.item() == 1 - 1 - 1.5
    optimizer.load_state_dict(saved)
    step()
    assert optimizer.state[w]["momentum_buffer"].item() in (1.5, 1.75)
    optimizer.state.clear()
    before = w.item()
    step()
    assert w.item() == before - 1.0


def test_default_dtype_is_part_of_the_key():
    f = compiled(lambda: irtool.zeros(1))
    assert f().dtype is irtool.float32
    irtool.set_default_dtype(irtool.float64)
    try:
        assert f().dtype is irtool.float64
    finally:
        irtool.set_default_dtype(irtool.float32)


def test_explanations():
    f = compiled(lambda x, n: x * n)
    assert "nothing" in f.explain()
    f(ones, 1)
    assert "first time" in f.explain()
    f(irtool.ones(2), 1)
    assert "x was tensor<1xf32>, is now tensor<2xf32>" in f.explain()
    f(irtool.ones(2), 2)
    assert "n was 1, is now 2" in f.explain()
    assert "3 programs" in repr(f)


def test_small_arrays_are_constants():
    table = np.array([1.0, 2.0], np.float32)
    f = compiled(lambda x: x * irtool.from_numpy(table))
    assert f(ones).tolist() == [1.0, 2.0]
    table[0] = 5.0
    assert f(ones).tolist() == [5.0, 2.0] and count(f) == 2


def test_many_compilations_are_worth_a_warning():
    f = compiled(lambda x, n: x.repeat(n))
    with pytest.warns(UserWarning, match="compiled 16 times, the last time because n was 15, is now 16"):
        for n in range(1, 17):
            f(ones, n)


def test_a_function_that_counts_is_traced_each_time():
    calls = []

    @compiled
    def f(x):
        calls.append(len(calls))
        return x * len(calls)

    assert [f(ones).item() for _ in range(3)] == [1.0, 2.0, 3.0]
    assert calls == [0, 1, 2]


def test_lazy_values_settle():
    class Lazy(nn.Module):
        def __init__(self):
            super().__init__()
            self.size = None

        def forward(self, x):
            if self.size is None:
                self.size = x.shape[0]
            return x * self.size

    f = compiled(Lazy())
    assert [f(ones).item() for _ in range(4)] == [1.0] * 4
    assert count(f) == 2


def test_slices_of_one_tensor_share_a_program():
    """Batches of a corpus: words, and the words after them."""
    corpus = irtool.arange(10.0)
    step = compiled(lambda x, y: (x * y).sum())
    found = [step(corpus[i : i + 3], corpus[i + 1 : i + 4]).item() for i in range(4)]
    assert found == [(corpus[i : i + 3] * corpus[i + 1 : i + 4]).sum().item() for i in range(4)]
    step(irtool.ones(3), irtool.ones(3))
    assert count(step) == 1


def test_where_slices_are_written_to_it_matters_how_they_overlap():
    def shift(x, y):
        x += y
        return y.sum()

    f = compiled(shift)
    expected, found = irtool.arange(10.0), irtool.arange(10.0)
    for a, b in ((0, 1), (2, 3), (2, 3), (0, 5), (4, 4)):
        assert f(found[a : a + 3], found[b : b + 3]).item() == shift(expected[a : a + 3], expected[b : b + 3]).item()
        assert found.tolist() == expected.tolist()
    assert f(irtool.ones(3), irtool.ones(3)).item() == 3.0
    assert count(f) == 5  # apart, and a pattern each


def test_parameters_that_are_switched_off_and_on():
    """As in the phases of a GAN: a program for each state that a function starts from."""
    a, b = nn.Linear(2, 2), nn.Linear(2, 1)
    x = irtool.ones(3, 2)

    def first(x):
        b.requires_grad_(True)
        b.zero_grad()
        b(a(x).detach()).sum().backward()
        return b.weight.grad.sum()

    def second(x):
        for p in b.parameters():
            p.requires_grad = False
        a.zero_grad()
        b(a(x)).sum().backward()
        return a.weight.grad.sum()

    f, g = compiled(first), compiled(second)
    for _ in range(4):
        assert f(x).item() == pytest.approx(first(x).item())
        assert b.weight.requires_grad and b.weight.grad is not None
        assert g(x).item() == pytest.approx(second(x).item())
        assert not b.weight.requires_grad and not b.bias.requires_grad
        f(x)
    assert (count(f), count(g)) == (2, 1)


def test_what_a_hook_writes_down_settles():
    layer, shapes = nn.Linear(2, 3), {}
    layer.register_forward_hook(lambda module, given, output: shapes.update(layer=output.shape))
    f = compiled(lambda x: layer(x).sum())
    for _ in range(4):
        f(irtool.ones(1, 2))
    assert shapes == {"layer": (1, 3)} and count(f) == 2


def test_hooks_of_leaves_that_come_and_go():
    w, factors, seen = irtool.ones(1, requires_grad=True), [2.0], []

    @compiled
    def gradient(x):
        w.grad = None
        (w * x).sum().backward()
        return w.grad

    def slope():
        return gradient(ones).item()

    assert slope() == 1.0
    doubled = w.register_hook(lambda g: g * factors[0])
    assert slope() == 2.0
    factors[0] = 3.0
    assert slope() == 3.0
    more = w.register_hook(lambda g: g + 1)
    assert slope() == 4.0
    doubled.remove()
    assert slope() == 2.0
    more.remove()
    assert slope() == 1.0
    known = count(gradient)
    handle = w.register_post_accumulate_grad_hook(lambda p: seen.append(1))
    slope()
    handle.remove()
    slope()
    assert seen == [1] and count(gradient) <= known + 1


def test_hooks_of_arguments():
    @compiled
    def gradient(p, x):
        (p * x).sum().backward()
        return p.grad

    plain, hooked = irtool.ones(1, requires_grad=True), irtool.ones(1, requires_grad=True)
    hooked.register_hook(lambda g: g * 3)
    assert [gradient(p, ones).item() for p in (hooked, plain)] == [3.0, 1.0]


def test_hooks_of_optimizers():
    w, called = irtool.ones(1, requires_grad=True), []
    optimizer = optim.SGD([w], lr=0.1)

    @compiled
    def step():
        optimizer.zero_grad()
        (w * 2).sum().backward()
        optimizer.step()

    step()
    handles = [
        optimizer.register_step_pre_hook(lambda *_: called.append("before")),
        optimizer.register_step_post_hook(lambda *_: called.append("after")),
    ]
    step()
    for handle in handles:
        handle.remove()
    step()
    assert called == ["before", "after"] and w.item() == pytest.approx(0.4)
