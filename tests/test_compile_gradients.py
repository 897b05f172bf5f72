"""What happens to `.grad`, and gradients that flow out of compiled functions and modules."""

from __future__ import annotations

import copy
import functools
import os
import pickle

import irtool
import numpy as np
import pytest
from irtool import nn, optim

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))


@pytest.mark.filterwarnings("ignore:.grad reads None")
def test_gradients_used_up_inside_read_none():
    w = nn.Parameter(irtool.ones(2))
    optimizer = optim.SGD([w], lr=0.5)

    def step(x):
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()

    f = compiled(step)
    for _ in range(3):
        f(irtool.ones(2))
        assert w.grad is None
    assert w.tolist() == [-0.5, -0.5] and len(f.programs()) == 1
    kept = compiled(step, keep_gradients=True)
    kept(irtool.tensor([2.0, 3.0]))
    assert w.grad.tolist() == [2.0, 3.0]
    kept(irtool.tensor([4.0, 3.0]))
    assert w.grad.tolist() == [4.0, 3.0] and len(kept.programs()) == 1


def test_gradients_accumulate_over_calls():
    w = nn.Parameter(irtool.ones(2))
    optimizer = optim.SGD([w], lr=1.0)

    @compiled
    def accumulate(x):
        loss = (w * x).sum()
        loss.backward()
        return loss

    for _ in range(2):
        w.data.fill_(1.0)
        accumulate(irtool.tensor([1.0, 2.0]))
        assert w.grad.tolist() == [1.0, 2.0]
        held = w.grad
        accumulate(irtool.tensor([1.0, 2.0]))
        assert w.grad is held and held.tolist() == [2.0, 4.0]
        optimizer.step()
        assert w.tolist() == [-1.0, -3.0]
        optimizer.zero_grad()
    assert len(accumulate.programs()) == 2


def test_without_zero_grad_inside_gradients_stay():
    results = {}
    for how in ("eager", "compiled"):
        w = nn.Parameter(irtool.ones(1))
        optimizer = optim.SGD([w], lr=0.1)

        def step(x, w=w, optimizer=optimizer):
            (w * x).sum().backward()
            optimizer.step()

        step = compiled(step) if how == "compiled" else step
        results[how] = []
        for _ in range(3):
            step(irtool.ones(1))
            results[how].append((w.item(), w.grad.item()))
    np.testing.assert_allclose(results["compiled"], results["eager"])


def test_zero_grad_to_zeros():
    w = nn.Parameter(irtool.ones(1))

    @compiled
    def f(x):
        if w.grad is not None:
            w.grad.zero_()
        (w * x).sum().backward()

    for x in (2.0, 3.0, 4.0):
        f(irtool.tensor([x]))
        assert w.grad.item() == x


def test_gradients_of_arguments():
    @compiled
    def f(x):
        (x**2).sum().backward()

    x = irtool.tensor([1.0, 2.0], requires_grad=True)
    f(x)
    assert x.grad.tolist() == [2.0, 4.0]
    other = irtool.tensor([3.0, 4.0], requires_grad=True)
    f(other)
    assert other.grad.tolist() == [6.0, 8.0] and x.grad.tolist() == [2.0, 4.0]
    assert len(f.programs()) == 1
    f(x)
    assert x.grad.tolist() == [4.0, 8.0]


def test_asking_for_gradients_of_an_argument():
    @compiled
    def f(x):
        x.requires_grad_()
        return (x * x).sum()

    x = irtool.ones(2)
    f(x).backward()
    assert x.requires_grad and x.grad.tolist() == [2.0, 2.0]


def test_gradients_returned_and_of_gradients():
    w = irtool.tensor([2.0, 3.0], requires_grad=True)

    @compiled
    def f(x):
        (first,) = irtool.autograd.grad((w**3 * x).sum(), w, create_graph=True)
        (second,) = irtool.autograd.grad(first.sum(), w)
        return first, second

    first, second = f(irtool.ones(2))
    assert first.tolist() == [12.0, 27.0] and second.tolist() == [12.0, 18.0]
    assert w.grad is None


def test_two_updates_in_one_step():
    results = {}
    for how in ("eager", "compiled"):
        w = nn.Parameter(irtool.tensor([1.0, -2.0]))
        optimizer = optim.Adam([w], lr=0.1)

        def step(x, w=w, optimizer=optimizer):
            for _ in range(2):
                optimizer.zero_grad()
                loss = ((w * x) ** 2).sum()
                loss.backward()
                optimizer.step()
            return loss

        step = compiled(step) if how == "compiled" else step
        results[how] = [step(irtool.tensor([1.0, 2.0])).item() for _ in range(3)] + w.tolist()
    np.testing.assert_allclose(results["compiled"], results["eager"], rtol=1e-6)


def test_detached_values_carry_no_gradient():
    w = irtool.tensor([3.0], requires_grad=True)

    @compiled
    def f():
        with irtool.no_grad():
            a = w * 2
        b = w.detach() * 5
        loss = (w * a * b).sum()
        loss.backward()
        return loss

    assert f().item() == 3 * 6 * 15
    assert w.grad.item() == 6 * 15


# Modules and functions that are differentiated outside


def make_model():
    irtool.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


