"""Functions of random numbers that can be undone, and how much they stretch."""

from __future__ import annotations

import math
from typing import Any

from ..nn.functional import logsigmoid, softplus
from ..tensor import Tensor


class Transform:
    """A function, its inverse, and the logarithm of the absolute value of its derivative."""

    def __init__(self, cache_size: int = 0) -> None:
        """Values are not kept: `cache_size` has no effect."""

    def __call__(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def inv(self, y: Tensor) -> Tensor:
        """What became y."""
        raise NotImplementedError

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """By how much a neighbourhood of x is stretched."""
        raise NotImplementedError


class ExpTransform(Transform):
    """exp(x)"""

    def __call__(self, x: Tensor) -> Tensor:
        return x.exp()

    def inv(self, y: Tensor) -> Tensor:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x


class TanhTransform(Transform):
    """tanh(x)"""

    def __call__(self, x: Tensor) -> Tensor:
        return x.tanh()

    def inv(self, y: Tensor) -> Tensor:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return 2.0 * (math.log(2.0) - x - softplus(-2.0 * x))


class SigmoidTransform(Transform):
    """1 / (1 + exp(-x))"""

    def __call__(self, x: Tensor) -> Tensor:
        return x.sigmoid()

    def inv(self, y: Tensor) -> Tensor:
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return logsigmoid(x) + logsigmoid(-x)


class SoftplusTransform(Transform):
    """log(1 + exp(x))"""

    def __call__(self, x: Tensor) -> Tensor:
        return softplus(x)

    def inv(self, y: Tensor) -> Tensor:
        return (-(-y).expm1()).log() + y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return logsigmoid(x)


class AffineTransform(Transform):
    """loc + scale * x"""

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale = loc, scale

    def __call__(self, x: Tensor) -> Tensor:
        return self.loc + self.scale * x

    def inv(self, y: Tensor) -> Tensor:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        stretched = self.scale.abs().log() if isinstance(self.scale, Tensor) else math.log(abs(self.scale))
        return x.detach() * 0 + stretched


__all__ = ["AffineTransform", "ExpTransform", "SigmoidTransform", "SoftplusTransform", "TanhTransform", "Transform"]
