"""What composites are made of."""

from __future__ import annotations

import math
from typing import Any

from ....dialects.hl import composite as c
from ....dialects.hl.builder import OpBuilder
from .rule import DecompositionTable

B = OpBuilder[Any]


def _along(b: B, reduced: Any, like: Any, dimension: int) -> Any:
    """A reduction over one dimension of `like`, repeated along it."""
    shape = b.shape(like)
    return b.broadcast(reduced, shape, tuple(d for d in range(len(shape)) if d != dimension))


def _shift(b: B, x: Any, dimension: int) -> Any:
    """x - max(x): the largest becomes 0, so that no exponential overflows."""
    if b.shape(x)[dimension] == 0:
        return x
    return b.sub(x, _along(b, b.reduce_max(x, (dimension,)), x, dimension))


def _softmax(b: B, x: Any, *, dimension: int) -> tuple[Any, ...]:
    e = b.exp(_shift(b, x, dimension))
    return (b.div(e, _along(b, b.reduce_sum(e, (dimension,)), x, dimension)),)


def _log_softmax(b: B, x: Any, *, dimension: int) -> tuple[Any, ...]:
    shifted = _shift(b, x, dimension)
    total = b.log(b.reduce_sum(b.exp(shifted), (dimension,)))
    return (b.sub(shifted, _along(b, total, x, dimension)),)


def _cross_entropy(
    b: B, logits: Any, target: Any, *, reduction: str, ignore_index: int, label_smoothing: float
) -> tuple[Any, ...]:
    """log(sum(exp(x))) - x[target], on x = logits - max(logits): log_softmax, of the one class that counts."""
    dtype = b.dtype(logits)
    x = _shift(b, logits, 1)
    total = b.log(b.reduce_sum(b.exp(x), (1,)))
    loss = b.sub(total, b.gather(x, target, 1, 1))
    if label_smoothing:
        classes = b.shape(logits)[1]
        others = b.reduce_sum(b.sub(_along(b, total, x, 1), x), (1,))
        loss = b.add(
            b.mul(loss, b.constant_like(loss, 1.0 - label_smoothing)),
            b.mul(others, b.constant_like(others, label_smoothing / classes)),
        )
    counted = b.compare("ne", target, b.constant_like(target, ignore_index))
    loss = b.select(counted, loss, b.constant_like(loss, 0.0))
    if reduction != "none":
        loss = b.reduce_sum(loss, (0,))
    if reduction == "mean":
        loss = b.div(loss, b.reduce_sum(b.cast(counted, dtype), (0,)))
    return (loss,)


def _gelu(b: B, x: Any, *, approximate: str) -> tuple[Any, ...]:
    one, half = b.constant_like(x, 1.0), b.constant_like(x, 0.5)
    if approximate == "tanh":
        cubic = b.mul(b.mul(b.mul(x, x), x), b.constant_like(x, 0.044715))
        t = b.tanh(b.mul(b.add(x, cubic), b.constant_like(x, math.sqrt(2 / math.pi))))
    else:
        t = b.erf(b.mul(x, b.constant_like(x, math.sqrt(0.5))))
    return (b.mul(b.mul(x, half), b.add(t, one)),)


def _softplus(b: B, x: Any) -> tuple[Any, ...]:
    return (b.add(b.maximum(x, b.constant_like(x, 0.0)), b.log1p(b.exp(b.neg(b.abs(x))))),)


def _silu(b: B, x: Any) -> tuple[Any, ...]:
    return (b.mul(x, b.sigmoid(x)),)


DECOMPOSITIONS: DecompositionTable = {
    c.SoftmaxOp: _softmax,
    c.LogSoftmaxOp: _log_softmax,
    c.CrossEntropyOp: _cross_entropy,
    c.GeluOp: _gelu,
    c.SiluOp: _silu,
    c.SoftplusOp: _softplus,
}
