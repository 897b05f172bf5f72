"""Distributions of real numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..ops.arithmetic import where
from ..random import normal_numbers, uniform
from ..tensor import Tensor
from .base import EPS, HALF_LOG_TAU, Distribution, real, register_kl, together
from .gamma import Chi2

EULER = 0.57721566490153286060


class _Located(Distribution):
    """Of `loc` and `scale`: a standard distribution, moved and stretched."""

    PARAMETERS = ("loc", "scale")
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = together(loc, scale)
        super().__init__(self.loc.shape)

    def standard(self, shape: tuple[int, ...]) -> Tensor:
        """Draws where loc is 0 and scale 1."""
        raise NotImplementedError

    def density(self, z: Tensor) -> Tensor:
        """The logarithm of the standard density."""
        raise NotImplementedError

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.loc + self.scale * self.standard(self.extended(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        return self.density((value - self.loc) / self.scale) - self.scale.log()

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc


class Normal(_Located):
    """Normal distributions with means `loc` and standard deviations `scale`."""

    def standard(self, shape: tuple[int, ...]) -> Tensor:
        return normal_numbers(shape, self.loc.dtype)

    def density(self, z: Tensor) -> Tensor:
        return -0.5 * z * z - HALF_LOG_TAU

    def cdf(self, value: Tensor) -> Tensor:
        return 0.5 * (1 + ((value - self.loc) / (self.scale * math.sqrt(2))).erf())

    def icdf(self, value: Tensor) -> Tensor:
        """The number that draws are below with a probability."""
        return self.loc + self.scale * (2 * value - 1).erfinv() * math.sqrt(2)

    def entropy(self) -> Tensor:
        return self.scale.log() + (0.5 + HALF_LOG_TAU)

    @property
    def variance(self) -> Tensor:
        return self.scale * self.scale


class Laplace(_Located):
    """Laplace distributions: exponential to both sides."""

    def standard(self, shape: tuple[int, ...]) -> Tensor:
        u = uniform(shape, self.loc.dtype) * (2 - EPS) - (1 - EPS)
        return -u.sign() * (-u.abs()).log1p()

    def density(self, z: Tensor) -> Tensor:
        return -z.abs() - math.log(2)

    def entropy(self) -> Tensor:
        return 1 + (2 * self.scale).log()

    @property
    def variance(self) -> Tensor:
        return 2 * self.scale.pow(2)


class Cauchy(_Located):
    """Cauchy distributions, which have no mean."""

    def standard(self, shape: tuple[int, ...]) -> Tensor:
        return ((uniform(shape, self.loc.dtype) - 0.5) * math.pi).tan()

    def density(self, z: Tensor) -> Tensor:
        return -math.log(math.pi) - (z * z).log1p()

    def entropy(self) -> Tensor:
        return (4 * math.pi * self.scale).log()

    @property
    def mean(self) -> Tensor:
        return self.loc * math.nan


class Gumbel(_Located):
    """Of the largest of many numbers."""

    def standard(self, shape: tuple[int, ...]) -> Tensor:
        u = uniform(shape, self.loc.dtype).clamp(EPS, 1 - EPS)
        return -(-u.log()).log()

    def density(self, z: Tensor) -> Tensor:
        return -(z + (-z).exp())

    def entropy(self) -> Tensor:
        return self.scale.log() + (1 + EULER)

    @property
    def mean(self) -> Tensor:
        return self.loc + self.scale * EULER

    @property
    def variance(self) -> Tensor:
        return (math.pi**2 / 6) * self.scale.pow(2)


class StudentT(_Located):
    """Student's distributions with `df` degrees of freedom."""

    PARAMETERS = ("df", "loc", "scale")
    has_rsample = False

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None) -> None:
        self.df, loc, scale = together(df, loc, scale)
        super().__init__(loc, scale)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self.extended(sample_shape)
        squares = Chi2(self.df).sample(sample_shape)
        return (self.loc + self.scale * normal_numbers(shape, self.loc.dtype) * (self.df / squares).sqrt()).detach()

    rsample = Distribution.rsample

    def density(self, z: Tensor) -> Tensor:
        n = self.df
        norm = 0.5 * n.log() + 0.5 * math.log(math.pi) + (0.5 * n).lgamma() - (0.5 * (n + 1)).lgamma()
        return -0.5 * (n + 1) * (z * z / n).log1p() - norm

    @property
    def variance(self) -> Tensor:
        return where(self.df > 2, self.scale.pow(2) * self.df / (self.df - 2), math.inf)


