"""Samples of dialects/hl/attention.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from irtool.dialects.hl import attention as a
from irtool.dialects.reference import evaluate
from irtool.dialects.types import DType, f32, f64

from .core import Array, Generator, Op, Sample, generator, random_array


class Case(NamedTuple):
    """Extents and options of an attention."""

    dtype: DType
    batch: tuple[int, ...]
    queries: int
    keys: int
    width: int
    value_width: int
    causal: bool = False
    mask: tuple[int, ...] | None = None
    truths: bool = False
    """Whether the mask says which keys take part, rather than being added."""


CASES = (
    Case(f64, (), 3, 3, 2, 2),
    Case(f64, (2,), 5, 4, 3, 2),
    Case(f32, (2, 2), 4, 4, 3, 3, True),
    Case(f64, (1, 2), 3, 5, 2, 4, True, (3, 5)),
    Case(f64, (2, 2), 3, 4, 2, 2, False, (2, 1, 1, 4), True),
    Case(f32, (2,), 1, 1, 1, 1, True),
    Case(f32, (0,), 2, 3, 2, 2),
    Case(f32, (2,), 0, 3, 2, 2),
    Case(f32, (2,), 3, 0, 2, 2),
    Case(f32, (2,), 70, 70, 24, 24, True),
    Case(f32, (1,), 33, 40, 128, 72, False, (33, 1)),
    Case(f64, (2,), 40, 33, 40, 24, True, (1, 40, 33), True),
    Case(f32, (), 3, 5, 130, 3),
)


def arrays(g: np.random.Generator, case: Case) -> list[Array]:
    shapes = (case.queries, case.width), (case.keys, case.width), (case.keys, case.value_width)
    made = [random_array(g, (*case.batch, *shape), case.dtype, -1.5, 1.5) for shape in shapes]
    if case.mask is None:
        return made
    if not case.truths:
        return [*made, random_array(g, case.mask, case.dtype, -2.0, 2.0)]
    allowed = g.uniform(0, 1, case.mask) < 0.7
    allowed[..., 0] = True  # so that all logarithms are of numbers
    return [*made, allowed]


def attention(op: Op) -> Iterator[Sample]:
    g = generator(op)
    for case in CASES:
        small = case.dtype is f64 and case.queries < 8
        yield sample(op, arrays(g, case), {"causal": case.causal, "scale": 0.5}, small)
    # A row of which the mask leaves nothing.
    made = arrays(g, Case(f32, (2,), 3, 4, 2, 2, False, (3, 4), True))
    made[3][1] = False
    yield sample(op, made, {"causal": False, "scale": 1.0}, False)
    added = np.where(made[3], 0.0, -np.inf).astype(np.float32)
    yield sample(op, [*made[:3], added], {"causal": True, "scale": 1.0}, False)
    large = [40 * x for x in arrays(g, Case(f32, (), 20, 50, 8, 8))]
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
