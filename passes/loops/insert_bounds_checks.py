"""Puts a check in front of every access that is not known to stay inside its buffer.

    %k = arith.index_cast %v : i64 to index
    memref.store %one, %x[%k] : memref<8xf32>
->
    bounds.check %k below 8 "memref.store: dimension 0 of memref<8xf32>" : index
    memref.store %one, %x[%k] : memref<8xf32>

For programs that come in by hand. What `passes/utils/index_bounds.py` proves gets no check, and that is all that the
pipeline makes. An access of several elements needs its indices inside, and its last element before the buffer's end; a
view needs all that it shows inside of what it is a view of.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from xdsl.context import Context
from xdsl.dialects import arith, builtin, memref, vector
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    FixedBitwidthType,
    IntegerAttr,
    MemRefType,
    i1,
    i64,
)
from xdsl.dialects.func import CallOp, FuncOp
from xdsl.ir import Attribute, BlockArgument, Operation, SSAValue

from ...dialects.bounds import CheckOp
from ...dialects.locations import location_of
from ...dialects.marks import KERNEL_ATTRIBUTE
from ...dialects.types import bytes_of, is_memref, is_vector, memref_of
from ...dialects.vectorx import CmpiOp, TransposeOp
from ..pass_base import HostPass, fail, functions, walk
from ..utils.constants import INDEX, Constants, constant_value
from ..utils.emitter import Emitter
from ..utils.index_bounds import IndexBounds, Sum
from ..utils.memory import access
from .verify_bounds import VIEWS, elements_of

__all__ = ["InsertBoundsChecks"]

MASKED = (vector.MaskedLoadOp, vector.MaskedStoreOp)
ALLOCATIONS = (memref.AllocOp, memref.AllocaOp)


class Part(NamedTuple):
    """A multiple of a value; of 1 where there is none."""

    factor: int
    value: SSAValue | None = None


class Need(NamedTuple):
    """That a sum is at least 0 and below a limit."""

    parts: tuple[Part, ...]
    limit: int
    what: str
    mask: SSAValue | None = None
    """Which lanes it speaks of; of none, it is no need."""
    lanes: Part = Part(0)
    """How many of them are among the parts, as far as that is known before it runs."""


@dataclass(frozen=True)
class InsertBoundsChecks(HostPass):
    """Checks while the program runs what is not proved before."""

    name = "insert-bounds-checks"

    def apply(self, ctx: Context, op: builtin.ModuleOp) -> None:
        sizes, bounds = _sizes(op), IndexBounds()
        found: list[tuple[Operation, Need]] = []
        for function in functions(op):
            _check_layouts(function)
            for inner in walk(function.body):
                found += [(inner, need) for need in _needs(inner, sizes) if not _is_proved(inner, need, bounds)]
        for inner, need in found:
            _insert(inner, need)


def _check_layouts(function: FuncOp) -> None:
    """What a caller gives is row-major and whole, whatever a type says."""
    for position, type_ in enumerate(function.function_type.inputs):
        if is_memref(type_) and KERNEL_ATTRIBUTE not in function.attributes:
            plain = MemRefType(type_.element_type, type_.get_shape())
            if type_.layout != plain.layout:
                what = f"argument {position} of @{function.sym_name.data}"
                fail(function, f"{what}: expected a row-major buffer of {type_.element_type}, {plain}, got {type_}")


def _sizes(module: builtin.ModuleOp) -> dict[SSAValue, int]:
    """How many bytes the arguments of unknown extent have at least: what callers give them."""
    found: dict[SSAValue, int] = {}
    all_functions = {function.sym_name.data: function for function in functions(module)}
    for function in sorted(all_functions.values(), key=lambda f: KERNEL_ATTRIBUTE in f.attributes):
        for call in walk(function.body):
            callee = all_functions.get(call.callee.string_value()) if isinstance(call, CallOp) else None
            if callee is None or len(callee.body.block.args) != len(call.operands):
                continue
            for given, argument in zip(call.operands, callee.body.block.args):
                size = _elements(given, found)
                if is_memref(argument.type) and size is not None:
                    found[argument] = min(size, found.get(argument, size))
    return found


def _elements(buffer: SSAValue, sizes: dict[SSAValue, int]) -> int | None:
    """From a buffer's first element to its last."""
    assert is_memref(buffer.type) or buffer not in sizes
    if not is_memref(buffer.type):
        return None
    known = elements_of(buffer.type)
    if known is not None:
        return known
    if isinstance(buffer, BlockArgument):
        return sizes.get(buffer)
    if isinstance(buffer.owner, memref.CastOp | memref.AllocOp) and buffer.owner.operands:
        first = buffer.owner.operands[0]
        return _elements(first, sizes) if isinstance(buffer.owner, memref.CastOp) else constant_value(first)
    return None


