"""Python numbers that change from call to call: compiled functions go on with the same program where they can."""

from __future__ import annotations

import functools
import math
from math import sqrt

import irtool
import pytest
from irtool import nn, optim
from irtool.frontend import dispatch, layout

compiled = functools.partial(irtool.compile, target="reference")


def programs(f):
    return len(f.programs())


def eagerly(f):
    return f


class Settings:
    def __init__(self):
        self.beta, self.calls, self.waits = 1.0, 0, 0


def test_floats_that_change_outside():
    """The second value makes them run-time numbers."""
    settings, mix = Settings(), 0.5

    @compiled
    def f(x):
        return x * settings.beta + mix

    for k in range(5):
        settings.beta, mix = 1.0 - 0.1 * k, 0.5 + k
        assert f(irtool.ones(1)).item() == pytest.approx(settings.beta + mix)
    assert programs(f) == 2


def test_floats_that_the_function_changes():
    settings = Settings()

    @compiled
    def f(x):
        settings.beta *= 0.5
        return x * settings.beta

    assert [f(irtool.ones(1)).item() for _ in range(4)] == [0.5, 0.25, 0.125, 0.0625]
    assert settings.beta == 0.0625 and type(settings.beta) is float and programs(f) == 1


def test_floats_that_python_needs():
    """As constants: each value is a program."""
    settings = Settings()

    @compiled
    def f(x):
        return x * 2 if settings.beta > 0.7 else x

    for settings.beta in (1.0, 0.9, 0.5, 0.9):
        assert f(irtool.ones(1)).item() == (2.0 if settings.beta > 0.7 else 1.0)
    assert programs(f) == 3


@pytest.mark.parametrize(
    "read",
    [
        lambda x, n: x / (1 - 0.9**n),
        lambda x, n: x * math.sqrt(1 - 0.9**n) / n,
        lambda x, n: x * sqrt(2.0 * n) + math.exp(n / -10),
        lambda x, n: x + (0.5 - n) * (n - 0.5),
        lambda x, n: n * x / (n + 1) - n,
    ],
)
def test_counters_in_arithmetic(read):
    """Where a float comes of them in any case they are run-time numbers."""

    def outcome(wrap):
        settings = Settings()

        @wrap
        def f(x):
            settings.calls += 1
            return read(x, settings.calls)

        found = [f(irtool.ones(1)).item() for _ in range(4)]
        assert settings.calls == 4 and (wrap is eagerly or programs(f) == 1)
        return found

    assert outcome(compiled) == pytest.approx(outcome(eagerly))


def test_questions_about_counters():
    """Programs depend on the answers: one for calls that do something more, one for the others."""
    settings = Settings()

    @compiled
    def f(x):
        settings.calls += 1
        settings.waits += 1
        if settings.waits >= 4:
            settings.waits = 0
            x = x + 10
        return x * 2 if settings.calls % 3 == 0 else x

    expected = [1.0, 1.0, 2.0, 11.0, 1.0, 2.0, 1.0, 11.0, 2.0, 1.0, 1.0, 22.0]
    assert [f(irtool.ones(1)).item() for _ in range(12)] == expected
    assert settings.calls == 12 and settings.waits == 0 and programs(f) == 4
    assert "(settings.calls + 1) % 3 == 0 was" in f.explain() or "waits" in f.explain()


class Adam(optim.Optimizer):
    """As people write it, with numbers in dictionaries."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr, "betas": (0.9, 0.99)})

    @irtool.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            first, second = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                if len(state) == 0:
                    state["step"], state["m"], state["v"] = 0, irtool.zeros_like(p), irtool.zeros_like(p)
                state["step"] += 1
                state["m"].mul_(first).add_(p.grad, alpha=1 - first)
                state["v"].mul_(second).addcmul_(p.grad, p.grad, value=1 - second)
                spread = (state["v"].sqrt() / math.sqrt(1 - second ** state["step"])).add_(1e-8)
                p.addcdiv_(state["m"], spread, value=-group["lr"] / (1 - first ** state["step"]))


class Ascent(optim.Optimizer):
    """Two steps to one, and weights put back by assigning `.data`."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})
        self.base = optim.SGD(self.param_groups, lr=lr, momentum=0.9)
        self.param_groups = self.base.param_groups

    @irtool.no_grad()
    def step(self, closure):
        for p in self.param_groups[0]["params"]:
            self.state[p]["before"] = p.data.clone()
            p.add_(0.1 * p.grad)
        self.zero_grad()
        with irtool.enable_grad():
            closure()
        for p in self.param_groups[0]["params"]:
            p.data = self.state[p]["before"]
        self.base.step()


class Decaying(optim.Adam):
    """Reads the learning rate as well."""

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.data.mul_(1 - 0.1 * group["lr"])
        super().step(closure)


@pytest.mark.parametrize(("kind", "count"), [(Adam, 2), (Ascent, 2), (Decaying, 1)])
def test_optimizers_of_users(kind, count):
    """One program for the call that makes the state, one for all others."""

    def outcome(wrap):
        w = nn.Parameter(irtool.tensor([1.0, -2.0]))
        optimizer = kind([w], lr=0.1)

        def loss_of(x):
            loss = ((w * x - 1) ** 2).sum()
            loss.backward()
            return loss

        @wrap
        def step(x):
            optimizer.zero_grad()
            loss = loss_of(x)
            optimizer.step(lambda: loss_of(x))
            return loss, optimizer.param_groups[0]["lr"]

        found = []
        for k in range(6):
            optimizer.param_groups[0]["lr"] = 0.1 / (k + 1)
            loss, rate = step(irtool.tensor([1.0, 0.5]))
            assert rate == 0.1 / (k + 1)
            found.append(loss.item())
        assert wrap is eagerly or programs(step) == count
        return [*found, *w.tolist()]

    assert outcome(compiled) == pytest.approx(outcome(eagerly), rel=1e-5)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, s: x.sum(s - 1),
        lambda x, s: x.roll(s, 0),
        lambda x, s: irtool.arange(s),
        lambda x, s: x.unfold(0, s, 1) + 0,
        lambda x, s: x.diagonal(s) + 0,
        lambda x, s: nn.functional.avg_pool2d(x[None], s),
        lambda x, s: x.transpose(0, s - 1) + 0,
        lambda x, s: nn.functional.one_hot(x.argmax(0), s + 4),
    ],
)
def test_what_is_remembered_of_ops_holds_plain_numbers(function):
    """Shapes and views are remembered for all traces and eager code: no number of one trace may stay in them."""
    f = compiled(function)
    for s in (1, 2, 1, 2):
        f(irtool.ones(4, 4), s)

    def numbers(value):
        return [n for v in value for n in numbers(v)] if isinstance(value, tuple) else [value]

    remembered = [(*key[2:], *(spec.shape for spec in specs)) for key, specs in dispatch._specs.items()]
    remembered += [(*v.attributes.values(), v.spec.shape, v.layout) for v in layout._views.values() if v is not None]
    assert not [n for n in numbers(tuple(remembered)) if hasattr(type(n), "_symbols")]
