"""What distributions have in common, and the table of divergences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

from ..creation import as_tensor
from ..errors import located, type_error
from ..grad_mode import no_grad
from ..size import Size
from ..surface.names import FUNCTIONS
from ..tensor import Tensor

Shape = tuple[int, ...]
EPS = 1.1920928955078125e-07
"""How far probabilities are kept from 0 and 1, so that logarithms are finite."""


class Distribution:
    """A family of independent distributions, one for each element of `batch_shape`; draws have `event_shape` each."""

    PARAMETERS: ClassVar[tuple[str, ...]] = ()
    """The attributes that `expand` expands, which are the constructor's arguments too."""
    has_rsample = False
    """Whether gradients flow through draws."""

    def __init__(self, batch_shape: Sequence[int] = (), event_shape: Sequence[int] = ()) -> None:
        self.batch_shape: Shape = Size(batch_shape)
        self.event_shape: Shape = Size(event_shape)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Numbers drawn, without gradients."""
        with no_grad():
            return self.rsample(sample_shape).detach()

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Numbers drawn, with gradients to the parameters."""
        raise located(
            NotImplementedError, f"{type(self).__name__} has no rsample: use sample, and log_prob for gradients"
        )

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or of the probability."""
        raise located(NotImplementedError, f"{type(self).__name__} has no log_prob")

    def entropy(self) -> Tensor:
        """How uncertain a draw is."""
        raise located(NotImplementedError, f"{type(self).__name__} has no entropy")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of less than `value`."""
        raise located(NotImplementedError, f"{type(self).__name__} has no cdf")

    @property
    def mean(self) -> Tensor:
        """The mean."""
        raise located(NotImplementedError, f"{type(self).__name__} has no mean")

    @property
    def variance(self) -> Tensor:
        """The variance."""
        raise located(NotImplementedError, f"{type(self).__name__} has no variance")

    @property
    def mode(self) -> Tensor:
        """What is most probable."""
        raise located(NotImplementedError, f"{type(self).__name__} has no mode")

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return self.variance.sqrt()

    def expand(self, batch_shape: Sequence[int]) -> Self:
        """The same distributions, repeated."""
        if self.event_shape:
            raise located(NotImplementedError, f"{type(self).__name__} cannot be expanded: expand its parameters")
        return type(self)(**{name: getattr(self, name).expand(*batch_shape) for name in self.PARAMETERS})

    def extended(self, sample_shape: Sequence[int]) -> Shape:
        """The shape of draws."""
        return (*sample_shape, *self.batch_shape, *self.event_shape)

    def __repr__(self) -> str:
        given = [(name, getattr(self, name)) for name in self.given]
        parts = [f"{name}: {value if value.numel() == 1 else value.shape}" for name, value in given]
        return f"{type(self).__name__}({', '.join(parts)})"

    @property
    def given(self) -> tuple[str, ...]:
        """The attributes that the printed form shows: what the user gave."""
        return self.PARAMETERS


def real(x: Any) -> Tensor:
    """A parameter as a tensor."""
    return x if isinstance(x, Tensor) else as_tensor(float(x))


def together(*parameters: Any) -> Any:
    """Parameters as tensors of one shape."""
    return FUNCTIONS["broadcast_tensors"](*map(real, parameters))


def one_of(probs: Any, logits: Any) -> Any:
    """Whichever is given."""
    if (probs is None) == (logits is None):
        raise located(ValueError, "Either `probs` or `logits` must be specified, but not both.")
    return logits if probs is None else probs


def inner(probs: Tensor) -> Tensor:
    """Away from 0 and 1."""
    return probs.clamp(EPS, 1 - EPS)


def summed(x: Tensor, count: int) -> Tensor:
    """The sum over the last dimensions."""
    return x.sum(tuple(range(x.ndim - count, x.ndim))) if count else x


def lbeta(a: Tensor, b: Tensor) -> Tensor:
    """The logarithm of the beta function."""
    return a.lgamma() + b.lgamma() - (a + b).lgamma()


Rule = Callable[[Any, Any], Tensor]
DIVERGENCES: dict[tuple[type, type], Rule] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Rule], Rule]:
    """Says by which function kl_divergence of two kinds is computed."""

    def register(rule: Rule) -> Rule:
        DIVERGENCES[type_p, type_q] = rule
        return rule

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """How much p differs from q: the mean over p of log p - log q."""
    for a in type(p).__mro__:
        for b in type(q).__mro__:
            if (a, b) in DIVERGENCES:
                return DIVERGENCES[a, b](p, q)
    raise type_error(
        f"kl_divergence of {type(p).__name__} and {type(q).__name__} is not supported: take the mean of "
        "p.log_prob(x) - q.log_prob(x) over x = p.rsample(...)"
    )


HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)

__all__ = [
    "DIVERGENCES",
    "EPS",
    "HALF_LOG_TAU",
    "Distribution",
    "inner",
    "kl_divergence",
    "lbeta",
    "one_of",
    "real",
    "register_kl",
    "summed",
    "together",
]
