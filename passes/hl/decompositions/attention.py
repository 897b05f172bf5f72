"""What attention is made of: products and a softmax, with all scores in memory."""

from __future__ import annotations

from typing import Any

from ....dialects.hl import attention as a
from ....dialects.hl.builder import OpBuilder
from ..attention import by_scores, log_sums, swap, weights
from .rule import DecompositionTable

B = OpBuilder[Any]


def _attention(
    b: B, query: Any, key: Any, value: Any, mask: Any | None = None, *, causal: bool, scale: float
) -> tuple[Any, ...]:
    found = weights(b, query, key, mask, causal, scale)
    return b.matmul(found.weights, value), log_sums(b, found)


def _attention_gradient(
    b: B,
    query: Any,
    key: Any,
    value: Any,
    result: Any,
    log_sum: Any,
    cotangent: Any,
    mask: Any | None = None,
    *,
    causal: bool,
    scale: float,
) -> tuple[Any, ...]:
    """By the weights, which are those of the attention itself where that is near: CSE finds them."""
    found = weights(b, query, key, mask, causal, scale)
    by_weights = b.matmul(cotangent, swap(b, value))
    by_value = b.matmul(swap(b, found.weights), cotangent)
    by_products = by_scores(b, found, by_weights)
    by_products = b.mul(by_products, b.constant_like(by_products, scale))
    return b.matmul(by_products, key), swap(b, b.matmul(swap(b, query), by_products)), by_value


DECOMPOSITIONS: DecompositionTable = {a.AttentionOp: _attention, a.AttentionGradientOp: _attention_gradient}
