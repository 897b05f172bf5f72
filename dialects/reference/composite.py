"""Meaning of dialects/hl/composite.py."""

from __future__ import annotations

import math

import numpy as np

from ..hl import composite as c
from .elementwise import sigmoid
from .special import erf
from .table import Array, Table


def _shifted(x: Array, dimension: int) -> Array:
    return x - np.maximum.reduce(x, dimension, keepdims=True)


def softmax(x: Array, *, dimension: int) -> Array:
    if x.size == 0:
        return x.copy()
    result = _shifted(x, dimension)
    np.exp(result, out=result)
    result /= np.add.reduce(result, dimension, keepdims=True)
    return result


def log_softmax(x: Array, *, dimension: int) -> Array:
    if x.size == 0:
        return x.copy()
    result = _shifted(x, dimension)
    result -= np.log(np.add.reduce(np.exp(result), dimension, keepdims=True))
    return result


def cross_entropy(
    logits: Array, target: Array, *, reduction: c.Reduction, ignore_index: int, label_smoothing: float
) -> Array:
    dtype, classes = logits.dtype.type, logits.shape[1]
    log_p = log_softmax(logits, dimension=1)
    valid = target != ignore_index
    label = target.clip(0, classes - 1)
    rows = -log_p[np.arange(target.size), label]
    if label_smoothing:
        spread = -np.add.reduce(log_p, 1)
        rows = rows * dtype(1 - label_smoothing) + spread * dtype(label_smoothing / classes)
    rows = np.where(valid, rows, dtype(0))
    if reduction == "none":
        return rows
    total = np.add.reduce(rows, dtype=np.float64)
    return (total if reduction == "sum" else total / np.float64(valid.sum())).astype(logits.dtype)


def gelu(x: Array, *, approximate: c.Approximation) -> Array:
    number = x.dtype.type
    if approximate == "none":
        phi = erf(x * number(math.sqrt(0.5)))
    else:
        phi = np.tanh(number(math.sqrt(2 / math.pi)) * (x + number(0.044715) * x * x * x))
    return x * number(0.5) * (phi + number(1))


def silu(x: Array) -> Array:
    return x * sigmoid(x)


def softplus(x: Array) -> Array:
    return np.maximum(x, x.dtype.type(0)) + np.log1p(np.exp(-np.absolute(x)))


TABLE: Table = {
    c.SoftmaxOp: softmax,
    c.LogSoftmaxOp: log_softmax,
    c.CrossEntropyOp: cross_entropy,
    c.GeluOp: gelu,
    c.SiluOp: silu,
    c.SoftplusOp: softplus,
}
