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


def tanh_of(a):
    return lambda x: irtool.tanh(a @ x)


@MODES
def test_products_with_jacobians(mode):
    a, x, v = irtool.randn(4, 3), irtool.randn(3), irtool.randn(3)
    f = tanh_of(a)
    jacobian = (1 - f(x) ** 2)[:, None] * a
    for found in mode(lambda x: (func.jacrev(f)(x), func.jacfwd(f)(x), irtool.autograd.functional.jacobian(f, x)))(x):
        np.testing.assert_allclose(found, jacobian, rtol=1e-5, atol=1e-6)

    def products(x, v, u):
        y, pull = func.vjp(f, x)
        return y, pull(u)[0], func.jvp(f, (x,), (v,))[1], irtool.autograd.functional.jvp(f, x, v)[1]

    u = irtool.randn(4)
    y, pulled, pushed, again = mode(products)(x, v, u)
    np.testing.assert_allclose(y, f(x), rtol=1e-6)
    np.testing.assert_allclose(pulled, u @ jacobian, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(pushed, jacobian @ v, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(again, jacobian @ v, rtol=1e-4, atol=1e-6)


@MODES
def test_hessians_and_their_products(mode):
    x, v = irtool.tensor([1.0, 2.0]), irtool.tensor([1.0, -1.0])

    def f(x):
        return (x**3).sum() * x[0]

    h = mode(lambda x: irtool.autograd.functional.hessian(f, x))(x)
    np.testing.assert_allclose(h, [[12, 12], [12, 12]], rtol=1e-5)
    np.testing.assert_allclose(mode(lambda x, v: irtool.autograd.functional.hvp(f, x, v)[1])(x, v), h @ v, atol=1e-4)
    value, product = irtool.autograd.functional.vhp(f, x, v)
    assert value.item() == 9 and not product.requires_grad


def test_jacobians_of_trees_and_of_several_arguments():
    x, y = irtool.tensor([1.0, 2.0]), irtool.tensor([3.0, 4.0])
    found, aux = func.jacrev(lambda x, y: ({"p": x * y, "s": x.sum()}, y), argnums=(0, 1), has_aux=True)(x, y)
    assert found["p"][1].tolist() == [[1.0, 0.0], [0.0, 2.0]] and found["s"][1].tolist() == [0.0, 0.0]
    assert aux.tolist() == [3.0, 4.0]
    rows = irtool.autograd.functional.jacobian(lambda x, y: (x * y, x.sum()), (x, y))
    assert rows[0][0].tolist() == [[3.0, 0.0], [0.0, 4.0]] and rows[1][0].tolist() == [1.0, 1.0]
    with pytest.raises(RuntimeError, match="does not depend on all inputs"):
        irtool.autograd.functional.jacobian(lambda x, y: x * 2, (x, y), strict=True)
    with pytest.raises(TypeError, match="inputs given to jacobian must be either a Tensor"):
        irtool.autograd.functional.jacobian(lambda x: x, 3.0)


def test_ensembles_of_modules():
    models = [nn.Linear(3, 2) for _ in range(3)]
    parameters, buffers = func.stack_module_state(models)
    assert parameters["weight"].shape == (3, 2, 3) and parameters["weight"].requires_grad and not buffers

    x = irtool.randn(4, 3)
    found = func.vmap(lambda p, x: func.functional_call(models[0], p, (x,)), in_dims=(0, None))(parameters, x)
    np.testing.assert_allclose(found.detach(), irtool.stack([m(x) for m in models]).detach(), rtol=1e-5, atol=1e-6)


@MODES
def test_maps_over_trees_and_other_dimensions(mode):
    a, b = irtool.randn(5, 3), irtool.randn(3, 5)

    def f(a, b):
        nested = func.vmap(lambda d, b: d["a"] * b + d["c"], in_dims=({"a": 0, "c": None}, 1))({"a": a, "c": a[0]}, b)
        columns, total = func.vmap(lambda a: (a * 2, a.sum()), in_dims=-1, out_dims=(1, 0))(a)
        return nested, columns, total, irtool.vmap(irtool.vmap(lambda x: x**2))(a)

    nested, columns, total, squares = mode(f)(a, b)
    np.testing.assert_allclose(nested, a * b.t() + a[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(columns, a * 2, rtol=1e-6)
    np.testing.assert_allclose(total, a.sum(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(squares, a**2, rtol=1e-6)


def test_random_numbers_in_maps():
    x = irtool.zeros(4, 3)

    def noisy(x):
        return x + irtool.rand(3)

    same = func.vmap(noisy, randomness="same")(x)
    assert (same == same[0]).all() and not (func.vmap(noisy, randomness="different")(x)[0] == same[1]).all()
    with pytest.raises(RuntimeError, match="randomness error mode"):
        func.vmap(noisy)(x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: func.vmap(lambda a, b: a, in_dims=0)(x, x[:1]), "same size in the mapped dimension"),
        (lambda x: func.vmap(lambda a: a, in_dims=None)(x), "in_dims"),
        (lambda x: func.vmap(lambda a: a, in_dims=2)(x), "in_dim=2 for an input, but the input is a Tensor of dim"),
        (lambda x: func.vmap(lambda a: a, in_dims=(0, 0))(x), "not compatible with the structure"),
        (lambda x: func.vmap(lambda a: 3)(x), "must only return Tensors"),
        (lambda x: func.vmap(lambda a: a, out_dims=(0, 0))(x), "out_dims does not fit"),
    ],
)
def test_wrong_maps(call, message):
    with pytest.raises(ValueError, match=message):
        call(irtool.ones(2, 3))


def test_names_that_a_functional_call_does_not_know():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(self.a(x))

    model, x, w = Tied(), irtool.eye(2), irtool.tensor([[0.0, 1.0], [2.0, 0.0]])
    assert func.functional_call(model, {"a.weight": w, "other": w}, (x,)).tolist() == [[2.0, 0.0], [0.0, 2.0]]
    with pytest.raises(RuntimeError, match=r"unexpected key\(s\): \['other'\]"):
        func.functional_call(model, {"a.weight": w, "other": w}, (x,), strict=True)
    assert model.b.weight is model.a.weight
