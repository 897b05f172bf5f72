"""Ops that only say where to read: a value seen through an affine map, a constant, or an index.

    %1 = hl.transpose %0 [1, 0]                    %2 reads %0 through (i, j) -> (j + 2, i)
    %2 = hl.slice %1 from [0, 2] to [4, 8]    ->
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.dialects import arith, linalg
from xdsl.dialects.builtin import IndexType, IntegerAttr, i64
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap

from ....dialects.hl import shape as hl
from ....dialects.hl.base import HLOp
from ....dialects.types import DType, TensorSpec
from ...loops.build import Emitter
from .scalar import cast

d = AffineDimExpr
constant = AffineConstantExpr


@dataclass(frozen=True)
class View:
    """`source` read through `map`, from the indices of the viewed value to those of the source."""

    source: SSAValue
    map: AffineMap

    def through(self, inner: AffineMap) -> View:
        return View(self.source, self.map.compose(inner))


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
class Index:
    """A number computed from the index alone."""

    expression: AffineExpr
    dtype: DType

    def through(self, inner: AffineMap) -> Index:
        return Index(self.expression.replace_dims_and_symbols(inner.results, []), self.dtype)

    def scalar(self, e: Emitter) -> SSAValue:
        from ....dialects.types import i64 as int64

        position = e.op(arith.IndexCastOp, emit_expression(e, self.expression), type=i64)
        return cast(e, int64, position, self.dtype)


Access = View | Splat | Index


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


def _map(rank: int, results: Sequence[AffineExpr]) -> AffineMap:
    return AffineMap(rank, 0, tuple(results))


def broadcast(x: TensorSpec, result: TensorSpec, *, dimensions: tuple[int, ...], **_: Any) -> AffineMap:
    stretched = [n == 1 and result.shape[k] != 1 for n, k in zip(x.shape, dimensions)]
    return _map(len(result.shape), [constant(0) if s else d(k) for s, k in zip(stretched, dimensions)])


def transpose(x: TensorSpec, result: TensorSpec, *, permutation: tuple[int, ...]) -> AffineMap:
    return _map(len(permutation), [d(permutation.index(k)) for k in range(len(permutation))])


def slice_(x: TensorSpec, result: TensorSpec, *, start: tuple[int, ...], step: tuple[int, ...], **_: Any) -> AffineMap:
    return _map(len(start), [scaled(d(k), t, s) for k, (s, t) in enumerate(zip(start, step))])


def reverse(x: TensorSpec, result: TensorSpec, *, dimensions: tuple[int, ...]) -> AffineMap:
    return _map(
        len(x.shape), [scaled(d(k), -1, n - 1) if k in dimensions else d(k) for k, n in enumerate(x.shape)]
    )


def scaled(expression: AffineExpr, factor: int, offset: int) -> AffineExpr:
    """expression * factor + offset, as short as can be."""
    if factor != 1:
        expression = expression * factor
    return expression + offset if offset else expression


MAPS: dict[type[HLOp], Callable[..., AffineMap]] = {
    hl.BroadcastOp: broadcast,
    hl.TransposeOp: transpose,
    hl.SliceOp: slice_,
    hl.ReverseOp: reverse,
}


def iota(shape: tuple[int, ...], dtype: DType, dimension: int) -> Access:
    return Index(d(dimension), dtype)


def splat_of(value: Any) -> Any:
    """The number that a constant holds everywhere, or None."""
    if not isinstance(value, np.ndarray):
        return value
    return value.flat[0].item() if value.size and (value == value.flat[0]).all() else None
