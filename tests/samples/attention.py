"""Samples of dialects/hl/attention.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from irtool.dialects.hl import attention as a
from irtool.dialects.reference import evaluate
from irtool.dialects.types import DType, f32, f64

from .core import Array, Generator, Op, Sample, generator, random_array

CASES: tuple[tuple[tuple[int, ...], int, int, int, int, bool, tuple[int, ...] | None], ...] = (
    ((), 3, 3, 2, 2, False, None),
    ((2,), 5, 4, 3, 2, False, None),
    ((2, 2), 4, 4, 3, 3, True, None),
    ((1, 2), 3, 5, 2, 4, True, (3, 5)),
    ((2, 2), 3, 4, 2, 2, False, (2, 1, 1, 4)),
    ((2,), 1, 1, 1, 1, True, None),
    ((0,), 2, 3, 2, 2, False, None),
    ((2,), 0, 3, 2, 2, False, None),
    ((2,), 3, 0, 2, 2, False, None),
    ((2,), 70, 70, 24, 24, True, None),
    ((1,), 33, 40, 128, 72, False, (33, 1)),
    ((2,), 40, 33, 40, 24, True, (1, 40, 33)),
)
"""Batch, queries, keys, width of keys and of values, causal, shape of the mask."""


def arrays(g: np.random.Generator, dtype: DType, truths: bool, case: Any) -> list[Array]:
    batch, t, s, d, e, _, mask = case
    made = [random_array(g, (*batch, rows, width), dtype, -1.5, 1.5) for rows, width in ((t, d), (s, d), (s, e))]
    if mask is None:
        return made
    if not truths:
        return [*made, random_array(g, mask, dtype, -2.0, 2.0)]
    allowed = g.uniform(0, 1, mask) < 0.7
    allowed[..., 0] = True  # so that gradients by finite differences are of numbers
    return [*made, allowed]


def attention(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for n, case in enumerate(CASES):
        for dtype in (f32, f64) if n not in (9, 10) else (f32,):
            for truths in (False, True) if case[-1] is not None else (False,):
                made = arrays(g, dtype, truths, case)
                attributes = {"causal": case[5], "scale": 0.5}
                yield sample(op, made, attributes, dtype is f64 and n < 8)
    # A row of which the mask leaves nothing; keys that do not take part may be anything but NaN.
    for dtype in (f32, f64):
        made = arrays(g, dtype, True, ((2,), 3, 4, 2, 2, False, (3, 4)))
        made[3][1] = False
        yield sample(op, made, {"causal": False, "scale": 1.0}, False)
        added = np.where(made[3], 0.0, -np.inf).astype(dtype.numpy)
        yield sample(op, [*made[:3], added], {"causal": True, "scale": 1.0}, False)
    large = [40 * x for x in arrays(g, f32, False, ((), 20, 50, 8, 8, False, None))]
    yield sample(op, large, {"causal": False, "scale": 1.0}, False)


def sample(op: Op, made: list[Array], attributes: dict[str, Any], differentiable: bool) -> Sample:
    """The operands of attention, or of its gradient, which takes what that gave."""
    if op is a.AttentionGradientOp:
        given = evaluate(a.AttentionOp, made, attributes)
        g = np.random.default_rng(7)
        ct = g.uniform(-1, 1, given[0].shape).astype(given[0].dtype)
        made = [*made[:3], *given, ct, *made[3:]]
    scale = 16.0 * max(1.0, *(float(np.abs(x).max(initial=0.0)) for x in made[:2]))
    return Sample(tuple(made), attributes, differentiable, ulps=64, scale=scale)


GENERATORS: dict[Op, Generator] = {a.AttentionOp: attention, a.AttentionGradientOp: attention}
