"""Elementwise bodies on vectors: reading operands along a dimension, applying the body, writing results."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from xdsl.dialects import arith, math, vector
from xdsl.dialects.builtin import i1
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import IRDLOperation

from .....dialects import vectorx
from ....utils.affine import LinearExpr, LinearLike
from ....utils.constants import vector_type
from ....utils.nest_emitter import NestEmitter
from ...contraction.classify import AffineAccess, Box, Dim, Factor
from ...contraction.scalars import Point, shifted

VECTOR_FORMS: dict[type[Operation], type[Operation]] = {
    arith.BitcastOp: vector.BitcastOp,
    math.FmaOp: vector.FMAOp,
    arith.SelectOp: vectorx.SelectOp,
    arith.CmpiOp: vectorx.CmpiOp,
    arith.CmpfOp: vectorx.CmpfOp,
    **{getattr(arith, op.__name__): op for op in vectorx.CONVERSIONS},
}
"""Operations whose vector form is another one."""


def along(e: NestEmitter, point: Point, dim: Dim, by: LinearLike) -> Point:
    """The same for a box as well, from its first point on."""
    if not isinstance(dim, Box):
        return shifted(point, dim, by)
    first, *inner = e.delinearize(by, (dim.chunk, *dim.extents))
    return {**shifted(point, dim.lead, first), **dict(zip(dim.inner, inner, strict=True))}


def place(e: NestEmitter, access: AffineAccess, point: Point, dim: Dim) -> tuple[SSAValue, list[LinearExpr]]:
    """A buffer and the indices of a point in it, where vectors along a box run on in the last dimension."""
    indices = access.at(point)
    if not isinstance(dim, Box):
        return access.buffer, indices
    kept = len(access.forms) - len(dim.dims)
    flat = LinearExpr()
    for index, extent in zip(indices[kept:], access.shape[kept:], strict=True):
        flat = flat * extent + index
    return e.flat(access.buffer, kept), [*indices[:kept], flat]


def read(
    e: NestEmitter, access: AffineAccess, point: Point, dim: Dim, lanes: int, count: int | None = None
) -> SSAValue:
    """A vector of the elements that follow a point along a dimension; lanes from `count` on are zero or repeated."""
    used = lanes if count is None else min(count, lanes)
    if access.contiguous(dim) and (used == lanes or access.element != i1):
        return e.load_vector(*place(e, access, point, dim), lanes, used)
    if access.constant(dim):
        return e.broadcast(e.load(access.buffer, access.at(point)), lanes)
    row = e.private(access.element, lanes)
    if used < lanes:
        e.store_vector(e.broadcast(e.zero(access.element), lanes), row, [0], lanes)
    with e.for_(0, used) as lane:
        e.store(e.load(access.buffer, access.at(along(e, point, dim, lane))), row, [lane])
    return e.load_vector(row, [0], lanes)


def write(
    e: NestEmitter, value: SSAValue, access: AffineAccess, point: Point, dim: Dim, lanes: int, count: int | None = None
) -> None:
    """Stores a vector at the elements that follow a point along a dimension; lanes from `count` on are dropped."""
    used = 1 if dim is None else lanes if count is None else min(count, lanes)
    if access.contiguous(dim) and (used == lanes or access.element != i1):
        e.store_vector(value, *place(e, access, point, dim), lanes, used)
        return
    row = e.private(access.element, lanes)
    e.store_vector(value, row, [0], lanes)
    with e.for_(0, used) as lane:
        e.store(e.load(row, [lane]), access.buffer, access.at(along(e, point, dim, lane)))


def evaluate(e: NestEmitter, ops: Iterable[Operation], values: dict[SSAValue, SSAValue], lanes: int) -> None:
    """Copies the operations of a body for vectors; `values` maps old values to new ones."""
    for op in ops:
        result = op.results[0]
        if isinstance(op, arith.ConstantOp):
            values[result] = e.splat(op.value, result.type, lanes)
            continue
        operands = [look_up(e, values, operand, lanes) for operand in op.operands]
        form = VECTOR_FORMS.get(type(op))
        kind = cast("type[IRDLOperation]", form or type(op))
        kept = op.properties if form is None else {k: v for k, v in op.properties.items() if k == "predicate"}
        type_ = vector_type(lanes, result.type)
        values[result] = e.op(kind, *operands, type=type_, **kept)


def look_up(e: NestEmitter, values: dict[SSAValue, SSAValue], value: SSAValue, lanes: int) -> SSAValue:
    """The new value for an old one; one from outside the body is the same on every lane."""
    if value not in values:
        made = value.owner
        if isinstance(made, arith.ConstantOp):
            values[value] = e.splat(made.value, value.type, lanes)
        else:
            values[value] = e.broadcast(value, lanes)
    return values[value]


def factor_vector(
    e: NestEmitter, factor: Factor, point: Point, dim: int | None, lanes: int, count: int | None = None
) -> SSAValue:
    """The factor at the elements that follow a point along a dimension."""
    values = {argument: read(e, access, point, dim, lanes, count) for argument, access in factor.inputs}
    evaluate(e, factor.ops, values, lanes)
    return look_up(e, values, factor.result, lanes)
