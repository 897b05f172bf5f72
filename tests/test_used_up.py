"""Gradients that a compiled step makes and uses up: the sum, a hint or an error, never another number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import irtool
import pytest
from irtool import nn, optim

SUM = "this gradient is a sum in PyTorch, with the one that a compiled function made and used up at test_used_up.py"
HINT = r"\.grad reads None: .* used it up at test_used_up.py:\d+; irtool.compile\(..., keep_gradients=True\) keeps it"


class Steps:
    def __init__(self, compile: Callable[..., Any]) -> None:
        self.w = irtool.ones(3, requires_grad=True)
        self.optimizer = optim.SGD([self.w], lr=0.1)
        self.x = irtool.ones(3)
        self.step, self.backward = compile(self._step), compile(self._backward)

    def _step(self) -> irtool.Tensor:
        self.optimizer.zero_grad()
        loss = (self.w * self.x).sum()
        loss.backward()
        self.optimizer.step()
        return loss

    def _backward(self) -> None:
        (self.w * self.x).sum().backward()


def test_reading_hints_once() -> None:
    steps = Steps(irtool.compile)
    steps.step()
    with pytest.warns(UserWarning, match=HINT):
        assert steps.w.grad is None
    assert steps.w.grad is None  # a second warning would be an error
    steps.step()
    assert steps.w.grad is None and len(steps.step.programs()) == 1


@pytest.mark.parametrize("compiled", [True, False])
def test_a_sum_with_one_is_an_error_where_it_is_read(compiled: bool) -> None:
    steps = Steps(irtool.compile)
    backward = steps.backward if compiled else steps._backward
    steps.step()
    backward()
    for _ in range(2):
        with pytest.raises(RuntimeError, match=SUM):
            _ = steps.w.grad
    with pytest.raises(RuntimeError, match="made and used up by a compiled function"):
        steps.optimizer.step()
    steps.step()  # which begins with zero_grad
    backward()
    steps.optimizer.zero_grad()
    backward()
    assert steps.w.grad.tolist() == [1, 1, 1]  # type: ignore[union-attr]


@pytest.mark.parametrize("compile", [lambda f: f, lambda f: irtool.compile(f, keep_gradients=True)])
def test_what_is_kept_is_summed(compile: Callable[..., Any]) -> None:
    steps = Steps(compile)
    steps.step()
    assert steps.w.grad.tolist() == [1, 1, 1]  # type: ignore[union-attr]
    steps.backward()
    steps.backward()
    assert steps.w.grad.tolist() == [3, 3, 3]  # type: ignore[union-attr]


def test_needing_one_in_a_trace_is_an_error() -> None:
    steps = Steps(irtool.compile)
    steps.step()
    with pytest.raises(RuntimeError, match=r"made and used up by a compiled function at .*keep_gradients=True"):
        irtool.compile(lambda: steps.w.grad)()
    with pytest.raises(RuntimeError, match=r"made and used up by a compiled function at .*keep_gradients=True"):
        irtool.compile(steps.optimizer.step)()


@pytest.mark.parametrize("owner", ["optimizer", "module"])
@pytest.mark.parametrize("compiled", [True, False])
def test_zeros_in_their_place(owner: str, compiled: bool) -> None:
    steps = Steps(irtool.compile)
    module = nn.ParameterList([steps.w])
    zero = steps.optimizer.zero_grad if owner == "optimizer" else module.zero_grad
    if owner == "module":
        steps.w = module[0]
        steps.optimizer = optim.SGD(module.parameters(), lr=0.1)
    clear = irtool.compile(lambda: zero(set_to_none=False)) if compiled else lambda: zero(set_to_none=False)
    if owner == "module":
        zero = module.zero_grad
    steps.step()
    clear()
    assert steps.w.grad.tolist() == [0, 0, 0]  # type: ignore[union-attr]


def test_networks_that_train_each_other() -> None:
    """The gradients that one step leaves on the other's parameters are dropped unread, as in PyTorch."""

    def train(compile: Callable[..., Any]) -> list[float]:
        irtool.manual_seed(0)
        maker, judge = nn.Linear(2, 2), nn.Linear(2, 1)
        make, rate = optim.Adam(maker.parameters(), lr=0.01), optim.Adam(judge.parameters(), lr=0.01)

        @compile
        def judging(real: irtool.Tensor, noise: irtool.Tensor) -> irtool.Tensor:
            rate.zero_grad()
            loss = (judge(maker(noise).detach()) - judge(real)).mean()
            loss.backward()
            rate.step()
            return loss

        @compile
        def making(noise: irtool.Tensor) -> irtool.Tensor:
            make.zero_grad()
            loss = -judge(maker(noise)).mean()
            loss.backward()
            make.step()
            return loss

        real, noise = irtool.randn(4, 2), irtool.randn(4, 2)
        return [f.item() for _ in range(4) for f in (judging(real, noise), making(noise))]

    assert train(irtool.compile) == pytest.approx(train(lambda f: f), rel=1e-4)
