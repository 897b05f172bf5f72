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


class Double(Function):
    """Changes its input in place."""

    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    @staticmethod
    def backward(ctx, dy):
        return dy * 5


@MODES
def test_inputs_changed_in_place(mode):
    w = nn.Parameter(irtool.tensor([1.0, 2.0]))

    def f():
        h = w * 3
        y = Double.apply(h)
        (y * y).sum().backward()
        return h.detach(), y is h

    h, same = mode(f)()
    assert h.tolist() == [6.0, 12.0] and same
    assert w.grad.tolist() == [2 * 6 * 5 * 3, 2 * 12 * 5 * 3]
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        Double.apply(w)


def test_gradients_of_gradients_are_checked():
    x = irtool.full((2,), 0.3, dtype=irtool.float64, requires_grad=True)
    assert irtool.autograd.gradgradcheck(lambda x: (x * x).sin(), (x,))
    with pytest.raises(irtool.autograd.GradcheckError, match="Jacobian mismatch"):
        irtool.autograd.gradgradcheck(lambda x: Exp.apply(x) * Exp.apply(x).detach(), (x,))


@MODES
def test_derivatives_flow_to_grad_outputs(mode):
    w, v = irtool.tensor([2.0], requires_grad=True), irtool.tensor([3.0], requires_grad=True)

    def f():
        (g,) = grad(w**2, w, v, create_graph=True)
        (g**2).sum().backward()

    mode(f)()
    assert v.grad.tolist() == [96.0] and w.grad.tolist() == [144.0]


def test_grad_outputs_that_depend_on_the_input_are_refused_in_a_trace():
    w = irtool.tensor([2.0], requires_grad=True)
    f = compiled(lambda: grad(w**2, w, w * 3, create_graph=True)[0].detach())
    with pytest.raises(RuntimeError, match="grad_output that itself depends"):
        f()


# Hooks


@MODES
def test_hooks_may_use_what_was_there_before(mode):
    w = nn.Parameter(irtool.tensor([1.0, 2.0]))

    def f(x):
        h = w * 2
        h.register_hook(lambda g: g * x)
        return (h * h).sum()

    mode(f)(irtool.tensor([10.0, 100.0])).backward()  # backward is outside
    assert w.grad.tolist() == [80.0, 1600.0]


@MODES
def test_hooks_after_accumulation(mode):
    """The optimizer in the backward pass."""
    w = nn.Parameter(irtool.tensor([1.0, 2.0]))

    def update(p):
        with irtool.no_grad():
            p -= 0.25 * p.grad
        p.grad = None

    handle = w.register_post_accumulate_grad_hook(update)
    mode(lambda: (w * w + w * 0).sum().backward())()
    assert w.tolist() == [0.5, 1.0] and w.grad is None
    with pytest.raises(RuntimeError, match="non-leaf"):
        (w * 2).register_post_accumulate_grad_hook(update)
    handle.remove()
    (w * w).sum().backward()
    assert w.grad.tolist() == [1.0, 2.0]


@MODES
def test_backward_hooks_of_modules(mode):
    layer = nn.Linear(2, 2)
    x = irtool.randn(3, 2, requires_grad=True)
    (layer(x) ** 2).sum().backward()
    dx, dw = x.grad, layer.weight.grad
    x.grad = layer.weight.grad = None
    handles = [
        layer.register_full_backward_pre_hook(lambda module, grad_output: (grad_output[0] * 2,)),
        layer.register_full_backward_hook(lambda module, grad_input, grad_output: (grad_input[0] * 5,)),
    ]

    def f(x):
        (layer(x) ** 2).sum().backward()

    mode(f)(x)
    np.testing.assert_allclose(x.grad, dx * 10, rtol=1e-5)
    np.testing.assert_allclose(layer.weight.grad, dw * 2, rtol=1e-5)
    x.grad = None
    (mode(layer)(x) ** 2).sum().backward()
    np.testing.assert_allclose(x.grad, dx * 10, rtol=1e-5)
    for handle in handles:
        handle.remove()
    x.grad = None
    mode(f)(x)
    np.testing.assert_allclose(x.grad, dx, rtol=1e-5)


def test_backward_hooks_see_gradients():
    layer, seen = nn.Bilinear(2, 2, 2), []
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: seen.append((grad_input, grad_output)))
    x = irtool.randn(3, 2, requires_grad=True)
    layer(x, irtool.randn(3, 2)).sum().backward()
    ((dx, none), (dy,)) = seen.pop()
    np.testing.assert_allclose(dx, x.grad)
    assert none is None and dy.tolist() == [[1.0, 1.0]] * 3
    layer(irtool.randn(3, 2), irtool.randn(3, 2)).sum().backward()
    assert seen.pop()[0] == (None, None)
    with pytest.raises(RuntimeError, match="several inputs or outputs"):
        compiled(lambda x: layer(x, x * 1).sum().backward())(x)
