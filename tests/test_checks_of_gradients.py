"""Indices that a custom backward uses: they are checked outside of the rule, which no error record comes back from."""

from __future__ import annotations

import functools

import irtool
import pytest
from irtool.autograd import Function

MODES = pytest.mark.parametrize(
    "mode", [lambda f: f, functools.partial(irtool.compile, target="reference")], ids=["eager", "compiled"]
)


class Spread(Function):
    """A gradient that goes to some places only."""

    @staticmethod
    def forward(ctx, x, index):
        ctx.save_for_backward(index)
        ctx.shape = x.shape
        return x.sum()

    @staticmethod
    def backward(ctx, dy):
        (index,) = ctx.saved_tensors
        return irtool.zeros(ctx.shape).scatter(0, index[:2], dy.expand(2)), None


@MODES
def test_indices_of_a_backward_are_checked(mode):
    x = irtool.ones(3).requires_grad_()

    @mode
    def f(index):
        Spread.apply(x, index).backward()

    f(irtool.tensor([0, 2, 9]))
    assert x.grad.tolist() == [1, 0, 1]
    with pytest.raises(RuntimeError, match=r"index 7 is out of bounds .* test_checks_of_gradients.py"):
        f(irtool.tensor([0, 7, 1]))
    assert x.grad.tolist() == [1, 0, 1]


def test_a_backward_whose_indices_follow_from_gradients_is_refused():
    class Best(Spread):
        @staticmethod
        def backward(ctx, dy):
            return irtool.zeros(3).scatter(0, (irtool.ones(2) * dy).long(), 1.0), None

    @irtool.compile
    def f(x, index):
        Best.apply(x, index).backward()

    with pytest.raises(RuntimeError, match=r"cannot use indices .* test_checks_of_gradients.py"):
        f(irtool.ones(3).requires_grad_(), irtool.tensor([0, 2]))
