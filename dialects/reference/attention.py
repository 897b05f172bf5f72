"""Meaning of dialects/hl/attention.py."""

from __future__ import annotations

import numpy as np

from ..hl import attention as a
from .composite import softmax
from .product import matmul
from .table import Array, Table


def _swap(x: Array) -> Array:
    return x.swapaxes(-1, -2)


def _scores(query: Array, key: Array, mask: Array | None, causal: bool, scale: float) -> Array:
    """What softmax takes."""
    number = query.dtype.type
    scores: Array = matmul(query, _swap(key)) * number(scale)
    if causal:
        rows, columns = scores.shape[-2:]
        scores = np.where(np.tri(rows, columns, dtype=bool), scores, number(-np.inf))
    if mask is not None:
        scores = scores + mask if mask.dtype.kind == "f" else np.where(mask, scores, number(-np.inf))
    return scores


def _weights(query: Array, key: Array, mask: Array | None, causal: bool, scale: float) -> tuple[Array, Array]:
    """Softmax, and the logarithms of its sums."""
    number = query.dtype.type
    scores = _scores(query, key, mask, causal, scale)
    if scores.shape[-1] == 0:
        return scores, np.full(scores.shape[:-1], -np.inf, scores.dtype)
    largest = np.maximum.reduce(scores, -1, keepdims=True)
    if mask is None:
        weights = softmax(scores, dimension=scores.ndim - 1)
    else:
        empty = largest == -np.inf
        largest = np.where(empty, number(0), largest)
        weights = np.where(empty, number(0), softmax(np.where(empty, number(0), scores), dimension=scores.ndim - 1))
    total = np.add.reduce(np.exp(scores - largest), -1)
    return weights, largest[..., 0] + np.log(total)


def attention(
    query: Array, key: Array, value: Array, mask: Array | None = None, *, causal: bool, scale: float
) -> tuple[Array, ...]:
    weights, log_sum = _weights(query, key, mask, causal, scale)
    return matmul(weights, value), log_sum


def attention_gradient(
    query: Array,
    key: Array,
    value: Array,
    result: Array,
    log_sum: Array,
    cotangent: Array,
    mask: Array | None = None,
    *,
    causal: bool,
    scale: float,
) -> tuple[Array, ...]:
    weights, _ = _weights(query, key, mask, causal, scale)
    by_weights = matmul(cotangent, _swap(value))
    by_scores = weights * (by_weights - np.add.reduce(by_weights * weights, -1, keepdims=True))
    by_scores = by_scores * query.dtype.type(scale)
    return matmul(by_scores, key), matmul(_swap(by_scores), query), matmul(_swap(weights), cotangent)


TABLE: Table = {a.AttentionOp: attention, a.AttentionGradientOp: attention_gradient}
