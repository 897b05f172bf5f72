"""Functions of functions."""

from __future__ import annotations

import functools
import os

import irtool
import numpy as np
import pytest
from irtool import func, nn

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))
MODES = pytest.mark.parametrize("mode", [lambda f: f, compiled], ids=["eager", "compiled"])


def cube(x):
    return (x * x * x).sum()


@MODES
def test_gradients_of_gradients(mode):
    x = irtool.tensor([1.0, 2.0])
    g = mode(func.grad(cube))(x)
    assert g.tolist() == [3.0, 12.0] and not g.requires_grad
    assert mode(func.grad(lambda v: func.grad(cube)(v).sum()))(x).tolist() == [6.0, 12.0]
    assert mode(func.hessian(cube))(x).tolist() == [[6.0, 0.0], [0.0, 12.0]]


@MODES
def test_values_auxiliaries_and_trees(mode):
    def f(parameters, x):
        y = parameters["w"] * x + parameters["b"]
        return (y * y).sum(), y

    parameters = {"w": irtool.tensor(3.0), "b": irtool.tensor(1.0)}
    (value, y), gradient = mode(func.value_and_grad(f, has_aux=True))(parameters, irtool.tensor([1.0, 2.0]))
    assert value.item() == 65 and y.tolist() == [4.0, 7.0]
    assert gradient["w"].item() == 36 and gradient["b"].item() == 22
    assert mode(func.grad(lambda a, b: (a * b).sum(), argnums=(0, 1)))(irtool.ones(1), irtool.ones(1))[1].item() == 1


@MODES
def test_vmap(mode):
    x, y = irtool.arange(6.0).reshape(2, 3), irtool.ones(3)
    assert mode(func.vmap(lambda a, b: (a * b).sum(), in_dims=(0, None)))(x, y).tolist() == [3.0, 12.0]
    found = mode(func.vmap(lambda a: (a + 1, a.sum()), in_dims=1, out_dims=(1, 0)))(x)
    assert found[0].tolist() == (x + 1).tolist() and found[1].tolist() == x.sum(0).tolist()
    assert mode(func.vmap(func.grad(cube)))(x).tolist() == (3 * x * x).tolist()


@MODES
def test_functional_call(mode):
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    other = {name: irtool.ones_like(p) for name, p in model.named_parameters()}

    def loss(parameters, x):
        return func.functional_call(model, parameters, (x,)).sum()

    x = irtool.tensor([[0.5, -0.5]])
    gradient = mode(func.grad(loss))(other, x)
    expected = 1 - np.tanh(1.0) ** 2
    np.testing.assert_allclose(gradient["0.bias"].numpy(), [expected] * 2, rtol=1e-5)
    assert "0.weight" in gradient and model[0].bias.tolist() != [1.0, 1.0]


def test_errors():
    with pytest.raises(RuntimeError, match=r"without dimensions, got shape \[2\]"):
        func.grad(lambda x: x)(irtool.ones(2))
    with pytest.raises(RuntimeError, match="argnums 1 for a function that was called with 1"):
        func.grad(cube, argnums=1)(irtool.ones(2))
    with pytest.raises(RuntimeError, match="one size"):
        func.vmap(lambda a, b: a)(irtool.ones(2), irtool.ones(3))
