"""Elementwise bodies at one point of a contraction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from xdsl.dialects import arith
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import IRDLOperation

from ...utils.affine import LinearExpr, LinearLike
from ...utils.nest_emitter import NestEmitter
from .classify import Factor

Point = Mapping[int, LinearLike]
"""Values of loop dimensions; those left out are 0."""


def shifted(point: Point, dim: int | None, by: LinearLike) -> Point:
    """The point `by` further along a dimension."""
    return point if dim is None else {**point, dim: LinearExpr.of(point.get(dim, 0)) + by}


def evaluate_scalars(e: NestEmitter, ops: Iterable[Operation], values: dict[SSAValue, SSAValue]) -> None:
    """Copies the operations of a body; `values` maps old values to new ones."""
    for op in ops:
        result = op.results[0]
        if isinstance(op, arith.ConstantOp):
            values[result] = e.constants.get(op.value)
            continue
        operands = [values.get(operand, operand) for operand in op.operands]
        values[result] = e.op(cast("type[IRDLOperation]", type(op)), *operands, type=result.type, **op.properties)


def factor_scalar(e: NestEmitter, factor: Factor, point: Point) -> SSAValue:
    """The factor at a point."""
    values = {argument: e.load(access.buffer, access.at(point)) for argument, access in factor.inputs}
    evaluate_scalars(e, factor.ops, values)
    return values.get(factor.result, factor.result)
