"""Elementwise bodies on vectors: reading operands along a dimension, applying the body, writing results."""

# pyright: basic
from __future__ import annotations

from collections.abc import Iterable, Mapping

from xdsl.dialects import arith, math, vector
from xdsl.dialects.builtin import i1
from xdsl.ir import Operation, SSAValue

from ....dialects import vectorx
from ..build import vector_type
from .classify import Access, Box, Dim, Factor
from .emit import Emitter, Index, Lin

VECTOR_FORMS: dict[type[Operation], type[Operation]] = {
    arith.BitcastOp: vector.BitcastOp,
    math.FmaOp: vector.FMAOp,
    arith.SelectOp: vectorx.SelectOp,
    arith.CmpiOp: vectorx.CmpiOp,
    arith.CmpfOp: vectorx.CmpfOp,
    **{getattr(arith, op.__name__): op for op in vectorx.CONVERSIONS},
}
"""Operations whose vector form is another one."""

Point = Mapping[int, Index]
"""Values of loop dimensions; those left out are 0."""


def shifted(point: Point, dim: int | None, by: Index) -> Point:
    """The point `by` further along a dimension."""
    return point if dim is None else {**point, dim: Lin.of(point.get(dim, 0)) + by}


def along(e: Emitter, point: Point, dim: Dim, by: Index) -> Point:
    """The same for a box as well, from its first point on."""
    if not isinstance(dim, Box):
        return shifted(point, dim, by)
    first, *inner = e.delinearize(by, (dim.chunk, *dim.extents))
    return {**shifted(point, dim.lead, first), **dict(zip(dim.inner, inner, strict=True))}


def place(e: Emitter, access: Access, point: Point, dim: Dim) -> tuple[SSAValue, list[Lin]]:
    """A buffer and the indices of a point in it, where vectors along a box run on in the last dimension."""
    indices = access.at(point)
    if not isinstance(dim, Box):
        return access.buffer, indices
    kept = len(access.forms) - len(dim.dims)
    flat = Lin()
    for index, extent in zip(indices[kept:], access.shape[kept:], strict=True):
        flat = flat * extent + index
    return e.flat(access.buffer, kept), [*indices[:kept], flat]


def read(e: Emitter, access: Access, point: Point, dim: Dim, lanes: int, count: int | None = None) -> SSAValue:
    """A vector of the elements that follow a point along a dimension; lanes from `count` on are zero or repeated."""
    used = lanes if count is None else min(count, lanes)
    if access.contiguous(dim) and (used == lanes or access.element != i1):
        return e.load_vector(*place(e, access, point, dim), lanes, used)
    if access.constant(dim):
        return e.broadcast(e.load(access.buffer, access.at(point)), lanes)
    row = e.private(access.element, lanes)
    if used < lanes:
        e.store_vector(e.broadcast(e.zero(access.element), lanes), row, [0], lanes)
    with e.loop(0, used) as lane:
        e.store(e.load(access.buffer, access.at(along(e, point, dim, lane))), row, [lane])
    return e.load_vector(row, [0], lanes)


def write(
    e: Emitter, value: SSAValue, access: Access, point: Point, dim: Dim, lanes: int, count: int | None = None
) -> None:
    """Stores a vector at the elements that follow a point along a dimension; lanes from `count` on are dropped."""
    used = 1 if dim is None else lanes if count is None else min(count, lanes)
    if access.contiguous(dim) and (used == lanes or access.element != i1):
        e.store_vector(value, *place(e, access, point, dim), lanes, used)
        return
    row = e.private(access.element, lanes)
    e.store_vector(value, row, [0], lanes)
    with e.loop(0, used) as lane:
        e.store(e.load(row, [lane]), access.buffer, access.at(along(e, point, dim, lane)))


def evaluate(e: Emitter, ops: Iterable[Operation], values: dict[SSAValue, SSAValue], lanes: int | None) -> None:
    """Copies the operations of a body for vectors (scalars, without `lanes`); `values` maps old values to new ones."""
    for op in ops:
        result = op.results[0]
        if isinstance(op, arith.ConstantOp):
            values[result] = e.scalar(op.value, result.type) if lanes is None else e.splat(op.value, result.type, lanes)
            continue
        operands = [look_up(e, values, operand, lanes) for operand in op.operands]
        if lanes is None:
            values[result] = e.op(type(op), operands, result.type, op.properties)
        else:
            kind = VECTOR_FORMS.get(type(op))
            kept = op.properties if kind is None else {k: v for k, v in op.properties.items() if k == "predicate"}
            values[result] = e.op(kind or type(op), operands, vector_type(lanes, result.type), kept)


def look_up(e: Emitter, values: dict[SSAValue, SSAValue], value: SSAValue, lanes: int | None) -> SSAValue:
    """The new value for an old one; one from outside the body is the same on every lane."""
    if value not in values:
        made = value.owner
        if lanes is None:
            values[value] = value
        elif isinstance(made, arith.ConstantOp):
            values[value] = e.splat(made.value, value.type, lanes)
        else:
            values[value] = e.broadcast(value, lanes)
    return values[value]


def factor_vector(
    e: Emitter, factor: Factor, point: Point, dim: int | None, lanes: int, count: int | None = None
) -> SSAValue:
    """The factor at the elements that follow a point along a dimension."""
    values = {argument: read(e, access, point, dim, lanes, count) for argument, access in factor.inputs}
    evaluate(e, factor.ops, values, lanes)
    return look_up(e, values, factor.result, lanes)


def factor_scalar(e: Emitter, factor: Factor, point: Point) -> SSAValue:
    """The factor at a point."""
    values = {argument: e.load(access.buffer, access.at(point)) for argument, access in factor.inputs}
    evaluate(e, factor.ops, values, None)
    return look_up(e, values, factor.result, None)