def _needs(op: Operation, sizes: dict[SSAValue, int]) -> Iterator[Need]:
    if isinstance(op, TransposeOp):
        for side, indices, rows, columns in (
            (op.source, op.indices, Part(op.step.value.data, op.rows), Part(1, op.columns)),
            (op.target, op.target_indices, Part(op.to_step.value.data, op.columns), Part(op.lanes.value.data)),
        ):
            yield from _inside(op, side, [Part(1, i) for i in indices], sizes)
            yield from _last(op, side, [Part(1, i) for i in indices], (rows, Part(-rows.factor), columns), sizes)
    elif isinstance(op, VIEWS):
        yield from _needs_of_view(op, sizes)
    elif isinstance(op, ALLOCATIONS):
        type_ = memref_of(op.memref)
        if DYNAMIC_INDEX not in type_.get_shape():
            try:
                bytes_of(type_)
            except ValueError as error:
                fail(op, f"{op.name}: {error}")
    elif (found := access(op)) is not None and is_memref(found.buffer.type):
        indices, type_ = [Part(1, i) for i in found.indices], found.buffer.type
        count = _count(op, type_)
        mask = op.mask if isinstance(op, MASKED) else None
        if not (isinstance(op, MASKED) and count == (Part(0),)):
            yield from (need._replace(mask=mask) for need in _inside(op, found.buffer, indices, sizes))
        if count is not None:
            lanes = count[0] if mask is not None else Part(0)
            ends = _last(op, found.buffer, indices, count, sizes)
            yield from (need._replace(mask=mask, lanes=lanes) for need in ends)


def _count(op: Operation, type_: MemRefType[Attribute]) -> tuple[Part, ...] | None:
    """How many neighbouring elements an access reaches; None for one."""
    vectors = [t for t in (*op.result_types, *op.operand_types) if is_vector(t)]
    if not vectors or is_vector(type_.element_type):
        return None
    lanes = prod(vectors[0].get_shape())
    return (_reach(op.mask, lanes) if isinstance(op, MASKED) else Part(lanes),)


def _reach(mask: SSAValue, lanes: int) -> Part:
    """How many lanes there are up to the last that a mask lets through; all, where that is not known."""
    op = mask.owner
    if isinstance(op, vector.CreateMaskOp):
        constant = constant_value(op.mask_dim_sizes[0])
        return Part(1, op.mask_dim_sizes[0]) if constant is None else Part(max(0, min(constant, lanes)))
    found = _lanes(mask, lanes)
    if isinstance(op, CmpiOp) and (name := op.NAMES[op.predicate.value.data]) in _COMPARISONS:
        left, right = _lanes(op.lhs, lanes), _lanes(op.rhs, lanes)
        if left is not None and right is not None:
            found = [_COMPARISONS[name](a, b) for a, b in zip(left, right)]
    return Part(lanes if found is None else max((k + 1 for k, lane in enumerate(found) if lane), default=0))


_COMPARISONS = {"eq": operator.eq, "ne": operator.ne, "slt": operator.lt, "sle": operator.le, "sgt": operator.gt,
                "sge": operator.ge}  # fmt: skip


def _lanes_through(e: Emitter, mask: SSAValue) -> SSAValue:
    """How many lanes there are up to the last that a mask lets through, in this run."""
    assert is_vector(mask.type)
    reach = e.index(0)
    for lane in range(prod(mask.type.get_shape())):
        position = DenseArrayBase.from_list(i64, [lane])
        through = e.op(vector.ExtractOp, mask, type=i1, static_position=position)
        reach = e.op(arith.SelectOp, through, e.index(lane + 1), reach, type=INDEX)
    return reach


def _lanes(value: SSAValue, lanes: int) -> list[int] | None:
    """The lanes of a constant vector of integers."""
    op = value.owner
    if isinstance(op, vector.BroadcastOp):
        constant = constant_value(op.operands[0])
        return None if constant is None else [constant] * lanes
    if not isinstance(op, arith.ConstantOp) or not isinstance(op.value, DenseIntOrFPElementsAttr):
        return None
    values = [v for v in op.value.get_values() if isinstance(v, int)]
    return values * lanes if len(values) == 1 else values if len(values) == lanes else None


def _inside(op: Operation, buffer: SSAValue, indices: Sequence[Part], sizes: dict[SSAValue, int]) -> Iterator[Need]:
    """That each index is inside its dimension."""
    type_ = memref_of(buffer)
    for dimension, (index, extent) in enumerate(zip(indices, type_.get_shape())):
        if extent == DYNAMIC_INDEX:
            known = _elements(buffer, sizes) if len(indices) == 1 else None
            if known is None:
                fail(op, f"{op.name}: expected a buffer of known extents, got {type_}")
            extent = known
        yield Need((index,), extent, f"dimension {dimension} of {type_}")


