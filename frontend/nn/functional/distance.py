"""Distances between vectors, and their normalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....dialects.types import i64
from ...dispatch import builder
from ...errors import runtime_error
from ...ops.operands import operands_of
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
    return (input.index_select(0, first) - input.index_select(0, second)).norm(p, 1)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between x1 and x2 along `dim`."""
    x1, x2 = operands_of("cosine_similarity", x1, x2)
    if x1.dtype.kind != "float":
        raise runtime_error(f"expected common dtype to be floating point, yet common dtype is {x1.dtype}")
    first, second = (x / x.norm(2, dim, True).clamp(min=eps) for x in (x1, x2))
    return (first * second).sum(dim)


def normalize(input: Tensor, p: Any = 2.0, dim: Any = 1, eps: float = 1e-12) -> Tensor:
    """x divided by its p-norm along `dim`, which is kept above eps."""
    return input / input.norm(p, dim, True).clamp(min=eps)
