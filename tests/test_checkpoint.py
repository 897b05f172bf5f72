"""Computing again instead of keeping."""

from __future__ import annotations

import functools
import os

import irtool
import numpy as np
import pytest
from irtool import nn, optim
from irtool.autograd import grad
from irtool.utils.checkpoint import checkpoint, checkpoint_sequential

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))
MODES = pytest.mark.parametrize("mode", [lambda f: f, compiled], ids=["eager", "compiled"])


def gradients(mode, run):
    irtool.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 3))

    def step(x):
        x.requires_grad_()
        loss = (run(model, x * 2) ** 2).sum()
        loss.backward()
        return loss.detach(), x.grad

    f = mode(step)
    found = [f(irtool.tensor([[1.0, 2.0, 3.0]])) for _ in range(2)]
    return [t.numpy() for pair in found for t in pair] + [p.grad.numpy() for p in model.parameters()]


@MODES
def test_the_same_numbers_as_without(mode):
    plain = gradients(lambda f: f, lambda model, x: model(x))
    for run in (
        lambda model, x: checkpoint(model, x, use_reentrant=False),
        lambda model, x: checkpoint(lambda y: checkpoint(model, y), x),
        lambda model, x: checkpoint_sequential(model, 2, x),
    ):
        for a, b in zip(plain, gradients(mode, run), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@MODES
def test_gradients_of_gradients(mode):
    def f(x):
        x.requires_grad_()
        y = checkpoint(lambda v: (v * v * v).sum(), x)
        (g,) = grad(y, x, create_graph=True)
        (gg,) = grad(g.sum(), x)
        return gg

    assert mode(f)(irtool.tensor([1.0, 2.0])).tolist() == [6.0, 12.0]


@MODES
def test_several_outputs_and_plain_values(mode):
    def f(x):
        x.requires_grad_()
        found = checkpoint(lambda v, scale: {"a": v * scale, "b": (v + 1, "name"), "c": v.argmax()}, x, 3)
        (found["a"].sum() + found["b"][0].sum()).backward()
        return x.grad, found["c"], found["b"][1]

    g, c, name = mode(f)(irtool.tensor([1.0, 2.0]))
    assert g.tolist() == [4.0, 4.0] and c.item() == 1 and name == "name"


@MODES
def test_running_statistics_move_in_a_checkpoint(mode):
    norm = nn.BatchNorm1d(2)

    def f(x):
        checkpoint(norm, x).sum().backward()

    mode(f)(irtool.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert norm.weight.grad is not None and float(norm.running_mean[0]) > 0


def test_eager_keeps_less_and_refuses_changed_arguments():
    x = irtool.ones(4, requires_grad=True)
    h = x * 1
    y = checkpoint(lambda v: v.exp().exp().exp(), h)
    assert repr(y.grad_fn) == "<CheckpointBackward>"
    h.add_(1)
    with pytest.raises(RuntimeError, match="cannot be computed again"):
        y.sum().backward()


def test_memory_of_a_compiled_step_goes_down():
    def peak(wrap):
        irtool.manual_seed(0)
        blocks = [nn.Sequential(nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 64), nn.Tanh()) for _ in range(6)]
        optimizer = optim.SGD([p for b in blocks for p in b.parameters()], lr=0.1)

        def step(x):
            for block in blocks:
                x = wrap(block, x)
            loss = (x * x).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        f = irtool.compile(step)
        x = irtool.randn(512, 64)
        losses = [f(x).item() for _ in range(2)]
        return f.memory()["arena"], losses

    plain, expected = peak(lambda block, x: block(x))
    less, losses = peak(checkpoint)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert less < 0.6 * plain


def test_what_a_checkpointed_function_keeps_is_refused_with_its_line():
    kept = []

    def part(x):
        kept.append(x.sum())
        return x.exp()

    step = compiled(lambda x: checkpoint(part, x))
    with pytest.raises(RuntimeError, match=r"made at \S*test_checkpoint.py:\d+(.|\n)*has no value outside"):
        step(irtool.ones(2, requires_grad=True))
