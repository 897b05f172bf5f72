"""Proves that accesses whose places follow from constants and loop bounds stay inside their buffers.

    scf.for %i = %c0 to %c8 step %c1 {
      %a = memref.load %x[%i] : memref<4xf32>     // error: memref.load: reaches index 7 of dimension 0 of memref<4xf32>
    }
    memref.view %bytes[%c64][] : memref<100xi8> to memref<16xf32>          // error: ends at byte 128 of memref<100xi8>

An index is a sum of a constant and multiples of counters, each of which takes all values from 0 to a constant in steps:
loops with constant bounds, loops a constant distance long, and whole `spmd.share`s. The least and the greatest value of
such a sum are reached, unless an `scf.if` between a loop and the access says otherwise; anything else is not judged.
One walk; nothing is changed. Programs that come in by hand are put to it, those of the pipeline are in bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, cast

from xdsl.context import Context
from xdsl.dialects import arith, builtin, memref, scf, vector
from xdsl.dialects.builtin import DYNAMIC_INDEX, FixedBitwidthType, MemRefType
from xdsl.dialects.func import FuncOp
from xdsl.ir import BlockArgument, Operation, SSAValue

from ...dialects.marks import KERNEL_ATTRIBUTE
from ...dialects.spmd import ShareOp
from ...dialects.types import bytes_of, is_memref, is_vector
from ...dialects.vectorx import TransposeOp
from ..pass_base import HostPass, fail, functions, walk
from ..utils.constants import constant_value
from ..utils.memory import access

__all__ = ["VIEWS", "VerifyBounds", "elements_of"]

_MASKED = (vector.MaskedLoadOp, vector.MaskedStoreOp)
"""How far these reach is in their mask."""


@dataclass(frozen=True)
class Index:
    """`constant` and, for each loop, a multiple of a counter from 0 on, with the greatest value of the product."""

    constant: int = 0
    terms: dict[Operation, tuple[int, int]] = field(default_factory=dict[Operation, tuple[int, int]])
    """By loop: the factor of its counter, and the counter's greatest value."""

    @property
    def low(self) -> int:
        return self.constant + sum(min(0, factor * most) for factor, most in self.terms.values())

    @property
    def high(self) -> int:
        return self.constant + sum(max(0, factor * most) for factor, most in self.terms.values())

    def plus(self, other: Index, sign: int = 1) -> Index:
        terms = dict(self.terms)
        for loop, (factor, most) in other.terms.items():
            terms[loop] = (terms.get(loop, (0, most))[0] + sign * factor, most)
        terms = {loop: (factor, most) for loop, (factor, most) in terms.items() if factor}
        return Index(self.constant + sign * other.constant, terms)

    def times(self, number: int) -> Index:
        return Index(self.constant * number, {loop: (f * number, most) for loop, (f, most) in self.terms.items()})


@dataclass(frozen=True)
class VerifyBounds(HostPass):
    """Refuses accesses and views that reach past their buffers."""

    name = "verify-bounds"

    def apply(self, ctx: Context, op: builtin.ModuleOp) -> None:
        for function in sorted(functions(op), key=lambda f: KERNEL_ATTRIBUTE in f.attributes):
            _check_size(function)
            for inner in walk(function.body):
                if isinstance(inner, TransposeOp):
                    _check_transpose(inner)
                elif isinstance(inner, VIEWS):
                    _check_view(inner)
                elif (found := access(inner)) is not None and is_memref(found.buffer.type):
                    _check_access(inner, found.buffer.type, found.indices)


def _check_size(function: FuncOp) -> None:
    """No machine has buffers that large, and passes that weigh their sizes would never end."""
    for position, type_ in enumerate(function.function_type.inputs):
        if is_memref(type_) and DYNAMIC_INDEX not in type_.get_shape():
            try:
                bytes_of(type_)
            except ValueError as error:
                fail(function, f"argument {position} of @{function.sym_name.data}: {error}")


def _index(value: SSAValue) -> Index | None:
    """What an index is made of, or None."""
    constant = constant_value(value)
    if constant is not None:
        return Index(constant)
    op = value.owner
    if isinstance(value, BlockArgument):
        loop = value.block.parent_op()
        return _counter(loop) if isinstance(loop, scf.ForOp) and value.index == 0 else None
    if isinstance(op, arith.IndexCastOp):
        return _index(op.operands[0])
    if not isinstance(op, (arith.AddiOp, arith.SubiOp, arith.MuliOp)):
        return None
    left, right = (_index(operand) for operand in op.operands)
    if left is None or right is None:
        return None
    if isinstance(op, arith.MuliOp):
        if left.terms and right.terms:
            return None
        return left.times(right.constant) if left.terms else right.times(left.constant)
    return left.plus(right, -1 if isinstance(op, arith.SubiOp) else 1)


