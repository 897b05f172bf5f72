"""`t.data` shares memory, and gradients do not notice what is written to it, eager or compiled."""

from __future__ import annotations

import functools
from typing import Any

import irtool
import numpy as np
import pytest


def weight() -> irtool.Tensor:
    return irtool.ones(4, requires_grad=True)


def test_versions() -> None:
    w = weight()
    w.data.add_(1)
    w.data.mul_(2)
    w.data.detach()[1:3].fill_(7)
    assert w._version == 0 and w.tolist() == [4, 7, 7, 4]
    with irtool.no_grad():
        w.add_(1)
    w.detach().add_(1)
    assert w._version == 2


def test_gradients_use_the_new_numbers() -> None:
    w, h = weight(), weight()
    y, z = (w * w).sum(), h.exp()
    total = y + (z * z).sum()
    w.data[1:3].add_(1)
    z.data.zero_()
    total.backward()
    assert w.grad.tolist() == [2, 4, 4, 2] and h.grad.tolist() == [0, 0, 0, 0]  # type: ignore[union-attr]


def test_other_writes_are_still_noticed() -> None:
    w = weight()
    y = (w * w).sum()
    w.detach().add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()
    w, v = weight(), weight()
    data = w.data
    y = (data * v).sum()
    data.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_a_compiled_gradient_that_would_read_them_is_refused() -> None:
    def square(w: irtool.Tensor) -> irtool.Tensor:
        y = (w * w).sum()
        w.data.add_(1)
        y.backward()
        return y

    w = weight()
    with pytest.raises(RuntimeError, match=r"needed by the gradient of mul, at test_data_alias.py:\d+. Through .data"):
        irtool.compile(square)(w)
    assert w.grad is None and w.tolist() == [1, 1, 1, 1]

    def after(w: irtool.Tensor) -> irtool.Tensor:
        y = (w * w).sum()
        y.backward()
        w.data.sub_(w.grad, alpha=0.25)  # type: ignore[arg-type]
        return y

    irtool.compile(after)(w)
    assert w.tolist() == [0.5] * 4 and w.grad.tolist() == [2] * 4  # type: ignore[union-attr]


def test_what_was_computed_before_data_was_assigned_is_not_gone_back_from() -> None:
    w = weight()

    @irtool.compile
    def square() -> irtool.Tensor:
        y = (w * w).sum()
        w.data = w.data + 1
        return y

    with pytest.raises(RuntimeError, match=r"needed by the gradient of mul, at test_data_alias.py"):
        square().backward()
    assert w.grad is None and w.tolist() == [2, 2, 2, 2]


class Assign(irtool.autograd.Function):
    """As solvers of differential equations fill their stages: past the check of versions."""

    @staticmethod
    def forward(ctx: Any, stages: irtool.Tensor, value: irtool.Tensor, index: Any) -> irtool.Tensor:
        ctx.index = index
        stages.data[index] = value
        return stages

    @staticmethod
    def backward(ctx: Any, gradient: irtool.Tensor) -> Any:
        return gradient, gradient[ctx.index], None


@pytest.mark.parametrize("compiled", [False, True])
def test_a_solver_of_differential_equations(compiled: bool) -> None:
    w = irtool.linspace(0, 1, 9).reshape(3, 3).requires_grad_(True)

    def solve(y: irtool.Tensor) -> irtool.Tensor:
        w.grad = None
        for _ in range(3):
            k = irtool.empty(*y.shape, 4)
            k = Assign.apply(k, irtool.tanh(y @ w), (..., 0))
            for i, factor in enumerate((0.5, 0.5, 1.0)):
                at = y + 0.1 * (k[..., : i + 1] * irtool.tensor([0.0] * i + [factor])).sum(-1)
                k = Assign.apply(k, irtool.tanh(at @ w), (..., i + 1))
            y = y + 0.1 * (k * irtool.tensor([1.0, 2.0, 2.0, 1.0]) / 6).sum(-1)
        loss = y.square().sum()
        loss.backward()
        return loss

    loss = (irtool.compile(solve) if compiled else solve)(irtool.ones(2, 3))
    found = [loss.item(), *w.grad.flatten().tolist()]  # type: ignore[union-attr]
    expected = [9.7742, 0.4499, 0.2197, 0.1019, 0.4546, 0.2219, 0.1029, 0.4568, 0.223, 0.1033]  # PyTorch's
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("writes", [False, True])
@pytest.mark.parametrize("requires_grad", [False, True])
def test_a_view_stays_where_it_is_when_its_base_gets_other_memory(
    inside: bool, writes: bool, requires_grad: bool
) -> None:
    def run(wrap: Any) -> list[Any]:
        x = irtool.tensor([1.0, 3.0]).requires_grad_(requires_grad)
        base = irtool.tensor([1.0, 2.0])
        part = base[:1]

        def f(x: irtool.Tensor) -> irtool.Tensor:
            owner, view = base, part
            if inside:
                owner = x * 1
                view = owner[:1]
                owner.data = x * 5
            if writes:
                view.add_(1)
            return (view * 2).sum() + owner * x

        base.data = irtool.tensor([7.0, 8.0])
        y = wrap(f)(x)
        if requires_grad:
            y.sum().backward()
        return [t if t is None else t.tolist() for t in (y, x.grad, part, base)]

    assert run(functools.partial(irtool.compile, target="reference")) == run(lambda f: f)
