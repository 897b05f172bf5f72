"""Meaning of dialects/hl/random.py: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3")."""

from __future__ import annotations

import math

import numpy as np

from ..hl import random as r
from ..types import DType, f32
from .table import Array, Table

MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
LOW = np.uint64(0xFFFFFFFF)
HIGH = np.uint64(32)
WORDS = 4
"""Of a block."""
CHUNK = 1 << 14
"""Blocks at a time, so that all the intermediates of the rounds stay in cache."""


def philox(counter: tuple[Array, Array, Array, Array], key: tuple[int, int]) -> tuple[Array, Array, Array, Array]:
    """The four words of the block at a counter, each word a u64 array of 32-bit values."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        left, right = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            (right >> HIGH) ^ c1 ^ np.uint64(k0),
            right & LOW,
            (left >> HIGH) ^ c3 ^ np.uint64(k1),
            left & LOW,
        )
        k0, k1 = (k0 + WEYL[0]) & 0xFFFFFFFF, (k1 + WEYL[1]) & 0xFFFFFFFF
    return c0, c1, c2, c3


def unsigned_bits(state: Array, shape: tuple[int, ...]) -> Array:
    """The 32 random bits of every element, as u32."""
    seed, offset = (int(word) & 0xFFFFFFFFFFFFFFFF for word in state)
    key = (seed & 0xFFFFFFFF, seed >> 32)
    count = math.prod(shape)
    blocks = -(-count // WORDS)
    result = np.empty((blocks, WORDS), np.uint32)
    for start in range(0, blocks, CHUNK):
        block = np.arange(start, min(start + CHUNK, blocks), dtype=np.uint64)
        low = np.full_like(block, offset & 0xFFFFFFFF)
        high = np.full_like(block, offset >> 32)
        for word, bits in enumerate(philox((block & LOW, block >> HIGH, low, high), key)):
            result[start : start + CHUNK, word] = bits
    return result.reshape(-1)[:count].reshape(shape)


def random_bits(state: Array, *, shape: tuple[int, ...]) -> Array:
    return unsigned_bits(state, shape).view(np.int32)


def uniform(state: Array, *, shape: tuple[int, ...], dtype: DType) -> Array:
    bits = unsigned_bits(state, shape)
    if dtype is f32:
        return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
    return bits.astype(np.float64) * 2.0**-32


def bernoulli(state: Array, p: Array, *, shape: tuple[int, ...]) -> Array:
    bits = unsigned_bits(state, shape)
    if p.dtype == np.float32:
        return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24) < p
    return bits.astype(np.float64) * 2.0**-32 < p


TABLE: Table = {r.RandomBitsOp: random_bits, r.UniformOp: uniform, r.BernoulliOp: bernoulli}
