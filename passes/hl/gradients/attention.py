"""Gradients of attention: an op of its own, which computes the weights again from the logarithms of their sums.

(Dao, FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning, 2023.) What that cannot give is
spelled out: the cotangents of a mask, those that come by the logarithms, and gradients of gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dialects.hl import attention as a
from ....dialects.hl.builder import OpBuilder
from ..attention import along_rows, by_scores, swap, unrepeated, weights
from .call import GradientTable, OpCall, ReasonTable

B = OpBuilder[Any]


def _sum(b: B, *terms: Any) -> Any:
    """The sum of those that are there; None of none."""
    there = [term for term in terms if term is not None]
    if not there:
        return None
    total = there[0]
    for term in there[1:]:
        total = b.add(total, term)
    return total


def _attention(b: B, call: OpCall[Any]) -> Sequence[Any]:
    query, key, value, *rest = call.operands
    mask = rest[0] if rest else None
    options = call.attributes
    ct, ct_log = call.cotangents
    found: list[Any] = [None, None, None]
    if ct is not None:
        result, log_sum = call.results
        found = list(b.attention_gradient(query, key, value, result, log_sum, ct, mask, **options))
    by_mask = rest and call.needs[3]
    if ct_log is None and not by_mask:
        return [*found, *(None for _ in rest)]
    known = weights(b, query, key, mask, options["causal"], options["scale"])
    products = None if ct_log is None else b.mul(known.weights, along_rows(b, ct_log, known.weights))
    if products is not None:
        scaled = b.mul(products, b.constant_like(products, options["scale"]))
        found[0] = _sum(b, found[0], b.matmul(scaled, key))
        found[1] = _sum(b, found[1], b.matmul(swap(b, scaled), query))
    if not by_mask:
        return [*found, *(None for _ in rest)]
    by_weights = None if ct is None else by_scores(b, known, b.matmul(ct, swap(b, value)))
    return [*found, unrepeated(b, _sum(b, by_weights, products), mask)]


def _attention_gradient(b: B, call: OpCall[Any]) -> Sequence[Any]:
    """With P the weights, G = ct v^T and S = P (G - rowsum(P G)):

        dq = scale S k          dk = scale S^T q          dv = P^T ct

    and names of their own for the cotangents of S, G, P and of the scores.
    """
    query, key, value, _, _, ct, *rest = call.operands
    mask = rest[0] if rest else None
    scale = call.attributes["scale"]
    on_query, on_key, on_value = call.cotangents
    known = weights(b, query, key, mask, call.attributes["causal"], scale)
    p = known.weights
    last = len(b.shape(p)) - 1

    def scaled(x: Any) -> Any:
        return b.mul(x, b.constant_like(x, scale))

    def row_sums(x: Any) -> Any:
        return along_rows(b, b.reduce_sum(x, (last,)), x)

    g = b.matmul(ct, swap(b, value))
    centred = b.sub(g, row_sums(b.mul(p, g)))
    s = b.mul(p, centred)
    by_query = by_key = by_value = by_ct = by_p = None
    by_s = _sum(
        b,
        None if on_query is None else scaled(b.matmul(on_query, swap(b, key))),
        None if on_key is None else scaled(b.matmul(query, swap(b, on_key))),
    )
    if by_s is not None:
        mean = row_sums(b.mul(by_s, p))
        by_g = b.mul(p, b.sub(by_s, mean))
        by_p = b.sub(b.mul(by_s, centred), b.mul(mean, g))
        by_ct = b.matmul(by_g, value)
        by_value = b.matmul(swap(b, by_g), ct)
        by_query = None if on_key is None else scaled(b.matmul(s, on_key))
        by_key = None if on_query is None else scaled(b.matmul(swap(b, s), on_query))
    if on_value is not None:
        by_p = _sum(b, by_p, b.matmul(ct, swap(b, on_value)))
        by_ct = _sum(b, by_ct, b.matmul(p, on_value))
    products = by_scores(b, known, by_p)
    by_query = _sum(b, by_query, scaled(b.matmul(products, key)))
    by_key = _sum(b, by_key, scaled(b.matmul(swap(b, products), query)))
    by_mask = unrepeated(b, products, mask) if rest and call.needs[6] else None
    return [by_query, by_key, by_value, None, None, by_ct, *(by_mask for _ in rest)]


GRADIENTS: GradientTable = {a.AttentionOp: _attention, a.AttentionGradientOp: _attention_gradient}

NO_GRADIENT: ReasonTable = {}
