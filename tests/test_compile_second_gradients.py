"""Gradients of gradients that flow out of compiled functions and modules."""

from __future__ import annotations

import functools
import os

import irtool
import numpy as np
import pytest
from irtool import nn

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))


def penalty(f, model, x):
    """A gradient penalty on f = model, and what it leaves."""
    model.zero_grad()
    x = x.detach().requires_grad_()
    y = f(x)
    y = y[0] if isinstance(y, tuple) else y
    (g,) = irtool.autograd.grad(y.sum(), x, create_graph=True)
    ((g.flatten(1).norm(dim=1) - 1) ** 2).mean().backward()
    return [g.detach(), x.grad, *(p.grad for p in model.parameters())]


MODELS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.Tanh(), nn.Linear(5, 1)), (3, 4)),
    "batchnorm": (lambda: nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.GELU(), nn.Linear(5, 1)), (3, 4)),
    "conv": (lambda: nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(3, 1, 4)), (2, 2, 4, 4)),
    "gru": (lambda: nn.GRU(4, 3, batch_first=True), (2, 3, 4)),
}


@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_gradients_outside(name):
    make, shape = MODELS[name]
    model, x = make(), irtool.randn(*shape)
    f = compiled(model)
    for _ in range(2):
        for found, expected in zip(penalty(f, model, x), penalty(model, model, x), strict=True):
            if expected is None:
                assert found is None or not found.any()
            else:
                np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_third_derivatives_and_detached_parts():
    x = irtool.tensor([2.0, 3.0], requires_grad=True)
    y = compiled(lambda x: x**3 * x.detach())(x)
    (g,) = irtool.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = irtool.autograd.grad(g.sum(), x, create_graph=True)
    (k,) = irtool.autograd.grad(h.sum(), x)
    assert [t.tolist() for t in (g, h, k)] == [[24.0, 81.0], [24.0, 54.0], [12.0, 18.0]]


def test_second_derivatives_see_the_same_dropout():
    dropout = nn.Dropout(0.5)
    x = irtool.ones(64, requires_grad=True)
    f = compiled(lambda x: dropout(x) ** 3)
    y = f(x)
    f(x)
    (g,) = irtool.autograd.grad(y.sum(), x, create_graph=True)
    (h,) = irtool.autograd.grad(g.sum(), x)
    assert h.tolist() == [48.0 if v else 0.0 for v in y.tolist()]


def test_one_step_of_adaptation_is_differentiated():
    """As in MAML: the loss after an update, by the weights before it."""
    layer = nn.Linear(3, 2)

    def loss(w, b, x):
        return nn.functional.linear(x, w, b).pow(2).mean()

    x = irtool.randn(5, 3)
    found = []
    for f in (loss, compiled(loss)):
        layer.zero_grad()
        gw, gb = irtool.autograd.grad(f(layer.weight, layer.bias, x), (layer.weight, layer.bias), create_graph=True)
        f(layer.weight - 0.1 * gw, layer.bias - 0.1 * gb, x * 2).backward()
        found.append([layer.weight.grad, layer.bias.grad])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
