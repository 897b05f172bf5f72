"""Gamma distributions, and those that come of them: beta, Dirichlet and chi-squared ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ops.arithmetic import where
from ..random import normal_numbers, uniform
from ..tensor import Tensor
from .base import EPS, Distribution, lbeta, real, register_kl, together

TRIES = 12
"""Candidates for a draw of a gamma distribution, each of which is taken with a probability of more than 0.95."""


def gamma_numbers(concentration: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Draws at rate 1: the first of several candidates that Marsaglia and Tsang's test accepts."""
    a = concentration.detach().expand(shape)
    d = where(a < 1, a + 1, a) - 1 / 3
    x = normal_numbers((TRIES, *shape), a.dtype)
    v = (1 + x / (3 * d.sqrt())).pow(3)
    u = 1 - uniform((TRIES, *shape), a.dtype)
    taken = (v > 0).logical_and(u.log() < 0.5 * x * x + d * (1 - v + v.clamp(min=EPS).log()))
    first = taken.long().argmax(0, keepdim=True)
    drawn = d * v.gather(0, first).squeeze(0).abs()
    return where(a < 1, drawn * (1 - uniform(shape, a.dtype)).pow(1 / a), drawn)


class Gamma(Distribution):
    """Gamma distributions with `concentration` and `rate`."""

    PARAMETERS = ("concentration", "rate")

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = together(concentration, rate)
        super().__init__(self.rate.shape)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return gamma_numbers(self.concentration, self.extended(sample_shape)) / self.rate.detach()

    def log_prob(self, value: Tensor) -> Tensor:
        a, b = self.concentration, self.rate
        return a.xlogy(b) + (a - 1).xlogy(real(value)) - b * value - a.lgamma()

    def entropy(self) -> Tensor:
        a = self.concentration
        return a - self.rate.log() + a.lgamma() + (1 - a) * a.digamma()

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.rate

    @property
    def variance(self) -> Tensor:
        return self.concentration / self.rate.pow(2)


class Chi2(Gamma):
    """Of sums of `df` squared normally distributed numbers."""

    PARAMETERS = ("df",)

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        self.df = real(df)
        super().__init__(0.5 * self.df, 0.5)


class Dirichlet(Distribution):
    """Of probabilities that sum to one, along the last dimension."""

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:])

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = gamma_numbers(self.concentration, self.extended(sample_shape))
        return drawn / drawn.sum(-1, keepdim=True)

    def log_prob(self, value: Tensor) -> Tensor:
        a = self.concentration
        return (a - 1).xlogy(value).sum(-1) + a.sum(-1).lgamma() - a.lgamma().sum(-1)

    def entropy(self) -> Tensor:
        a, total, k = self.concentration, self.concentration.sum(-1), self.event_shape[0]
        rest = (k - total) * total.digamma() + ((a - 1) * a.digamma()).sum(-1)
        return a.lgamma().sum(-1) - total.lgamma() - rest

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, keepdim=True)


class Beta(Distribution):
    """Of probabilities, with `concentration1` for one and `concentration0` for zero."""

    PARAMETERS = ("concentration1", "concentration0")

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = together(concentration1, concentration0)
        super().__init__(self.concentration1.shape)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self.extended(sample_shape)
        x, y = gamma_numbers(self.concentration1, shape), gamma_numbers(self.concentration0, shape)
        return x / (x + y)

    def log_prob(self, value: Tensor) -> Tensor:
        a, b = self.concentration1, self.concentration0
        return (a - 1).xlogy(value) + (b - 1).xlogy(1 - value) - lbeta(a, b)

    def entropy(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        total = a + b
        return lbeta(a, b) - (a - 1) * a.digamma() - (b - 1) * b.digamma() + (total - 2) * total.digamma()

    @property
    def mean(self) -> Tensor:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def variance(self) -> Tensor:
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total.pow(2) * (total + 1))


@register_kl(Gamma, Gamma)
def _gammas(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    moved = (a - b) * a.digamma() + a * (q.rate / p.rate - 1)
    return b * (p.rate / q.rate).log() + b.lgamma() - a.lgamma() + moved


@register_kl(Beta, Beta)
def _betas(p: Beta, q: Beta) -> Tensor:
    a, b, c, d = p.concentration1, p.concentration0, q.concentration1, q.concentration0
    moved = (a - c) * a.digamma() + (b - d) * b.digamma() + (c + d - a - b) * (a + b).digamma()
    return lbeta(c, d) - lbeta(a, b) + moved


@register_kl(Dirichlet, Dirichlet)
def _dirichlets(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    norms = a.sum(-1).lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1)
    return norms + ((a - b) * (a.digamma() - a.sum(-1, keepdim=True).digamma())).sum(-1)


__all__ = ["Beta", "Chi2", "Dirichlet", "Gamma"]
