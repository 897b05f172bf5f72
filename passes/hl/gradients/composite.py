"""Gradients of composites as wholes: better conditioned, and smaller, than those of their parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ....dialects.hl import composite as c
from ....dialects.hl.builder import OpBuilder
from .call import GradientTable, OpCall, ReasonTable, spread, where
from .expr import TensorExpr, erf, exp, formula, sigmoid, square, tanh

B = OpBuilder[Any]


def _softmax(b: B, call: OpCall[Any]) -> Sequence[Any]:
    over = (call.attributes["dimension"],)
    y, ct = TensorExpr(b, call.y), TensorExpr(b, call.ct)
    weighted = b.reduce_sum((ct * y).value, over)
    return ((y * (ct - TensorExpr(b, spread(b, weighted, call.y, over)))).value,)


def _log_softmax(b: B, call: OpCall[Any]) -> Sequence[Any]:
    over = (call.attributes["dimension"],)
    y, ct = TensorExpr(b, call.y), TensorExpr(b, call.ct)
    return ((ct - exp(y) * TensorExpr(b, spread(b, b.reduce_sum(call.ct, over), call.y, over))).value,)


def _cross_entropy(b: B, call: OpCall[Any]) -> Sequence[Any]:
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


def _gelu(x: TensorExpr, y: TensorExpr, ct: TensorExpr) -> TensorExpr:
    """Phi(x) + x * phi(x)"""
    one = x.like(1.0)
    cdf = (one + erf(x * math.sqrt(0.5))) * 0.5
    density = exp(square(x) * -0.5) * (1 / math.sqrt(2 * math.pi))
    return ct * (cdf + x * density)


def _gelu_by_tanh(x: TensorExpr, y: TensorExpr, ct: TensorExpr) -> TensorExpr:
    """0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope, where t = tanh(inner) and slope = inner'"""
    one, factor = x.like(1.0), math.sqrt(2 / math.pi)
    squared = square(x)
    inner = x * (x.like(factor) + squared * (factor * 0.044715))
    slope = x.like(factor) + squared * (factor * 3 * 0.044715)
    t = tanh(inner)
    bend = x * ((one - square(t)) * slope)
    return ct * ((one + t + bend) * 0.5)


def _silu(x: TensorExpr, y: TensorExpr, ct: TensorExpr) -> TensorExpr:
    # Not by the result, which may have been written over since.
    s = sigmoid(x)
    one = s.like(1.0)
    return ct * (s * (one + x * (one - s)))


GELU = {"none": formula(_gelu), "tanh": formula(_gelu_by_tanh)}

GRADIENTS: GradientTable = {
    c.SoftmaxOp: _softmax,
    c.LogSoftmaxOp: _log_softmax,
    c.CrossEntropyOp: _cross_entropy,
    c.GeluOp: lambda b, call: GELU[call.attributes["approximate"]](b, call),
    c.SiluOp: formula(_silu),
    c.SoftplusOp: formula(lambda x, y, ct: ct * sigmoid(x)),
}

NO_GRADIENT: ReasonTable = {}