def test_a_compiled_module_follows_eager():
    results = {}
    irtool.manual_seed(2)
    data, target = irtool.randn(4, 6), irtool.tensor([0, 2, 1, 2])
    for how in ("eager", "compiled"):
        model = make_model()
        run = compiled(model) if how == "compiled" else model
        optimizer = optim.SGD(run.parameters(), lr=0.1, momentum=0.9)
        losses = []
        for _ in range(4):
            x = data.clone().requires_grad_()
            loss = nn.functional.cross_entropy(run(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append([loss.item(), *x.grad.sum(0).tolist()])
        results[how] = losses
        if how == "compiled":
            assert len(run.programs()) == 1
    np.testing.assert_allclose(results["compiled"], results["eager"], rtol=1e-5)


def test_gradients_accumulate_and_flow_into_eager_graphs():
    model = make_model()
    run = compiled(model)
    w = irtool.ones(4, 6, requires_grad=True)

    def both(f):
        w.grad = None
        model.zero_grad()
        for _ in range(2):
            (f(w * 2) * 3).sum().backward()
        return [w.grad.tolist(), model[0].weight.grad.tolist()]

    for a, b in zip(both(run), both(model)):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_several_outputs_of_which_some_are_used():
    w = irtool.tensor([2.0], requires_grad=True)
    f = compiled(lambda x: (x * w, x * w * w, x + 1))
    a, b, c = f(irtool.tensor([3.0]))
    assert a.requires_grad and b.requires_grad and not c.requires_grad
    b.backward()
    assert w.grad.item() == 12.0
    w.grad = None
    a, b, _ = f(irtool.tensor([3.0]))
    (a + b).backward()
    assert w.grad.item() == 15.0


def test_detached_parts_of_outputs_carry_no_gradient():
    w = irtool.tensor([2.0], requires_grad=True)
    f = compiled(lambda x: x * w + (w * w - x * w).detach())
    y = f(irtool.tensor([3.0]))
    y.backward()
    assert y.item() == 4.0 and w.grad.item() == 3.0


def test_weights_changed_before_they_are_used():
    results = {}
    for how in ("eager", "compiled"):
        w = nn.Parameter(irtool.tensor([1.0, 2.0]))
        b = nn.Parameter(irtool.tensor([0.5, 0.5]))

        def f(x, w=w, b=b):
            early = (x * w).sum()
            with irtool.no_grad():
                w.mul_(0.5)
            return early + (w * x * b).sum(), b * w

        run = compiled(f) if how == "compiled" else f
        results[how] = []
        for _ in range(2):
            first, second = run(irtool.tensor([3.0, 4.0]))
            (first + second.sum()).backward()
            results[how] += [*w.tolist(), *w.grad.tolist(), *b.grad.tolist()]
    np.testing.assert_allclose(results["compiled"], results["eager"])


def test_module_modes():
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    run = compiled(model)
    x = irtool.ones(2, 3)
    assert run(x).requires_grad
    with irtool.no_grad():
        assert not run(x).requires_grad
    run.eval()
    assert not model.training
    np.testing.assert_allclose(run(x).tolist(), model(x).tolist(), rtol=1e-6)
    assert len(run.programs()) == 3
    assert repr(model[0]) in repr(run)


def test_attributes_of_a_compiled_module_are_the_modules():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = 2.0

        def forward(self, x):
            return x * self.scale

    model = Scaled()
    run = compiled(model)
    assert run(irtool.ones(1)).item() == 2.0
    run.scale = 3.0
    assert model.scale == 3.0 and run(irtool.ones(1)).item() == 3.0
    run.eval()
    assert not run.training and not model.training


def test_a_copy_of_a_compiled_module_is_its_own():
    run = compiled(make_model())
    x = irtool.ones(1, 6)
    other = copy.deepcopy(run)
    with irtool.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
        assert run(x).tolist() != other(x).tolist()
    assert list(pickle.loads(pickle.dumps(run)).state_dict()) == list(run.state_dict())


def test_a_changed_weight_between_forward_and_backward_is_an_error():
    model = make_model()
    loss = compiled(model)(irtool.ones(1, 6)).sum()
    with irtool.no_grad():
        model[2].weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_saved_values_outlive_the_next_call():
    w = irtool.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    f = compiled(lambda x: irtool.tanh(x @ w).sum())
    data = irtool.tensor([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    losses = [f(data[i : i + 1]) for i in range(3)]
    for loss in losses:
        loss.backward()
    got = w.grad.tolist()
    w.grad = None
    for i in range(3):
        irtool.tanh(data[i : i + 1] @ w).sum().backward()
    np.testing.assert_allclose(got, w.grad.tolist(), rtol=1e-5)


def test_what_a_step_returns_after_its_backward_has_a_history_that_is_used_up():
    w = nn.Parameter(irtool.ones(1))

    def step(x):
        out = w * x
        loss = out.sum()
        loss.backward()
        return loss, out

    for function in (step, compiled(step)):
        loss, out = function(irtool.ones(1))
        assert loss.requires_grad and out.requires_grad
        for y in (loss, out):
            with pytest.raises(RuntimeError, match="backward through the graph a second time"):
                y.backward()
        assert w.grad.tolist() == [1.0]
        w.grad = None


def test_views_that_are_returned_pass_gradients_on():
    w = nn.Parameter(irtool.ones(2, 3))

    @compiled
    def step(x):
        return x.t(), x[:, 1:][0], w.flatten()

    x = irtool.arange(12.0).reshape(3, 4).t()[1:3].requires_grad_()
    turned, row, flat = step(x)
    (turned.sum() + 2 * row.sum() + 3 * flat.sum()).backward()
    assert x.grad.tolist() == [[1, 3, 3], [1, 1, 1]]
    assert w.grad.tolist() == [[3, 3, 3]] * 2
    with irtool.no_grad():
        assert not step(x)[0].requires_grad
