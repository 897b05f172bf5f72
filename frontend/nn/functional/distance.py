"""Distances between vectors, and their normalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....dialects.types import i64
from ...dispatch import builder
from ...errors import runtime_error
from ...ops.combined import cosine_similarity, norm_of_differences
from ...tensor import Tensor


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps over the last dimension."""
    return (x1 - x2 + eps).norm(p, -1, keepdim)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norms of the differences of all pairs of rows, each pair once."""
    if not p >= 0:
        raise runtime_error("pdist only supports non-negative p values")
    if input.ndim != 2:
        raise runtime_error(f"pdist only supports 2D tensors, got: {input.ndim}D")
    rows, columns = np.triu_indices(input.shape[0], 1)
    first, second = (builder.constant(k, k.shape, i64) for k in (rows, columns))
    return norm_of_differences(input.index_select(0, first) - input.index_select(0, second), p)


def normalize(input: Tensor, p: Any = 2.0, dim: Any = 1, eps: float = 1e-12) -> Tensor:
    """x divided by its p-norm along `dim`, which is kept above eps."""
    return input / input.norm(p, dim, True).clamp(min=eps)


__all__ = ["cosine_similarity", "normalize", "pairwise_distance", "pdist"]
