"""Ops that only say where to read: a value seen through an affine map, a constant, or an index.

%1 = hl.transpose %0 [1, 0]                    %2 reads %0 through (i, j) -> (j + 2, i)
%2 = hl.slice %1 from [0, 2] to [4, 8]    ->
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import IndexType, IntegerAttr, i64
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap

from ....dialects.types import DType
from ...utils.emitter import Emitter
from .scalar import cast


@dataclass(frozen=True)
class MappedValue:
    """`source` read through `map`, from the indices of the viewed value to those of the source."""

    source: SSAValue
    map: AffineMap

    def through(self, inner: AffineMap) -> MappedValue:
        return MappedValue(self.source, self.map.compose(inner))


@dataclass(frozen=True)
class Splat:
    """The same number everywhere."""

    value: Any
    dtype: DType

    def through(self, inner: AffineMap) -> Splat:
        return self

    def scalar(self, e: Emitter) -> SSAValue:
        value = self.value
        if self.dtype.kind != "float":
            value = int(value)
            if not self.dtype.signed and value > 127:
                value -= 256
        return e.constants.scalar(self.dtype.lowered, value)


@dataclass(frozen=True)
class IndexNumber:
    """A number computed from the index alone."""

    expression: AffineExpr
    dtype: DType

    def through(self, inner: AffineMap) -> IndexNumber:
        return IndexNumber(self.expression.replace_dims_and_symbols(inner.results, []), self.dtype)

    def scalar(self, e: Emitter) -> SSAValue:
        from ....dialects.types import i64 as int64

        position = e.op(arith.IndexCastOp, emit_expression(e, self.expression), type=i64)
        return cast(e, int64, position, self.dtype)


Operand = MappedValue | Splat | IndexNumber


def emit_index(e: Emitter, dimension: int) -> SSAValue:
    """`linalg.index` of a dimension, inside a body."""
    return e.create(linalg.IndexOp, [], [IndexType()], {"dim": IntegerAttr(dimension, i64)}).results[0]


def emit_expression(e: Emitter, expression: AffineExpr, index: Callable[[int], SSAValue] | None = None) -> SSAValue:
    """The value of an affine expression of the indices, as arithmetic in a body."""
    from xdsl.ir.affine import AffineBinaryOpExpr, AffineBinaryOpKind

    if isinstance(expression, AffineDimExpr):
        return index(expression.position) if index else emit_index(e, expression.position)
    if isinstance(expression, AffineConstantExpr):
        return e.index(expression.value)
    assert isinstance(expression, AffineBinaryOpExpr)
    lhs, rhs = emit_expression(e, expression.lhs, index), emit_expression(e, expression.rhs, index)
    build = {
        AffineBinaryOpKind.Add: e.add,
        AffineBinaryOpKind.Mul: e.mul,
        AffineBinaryOpKind.FloorDiv: e.div,
        AffineBinaryOpKind.Mod: e.rem,
    }
    return build[expression.kind](lhs, rhs)


def iota(shape: tuple[int, ...], dtype: DType, dimension: int) -> Operand:
    return IndexNumber(AffineDimExpr(dimension), dtype)


def splat_of(value: np.ndarray[Any, Any] | float) -> Any:
    """The number that a constant holds everywhere, or None."""
    if not isinstance(value, np.ndarray):
        return value
    same_bits = len(set(value.reshape(-1).view(f"V{value.itemsize}").tolist())) == 1
    return value.flat[0].item() if same_bits else None