class LogNormal(Normal):
    """Of numbers whose logarithm is normally distributed."""

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return super().rsample(sample_shape).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        x = value.log()
        return super().log_prob(x) - x

    def cdf(self, value: Tensor) -> Tensor:
        return super().cdf(value.log())

    def entropy(self) -> Tensor:
        return super().entropy() + self.loc

    @property
    def mean(self) -> Tensor:
        return (self.loc + self.scale.pow(2) / 2).exp()

    @property
    def variance(self) -> Tensor:
        s = self.scale.pow(2)
        return s.expm1() * (2 * self.loc + s).exp()


class HalfNormal(Distribution):
    """Of the absolute values of normally distributed numbers."""

    PARAMETERS = ("scale",)
    has_rsample = True

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        self.scale = real(scale)
        super().__init__(self.scale.shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.scale * normal_numbers(self.extended(sample_shape), self.scale.dtype).abs()

    def log_prob(self, value: Tensor) -> Tensor:
        z = value / self.scale
        return where(value >= 0, math.log(2) - 0.5 * z * z - HALF_LOG_TAU - self.scale.log(), -math.inf)

    def entropy(self) -> Tensor:
        return self.scale.log() + (0.5 + HALF_LOG_TAU - math.log(2))

    @property
    def mean(self) -> Tensor:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self) -> Tensor:
        return self.scale.pow(2) * (1 - 2 / math.pi)


class Uniform(Distribution):
    """Evenly from `low` to `high`, which is left out."""

    PARAMETERS = ("low", "high")
    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = together(low, high)
        super().__init__(self.low.shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.low + uniform(self.extended(sample_shape), self.low.dtype) * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        inside = (value >= self.low).logical_and(value < self.high)
        return where(inside, -(self.high - self.low).log(), -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        return ((value - self.low) / (self.high - self.low)).clamp(0, 1)

    def entropy(self) -> Tensor:
        return (self.high - self.low).log()

    @property
    def mean(self) -> Tensor:
        return (self.low + self.high) / 2

    @property
    def variance(self) -> Tensor:
        return (self.high - self.low).pow(2) / 12


class Exponential(Distribution):
    """Of waiting times, with `rate` a unit of time."""

    PARAMETERS = ("rate",)
    has_rsample = True

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        self.rate = real(rate)
        super().__init__(self.rate.shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return -(-uniform(self.extended(sample_shape), self.rate.dtype)).log1p() / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        return self.rate.log() - self.rate * value

    def cdf(self, value: Tensor) -> Tensor:
        return -(-self.rate * value).expm1()

    def entropy(self) -> Tensor:
        return 1 - self.rate.log()

    @property
    def mean(self) -> Tensor:
        return 1 / self.rate

    @property
    def variance(self) -> Tensor:
        return self.rate.pow(-2)


@register_kl(Normal, Normal)
def _normals(p: Normal, q: Normal) -> Tensor:
    ratio = p.scale.pow(2) / q.scale.pow(2)
    return 0.5 * (ratio + (p.loc - q.loc).pow(2) / q.scale.pow(2) - 1 - ratio.log())


@register_kl(Laplace, Laplace)
def _laplaces(p: Laplace, q: Laplace) -> Tensor:
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * (-distance / p.scale).exp() - 1


@register_kl(Uniform, Uniform)
def _uniforms(p: Uniform, q: Uniform) -> Tensor:
    outside = (q.low > p.low).logical_or(q.high < p.high)
    return where(outside, math.inf, ((q.high - q.low) / (p.high - p.low)).log())


@register_kl(Exponential, Exponential)
def _exponentials(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - 1 - ratio.log()


__all__ = [
    "Cauchy",
    "Exponential",
    "Gumbel",
    "HalfNormal",
    "Laplace",
    "LogNormal",
    "Normal",
    "StudentT",
    "Uniform",
]
