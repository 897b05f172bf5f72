"""Gradients that are parts of a flat buffer, or share their memory, as distributed and second-order code has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import irtool
import pytest
from irtool import nn, optim

BUFFERS: dict[str, Callable[[Any, Any], Any]] = {}
"""What gives two parameters their gradients."""


def buffer(f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    BUFFERS[f.__name__] = f
    return f


@buffer
def flat(p: Any, q: Any) -> Any:
    whole = irtool.zeros(4)
    p.grad, q.grad = whole[:2], whole[2:]
    return whole


@buffer
def longer(p: Any, q: Any) -> Any:
    whole = irtool.ones(6)
    p.grad, q.grad = whole[4:], whole[1:3]
    return whole


@buffer
def column(p: Any, q: Any) -> Any:
    whole = irtool.ones(2, 2)
    p.grad = whole.t()[0]
    return whole


@buffer
def shared(p: Any, q: Any) -> Any:
    p.grad = q.grad = irtool.zeros(2)
    return p.grad


@buffer
def of_their_own(p: Any, q: Any) -> Any:
    p.grad, q.grad = irtool.zeros(2), irtool.ones(2)


def values(*tensors: Any) -> list[Any]:
    return [None if t is None else t.tolist() for t in tensors]


@pytest.mark.parametrize("then", BUFFERS)
@pytest.mark.parametrize("first", BUFFERS)
def test_gradients_are_added_to_where_they_are(first: str, then: str) -> None:
    def run(wrap: Callable[[Any], Any]) -> list[Any]:
        p, q, found = nn.Parameter(irtool.tensor([1.0, 2.0])), nn.Parameter(irtool.tensor([3.0, 4.0])), list[Any]()
        step = wrap(lambda x: ((p * x).sum() + (q * x * x).sum()).backward())
        for give in (first, then, first):
            whole = BUFFERS[give](p, q)
            for _ in range(2):
                step(irtool.tensor([1.0, 3.0]))
                found.append(values(p.grad, q.grad, whole))
        return found

    assert run(lambda f: irtool.compile(f, target="reference")) == run(lambda f: f)


@pytest.mark.parametrize("target", ["reference", "cpu"])
def test_a_step_with_a_flat_buffer(target: str) -> None:
    """Which is scaled as a whole, and emptied as a whole."""

    def run(wrap: Callable[[Any], Any]) -> list[Any]:
        p, q = nn.Parameter(irtool.tensor([1.0, 2.0])), nn.Parameter(irtool.tensor([3.0, 4.0]))
        whole = flat(p, q)
        optimizer = optim.SGD([p, q], lr=0.1)

        def step(x: Any) -> Any:
            whole.zero_()
            loss = ((p * x).sum() + (q * x).pow(2).sum()) / 4
            loss.backward()
            whole.mul_(0.5)
            optimizer.step()
            return loss.detach()

        compiled = wrap(step)
        return [values(compiled(irtool.tensor([1.0, 3.0])), p, q, whole, p.grad) for _ in range(3)]

    for now, expected in zip(run(lambda f: irtool.compile(f, target=target)), run(lambda f: f)):
        for x, y in zip(now, expected):
            assert x == pytest.approx(y)
