"""Distributions made of others: their elements as one event, mixtures, and what functions make of draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import located
from ..random import normal_numbers
from ..tensor import Tensor
from .base import HALF_LOG_TAU, Distribution, kl_divergence, register_kl, summed
from .discrete import Categorical
from .transforms import Transform


class Independent(Distribution):
    """Of the last `reinterpreted_batch_ndims` dimensions of another distribution together."""

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        if reinterpreted_batch_ndims > len(base_distribution.batch_shape):
            raise located(
                ValueError,
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), actual "
                f"{reinterpreted_batch_ndims} vs {len(base_distribution.batch_shape)}",
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        shape, cut = base_distribution.batch_shape, len(base_distribution.batch_shape) - reinterpreted_batch_ndims
        super().__init__(shape[:cut], shape[cut:] + base_distribution.event_shape)

    @property
    def has_rsample(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether gradients flow through draws."""
        return self.base_dist.has_rsample

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    @property
    def stddev(self) -> Tensor:
        return self.base_dist.stddev

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return summed(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        return summed(self.base_dist.entropy(), self.reinterpreted_batch_ndims)


class MixtureSameFamily(Distribution):
    """Of draws of one of several distributions, which lie along the last dimension of a batch."""

    def __init__(
        self, mixture_distribution: Categorical, component_distribution: Distribution, validate_args: bool | None = None
    ) -> None:
        self.mixture_distribution, self.component_distribution = mixture_distribution, component_distribution
        super().__init__(component_distribution.batch_shape[:-1], component_distribution.event_shape)

    def _weights(self) -> Tensor:
        probs = self.mixture_distribution.probs
        return probs.reshape(*probs.shape, *[1] * len(self.event_shape))

    @property
    def mean(self) -> Tensor:
        return (self._weights() * self.component_distribution.mean).sum(-1 - len(self.event_shape))

    @property
    def variance(self) -> Tensor:
        d, weights, parts = -1 - len(self.event_shape), self._weights(), self.component_distribution
        spread = (weights * (parts.mean - self.mean.unsqueeze(d)).pow(2)).sum(d)
        return (weights * parts.variance).sum(d) + spread

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        d = -1 - len(self.event_shape)
        drawn = self.component_distribution.sample(sample_shape)
        which = self.mixture_distribution.sample(sample_shape)
        which = which.reshape(*which.shape, 1, *[1] * len(self.event_shape))
        shape = list(drawn.shape)
        shape[d] = 1
        return drawn.gather(drawn.ndim + d, which.expand(*shape)).squeeze(d)

    def log_prob(self, value: Tensor) -> Tensor:
        each = self.component_distribution.log_prob(value.unsqueeze(-1 - len(self.event_shape)))
        return (each + self.mixture_distribution.logits).logsumexp(-1)


class TransformedDistribution(Distribution):
    """Of what transforms make of draws of another distribution."""

    def __init__(self, base_distribution: Distribution, transforms: Any, validate_args: bool | None = None) -> None:
        self.base_dist = base_distribution
        self.transforms: list[Transform] = [transforms] if isinstance(transforms, Transform) else list(transforms)
        super().__init__(base_distribution.batch_shape, base_distribution.event_shape)

    @property
    def has_rsample(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether gradients flow through draws."""
        return self.base_dist.has_rsample

    def _made(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._made(self.base_dist.sample(sample_shape)).detach()

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._made(self.base_dist.rsample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        y, total = value, 0.0
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            total = total - summed(transform.log_abs_det_jacobian(x, y), len(self.event_shape))
            y = x
        return total + self.base_dist.log_prob(y)


class MultivariateNormal(Distribution):
    """Normally distributed vectors of one covariance, or precision, or lower triangular factor of the covariance."""

    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        from .. import linalg

        given = [x for x in (covariance_matrix, precision_matrix, scale_tril) if x is not None]
        if len(given) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        if precision_matrix is not None:
            covariance_matrix = linalg.inv(precision_matrix)
        if covariance_matrix is not None:
            scale_tril = linalg.cholesky(covariance_matrix)
        assert scale_tril is not None
        batch = (loc.unsqueeze(-1) + scale_tril.detach()).shape[:-2]
        self.loc = loc.expand(*batch, loc.shape[-1])
        self.scale_tril: Tensor = scale_tril.expand(*batch, *scale_tril.shape[-2:])
        super().__init__(batch, loc.shape[-1:])

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def covariance_matrix(self) -> Tensor:
        """The covariance of the elements."""
        return self.scale_tril @ self.scale_tril.mT

    @property
    def variance(self) -> Tensor:
        return self.scale_tril.pow(2).sum(-1)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = normal_numbers(self.extended(sample_shape), self.loc.dtype)
        return self.loc + (self.scale_tril @ drawn.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        from .. import linalg

        difference = (value - self.loc).unsqueeze(-1)
        factor = self.scale_tril.expand(*difference.shape[:-2], *self.scale_tril.shape[-2:])
        z = linalg.solve_triangular(factor, difference, upper=False).squeeze(-1)
        return -0.5 * z.pow(2).sum(-1) - self._half_log_det() - self.event_shape[0] * HALF_LOG_TAU

    def entropy(self) -> Tensor:
        return self._half_log_det() + self.event_shape[0] * (0.5 + HALF_LOG_TAU)

    def _half_log_det(self) -> Tensor:
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    return summed(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(MultivariateNormal, MultivariateNormal)
def _vectors(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    from .. import linalg

    spread = linalg.solve_triangular(q.scale_tril, p.scale_tril, upper=False).pow(2).sum((-2, -1))
    moved = linalg.solve_triangular(q.scale_tril, (q.loc - p.loc).unsqueeze(-1), upper=False).pow(2).sum((-2, -1))
    return q._half_log_det() - p._half_log_det() + 0.5 * (spread + moved - p.event_shape[0])


__all__ = ["Independent", "MixtureSameFamily", "MultivariateNormal", "TransformedDistribution"]
