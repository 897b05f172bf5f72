"""Probability distributions that programs draw from and take gradients through: normal, categorical, Bernoulli."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .creation import as_tensor
from .errors import located, type_error
from .grad_mode import no_grad
from .ops.arithmetic import where
from .random import bernoulli, multinomial, normal_numbers
from .surface.names import FUNCTIONS, Tensor
from .surface.unsupported import module_getattr


class Distribution:
    """A family of independent distributions, one for each element of `batch_shape`."""

    batch_shape: tuple[int, ...]

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Numbers drawn, without gradients."""
        raise NotImplementedError

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or of the probability."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """How uncertain a draw is."""
        raise NotImplementedError


class Normal(Distribution):
    """Normal distributions with means `loc` and standard deviations `scale`."""

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = FUNCTIONS["broadcast_tensors"](_real(loc), _real(scale))
        self.batch_shape = tuple(self.loc.shape)

    mean = property(lambda self: self.loc)
    stddev = property(lambda self: self.scale)
    variance = property(lambda self: self.scale * self.scale)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Numbers drawn, with gradients to means and deviations."""
        return self.loc + self.scale * normal_numbers((*sample_shape, *self.batch_shape), self.loc.dtype)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            return self.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        z = (value - self.loc) / self.scale
        return -0.5 * z * z - self.scale.log() - 0.5 * math.log(2 * math.pi)

    def entropy(self) -> Tensor:
        return self.scale.log() + (0.5 + 0.5 * math.log(2 * math.pi))


class Categorical(Distribution):
    """One of several with the given probabilities, or logits, along the last dimension."""

    def __init__(
        self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        given = _one(probs, logits)
        if probs is not None:
            self.probs = probs / probs.sum(-1, keepdim=True)
            self.logits = _clamped(self.probs).log()
        else:
            self.logits = given - given.logsumexp(-1, keepdim=True)
            self.probs = self.logits.softmax(-1)
        self.batch_shape = tuple(given.shape[:-1])

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        count = math.prod(sample_shape)
        rows = self.probs.detach().reshape(-1, self.probs.shape[-1])
        return multinomial(rows, count, True).t().reshape(*sample_shape, *self.batch_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        shape = FUNCTIONS["broadcast_tensors"](value, self.logits[..., 0])[0].shape
        logits = self.logits.expand(*shape, self.logits.shape[-1])
        return logits.gather(-1, value.long().expand(shape).unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        return -(self.logits * self.probs).sum(-1)


class Bernoulli(Distribution):
    """1 with the given probabilities, or logits; otherwise 0."""

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        given = _real(_one(probs, logits))
        self.probs = given if probs is not None else given.sigmoid()
        kept = _clamped(given) if probs is not None else given
        self.logits = kept.log() - (-kept).log1p() if probs is not None else given
        self.batch_shape = tuple(given.shape)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return bernoulli(self.probs.detach().expand(*sample_shape, *self.batch_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        from .nn.functional import binary_cross_entropy_with_logits

        logits, value = FUNCTIONS["broadcast_tensors"](self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        return -self.log_prob(self.probs)


def _real(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else as_tensor(float(x))


def _one(probs: Any, logits: Any) -> Any:
    if (probs is None) == (logits is None):
        raise located(ValueError, "Either `probs` or `logits` must be specified, but not both.")
    return logits if probs is None else probs


def _clamped(probs: Tensor) -> Tensor:
    """Away from 0 and 1, so that logarithms are finite."""
    eps = 1.1920928955078125e-07
    return probs.clamp(eps, 1 - eps)


def _normals(p: Normal, q: Normal) -> Tensor:
    ratio = p.variance / q.variance
    return 0.5 * (ratio + (p.loc - q.loc).pow(2) / q.variance - 1 - ratio.log())


def _categoricals(p: Categorical, q: Categorical) -> Tensor:
    found = where(p.probs.eq(0), 0.0, p.probs * (p.logits - q.logits))
    return where(q.probs.eq(0).logical_and(p.probs.ne(0)), math.inf, found).sum(-1)


_DIVERGENCES: dict[type, Callable[..., Tensor]] = {Normal: _normals, Categorical: _categoricals}


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """How much p differs from q, of the same kind: the mean over p of log p - log q."""
    rule = _DIVERGENCES.get(type(p))
    if rule is None or type(p) is not type(q):
        raise type_error(f"kl_divergence of {type(p).__name__} and {type(q).__name__} is not supported")
    return rule(p, q)


__all__ = ["Bernoulli", "Categorical", "Distribution", "Normal", "kl_divergence"]

__getattr__ = module_getattr("irtool.distributions", lambda: __all__)
