"""Layers that drop values at random while training; those of whole channels are rows of `by_rank.py`."""

from __future__ import annotations

from ..tensor import Tensor
from . import functional as F
from .layer import layer
from .module import Module


@layer(prints="p={p}, inplace={inplace}")
class _Dropout(Module):
    p: float = 0.5
    inplace: bool = False

    def __post_init__(self) -> None:
        if self.p < 0 or self.p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {self.p}")


@layer(F.dropout)
class Dropout(_Dropout):
    """Zeroes each value with probability p and scales the others by 1 / (1 - p)."""


@layer()
class AlphaDropout(_Dropout):
    """Dropout that keeps mean and variance under SELU."""

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training)


@layer()
class FeatureAlphaDropout(_Dropout):
    """AlphaDropout of whole channels."""

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training)


__all__ = ["AlphaDropout", "Dropout", "FeatureAlphaDropout"]
