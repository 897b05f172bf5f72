"""Probability distributions that programs draw from and take gradients through."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from .creation import as_tensor
from .errors import located, type_error
from .grad_mode import no_grad
from .ops.arithmetic import where
from .random import bernoulli, multinomial, normal_numbers, uniform
from .size import Size
from .surface.names import FUNCTIONS, Tensor
from .surface.unsupported import module_getattr


class Distribution:
    """Independent distributions, one for each place in `batch_shape`, over values of the shape `event_shape`."""

    batch_shape: Size
    event_shape: Size = Size()
    has_rsample: ClassVar[bool] = False
    """Whether what is drawn has gradients."""
    _parameters: tuple[str, ...] = ()
    """What the printed form shows."""

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Numbers drawn, without gradients."""
        raise NotImplementedError

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or of the probability."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """How uncertain a draw is."""
        raise NotImplementedError

    def __repr__(self) -> str:
        shown = [(name, getattr(self, name)) for name in self._parameters]
        texts = [f"{name}: {value if value.numel() == 1 else value.size()}" for name, value in shown]
        return f"{type(self).__name__}({', '.join(texts)})"


class _Reparametrized(Distribution):
    """Draws are functions of the parameters and of numbers that do not depend on these."""

    has_rsample = True

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Numbers drawn, with gradients to the parameters."""
        raise NotImplementedError

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            return self.rsample(sample_shape)


class Normal(_Reparametrized):
    """Normal distributions with means `loc` and standard deviations `scale`."""

    _parameters = ("loc", "scale")

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = FUNCTIONS["broadcast_tensors"](_real(loc), _real(scale))
        self.batch_shape = self.loc.shape

    mean = mode = property(lambda self: self.loc)
    stddev = property(lambda self: self.scale)
    variance = property(lambda self: self.scale * self.scale)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.loc + self.scale * normal_numbers((*sample_shape, *self.batch_shape), self.loc.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        z = (value - self.loc) / self.scale
        return -0.5 * z * z - self.scale.log() - 0.5 * math.log(2 * math.pi)

    def entropy(self) -> Tensor:
        return self.scale.log() + (0.5 + 0.5 * math.log(2 * math.pi))


class Uniform(_Reparametrized):
    """Evenly distributed from `low` to `high`."""

    _parameters = ("low", "high")

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = FUNCTIONS["broadcast_tensors"](_real(low), _real(high))
        self.batch_shape = self.low.shape

    mean = property(lambda self: (self.high + self.low) / 2)
    stddev = property(lambda self: (self.high - self.low) / math.sqrt(12))
    variance = property(lambda self: (self.high - self.low).pow(2) / 12)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.low + uniform((*sample_shape, *self.batch_shape), self.low.dtype) * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        inside = self.low.le(value).logical_and(self.high.gt(value))
        return where(inside, -(self.high - self.low).log(), -math.inf)

    def entropy(self) -> Tensor:
        return (self.high - self.low).log()


class Independent(_Reparametrized):
    """The last dimensions of `batch_shape` of another distribution, taken as one event."""

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        shape, own = base_distribution.batch_shape, base_distribution.event_shape
        if reinterpreted_batch_ndims > len(shape):
            raise located(
                ValueError,
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), actual "
                f"{reinterpreted_batch_ndims} vs {len(shape)}",
            )
        self.base_dist: Any = base_distribution
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        count = len(shape) - reinterpreted_batch_ndims
        self.batch_shape, self.event_shape = Size(shape[:count]), Size((*shape[count:], *own))

    has_rsample = property(lambda self: self.base_dist.has_rsample)  # pyright: ignore[reportAssignmentType]
    mean = property(lambda self: self.base_dist.mean)
    mode = property(lambda self: self.base_dist.mode)
    stddev = property(lambda self: self.base_dist.stddev)
    variance = property(lambda self: self.base_dist.variance)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.joined(self.base_dist.log_prob(value))

    def entropy(self) -> Tensor:
        return self.joined(self.base_dist.entropy())

    def joined(self, x: Tensor) -> Tensor:
        """Sums over what is one event."""
        count = self.reinterpreted_batch_ndims
        return x.sum(tuple(range(-count, 0))) if count else x

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"


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
        self.batch_shape = Size(given.shape[:-1])
        self._parameters = ("probs" if logits is None else "logits",)

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
        self.batch_shape = given.shape
        self._parameters = ("probs" if logits is None else "logits",)

    mean = property(lambda self: self.probs)
    variance = property(lambda self: self.probs * (1 - self.probs))

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


def _bernoullis(p: Bernoulli, q: Bernoulli) -> Tensor:
    one = p.probs * (_softplus(-q.logits) - _softplus(-p.logits))
    other = (1 - p.probs) * (_softplus(q.logits) - _softplus(p.logits))
    one = where(p.probs.eq(0), 0.0, where(q.probs.eq(0), math.inf, one))
    return one + where(p.probs.eq(1), 0.0, where(q.probs.eq(1), math.inf, other))


def _softplus(x: Tensor) -> Tensor:
    from .nn.functional import softplus

    return softplus(x)


def _uniforms(p: Uniform, q: Uniform) -> Tensor:
    outside = q.low.gt(p.low).logical_or(q.high.lt(p.high))
    return where(outside, math.inf, ((q.high - q.low) / (p.high - p.low)).log())


def _events(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise located(NotImplementedError, "kl_divergence of events of different numbers of dimensions")
    return p.joined(kl_divergence(p.base_dist, q.base_dist))


_DIVERGENCES: dict[type, Callable[..., Tensor]] = {
    Bernoulli: _bernoullis,
    Categorical: _categoricals,
    Independent: _events,
    Normal: _normals,
    Uniform: _uniforms,
}


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """How much p differs from q, of the same kind: the mean over p of log p - log q."""
    rule = _DIVERGENCES.get(type(p))
    if rule is None or type(p) is not type(q):
        raise type_error(f"kl_divergence of {type(p).__name__} and {type(q).__name__} is not supported")
    return rule(p, q)


kl = sys.modules[__name__]
"""PyTorch's module of divergences: they are in this one."""

__all__ = [
    "Bernoulli",
    "Categorical",
    "Distribution",
    "Independent",
    "Normal",
    "Uniform",
    "kl",
    "kl_divergence",
]

__getattr__ = module_getattr("irtool.distributions", lambda: __all__)
