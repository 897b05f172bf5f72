"""Drawing: distributions, and permutations and choices in compiled code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import distributions
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


A, B, CHANCES, COUNTS = [0.5, 1.5, 3.0], [2.0, 0.7, 1.2], [0.2, 0.6, 0.9], [0.0, 2.0, 3.0]
SIMPLEX = [0.2 / 1.7, 0.6 / 1.7, 0.9 / 1.7]
FACTOR = np.array([[1.2, 0.0, 0.0], [0.3, 0.8, 0.0], [-0.4, 0.2, 1.5]])

GIVEN: dict[str, tuple[list[Any], list[float]]] = {
    "Laplace": ([A, B], CHANCES),
    "Cauchy": ([A, B], CHANCES),
    "Gumbel": ([A, B], CHANCES),
    "StudentT": ([A, A, B], CHANCES),
    "LogNormal": ([A, B], CHANCES),
    "HalfNormal": ([B], CHANCES),
    "Uniform": ([[-0.5, -1.5, -3.0], B], CHANCES),
    "Exponential": ([B], CHANCES),
    "Gamma": ([A, B], CHANCES),
    "Chi2": ([A], CHANCES),
    "Beta": ([A, B], CHANCES),
    "Dirichlet": ([A], SIMPLEX),
    "Poisson": ([B], COUNTS),
    "Geometric": ([CHANCES], COUNTS),
    "Binomial": ([4.0, CHANCES], COUNTS),
    "NegativeBinomial": ([B, CHANCES], COUNTS),
    "OneHotCategorical": ([A], [0.0, 0.0, 1.0]),
    "RelaxedOneHotCategorical": ([0.5, A], SIMPLEX),
    "RelaxedBernoulli": ([0.5, CHANCES], CHANCES),
    "MultivariateNormal": ([A, (FACTOR @ FACTOR.T).tolist()], CHANCES),
}
"""By name: arguments, and where the density is asked for."""

Numbers = list[float] | None

PYTORCH: dict[str, tuple[Numbers, Numbers, Numbers]] = {
    "Laplace": ([-1.53629, -1.62219, -2.62547], [2.38629, 1.33647, 1.87547], [0.000309944, 0.0214036, 0.0288008]),
    "Cauchy": ([-1.86013, -1.76377, -2.72885], [3.22417, 2.17435, 2.71335], None),
    "Gumbel": ([-1.70498, -1.97486, -4.18692], [2.27036, 1.22054, 1.75954], None),
    "StudentT": ([-2.03669, -1.64861, -2.59023], None, None),
    "LogNormal": ([-0.558864, -4.17738, -4.34425], [2.61209, 2.56226, 4.60126], None),
    "HalfNormal": ([-0.923939, -0.236463, -0.689363], [1.41894, 0.369116, 0.908113], None),
    "Uniform": ([-0.916291, -0.788457, -1.43508], [0.916291, 0.788457, 1.43508], None),
    "Exponential": (
        [0.293147, -0.776675, -0.897678],
        [0.306853, 1.35667, 0.817678],
        [0.00536048, 0.00536048, 0.00536048],
    ),
    "Gamma": ([0.178928, -1.08964, -1.4369], [-0.602538, 1.71765, 1.66526], [0.00654663, 0.0110148, 0.0185087]),
    "Chi2": ([-0.354231, -0.895435, -1.42162], [-0.939421, 1.37496, 2.05412], [0.00573818, 0.00755017, 0.0110148]),
    "Beta": ([0.293893, -0.0236631, 0.769544], [-0.765279, -0.232256, -0.343598], [0.00592871, 0.00438117, 0.00608236]),
    "Dirichlet": ([1.31065], [-1.86666], [0.00732815]),
    "Poisson": ([-2.0, -2.1065, -2.44479], None, [0.010721, 0.00375236, 0.00643262]),
    "Geometric": ([-1.60944, -2.34341, -7.01312], [2.50201, 1.12169, 0.361203], None),
    "Binomial": ([-0.892574, -1.06247, -1.23237], None, None),
    "NegativeBinomial": ([-0.446287, -2.18225, -2.73701], None, None),
    "OneHotCategorical": ([-0.510826], [0.897946], [7.15256e-08]),
    "RelaxedOneHotCategorical": ([-0.433664], None, None),
    "RelaxedBernoulli": ([-0.364643, -0.662583, 0.0408218], None, None),
    "MultivariateNormal": ([-4.56779], [4.62146], [0.0333471]),
}
"""What PyTorch 2.13 gives: log_prob, entropy, and the divergence from the same with 0.9 of the first argument."""


def made(name: str, arguments: list[Any]) -> Any:
    return getattr(distributions, name)(*[irtool.tensor(x) for x in arguments])


@pytest.mark.parametrize("name", GIVEN)
def test_densities_are_those_of_pytorch(name: str) -> None:
    arguments, value = GIVEN[name]

    @functools.partial(irtool.compile, target="reference")
    def numbers(value: Any) -> Any:
        d = made(name, arguments)
        _, entropy, divergence = PYTORCH[name]
        other = None if divergence is None else made(name, [(np.array(arguments[0]) * 0.9).tolist(), *arguments[1:]])
        return (
            d.log_prob(value),
            None if entropy is None else d.entropy(),
            None if other is None else kl_divergence(d, other),
        )

    for found, expected in zip(numbers(irtool.tensor(value)), PYTORCH[name], strict=True):
        if expected is not None:
            np.testing.assert_allclose(found.reshape(-1).tolist(), expected, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize(
    "name", [n for n in GIVEN if n not in ("Cauchy", "StudentT", "Poisson", "Binomial", "NegativeBinomial")]
)
def test_draws_have_the_mean(name: str) -> None:
    irtool.manual_seed(1)
    d = made(name, GIVEN[name][0])
    drawn = irtool.compile(lambda: d.sample((4000,)), target="reference")()
    assert drawn.shape == (4000, *d.batch_shape, *d.event_shape)
    if "Relaxed" not in name:
        np.testing.assert_allclose(
            drawn.mean(0).numpy(), d.mean.numpy(), rtol=0.1, atol=0.1 + 0.3 * (name == "LogNormal")
        )


def test_distributions_of_distributions() -> None:
    normal = Normal(irtool.tensor(A), irtool.tensor(B))
    together = distributions.Independent(normal, 1)
    close(together.log_prob(irtool.zeros(3)), normal.log_prob(irtool.zeros(3)).sum().item())
    close(kl_divergence(together, distributions.Independent(Normal(irtool.zeros(3), 1.0), 1)), 6.6962)
    mixture = distributions.MixtureSameFamily(Categorical(irtool.tensor(CHANCES)), normal)
    close(mixture.log_prob(irtool.tensor([0.0, 2.0])), [-2.9812863, -1.2108519])
    close(mixture.mean, 2.1764706)
    assert mixture.sample((5, 2)).shape == (5, 2)
    squashed = distributions.TransformedDistribution(
        Normal(0.0, 1.0), [distributions.AffineTransform(0.5, 2.0), distributions.TanhTransform()]
    )
    close(squashed.log_prob(irtool.tensor([0.5, -0.3])), [-1.3247075, -1.5996904])
    with pytest.raises(NotImplementedError, match="Gamma has no rsample"):
        distributions.Gamma(1.0, 1.0).rsample()
