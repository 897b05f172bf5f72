"""Sorts rows by a network of comparisons, each round of which many threads share.

    linalgx.sort dimension 1 ins(%x : memref<64x1000xf32>) outs(%values, %places : ...)
->
    scf.for %i = %c0 to %c64 step %c1 {
      %v, %p = the row, and the number of each element          // alloca, memory of a block
      for runs of 1, 2, 4 ... 512 elements:                     // two runs become one
        for distances of that, half of it ... 1:
          scf.for %t = %c0 to %c512 step %c1 {                  // pairs
            %a = %t with a zero put in at the distance's bit
            %b = %a xor the distance; for the first, the mirror image of %a in its run of twice as many
            if %b < %c1000 and %v[%b] comes before %v[%a] { they change places }
          } {parallel}
      %values[%i], %places[%i] = %v, %p
    } {parallel}

All comparisons put the lesser element at the lesser place, so that nothing need fill up a row whose length is no power
of two. Of equal elements, the one with the lesser number comes first: then no two are equal, and the sort is stable.

A row that is too long for a block's own memory is sorted in chunks, which then are merged: pairs farther apart than a
chunk, in nests of their own in the results' memory; those closer, again within chunks. The loop over chunks is the
outermost then, so that rounds across chunks and within chunks are not fused: blocks share both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.dialects import arith, memref
from xdsl.dialects.builtin import DenseArrayBase, i1, i32, i64
from xdsl.ir import Attribute, SSAValue

from ...dialects.linalgx import SortOp
from ...dialects.types import memref_of
from ..utils.constants import constant_value, memref_type
from ..utils.emitter import Emitter
from ..utils.loop_info import parallel_attributes
from .lower_rows import At, for_each_row
from .sort_order import precedes

_EQ, _SLT = 0, 2


def lower_sort_network(op: SortOp, emitter: Emitter, most: int) -> None:
    """Replaces a sort by loops in front of the emitter, in which chunks of at most `most` elements are sorted apart."""
    length = memref_of(op.operands[1]).get_shape()[op.integer("dimension")]
    chunk = min(1 << most.bit_length() - 1, _power_of_two(length))
    sort = _Network(op, length, chunk)
    sort.in_chunks(emitter, None)
    run = chunk
    while run < length:
        distance = run
        while distance >= chunk:
            sort.across_chunks(emitter, distance, 2 * run - 1 if distance == run else distance)
            distance //= 2
        sort.in_chunks(emitter, distance)
        run *= 2
    op.detach()
    op.erase()


@dataclass(frozen=True)
class _Part:
    """Elements and their places in memory, up to an end."""

    buffers: Sequence[SSAValue]
    at: At
    end: SSAValue


@dataclass(frozen=True)
class _Network:
    op: SortOp
    length: int
    chunk: int

    def in_chunks(self, emitter: Emitter, distance: int | None) -> None:
        """Merges within each chunk from a distance on; None: sorts it, from the operand on."""
        x, *results = self.op.operands
        chunks = -(-self.length // self.chunk)
        alone = chunks == 1 and len(memref_of(x).get_shape()) > 1
        # What is allocated inside of a loop belongs to whoever runs a round of it, be there only one.
        number, outside = (emitter.index(0), emitter) if alone else _parallel(emitter, chunks)

        def row(inside: Emitter, at: At, length: int) -> None:
            start = inside.mul(number, inside.index(self.chunk))
            end = inside.min(inside.sub(inside.index(length), start), inside.index(self.chunk))
            size = min(length, self.chunk)
            values, places = (_own(inside, t, size) for t in (memref_of(x).element_type, i32))

            def load(step: Emitter, k: SSAValue) -> None:
                place = step.add(start, k)
                step.store(step.load(x if distance is None else results[0], at(place)), values, [k])
                if distance is None:
                    known = step.op(arith.IndexCastOp, place, type=i32)
                else:
                    known = step.op(arith.TruncIOp, step.load(results[1], at(place)), type=i32)
                step.store(known, places, [k])

            def store(step: Emitter, k: SSAValue) -> None:
                place = step.add(start, k)
                step.store(step.load(values, [k]), results[0], at(place))
                step.store(step.op(arith.ExtUIOp, step.load(places, [k]), type=i64), results[1], at(place))

            own = _Part((values, places), lambda k: [k], end)
            _for_each(inside, size, end, load)
            if distance is None:
                self.all_rounds(inside, own)
            else:
                self.rounds(inside, own, *[inside.index(n) for n in (distance, distance, distance.bit_length())])
            _for_each(inside, size, end, store)

        for_each_row(self.op, outside, row, keep=True)
        if outside is not emitter:
            outside.yield_()

    def all_rounds(self, e: Emitter, own: _Part) -> None:
        """Runs of 1, 2, 4 ... elements become runs of twice as many, up to the chunk."""
        loop = e.loop(e.index(0), e.index(self.chunk.bit_length() - 1), e.index(1), [e.index(1)])
        inner = e.inside(loop.body.block)
        count, run = loop.body.block.args
        double = inner.add(run, run)
        mirror = inner.sub(double, inner.index(1))
        self.rounds(inner, own, run, mirror, inner.add(count, inner.index(1)))
        inner.yield_([double])

    def rounds(self, e: Emitter, own: _Part, distance: SSAValue, mask: SSAValue, count: SSAValue) -> None:
        """Rounds with a distance, half of it and so on; the first finds the other of each pair by `mask`."""
        loop = e.loop(e.index(0), count, e.index(1), [distance, mask])
        inner = e.inside(loop.body.block)
        _, distance, mask = loop.body.block.args
        t, step = _parallel(inner, self.chunk // 2)
        self.compare(step, own, t, distance, mask)
        step.yield_()
        half = inner.div(distance, inner.index(2))
        inner.yield_([half, half])

    def across_chunks(self, emitter: Emitter, distance: int, mask: int) -> None:
        """One round in the results' own memory."""
        results = self.op.operands[1:]
        half = self.chunk // 2
        number, outside = _parallel(emitter, _power_of_two(self.length) // self.chunk)

        def row(e: Emitter, at: At, length: int) -> None:
            k, step = _parallel(e, half)
            t = step.add(step.mul(number, step.index(half)), k)
            part = _Part(results, at, e.index(length))
            self.compare(step, part, t, e.index(distance), e.index(mask))
            step.yield_()

        for_each_row(self.op, outside, row, keep=True)
        outside.yield_()

    def compare(self, e: Emitter, part: _Part, t: SSAValue, distance: SSAValue, mask: SSAValue) -> None:
        """Pair number t: its elements change places where the second must come first."""
        below = e.op(arith.AndIOp, t, e.sub(distance, e.index(1)))
        first = e.sub(e.add(t, t), below)
        second = e.op(arith.XOrIOp, first, mask)
        there = e.inside(e.if_(e.compare(_SLT, second, part.end)).true_region.block)
        (a, p), (b, q) = ([there.load(buffer, part.at(k)) for buffer in part.buffers] for k in (first, second))
        descending = bool(self.op.integer("descending"))
        equal = there.op(
            arith.AndIOp,
            there.compare(_EQ, precedes(there, a, b, descending), there.constants.scalar(i1, 0)),
            there.compare(_SLT, q, p),
        )
        wrong = there.op(arith.OrIOp, precedes(there, b, a, descending), equal)
        swap = there.inside(there.if_(wrong).true_region.block)
        for k, pair in ((first, (b, q)), (second, (a, p))):
            for buffer, value in zip(part.buffers, pair, strict=True):
                swap.store(value, buffer, part.at(k))
        swap.yield_()
        there.yield_()


def _power_of_two(n: int) -> int:
    return 1 << max(n - 1, 0).bit_length()


def _own(e: Emitter, element: Attribute, size: int) -> SSAValue:
    properties: dict[str, Attribute] = {"operandSegmentSizes": DenseArrayBase.from_list(i32, [0, 0])}
    return e.create(memref.AllocaOp, [], [memref_type(element, (size,))], properties).results[0]


def _parallel(e: Emitter, trips: int) -> tuple[SSAValue, Emitter]:
    """An empty parallel loop: its counter, and where to go on inside."""
    loop = e.loop(e.index(0), e.index(trips), e.index(1), (), parallel_attributes())
    return loop.body.block.args[0], e.inside(loop.body.block)


def _for_each(e: Emitter, size: int, end: SSAValue, body: Callable[[Emitter, SSAValue], None]) -> None:
    """The places of a chunk, of which the last of a row may have less than others."""
    k, step = _parallel(e, size)
    if constant_value(end) == size:
        body(step, k)
    else:
        inside = step.inside(step.if_(step.compare(_SLT, k, end)).true_region.block)
        body(inside, k)
        inside.yield_()
    step.yield_()