def _counter(loop: scf.ForOp) -> Index | None:
    """The values that a loop's variable takes."""
    step = constant_value(loop.step)
    if step is None or step <= 0:
        return None
    share = loop.lb.owner
    if isinstance(share, ShareOp) and loop.lb is share.low and loop.ub is share.high:
        low, extent = Index(), _index(share.extent)
        step = 1 if step == 1 else 0
    else:
        low, high = _index(loop.lb), _index(loop.ub)
        extent = high.plus(low, -1) if low is not None and high is not None else None
    if low is None or extent is None or extent.terms or extent.constant <= 0 or not step:
        return None
    return low.plus(Index(0, {loop: (1, (extent.constant - 1) // step * step)}))


def _is_reached(op: Operation, index: Index) -> bool:
    """Whether nothing between an access and the loops of its index leaves out iterations."""
    loops = set(index.terms)
    parent = op.parent_op()
    while parent is not None and loops:
        if isinstance(parent, (scf.IfOp, scf.WhileOp)):
            return False
        loops.discard(parent)
        parent = parent.parent_op()
    return True


def _outside(op: Operation, index: Index | None, extent: int, length: int = 1) -> int | None:
    """What `length` elements from an index on reach outside of 0 to `extent`, if that is certain."""
    if index is None or extent == DYNAMIC_INDEX or not _is_reached(op, index):
        return None
    if index.low < 0:
        return index.low
    last = index.high + length - 1
    return last if last >= extent else None


def _check_access(op: Operation, type_: MemRefType, indices: Sequence[SSAValue]) -> None:
    shape = type_.get_shape()
    found = [_index(value) for value in indices]
    for dimension, (index, extent) in enumerate(zip(found, shape)):
        reached = _outside(op, index, extent)
        if reached is not None and not isinstance(op, _MASKED):
            fail(op, f"{op.name}: expected indices inside of {type_}, reaches {reached} in dimension {dimension}")
    accessed = [t for t in (*op.result_types, *op.operand_types) if is_vector(t)]
    if accessed and not isinstance(op, _MASKED) and not is_vector(type_.element_type):
        lanes = prod(accessed[0].get_shape())
        _check_flat(op, type_, found, lanes)


def _check_flat(op: Operation, type_: MemRefType, indices: Sequence[Index | None], count: int) -> None:
    """The same for `count` neighbouring elements in memory, which rows do not end."""
    start, total = _flat(type_, indices), elements_of(type_)
    if start is not None and total is not None:
        reached = _outside(op, start, total, count)
        if reached is not None:
            fail(op, f"{op.name}: expected {total} elements of {type_}, reaches number {reached}")


def _flat(type_: MemRefType, indices: Sequence[Index | None]) -> Index | None:
    """The place of an element in memory, counted from the buffer's first."""
    strides = type_.get_strides()
    if strides is None or len(strides) != len(indices):
        return None
    total = Index()
    for index, stride in zip(indices, strides):
        if index is None or stride is None:
            return None
        total = total.plus(index.times(stride))
    return total


def elements_of(type_: MemRefType) -> int | None:
    """From a buffer's first element to its last."""
    strides, shape = type_.get_strides(), type_.get_shape()
    if strides is None or None in strides or DYNAMIC_INDEX in shape:
        return None
    return 0 if 0 in shape else 1 + sum((extent - 1) * stride for extent, stride in zip(shape, strides))  # type: ignore


def _check_transpose(op: TransposeOp) -> None:
    rows, columns = constant_value(op.rows), constant_value(op.columns)
    step, to_step, lanes = (number.value.data for number in (op.step, op.to_step, op.lanes))
    if rows and columns and min(step, to_step) >= 0:
        source, target = cast("MemRefType", op.source.type), cast("MemRefType", op.target.type)
        _check_flat(op, source, [_index(i) for i in op.indices], (rows - 1) * step + columns)
        _check_flat(op, target, [_index(i) for i in op.target_indices], (columns - 1) * to_step + lanes)


VIEWS = (
    memref.ViewOp, memref.SubviewOp, memref.ReinterpretCastOp, memref.CastOp, memref.CollapseShapeOp,
    memref.ExpandShapeOp,
)  # fmt: skip


def _check_view(op: Operation) -> None:
    """What a view shows lies in what it is a view of."""
    source, result = op.operands[0].type, op.results[0].type
    assert is_memref(source) and is_memref(result)
    have, needed = elements_of(source), elements_of(result)
    if have is None or needed is None:
        return
    counted, start = "element", Index()
    if isinstance(op, memref.ViewOp):
        width = result.element_type.bitwidth if isinstance(result.element_type, FixedBitwidthType) else 64
        counted, start, needed = "byte", _index(op.byte_shift), needed * max(1, width // 8)
    elif isinstance(op, memref.SubviewOp):
        start = _flat(source, _mixed(op.static_offsets, op.offsets))
    elif isinstance(op, memref.ReinterpretCastOp):
        start = _mixed(op.static_offsets, op.offsets)[0]
    reached = _outside(op, start, have, needed) if needed else None
    if reached is not None:
        fail(op, f"{op.name}: expected a part of {source}, {result} reaches {counted} {reached} of {have}")


def _mixed(static: Any, dynamic: Sequence[SSAValue]) -> list[Index | None]:
    """Offsets of which some are constants."""
    rest = iter(dynamic)
    return [_index(next(rest)) if v == DYNAMIC_INDEX else Index(v) for v in static.get_values()]
