"""irtool.compile: whole steps, functions without gradients, trees, state, aliases, numbers; by reference."""

from __future__ import annotations

import functools
import gc
import os
import threading
import weakref
from collections import namedtuple

import irtool
import numpy as np
import pytest
from irtool import nn, optim
from irtool.nn import functional as F

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))


@pytest.fixture(autouse=True)
def seed():
    irtool.manual_seed(0)


def make_model():
    irtool.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


def batch():
    irtool.manual_seed(2)
    return irtool.randn(4, 6), irtool.tensor([0, 2, 1, 2])


def make_step(model, optimizer):
    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=0.01),
    "adamw": lambda p: optim.AdamW(p, lr=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_whole_step_follows_eager(name):
    x, y = batch()
    losses = {}
    for how in ("eager", "compiled"):
        model = make_model()
        optimizer = OPTIMIZERS[name](model.parameters())
        step = make_step(model, optimizer)
        if how == "compiled":
            step = compiled(step)
        losses[how] = [step(x, y).item() for _ in range(5)]
        if how == "compiled":
            assert len(step.programs()) == 1
    np.testing.assert_allclose(losses["compiled"], losses["eager"], rtol=1e-6)
    assert losses["eager"][-1] < losses["eager"][0]


def test_learning_rate_and_scheduler_compile_nothing_anew():
    x, y = batch()
    losses = {}
    for how in ("eager", "compiled"):
        model = make_model()
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        step = make_step(model, optimizer)
        step = compiled(step) if how == "compiled" else step
        losses[how] = []
        for i in range(4):
            optimizer.param_groups[0]["lr"] = 0.1 / (i + 1)
            losses[how].append(step(x, y).item())
        if how == "compiled":
            assert len(step.programs()) == 1
    np.testing.assert_allclose(losses["compiled"], losses["eager"], rtol=1e-6)


def test_function_without_gradients():
    @compiled
    def f(a, b):
        return (a @ b).relu() + 1

    a, b = irtool.randn(3, 4), irtool.randn(4, 2)
    np.testing.assert_allclose(f(a, b).numpy(), np.maximum(a.numpy() @ b.numpy(), 0) + 1, rtol=1e-6)
    assert len(f.programs()) == 1
    f(b.T.contiguous(), a.T.contiguous())
    assert len(f.programs()) == 2


def test_names_and_lines_in_the_ir():
    model = nn.Linear(6, 3)
    step = compiled(make_step(model, optim.SGD(model.parameters(), lr=0.1)))
    step(*batch())
    text = step.ir(locations=True)
    for name in ("%weight", "%bias", "%x", "%y", "%loss", "%dweight"):
        assert name in text
    assert "test_compile.py" in text
    assert "irtool.result" in text
    assert "stop_gradient" not in text
    assert text.count("hl.gradient") == 1


# Trees


Pair = namedtuple("Pair", "first second")


def test_trees_of_arguments_and_results():
    @compiled
    def f(data, *, scale, flag=True):
        total = data["a"] + data["b"][0]
        return {"total": total * scale, "pair": Pair(total, "text"), "list": [total, None, 3], "flag": flag}

    a, b = irtool.tensor([1.0, 2.0]), irtool.tensor([3.0, 4.0])
    out = f({"a": a, "b": [b]}, scale=2.0)
    assert out["total"].tolist() == [8.0, 12.0]
    assert isinstance(out["pair"], Pair) and out["pair"].first.tolist() == [4.0, 6.0] and out["pair"].second == "text"
    assert out["list"][1:] == [None, 3] and out["flag"] is True
    for scale in (3.0, 4.0):  # a constant at first, symbolic from the second value on
        assert f({"a": a, "b": [b]}, scale=scale)["total"].tolist() == [4 * scale, 6 * scale]
    assert len(f.programs()) == 2
    f({"a": a, "b": (b,)}, scale=2.0)
    assert len(f.programs()) == 3


def test_the_same_result_twice_and_views_of_it_share_memory():
    @compiled
    def f(x):
        y = x * 2
        return y, y, y[0], y.view(-1)

    y, again, row, flat = f(irtool.ones(2, 3))
    assert y is again or y._storage is again._storage
    y.fill_(7)
    assert row.tolist() == [7.0] * 3 and flat.tolist() == [7.0] * 6


def test_results_that_are_arguments_are_the_arguments():
    @compiled
    def f(x, n):
        return x, x.view(-1), n

    x = irtool.ones(2, 2)
    same, flat, number = f(x, 1.5)
    assert same is x and number == 1.5
    flat.fill_(3)
    assert x.tolist() == [[3.0, 3.0], [3.0, 3.0]]
    other = irtool.zeros(2, 2)
    for number in (2.5, 3.5):
        assert f(other, number)[0] is other and f(other, number)[2] == number and len(f.programs()) == 2


def test_a_copy_of_an_argument_is_a_copy():
    @compiled
    def f(x):
        y = x.clone()
        x.add_(1)
        return y

    x = irtool.ones(2)
    assert f(x).tolist() == [1.0, 1.0] and x.tolist() == [2.0, 2.0]
    assert f(x).tolist() == [2.0, 2.0] and x.tolist() == [3.0, 3.0]


# State


def test_captured_tensors_are_updated_in_place():
    counter, total = irtool.zeros(1), irtool.zeros(3)
    view = total[1:]

    @compiled
    def f(x):
        counter.add_(1)
        total.add_(x)
        return total.sum()

    for i in range(1, 4):
        before = total._storage.version
        assert f(irtool.tensor([1.0, 2.0, 3.0])).item() == 6.0 * i
        assert total._storage.version > before
    assert counter.item() == 3 and total.tolist() == [3.0, 6.0, 9.0] and view.tolist() == [6.0, 9.0]
    total.zero_()
    assert f(irtool.ones(3)).item() == 3.0
    assert len(f.programs()) == 1


def test_views_of_captured_tensors():
    table = irtool.zeros(3, 2)
    row = table[1]

    @compiled
    def f(x):
        row.add_(x)
        table[:, 0] = 5
        return table.sum(), row * 1

    total, now = f(irtool.tensor([1.0, 2.0]))
    assert total.item() == 17.0 and now.tolist() == [5.0, 2.0]
    assert table.tolist() == [[5.0, 0.0], [5.0, 2.0], [5.0, 0.0]] and row.tolist() == [5.0, 2.0]


def test_programs_do_not_keep_the_batches_of_their_first_call():
    f = compiled(lambda x, y: (x * 2, y.detach(), x[0]))
    for _ in range(2):
        x, y = irtool.ones(3, 3), irtool.ones(3, 3)
        kept = weakref.ref(x._storage)
        f(x, y)
    f(irtool.ones(3, 3), irtool.ones(3, 3))
    del x
    gc.collect()
    assert kept() is None and len(f.programs()) == 1


def test_swapping_state():
    a, b = irtool.tensor([1.0]), irtool.tensor([2.0])

    @compiled
    def swap():
        old = a.clone()
        a.copy_(b)
        b.copy_(old)
        return a

    swap()
    assert (a.item(), b.item()) == (2.0, 1.0)
    assert swap() is a
    assert (a.item(), b.item()) == (1.0, 2.0)


def test_in_place_writes_to_arguments_reach_the_caller():
    @compiled
    def f(x, y):
        x.mul_(2)
        y[0] = x.sum()

    x, data = irtool.ones(2), irtool.zeros(3, 4)
    f(x, data[1])
    f(x, data[2])
    assert x.tolist() == [4.0, 4.0]
    assert data.tolist() == [[0] * 4, [4.0, 0, 0, 0], [8.0, 0, 0, 0]]
    assert len(f.programs()) == 1


def test_one_tensor_as_two_arguments():
    @compiled
    def f(x, y):
        x.add_(1)
        return x + y

    a, b = irtool.ones(2), irtool.ones(2)
    assert f(a, b).tolist() == [3.0, 3.0]
    assert f(a, a).tolist() == [6.0, 6.0]
    assert f(a, b).tolist() == [5.0, 5.0]
    c = irtool.zeros(4)
    assert f(c[:2], c[2:]).tolist() == [1.0, 1.0] and c.tolist() == [1.0, 1.0, 0.0, 0.0]
    assert f(c[:2], c[1:3]).tolist() == [4.0, 2.0]


def test_an_argument_that_is_also_captured():
    w = irtool.ones(2)

    @compiled
    def f(x):
        w.add_(1)
        return x * 1

    x = irtool.ones(2)
    assert f(x).tolist() == [1.0, 1.0] and w.tolist() == [2.0, 2.0]
    assert f(w).tolist() == [3.0, 3.0] and w.tolist() == [3.0, 3.0]
    assert f(x).tolist() == [1.0, 1.0]


def test_tied_weights():
    losses = {}
    for how in ("eager", "compiled"):
        irtool.manual_seed(3)
        a, b = nn.Linear(4, 4), nn.Linear(4, 4)
        b.weight = a.weight
        model = nn.Sequential(a, nn.Tanh(), b)
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(x, model=model, optimizer=optimizer):
            loss = (model(x) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        step = compiled(step) if how == "compiled" else step
        losses[how] = [step(irtool.ones(2, 4)).item() for _ in range(3)]
        assert a.weight is b.weight
    np.testing.assert_allclose(losses["compiled"], losses["eager"], rtol=1e-6)


def test_random_numbers_advance_and_follow_eager():
    def f():
        return irtool.rand(3)

    irtool.manual_seed(5)
    eager = [f().tolist(), f().tolist()]
    g = compiled(f)
    irtool.manual_seed(5)
    assert [g().tolist(), g().tolist()] == eager
    assert eager[0] != eager[1] and len(g.programs()) == 1
    irtool.manual_seed(5)
    assert g().tolist() == eager[0]


def test_dropout_trains_and_evaluates():
    model = nn.Dropout(0.5)
    f = compiled(lambda x: model(x))
    x = irtool.ones(1000)
    first, second = f(x), f(x)
    assert 300 < (first == 0).sum().item() < 700 and not (first == second).all().item()
    model.eval()
    assert f(x).tolist() == x.tolist() and len(f.programs()) == 2
    model.train()
    f(x)
    assert len(f.programs()) == 2


def test_assigning_to_a_buffer_updates_it():
    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", irtool.zeros(2))

        def forward(self, x):
            self.mean = 0.5 * self.mean + 0.5 * x.mean(0)
            return x - self.mean

    module = Mean()
    f = compiled(lambda x: module(x))
    f(irtool.full((3, 2), 4.0))
    assert module.mean.tolist() == [2.0, 2.0]
    f(irtool.full((3, 2), 4.0))
    assert module.mean.tolist() == [3.0, 3.0] and len(f.programs()) == 1
    held = module.mean
    f(irtool.full((3, 2), 4.0))
    assert held.tolist() == [3.0, 3.0] and module.mean.tolist() == [3.5, 3.5]  # as eagerly: it is another tensor now


# Numbers


def test_float_arguments_that_change_are_run_time_scalars():
    @compiled
    def f(x, scale, shift=0.0):
        return x * scale + (shift * 2 - 1)

    x = irtool.tensor([1.0, 2.0])
    for scale in (0.5, 2.0, 3.5, -0.0, 1e30):
        assert f(x, scale, shift=1.0).tolist() == pytest.approx([scale + 1, 2 * scale + 1])
    assert len(f.programs()) == 2
    assert f(x, np.float32(4.0), shift=1.0).tolist() == [5.0, 9.0]
    assert len(f.programs()) == 3
    assert f(x, 2.0).dtype is irtool.float32
    assert f(x.double(), 0.1).dtype is irtool.float64
    np.testing.assert_array_equal(f(x.double(), 0.1).numpy(), np.array([1.0, 2.0]) * 0.1 - 1)


def test_a_float_that_python_needs_becomes_a_constant():
    @compiled
    def f(x, p):
        return x * 2 if p > 0.5 else x

    x = irtool.ones(1)
    assert f(x, 0.7).item() == 2 and f(x, 0.2).item() == 1 and f(x, 0.7).item() == 2
    assert len(f.programs()) == 2


def test_other_plain_arguments_are_static():
    @compiled
    def f(x, n, mode):
        return x * n if mode == "mul" else x + n

    x = irtool.ones(1)
    assert [f(x, 2, "mul").item(), f(x, 3, "mul").item(), f(x, 3, "add").item(), f(x, np.int64(2), "mul").item()] == [
        2,
        3,
        4,
        2,
    ]
    assert len(f.programs()) == 4
    f(x, 3, "add")
    assert len(f.programs()) == 4
    with pytest.raises(TypeError, match="from_numpy"):
        f(np.ones(1), 2, "mul")


def test_methods_and_objects():
    class Trainer:
        def __init__(self):
            self.weight = irtool.ones(2)
            self.calls = 0

        @compiled
        def step(self, x):
            self.weight.add_(x)
            return self.weight.sum()

    trainer = Trainer()
    for i in range(3):
        trainer.calls += 1
        assert trainer.step(irtool.ones(2)).item() == 4.0 + 2 * i
    assert len(Trainer.step.programs()) == 1
    assert Trainer().step(irtool.ones(2)).item() == 4.0


def test_compiled_functions_compose():
    inner = compiled(lambda x: x * 2)
    outer = compiled(lambda x: inner(x) + 1)
    assert outer(irtool.ones(1)).item() == 3.0
    assert not inner.programs()


def test_threads_that_call_first_share_a_program():
    f = irtool.compile(lambda x: x @ x.t(), target="reference")
    x, found = irtool.randn(8, 8), []
    threads = [threading.Thread(target=lambda: found.append(f(x).tolist())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(f.programs()) == 1 and found[0] == found[1] == found[2]
