"""Constant folding: what is known is computed now, by the reference meanings.

    %0 = hl.constant 2.0 : tensor<64x10xf32>
    %1 = hl.exp %0       : tensor<64x10xf32>
    ->
    %1 = hl.constant 7.389056 : tensor<64x10xf32>      one number, whatever the shape

Constants with different elements are folded up to LIMIT elements.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from xdsl.ir import SSAValue

from ...dialects.hl import autodiff, elementwise, random, shape
from ...dialects.hl.base import HLOp, attributes_of
from ...dialects.reference import evaluate
from ...dialects.types import DYNAMIC, TensorSpec
from ..pass_base import RecordingBuilder
from .patterns.match import constant, spec

LIMIT = 1024
"""Elements of a constant, at most, that are computed one by one."""

MOVEMENTS = (shape.BroadcastOp, shape.ReshapeOp, shape.TransposeOp, shape.SliceOp, shape.ReverseOp)
"""Ops whose result has the elements of the operand, and no others."""

_NEVER = frozenset(
    op for family in (autodiff, random) for op in vars(family).values() if isinstance(op, type) and issubclass(op, HLOp)
)
"""Ops that are more than a function of their operands' values, or are there to be seen by passes."""


def fold(b: RecordingBuilder, op: HLOp) -> SSAValue | None:
    """The constant that an op's only result is, or None."""
    if not op.operands or len(op.results) != 1 or type(op) in _NEVER:
        return None
    known: list[float | np.ndarray[Any, Any]] = []
    for operand in op.operands:
        value = constant(operand)
        if value is None:
            return None
        known.append(value)
    result = spec(op.results[0])
    if DYNAMIC in result.shape:
        return None
    if not any(isinstance(value, np.ndarray) for value in known):
        if isinstance(op, MOVEMENTS):
            return b.constant(known[0], *result)
        if type(op).__module__ == elementwise.__name__:
            numbers = [np.asarray(v, spec(x).dtype.numpy) for v, x in zip(known, op.operands, strict=True)]
            (array,) = evaluate(type(op), numbers, attributes_of(op))
            return b.constant(array.item(), *result)
    sizes = [math.prod(spec(v).shape) for v in (*op.operands, *op.results)]
    if max(sizes) > LIMIT:
        return None
    arrays = [_array(value, spec(x)) for value, x in zip(known, op.operands, strict=True)]
    (array,) = evaluate(type(op), arrays, attributes_of(op))
    return _constant(b, array, result)


def _array(value: float | np.ndarray[Any, Any], wanted: TensorSpec) -> np.ndarray[Any, Any]:
    return value if isinstance(value, np.ndarray) else np.full(wanted.shape, value, wanted.dtype.numpy)


def _constant(b: RecordingBuilder, array: np.ndarray[Any, Any], result: TensorSpec) -> SSAValue:
    flat = np.ascontiguousarray(array).reshape(-1)
    item = flat[:1].tobytes()
    if flat.tobytes() == item * flat.size:
        return b.constant(flat[0].item() if flat.size else 0, *result)
    return b.constant(flat.reshape(result.shape), *result)