def _last(
    op: Operation, buffer: SSAValue, indices: Sequence[Part], count: Sequence[Part], sizes: dict[SSAValue, int]
) -> Iterator[Need]:
    """That the last of several elements, which rows do not end, is inside the buffer."""
    type_ = memref_of(buffer)
    total, strides = _elements(buffer, sizes), type_.get_strides()
    if total is None or strides is None or None in strides:
        fail(op, f"{op.name}: expected a buffer of known extents, got {type_}")
    places = tuple(Part(i.factor * (s or 0), i.value) for i, s in zip(indices, strides))
    yield Need((*places, *count), total + 1, f"the end, in elements of {type_},")


def _needs_of_view(op: Operation, sizes: dict[SSAValue, int]) -> Iterator[Need]:
    source, result = op.operands[0], memref_of(op.results[0])
    shown = memref_of(source)
    have, needed = _elements(source, sizes), elements_of(result)
    if any(stride is not None and stride < 0 for stride in result.get_strides() or ()):
        fail(op, f"{op.name}: expected strides of at least 0, got {result}")
    counted, start = "elements", (Part(0),)
    if isinstance(op, memref.ViewOp):
        width = result.element_type.bitwidth if isinstance(result.element_type, FixedBitwidthType) else 64
        needed = needed * max(1, width // 8) if needed is not None else None
        counted, start = "bytes", (Part(1, op.byte_shift),)
    elif isinstance(op, memref.SubviewOp):
        strides = shown.get_strides()
        if strides is None or None in strides:
            have = None
        else:
            offsets = _mixed(op.static_offsets, op.offsets)
            if any(part.value is not None for part in offsets):
                for offset, extent in zip(offsets, shown.get_shape()):
                    yield Need((offset,), extent + 1, f"an offset in {shown}")
            start = tuple(Part(o.factor * (s or 0), o.value) for o, s in zip(offsets, strides))
    elif isinstance(op, memref.ReinterpretCastOp):
        start = tuple(_mixed(op.static_offsets, op.offsets)[:1])
    if needed is None and isinstance(op, memref.CastOp):
        return  # of an extent that nobody says: whoever uses the view asks what it is a view of
    if have is None or needed is None:
        fail(op, f"{op.name}: expected buffers of known extents, got {shown} and {result}")
    yield Need(start, have - needed + 1, f"the first of {needed} {counted} of {have}")


def _mixed(static: Any, dynamic: Sequence[SSAValue]) -> list[Part]:
    rest = iter(dynamic)
    return [Part(1, next(rest)) if v == DYNAMIC_INDEX else Part(v) for v in static.get_values()]


def _is_proved(op: Operation, need: Need, bounds: IndexBounds) -> bool:
    total = Sum()
    for factor, value in need.parts:
        total = total.plus(Sum(1) if value is None else bounds.sum_of(value), factor)
    return bounds.proves(op, total, need.limit)


def _function(op: Operation) -> FuncOp:
    parent = op.parent_op()
    while parent is not None and not isinstance(parent, FuncOp):
        parent = parent.parent_op()
    assert parent is not None
    return parent


def _insert(op: Operation, need: Need) -> None:
    """The sum, and its check, in front of an operation."""
    if not any(value is not None for _, value in need.parts) and need.limit <= 0:
        fail(op, f"{op.name}: {need.what} reaches past its end")
    assert op.parent is not None
    e = Emitter(Constants(_function(op)), op.parent, op, location_of(op))
    parts = list(need.parts)
    if need.mask is not None and need.lanes in parts:
        parts.remove(need.lanes)  # the run says
    total: SSAValue = e.index(sum(factor for factor, value in parts if value is None))
    for factor, value in parts:
        if value is not None:
            term = value if factor == 1 else e.op(arith.MuliOp, value, e.index(factor), type=INDEX)
            total = term if constant_value(total) == 0 else e.op(arith.AddiOp, total, term, type=INDEX)
    if need.mask is not None:
        reach = _lanes_through(e, need.mask)
        if need.lanes != Part(0):
            total = e.op(arith.AddiOp, total, reach, type=INDEX)
        some = e.op(arith.CmpiOp, reach, e.index(0), type=i1, predicate=IntegerAttr(1, 64))
        total = e.op(arith.SelectOp, some, total, e.index(0), type=INDEX)
    check = CheckOp(total, need.limit, f"{op.name}: {need.what}", location_of(op))
    e.insert(check)
