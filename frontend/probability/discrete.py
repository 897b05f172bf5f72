"""Distributions of whole numbers and of choices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..ops.arithmetic import where
from ..random import bernoulli, multinomial, uniform
from ..surface.names import FUNCTIONS
from ..tensor import Tensor
from .base import EPS, Distribution, inner, one_of, real, register_kl


class _Chosen(Distribution):
    """Of one of several with the given probabilities, or logits, along the last dimension."""

    PARAMETERS = ("logits",)

    def __init__(self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None):
        given = one_of(probs, logits)
        if probs is not None:
            self.probs: Tensor = probs / probs.sum(-1, keepdim=True)
            self.logits: Tensor = inner(self.probs).log()
        else:
            self.logits = given - given.logsumexp(-1, keepdim=True)
            self.probs = self.logits.softmax(-1)
        self._given = "logits" if probs is None else "probs"
        super().__init__(given.shape[:-1])

    @property
    def given(self) -> tuple[str, ...]:
        return (self._given,)

    @property
    def param_shape(self) -> tuple[int, ...]:
        """The shape of probs and logits."""
        return tuple(self.logits.shape)

    def numbers(self, sample_shape: Sequence[int]) -> Tensor:
        """Which ones are drawn."""
        count = math.prod(sample_shape)
        rows = self.probs.detach().reshape(-1, self.probs.shape[-1])
        return multinomial(rows, count, True).t().reshape(*sample_shape, *self.batch_shape)

    def entropy(self) -> Tensor:
        return -(self.logits * self.probs).sum(-1)


class Categorical(_Chosen):
    """One of several, by its number."""

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.numbers(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        shape = FUNCTIONS["broadcast_tensors"](value, self.logits[..., 0])[0].shape
        logits = self.logits.expand(*shape, self.logits.shape[-1])
        return logits.gather(-1, value.long().expand(shape).unsqueeze(-1)).squeeze(-1)

    def expand(self, batch_shape: Sequence[int]) -> Categorical:
        return Categorical(logits=self.logits.expand(*batch_shape, self.logits.shape[-1]))


class OneHotCategorical(_Chosen):
    """One of several, as a one among zeros."""

    def __init__(self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None):
        super().__init__(probs, logits)
        self.event_shape = (self.logits.shape[-1],)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        from ..nn.functional import one_hot

        return one_hot(self.numbers(sample_shape), self.event_shape[0]).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        return (self.logits * value).sum(-1)

    @property
    def mean(self) -> Tensor:
        return self.probs


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """The same, where gradients flow to the probabilities as if these were drawn."""

    has_rsample = True

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.sample(sample_shape) + (self.probs - self.probs.detach())


class _Trial(Distribution):
    """Of something that happens with the given probabilities, or logits."""

    PARAMETERS = ("logits",)

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        given = real(one_of(probs, logits))
        self.probs: Tensor = given if probs is not None else given.sigmoid()
        kept = inner(given) if probs is not None else given
        self.logits: Tensor = kept.log() - (-kept).log1p() if probs is not None else given
        self._given = "logits" if probs is None else "probs"
        super().__init__(given.shape)

    @property
    def given(self) -> tuple[str, ...]:
        return (self._given,)


class Bernoulli(_Trial):
    """1 with the given probabilities, or logits; otherwise 0."""

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return bernoulli(self.probs.detach().expand(self.extended(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        from ..nn.functional import binary_cross_entropy_with_logits

        logits, value = FUNCTIONS["broadcast_tensors"](self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        return -self.log_prob(self.probs)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)


class Geometric(_Trial):
    """How often nothing happens before it does."""

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = uniform(self.extended(sample_shape), self.probs.dtype).clamp(min=EPS)
        return (u.log() / (-self.probs.detach()).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        p = inner(self.probs)
        return value * (-p).log1p() + p.log()

    def entropy(self) -> Tensor:
        return Bernoulli(self.probs).entropy() / self.probs

    @property
    def mean(self) -> Tensor:
        return 1 / self.probs - 1


class Poisson(Distribution):
    """How often something happens that does at a `rate`."""

    PARAMETERS = ("rate",)

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        self.rate = real(rate)
        super().__init__(self.rate.shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return value.xlogy(self.rate) - self.rate - (value + 1).lgamma()

    @property
    def mean(self) -> Tensor:
        return self.rate

    @property
    def variance(self) -> Tensor:
        return self.rate


class Binomial(_Trial):
    """How often something happens in `total_count` trials."""

    def __init__(
        self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits)
        self.total_count = real(total_count).expand(self.batch_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        n = self.total_count
        ways = (n + 1).lgamma() - (value + 1).lgamma() - (n - value + 1).lgamma()
        # log(1 + exp(logits)), without overflow
        norm = n * (self.logits.clamp(min=0) + (-self.logits.abs()).exp().log1p())
        return ways + value * self.logits - norm

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def variance(self) -> Tensor:
        return self.mean * (1 - self.probs)


class NegativeBinomial(_Trial):
    """How often something happens before it has not for `total_count` times."""

    def __init__(
        self, total_count: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits)
        shape = FUNCTIONS["broadcast_shapes"](real(total_count).shape, self.batch_shape)
        self.total_count = real(total_count).expand(*shape)
        self.batch_shape = tuple(shape)

    def log_prob(self, value: Tensor) -> Tensor:
        from ..nn.functional import logsigmoid

        n = self.total_count
        weight = n * logsigmoid(-self.logits) + value * logsigmoid(self.logits)
        norm = -(n + value).lgamma() + (value + 1).lgamma() + n.lgamma()
        return weight - where((n + value).eq(0), 0.0, norm)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.logits.exp()

    @property
    def variance(self) -> Tensor:
        return self.mean / (-self.logits).sigmoid()


class RelaxedOneHotCategorical(_Chosen):
    """Of probabilities near to one among zeros: the nearer, the lower the temperature."""

    has_rsample = True

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits)
        self.temperature = real(temperature)
        self.event_shape = (self.logits.shape[-1],)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = uniform(self.extended(sample_shape), self.logits.dtype).clamp(EPS, 1 - EPS)
        return ((self.logits - (-u.log()).log()) / self.temperature).softmax(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        k, log = self.event_shape[0], inner(value).log()
        score = self.logits - self.temperature * log
        score = (score - score.logsumexp(-1, keepdim=True)).sum(-1) - log.sum(-1)
        return score + math.lgamma(k) + (k - 1) * self.temperature.log()


class RelaxedBernoulli(_Trial):
    """Of probabilities near to 0 or 1: the nearer, the lower the temperature."""

    has_rsample = True

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits)
        self.temperature = real(temperature)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = uniform(self.extended(sample_shape), self.logits.dtype).clamp(EPS, 1 - EPS)
        return ((u.log() - (-u).log1p() + self.logits) / self.temperature).sigmoid()

    def log_prob(self, value: Tensor) -> Tensor:
        from ..nn.functional import softplus

        kept = inner(value)
        at = kept.log() - (-kept).log1p()
        difference = self.logits - at * self.temperature
        density = self.temperature.log() + difference - 2 * softplus(difference)
        return density - kept.log() - (-kept).log1p()


@register_kl(_Chosen, _Chosen)
def _choices(p: _Chosen, q: _Chosen) -> Tensor:
    found = where(p.probs.eq(0), 0.0, p.probs * (p.logits - q.logits))
    return where(q.probs.eq(0).logical_and(p.probs.ne(0)), math.inf, found).sum(-1)


@register_kl(Bernoulli, Bernoulli)
def _trials(p: Bernoulli, q: Bernoulli) -> Tensor:
    from ..nn.functional import softplus

    yes = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    no = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    yes = where(p.probs.eq(0), 0.0, where(q.probs.eq(0), math.inf, yes))
    return yes + where(p.probs.eq(1), 0.0, where(q.probs.eq(1), math.inf, no))


@register_kl(Poisson, Poisson)
def _poissons(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


__all__ = [
    "Bernoulli",
    "Binomial",
    "Categorical",
    "Geometric",
    "NegativeBinomial",
    "OneHotCategorical",
    "OneHotCategoricalStraightThrough",
    "Poisson",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
]
