"""Samples of every hl op: one table that drives reference = compiled C, gradient = finite differences, text and rules.

A family's generator gives the same arrays on every run. Shapes have ranks 0 to 4 and extents 0 and 1; attributes go to
their corners. A `differentiable` sample is in f64 and away from kinks and jumps.
"""

from __future__ import annotations

from irtool.dialects.hl import OPS

from . import arrays, attention, composite, elementwise, reduction, sequence, shape, window
from .core import Generator, Op, Sample

GENERATORS: dict[Op, Generator] = {
    **elementwise.GENERATORS,
    **shape.GENERATORS,
    **reduction.GENERATORS,
    **arrays.GENERATORS,
    **window.GENERATORS,
    **sequence.GENERATORS,
    **composite.GENERATORS,
    **attention.GENERATORS,
}
"""By op, or by the base class of a family."""


def samples_of(op: Op) -> list[Sample]:
    """The samples of one op, by the row of the op or of its family; none where there is no row."""
    row = next((base for base in op.__mro__ if base in GENERATORS), None)
    return list(GENERATORS[row](op)) if row else []


SAMPLES: dict[Op, list[Sample]] = {op: samples_of(op) for op in OPS}
