"""Lowers the operations of linalgx that go along one dimension: a row at a time, rows in parallel.

    linalgx.cumulate sum dimension 1 ins(%x : memref<64x100xf32>) outs(%y : memref<64x100xf32>)
->
    scf.for %i = %c0 to %c64 step %c1 {
      %first = memref.load %x[%i, %c0]                    // f32 accumulates in f64
      memref.store %first, %y[%i, %c0]
      scf.for %k = %c1 to %c100 step %c1 iter_args(%sum = %first) {
        %next = arith.addf %sum, %x[%i, %k]
        memref.store %next, %y[%i, %k]
        scf.yield %next
      } {scan}
    } {parallel}

A sort is a merge sort from the bottom up: runs of 1, 2, 4 ... elements are merged from one buffer to another and back.
Where many threads sort a row together, `sort_network.py` has another one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import arith, memref
from xdsl.dialects.builtin import (
    DenseArrayBase,
    Float32Type,
    IntegerAttr,
    IntegerType,
    f64,
    i32,
    i64,
)
from xdsl.ir import Attribute, SSAValue

from ...dialects.linalgx import CumulateOp, DestinationOp, SortOp
from ...dialects.types import is_memref, memref_of
from ..utils.constants import INDEX
from ..utils.emitter import Emitter
from ..utils.loop_info import parallel_attributes, scan_attributes
from .sort_order import precedes

_SLT, _SGE = 2, 5
At = Callable[[SSAValue], list[SSAValue]]
"""From a position along the dimension to indices."""


def for_each_row(
    op: DestinationOp, emitter: Emitter, body: Callable[[Emitter, At, int], None], keep: bool = False
) -> None:
    """Loops over all other dimensions around what `body` makes for one row; the operation goes, unless `keep`."""
    type_ = op.outputs[0].type
    assert is_memref(type_)
    shape, dimension = type_.get_shape(), op.integer("dimension")
    if 0 not in shape:
        inside = emitter
        opened: list[Emitter] = []
        indices: dict[int, SSAValue] = {}
        for d, extent in enumerate(shape):
            if d != dimension:
                loop = inside.loop(inside.index(0), inside.index(extent), inside.index(1), (), parallel_attributes())
                inside = inside.inside(loop.body.block)
                opened.append(inside)
                indices[d] = loop.body.block.args[0]
        body(inside, lambda k: [k if d == dimension else indices[d] for d in range(len(shape))], shape[dimension])
        for block in opened:
            block.yield_()
    if not keep:
        op.detach()
        op.erase()


def lower_cumulate(op: CumulateOp, emitter: Emitter) -> None:
    """Replaces the operation by loops in front of the emitter."""
    kind, reverse = op.kind.data, bool(op.integer("reverse"))
    *inputs, out = op.operands
    element = memref_of(out).element_type
    narrow = isinstance(element, Float32Type)
    integer = isinstance(element, IntegerType)
    plus, times = (arith.AddiOp, arith.MuliOp) if integer else (arith.AddfOp, arith.MulfOp)

    def row(e: Emitter, at: At, length: int) -> None:
        def read(inner: Emitter, x: SSAValue, k: SSAValue) -> SSAValue:
            value = inner.load(x, at(k))
            return inner.op(arith.ExtFOp, value, type=f64) if narrow else value

        def write(inner: Emitter, value: SSAValue, k: SSAValue) -> None:
            stored = inner.op(arith.TruncFOp, value, type=element) if narrow else value
            inner.store(stored, out, at(k))

        start = e.index(length - 1 if reverse else 0)
        first = read(e, inputs[-1], start)
        write(e, first, start)
        loop = e.loop(e.index(1), e.index(length), e.index(1), [first], scan_attributes())
        inner = e.inside(loop.body.block)
        count, total = loop.body.block.args
        k = inner.sub(inner.index(length - 1), count) if reverse else count
        if kind == "recurrence":
            total = inner.op(times, read(inner, inputs[0], k), total)
        total = inner.op(times if kind == "product" else plus, total, read(inner, inputs[-1], k))
        write(inner, total, k)
        inner.yield_([total])

    for_each_row(op, emitter, row)


def lower_sort(op: SortOp, emitter: Emitter) -> None:
    """Replaces the operation by loops in front of the emitter."""
    x, values, indices = op.operands
    descending = bool(op.integer("descending"))
    length = memref_of(values).get_shape()[op.integer("dimension")]
    home = (values, indices)
    other = tuple(_buffer(emitter, v.type) for v in home) if length > 1 else home
    rounds = -(-(length - 1).bit_length() // 2)

    def row(e: Emitter, at: At, length: int) -> None:
        loop = e.loop(e.index(0), e.index(length), e.index(1))
        inner = e.inside(loop.body.block)
        k = loop.body.block.args[0]
        inner.store(inner.load(x, at(k)), values, at(k))
        inner.store(inner.op(arith.IndexCastOp, k, type=i64), indices, at(k))
        inner.yield_()
        if length > 1:
            loop = e.loop(e.index(0), e.index(rounds), e.index(1), [e.index(1)])
            inner = e.inside(loop.body.block)
            width = loop.body.block.args[1]
            _merge_runs(inner, home, other, at, length, width, descending)
            _merge_runs(inner, other, home, at, length, inner.mul(width, inner.index(2)), descending)
            inner.yield_([inner.mul(width, inner.index(4))])

    for_each_row(op, emitter, row)


def _buffer(emitter: Emitter, type_: Attribute) -> SSAValue:
    properties: dict[str, Attribute] = {
        "operandSegmentSizes": DenseArrayBase.from_list(i32, [0, 0]),
        "alignment": IntegerAttr(64, i64),
    }
    return emitter.create(memref.AllocOp, [], [type_], properties).results[0]


def _merge_runs(
    e: Emitter,
    source: Sequence[SSAValue],
    target: Sequence[SSAValue],
    at: At,
    length: int,
    width: SSAValue,
    descending: bool,
) -> None:
    """Merges each two neighbouring runs of `width` elements: of equal elements, those of the left run come first."""
    end = e.index(length)
    last = e.index(length - 1)
    runs = e.loop(e.index(0), end, e.mul(width, e.index(2)))
    inner = e.inside(runs.body.block)
    start = runs.body.block.args[0]
    middle = inner.min(inner.add(start, width), end)
    stop = inner.min(inner.add(middle, width), end)
    loop = inner.loop(start, stop, inner.index(1), [start, middle])
    inner.yield_()
    step = inner.inside(loop.body.block)
    k, left, right = loop.body.block.args
    at_left, at_right = at(step.min(left, last)), at(step.min(right, last))
    a, b = step.load(source[0], at_left), step.load(source[0], at_right)
    left_is_done = step.compare(_SGE, left, middle)
    right_is_next = step.op(arith.OrIOp, left_is_done, precedes(step, b, a, descending))
    take_right = step.op(arith.AndIOp, right_is_next, step.compare(_SLT, right, stop))
    step.store(step.op(arith.SelectOp, take_right, b, a, type=a.type), target[0], at(k))
    i, j = step.load(source[1], at_left), step.load(source[1], at_right)
    step.store(step.op(arith.SelectOp, take_right, j, i, type=i.type), target[1], at(k))
    by = step.op(arith.SelectOp, take_right, step.index(1), step.index(0), type=INDEX)
    step.yield_([step.op(arith.AddiOp, left, step.sub(step.index(1), by)), step.op(arith.AddiOp, right, by)])
