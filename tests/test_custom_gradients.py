"""Gradients written by hand, recomputed, and taken of gradients: the same in eager and in compiled code."""

from __future__ import annotations

import functools
import os

import irtool
import numpy as np
import pytest
from irtool import nn
from irtool.autograd import Function, grad, gradcheck, once_differentiable

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))
MODES = pytest.mark.parametrize("mode", [lambda f: f, compiled], ids=["eager", "compiled"])


class Exp(Function):
    """The result is saved."""

    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return dy * y


class Scale(Function):
    """An argument that is no tensor; a gradient that is not that of forward, so that its use shows."""

    @staticmethod
    def forward(ctx, x, w, factor):
        ctx.save_for_backward(x, w)
        ctx.factor = factor
        return x * w * factor

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        dx = dy * w * 10 if ctx.needs_input_grad[0] else None
        dw = dy * x * 100 if ctx.needs_input_grad[1] else None
        return dx, dw, None


@MODES
def test_the_users_backward_is_used(mode):
    w = nn.Parameter(irtool.tensor([3.0, 4.0]))

    def f(x):
        x.requires_grad_()
        (2 * Scale.apply(x * 1, w, 7.0)).sum().backward()
        return x.grad

    f = mode(f)
    assert f(irtool.tensor([1.0, 2.0])).tolist() == [60.0, 80.0]
    assert w.grad.tolist() == [200.0, 400.0]


@MODES
def test_arguments_that_need_no_gradient(mode):
    w = nn.Parameter(irtool.tensor([3.0, 4.0]))
    f = mode(lambda x: Scale.apply(x, w, 7.0).sum().backward())
    f(irtool.tensor([1.0, 2.0]))
    assert w.grad.tolist() == [100.0, 200.0]


@MODES
def test_double_backward_through_a_saved_result(mode):
    def f(x):
        x.requires_grad_()
        (g,) = grad(Exp.apply(x * 2).sum(), x, create_graph=True)
        (gg,) = grad((g * g).sum(), x)
        return g, gg

    x = irtool.tensor([0.5, -1.0])
    g, gg = mode(f)(x.clone())
    e = np.exp(2 * x.numpy())
    np.testing.assert_allclose(g.detach().numpy(), 2 * e, rtol=1e-5)
    np.testing.assert_allclose(gg.numpy(), 16 * e * e, rtol=1e-5)


@MODES
def test_several_results_one_not_differentiable(mode):
    class Parts(Function):
        @staticmethod
        def forward(ctx, x):
            top, where = x.max(dim=1)
            ctx.mark_non_differentiable(where)
            ctx.save_for_backward(where)
            ctx.shape = x.shape
            return top, where, x.sum()

        @staticmethod
        def backward(ctx, dtop, dwhere, dsum):
            (where,) = ctx.saved_tensors
            return irtool.zeros(ctx.shape).scatter(1, where[:, None], dtop[:, None]) + dsum

    def f(x):
        x.requires_grad_()
        top, where, total = Parts.apply(x)
        assert not where.requires_grad and top.requires_grad
        top.sum().backward()
        return x.grad, where, total.detach()

    g, where, total = mode(f)(irtool.tensor([[1.0, 3.0], [5.0, 2.0]]))
    assert g.tolist() == [[0.0, 1.0], [1.0, 0.0]] and where.tolist() == [1, 0] and total.item() == 11


@MODES
def test_an_input_handed_through_and_a_view(mode):
    class Reverse(Function):
        @staticmethod
        def forward(ctx, x):
            return x.view_as(x)

        @staticmethod
        def backward(ctx, dy):
            return -dy

    class Same(Reverse):
        @staticmethod
        def forward(ctx, x):
            return x

    for function in (Reverse, Same):

        def f(x, function=function):
            x.requires_grad_()
            h = x * 3
            (function.apply(h) * h.detach()).sum().backward()
            return x.grad

        assert mode(f)(irtool.tensor([1.0, 2.0])).tolist() == [-9.0, -18.0]


@MODES
def test_gradients_are_summed_to_the_shape_of_what_was_broadcast(mode):
    class Add(Function):
        @staticmethod
        def forward(ctx, x, b):
            return x + b

        @staticmethod
        def backward(ctx, dy):
            return dy, dy

    b = nn.Parameter(irtool.zeros(1, 3))
    mode(lambda x: Add.apply(x, b).sum().backward())(irtool.ones(2, 3))
    assert b.grad.tolist() == [[2.0, 2.0, 2.0]]


