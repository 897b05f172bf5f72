"""Lowers `linalgx.record` to a search that only runs where there is something to find.

    linalgx.record outside low 0 high 10 … number 3
      ins(%signs, %x : memref<i64>, memref<8xi64>) outs(%record : memref<3xi64>)
->
    scf.if %signs[] < 0 and %record[0] == 0 {
      %first, %value = scf.for %i = %c0 to %c8 step %c1 iter_args(%k = 8, %v = 0) {
        the position %i and %x[%i] where that is refused and %k is 8 still
      }
      store 3, %first and %value to %record
    }
"""

from __future__ import annotations

from math import prod

from xdsl.dialects import arith
from xdsl.dialects.builtin import i64
from xdsl.ir import SSAValue

from ...dialects.linalgx import RecordOp
from ...dialects.types import memref_of
from ..utils.emitter import Emitter

_EQ, _NE, _SLT, _SGE = 0, 1, 2, 5


def lower_record(op: RecordOp, emitter: Emitter) -> None:
    """Replaces the operation by loops in front of the emitter."""
    signs, x, record = op.operands
    shape = memref_of(x).get_shape()
    count, zero = prod(shape), emitter.constants.scalar(i64, 0)
    found = emitter.compare(_SLT, emitter.load(signs, []), zero)
    is_first = emitter.compare(_EQ, emitter.load(record, [emitter.index(0)]), zero)
    inside = emitter.inside(emitter.if_(emitter.op(arith.AndIOp, found, is_first)).true_region.block)
    none = emitter.constants.scalar(i64, count)
    position, value = _search(op, inside, x, shape, [], [none, zero], none)
    for k, word in enumerate((emitter.constants.scalar(i64, op.integer("number")), position, value)):
        inside.store(word, record, [inside.index(k)])
    inside.yield_()
    op.detach()
    op.erase()


def _search(
    op: RecordOp,
    e: Emitter,
    x: SSAValue,
    shape: tuple[int, ...],
    at: list[SSAValue],
    so_far: list[SSAValue],
    none: SSAValue,
) -> list[SSAValue]:
    """The first refused element's position and value, from the index `at` on."""
    if len(at) < len(shape):
        loop = e.loop(e.index(0), e.index(shape[len(at)]), e.index(1), so_far)
        block = loop.body.block
        inner = e.inside(block)
        inner.yield_(_search(op, inner, x, shape, [*at, block.args[0]], list(block.args[1:]), none))
        return list(loop.results)
    value = e.load(x, at)
    if value.type != i64:
        value = e.op(arith.ExtUIOp if op.integer("unsigned") else arith.ExtSIOp, value, type=i64)
    place: SSAValue = e.index(0)
    for index, extent in zip(at, shape):
        place = e.add(e.mul(place, e.index(extent)), index)
    is_first = e.op(arith.AndIOp, _refused(op, e, value), e.compare(_EQ, so_far[0], none))
    position = e.op(arith.IndexCastOp, place, type=i64)
    return [e.op(arith.SelectOp, is_first, new, old, type=i64) for new, old in zip((position, value), so_far)]


def _refused(op: RecordOp, e: Emitter, value: SSAValue) -> SSAValue:
    def number(name: str) -> SSAValue:
        return e.constants.scalar(i64, op.integer(name))

    if op.kind.data == "zero":
        return e.compare(_EQ, value, e.constants.scalar(i64, 0))
    below, above = e.compare(_SLT, value, number("low")), e.compare(_SGE, value, number("high"))
    outside = e.op(arith.OrIOp, below, above)
    if op.kind.data == "outside":
        return outside
    return e.op(arith.AndIOp, outside, e.compare(_NE, value, number("allowed")))
