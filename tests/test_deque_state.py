"""Optimizers whose state is a deque of tensors: the same eager and compiled, saved and loaded."""

from __future__ import annotations

from collections import deque
from typing import Any

import irtool
import pytest
from irtool import nn, optim


class Averaged(optim.Optimizer):
    """Steps by the mean of the last gradients; the deque grows, then keeps its length."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr})

    @irtool.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["last"] = self.empty(p)
                state["last"].append(p.grad.clone())
                self.change(state["last"])
                p.add_(sum(state["last"]) / len(state["last"]), alpha=-group["lr"])

    def empty(self, p: irtool.Tensor) -> deque[irtool.Tensor]:
        return deque(maxlen=3)

    def change(self, last: deque[irtool.Tensor]) -> None:
        pass


class Rotated(Averaged):
    def empty(self, p: irtool.Tensor) -> deque[irtool.Tensor]:
        return deque([irtool.zeros_like(p) for _ in range(3)], maxlen=3)

    def change(self, last: deque[irtool.Tensor]) -> None:
        last.rotate(1)
        last[0].mul_(0.5)
        last.appendleft(last.popleft() * 2)


def train(kind: type[Averaged], compiled: bool) -> tuple[list[float], list[list[float]], int]:
    w, x = nn.Parameter(irtool.ones(3)), irtool.tensor([1.0, 2.0, 3.0])
    optimizer = kind([w])

    def step(x: irtool.Tensor) -> irtool.Tensor:
        loss = (w * x).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    f = irtool.compile(step) if compiled else step
    losses = [f(x * (i + 1) * 0.1).item() for i in range(7)]
    last = optimizer.state[w]["last"]
    assert type(last) is deque and last.maxlen == 3
    again = kind([w])
    again.load_state_dict(optimizer.state_dict())
    assert [t.tolist() for t in again.state[w]["last"]] == [t.tolist() for t in last]
    return losses, [t.tolist() for t in last], len(f.programs()) if compiled else 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [Averaged, Rotated])
def test_eager_and_compiled_agree(kind: type[Averaged]) -> None:
    losses, last, _ = train(kind, compiled=False)
    found, kept, programs = train(kind, compiled=True)
    assert found == pytest.approx(losses, rel=1e-5) and programs <= 4
    assert kept == [pytest.approx(row, rel=1e-5) for row in last]