@MODES
def test_setup_context_and_once_differentiable(mode):
    class Square(Function):
        @staticmethod
        def forward(x):
            return x * x

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(inputs[0])

        @staticmethod
        @once_differentiable
        def backward(ctx, dy):
            return 2 * dy * ctx.saved_tensors[0]

    def f(x):
        x.requires_grad_()
        (g,) = grad(Square.apply(x).sum(), x)
        return g

    assert mode(f)(irtool.tensor([1.0, 2.0])).tolist() == [2.0, 4.0]


@MODES
def test_parameters_that_backward_reads_itself(mode):
    w = nn.Parameter(irtool.tensor([[1.0, 2.0], [3.0, 4.0]]))

    class Product(Function):
        @staticmethod
        def forward(ctx, x):
            return x @ w

        @staticmethod
        def backward(ctx, dy):
            return dy @ w.t()

    def f(x):
        x.requires_grad_()
        y = Product.apply(x)
        (y.sum() + (x @ w.t()).sum()).backward()
        return x.grad

    x = irtool.ones(1, 2)
    assert mode(f)(x).tolist() == [[7.0, 13.0]]
    assert w.grad.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_what_goes_wrong_in_backward_is_said():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, dy):
            return dy.sum(), dy

    class Draws(Wrong):
        @staticmethod
        def backward(ctx, dy):
            return dy * irtool.rand(2)

    x = irtool.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="incorrect number of gradients"):
        Wrong.apply(x).sum().backward()
    with pytest.raises(RuntimeError, match=r"Draws.backward changes .*test_custom"):
        compiled(lambda x: Draws.apply(x.requires_grad_()).sum().backward())(irtool.ones(2))


def test_gradcheck():
    x = irtool.rand(3, dtype=irtool.float64).requires_grad_()
    assert gradcheck(Exp.apply, (x,))
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradcheck(lambda x: Scale.apply(x, x.detach(), 1.0), (x,))


@MODES
def test_gradients_by_computed_tensors(mode):
    w = nn.Parameter(irtool.tensor([3.0, 4.0]))

    def penalty(x):
        h = (x * w).tanh()
        part = h[0]
        y = (h * h).sum() + part * 5
        gh, gpart = grad(y, [h, part], create_graph=True, allow_unused=True)
        ((gh.norm() - 1) ** 2).backward()
        return gh.detach(), gpart, y.detach()

    x = irtool.tensor([0.1, 0.2])
    gh, gpart, _ = mode(penalty)(x)
    h = np.tanh(x.numpy() * w.detach().numpy())
    np.testing.assert_allclose(gh.numpy(), 2 * h + [5, 0], rtol=1e-5)
    assert gpart.item() == 5.0
    dw = nn.Parameter(w.detach().clone())
    hh = (x * dw).tanh()
    (((2 * hh + irtool.tensor([5.0, 0.0])).norm() - 1) ** 2).backward()
    np.testing.assert_allclose(w.grad.numpy(), dw.grad.numpy(), rtol=1e-4)


@MODES
def test_backward_into_chosen_tensors(mode):
    w = nn.Parameter(irtool.tensor([3.0]))

    def f(x):
        h = x * w
        (h * h).sum().backward(inputs=[h])
        return h.grad

    assert mode(f)(irtool.tensor([2.0])).tolist() == [12.0] and w.grad is None


@MODES
def test_hooks_and_retained_gradients_of_computed_tensors(mode):
    w = nn.Parameter(irtool.tensor([3.0, 4.0]))

    def f(x):
        seen = []
        h = x * w
        h.retain_grad()
        k = h.tanh()
        k.register_hook(seen.append)
        m = k * 2
        m.register_hook(lambda g: g * 10)
        handle = m.register_hook(lambda g: g * 1000)
        handle.remove()
        (m * m).sum().backward()
        return seen[0].detach(), h.grad.detach(), k.detach()

    x = irtool.tensor([0.1, 0.2])
    seen, dh, k = mode(f)(x)
    k = k.numpy()
    np.testing.assert_allclose(seen.numpy(), 80 * k, rtol=1e-5)
    np.testing.assert_allclose(dh.numpy(), 80 * k * (1 - k * k), rtol=1e-4)
    np.testing.assert_allclose(w.grad.numpy(), x.numpy() * dh.numpy(), rtol=1e-4)
