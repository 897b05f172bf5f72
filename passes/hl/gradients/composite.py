"""Gradients of composites as wholes: better conditioned, and smaller, than those of their parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ....dialects.hl import composite as c
from ....dialects.hl.builder import OpBuilder
from .call import Call, GradientTable, ReasonTable, scale, spread, unary, where

B = OpBuilder[Any]


def _softmax(b: B, call: Call[Any]) -> Sequence[Any]:
    # y * (ct - sum(ct * y))
    over = (call.attributes["dimension"],)
    weighted = b.reduce_sum(b.mul(call.ct, call.y), over)
    return (b.mul(call.y, b.sub(call.ct, spread(b, weighted, call.y, over))),)


def _log_softmax(b: B, call: Call[Any]) -> Sequence[Any]:
    # ct - exp(y) * sum(ct)
    over = (call.attributes["dimension"],)
    return (b.sub(call.ct, b.mul(b.exp(call.y), spread(b, b.reduce_sum(call.ct, over), call.y, over))),)


def _cross_entropy(b: B, call: Call[Any]) -> Sequence[Any]:
    """(softmax(logits) - wanted) * the row's weight; `wanted` is one-hot, smoothed; ignored rows weigh nothing."""
    logits, target = call.operands
    shape, dtype = b.shape(logits), b.dtype(logits)
    rows, classes = shape
    smoothing, reduction = call.attributes["label_smoothing"], call.attributes["reduction"]
    target_dtype = b.dtype(target)

    counted = b.compare("ne", target, b.constant(call.attributes["ignore_index"], (rows,), target_dtype))
    weight = call.ct
    if reduction == "mean":
        weight = b.div(weight, b.reduce_sum(b.cast(counted, dtype), (0,)))
    if reduction != "none":
        weight = b.broadcast(weight, (rows,), ())
    weight = b.broadcast(where(b, counted, weight), shape, (0,))

    hit = b.compare("eq", b.broadcast(target, shape, (0,)), b.iota(shape, target_dtype, 1))
    rest = smoothing / classes if classes else 0.0
    wanted = b.select(hit, b.constant(1.0 - smoothing + rest, shape, dtype), b.constant(rest, shape, dtype))
    return (b.mul(b.sub(b.softmax(logits, 1), wanted), weight), None)


def _gelu(b: B, call: Call[Any]) -> Sequence[Any]:
    x = call.x
    one = b.constant_like(x, 1.0)
    if call.attributes["approximate"] == "none":
        # Phi(x) + x * phi(x)
        cdf = scale(b, b.add(one, b.erf(scale(b, x, math.sqrt(0.5)))), 0.5)
        density = scale(b, b.exp(scale(b, b.mul(x, x), -0.5)), 1 / math.sqrt(2 * math.pi))
        return (b.mul(call.ct, b.add(cdf, b.mul(x, density))),)
    # 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope, where t = tanh(inner) and slope = inner'
    factor, square = math.sqrt(2 / math.pi), b.mul(x, x)
    inner = b.mul(x, b.add(b.constant_like(x, factor), scale(b, square, factor * 0.044715)))
    slope = b.add(b.constant_like(x, factor), scale(b, square, factor * 3 * 0.044715))
    t = b.tanh(inner)
    bend = b.mul(x, b.mul(b.sub(one, b.mul(t, t)), slope))
    return (b.mul(call.ct, scale(b, b.add(b.add(one, t), bend), 0.5)),)


def _silu(b: B, x: Any, y: Any, ct: Any) -> Any:
    # Not by the result, which may have been written over since.
    s = b.sigmoid(x)
    one = b.constant_like(s, 1.0)
    return b.mul(ct, b.mul(s, b.add(one, b.mul(x, b.sub(one, s)))))


GRADIENTS: GradientTable = {
    c.SoftmaxOp: _softmax,
    c.LogSoftmaxOp: _log_softmax,
    c.CrossEntropyOp: _cross_entropy,
    c.GeluOp: _gelu,
    c.SiluOp: unary(_silu),
    c.SoftplusOp: unary(lambda b, x, y, ct: b.mul(ct, b.sigmoid(x))),
}

NO_GRADIENT: ReasonTable = {}
