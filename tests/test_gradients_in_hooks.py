"""Gradients that hooks and custom backward functions take, and what these may write to."""

from __future__ import annotations

import functools
import os

import irtool
import numpy as np
import pytest
from irtool import nn
from irtool.autograd import Function, grad

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))
MODES = pytest.mark.parametrize("mode", [lambda f: f, compiled], ids=["eager", "compiled"])


def test_a_backward_that_writes_to_a_buffer_is_refused_at_the_line_that_does():
    class Watched(Function):
        @staticmethod
        def forward(ctx, x, seen):
            ctx.seen = seen
            return x * 2

        @staticmethod
        def backward(ctx, dy):
            watched = dy.abs().mean()
            ctx.seen[0] = watched
            return dy * 2, None

    w, seen = nn.Parameter(irtool.ones(2)), irtool.zeros(2)

    @compiled
    def f(x):
        (Watched.apply(w * x, seen) * x).sum().backward()

    line = Watched.backward.__code__.co_firstlineno + 3
    with pytest.raises(
        RuntimeError, match=rf"Watched.backward changes a tensor .*\(at test_gradients_in_hooks.py:{line}\)"
    ):
        f(irtool.ones(2))
    assert seen.tolist() == [0.0, 0.0] and not seen.requires_grad and w.grad is None


@MODES
def test_a_hook_that_takes_gradients(mode):
    """A layer that is a fixed point: its gradient is that of the function, as often as it takes."""
    w = nn.Parameter(0.5 * irtool.eye(3))

    @mode
    def f(x):
        w.grad = None
        with irtool.no_grad():
            z = irtool.zeros(3)
            for _ in range(20):
                z = irtool.tanh(w @ z + x)
        z = irtool.tanh(w @ z + x)
        start = z.clone().detach().requires_grad_()
        again = irtool.tanh(w @ start + x)

        def hook(g):
            total = g
            for _ in range(20):
                total = grad(again, start, total, retain_graph=True)[0] + g
            return total

        z.register_hook(hook)
        (z**2).sum().backward()
        return w.grad.clone()

    def unrolled(w, x):
        z = irtool.zeros(3)
        for _ in range(40):
            z = irtool.tanh(w @ z + x)
        return (z**2).sum()

    x = irtool.tensor([0.3, -0.2, 0.1])
    expected = irtool.func.grad(unrolled)(w.detach(), x)
    for _ in range(2):
        np.testing.assert_allclose(f(x).numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_a_hook_may_not_use_what_was_computed_after_the_loss():
    w = nn.Parameter(irtool.ones(2))

    @compiled
    def f(x):
        z = w * x
        loss = (z**2).sum()
        later = (z.detach() * 3).exp()
        z.register_hook(lambda g: g * later)
        loss.backward()

    with pytest.raises(RuntimeError, match="may use only what was there before"):
        f(irtool.ones(2))


@MODES
def test_gradients_are_taken_without_recording(mode):
    x = irtool.tensor([1.0, 2.0], requires_grad=True)

    @mode
    def f():
        y = (x * x).sum()
        with irtool.no_grad():
            return grad(y, x)[0]

    assert f().tolist() == [2.0, 4.0]


@MODES
def test_gradients_of_several_outputs_share_a_graph(mode):
    v, w = (nn.Parameter(irtool.ones(2)) for _ in range(2))

    @mode
    def f(x):
        first = grad(((v * w * x) ** 3).sum(), [v, w], create_graph=True)
        return grad(first, [v, w], grad_outputs=[irtool.ones(2)] * 2)

    assert [g.tolist() for g in f(irtool.tensor([1.0, 2.0]))] == [[15.0, 120.0]] * 2
