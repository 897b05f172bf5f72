"""Functions that drop values at random."""

from __future__ import annotations

import math
from functools import partial

from ... import random
from ...errors import located
from ...tensor import Tensor
from .activation import SELU_ALPHA, SELU_SCALE, in_place
from .by_rank import by_rank


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """While training, 0 with probability p and x / (1 - p) otherwise."""
    if inplace:
        return in_place(dropout, input, p, training)
    _check(p)
    if not training or p == 0:
        return input
    return _drop(input, input.shape, p)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """dropout to SELU's lower limit, then scaled so that mean and variance stay."""
    if inplace:
        return in_place(alpha_dropout, input, p, training)
    return _alpha_dropout(input, input.shape, p, training)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """alpha_dropout of whole channels of (N, C, ...)."""
    if inplace:
        return in_place(feature_alpha_dropout, input, p, training)
    return _alpha_dropout(input, (*input.shape[:2], *(1,) * (input.ndim - 2)), p, training)


def _alpha_dropout(input: Tensor, mask_shape: tuple[int, ...], p: float, training: bool) -> Tensor:
    _check(p)
    if not training or p == 0:
        return input
    if p == 1:
        return input * 0.0
    low = -SELU_ALPHA * SELU_SCALE
    scale = 1.0 / math.sqrt((low * low * p + 1) * (1 - p))
    keep = random.keep_mask(mask_shape, 1.0 - p)
    return input.where(keep, low) * scale - low * p * scale


def _check(p: float) -> None:
    if p < 0.0 or p > 1.0:
        raise located(ValueError, f"dropout probability has to be between 0 and 1, but got {p}")


def _drop(input: Tensor, mask_shape: tuple[int, ...], p: float) -> Tensor:
    if p == 1:
        return input * 0.0
    keep = random.keep_mask(mask_shape, 1.0 - p)
    return (input * (1.0 / (1.0 - p))).where(keep, 0.0)


def _drop_channels(rank: int, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    if inplace:
        return in_place(partial(_drop_channels, rank), input, p, training)
    _check(p)
    if not training or p == 0:
        return input
    batched = input.ndim == rank + 2
    kept = 2 if batched or rank == 2 else 1
    return _drop(input, (*input.shape[:kept], *(1,) * (input.ndim - kept)), p)


dropout1d, dropout2d, dropout3d = by_rank(_drop_channels, "dropout{}d", "dropout of whole channels of {input}.")

__all__ = ["alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"]
