"""Random numbers from random bits."""

from __future__ import annotations

from typing import Any

from ....dialects.hl import random as r
from ....dialects.hl.builder import OpBuilder
from ....dialects.types import DType, f32, f64, i32, i64
from .rule import DecompositionTable

B = OpBuilder[Any]


def _uniform(b: B, state: Any, *, shape: tuple[int, ...], dtype: DType) -> tuple[Any, ...]:
    """f32: (bits >>> 8) * 2**-24        f64: unsigned(bits) * 2**-32"""
    bits = b.random_bits(state, shape)
    if dtype is f32:
        top = b.shift_right_logical(bits, b.constant(8, shape, i32))
        return (b.mul(b.cast(top, f32), b.constant(2.0**-24, shape, f32)),)
    unsigned = b.bitwise_and(b.cast(bits, i64), b.constant(2**32 - 1, shape, i64))
    return (b.mul(b.cast(unsigned, f64), b.constant(2.0**-32, shape, f64)),)


def _bernoulli(b: B, state: Any, p: Any, *, shape: tuple[int, ...]) -> tuple[Any, ...]:
    return (b.compare("lt", b.uniform(state, shape, b.dtype(p)), b.broadcast(p, shape, ())),)


DECOMPOSITIONS: DecompositionTable = {r.UniformOp: _uniform, r.BernoulliOp: _bernoulli}
