"""Drawing: distributions, and permutations and choices in compiled code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import irtool
import numpy as np
import pytest
from irtool.distributions import Bernoulli, Categorical, Normal, kl_divergence


@pytest.mark.parametrize(
    "draw",
    [
        lambda: irtool.randperm(9),
        lambda: irtool.multinomial(irtool.tensor([0.1, 0.0, 0.6, 0.3]), 3),
        lambda: irtool.multinomial(irtool.tensor([[0.1, 0.0, 0.9], [1.0, 0.0, 0.0]]), 5, replacement=True),
        lambda: Normal(irtool.zeros(3), 2.0).sample((2,)),
        lambda: Categorical(logits=irtool.tensor([[0.1, 2.0], [1.0, 0.0]])).sample((4,)),
        lambda: Bernoulli(irtool.tensor([0.2, 0.7])).sample((4,)),
    ],
)
def test_drawn_in_compiled_code_as_eagerly(draw: Callable[[], Any]) -> None:
    irtool.manual_seed(3)
    eager = [draw().tolist() for _ in range(2)]
    irtool.manual_seed(3)
    step = irtool.compile(draw, target="reference")
    assert [step().tolist() for _ in range(2)] == eager


def test_compiled_permutation() -> None:
    order = irtool.compile(lambda: irtool.randperm(40))()
    assert sorted(order.tolist()) == list(range(40)) != order.tolist()


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-4)


def test_numbers_are_those_of_pytorch() -> None:
    p, q = Normal(irtool.tensor([0.0, 1.0]), irtool.tensor([1.0, 0.5])), Normal(0.0, 2.0)
    close(p.log_prob(irtool.tensor([1.0, 2.0])), [-1.4189385, -2.2257915])
    close(p.entropy(), [1.4189385, 0.7257913])
    close(kl_divergence(p, q), [0.3181472, 1.0425444])
    c, d = Categorical(irtool.tensor([[0.2, 0.3, 0.5]])), Categorical(logits=irtool.tensor([[1.0, 2.0, 0.5]]))
    close(c.log_prob(irtool.tensor([2])), [-0.6931472])
    close(d.log_prob(irtool.tensor([[0], [1]])), [[-1.4643688], [-0.4643688]])
    close(d.entropy(), [0.9059592])
    close(kl_divergence(c, d), [0.3847158])
    close(Bernoulli(logits=irtool.tensor([0.3])).log_prob(irtool.tensor([1.0])), [-0.5543552])
    close(Bernoulli(irtool.tensor([0.3])).entropy(), [0.6108643])


def test_gradients_flow_through_draws() -> None:
    mean, deviation = irtool.zeros(4, requires_grad=True), irtool.ones(4, requires_grad=True)
    drawn = Normal(mean, deviation).rsample()
    drawn.sum().backward()
    assert mean.grad.tolist() == [1.0] * 4
    close(deviation.grad, drawn.detach().numpy())
    with pytest.raises(TypeError, match="not supported"):
        kl_divergence(Normal(0.0, 1.0), Bernoulli(0.5))
