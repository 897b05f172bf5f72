"""What a loop carries and uses in every round, as a scan that the threads of a block share.

%last = scf.for %k = %c1 to %c1000 step %c1 iter_args(%sum = %first) -> (f64) {
  %v = memref.load %x[%k]
  %next = arith.addf %sum, %v : f64
  memref.store %next, %y[%k]
  scf.yield %next : f64
} {scan}
->
%last = scf.for %chunk = %c1 to %c1000 step %c256 iter_args(%sum = %first) -> (f64) {
  %k = %chunk + %thread
  %v = scf.if %k < %c1000 { memref.load %x[%k] } else { 0.0 }
  %upto, %all = gpux.scan add %v : f64
  %next = arith.addf %sum, %upto : f64
  scf.if %k < %c1000 { memref.store %next, %y[%k] }
  %total = arith.addf %sum, %all : f64
  scf.yield %total : f64
}
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xdsl.dialects import arith, scf
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.irdl import IRDLOperation

from ....dialects.gpux import ScanOp
from ...utils.combiners import COMBINERS, neutral_element
from ...utils.emitter import Emitter
from ...utils.loop_info import SCAN

_SLT = 2
_PLUS, _TIMES = (arith.AddfOp, arith.AddiOp), (arith.MulfOp, arith.MuliOp)


@dataclass(frozen=True)
class CarriedScan:
    """How a loop's one carried value goes on from round to round."""

    kind: str
    ops: tuple[Operation, ...]
    """The operations that it goes through: one, or a product and a sum."""
    values: tuple[SSAValue, ...]
    """What a round adds to it."""
    neutral: tuple[int | float, ...]
    """Values that add nothing."""

    def apply(self, e: Emitter, carried: SSAValue, values: tuple[SSAValue, ...]) -> SSAValue:
        """The carried value after rounds that together add `values`."""
        for op, value in zip(self.ops, values, strict=True):
            assert isinstance(op, IRDLOperation)
            ordered = (carried, value) if op.operands[1] is self.values[self.ops.index(op)] else (value, carried)
            carried = e.op(type(op), *ordered)
        return carried


def scan_of(loop: Operation) -> CarriedScan | None:
    """The scan that a loop is, if threads can share it."""
    if type(loop) is not scf.ForOp or SCAN not in loop.attributes or len(loop.iter_args) != 1:
        return None
    block = loop.body.block
    end = block.last_op
    assert end is not None
    carried, last = block.args[1], end.operands[0].owner
    first = carried.get_user_of_unique_use()
    if first is None or not isinstance(last, Operation) or len(last.operands) != 2:
        return None
    if any(op.regions for op in block.ops):
        return None
    if first is last:
        neutral = neutral_element(type(last), carried.type) if type(last) in COMBINERS else None
        if neutral is None:
            return None
        return CarriedScan(COMBINERS[type(last)][0], (last,), (_other(last, carried),), (neutral,))
    if not isinstance(first, _TIMES) or not isinstance(last, _PLUS) or first.parent is not block:
        return None
    product = first.results[0]
    if product.get_user_of_unique_use() is not last:
        return None
    return CarriedScan("recurrence", (first, last), (_other(first, carried), _other(last, product)), (1, 0))


def _other(op: Operation, operand: SSAValue) -> SSAValue:
    a, b = op.operands
    return b if a is operand else a


def share_scan(loop: scf.ForOp, scan: CarriedScan, e: Emitter, thread: SSAValue, threads: int) -> None:
    """Puts the chunks of a loop at the emitter's place, which is in front of it; the loop goes."""
    old = loop.body.block
    (carried,) = loop.iter_args
    chunks = e.loop(loop.lb, loop.ub, e.mul(loop.step, e.index(threads)), [carried], name="chunk")
    start, total = chunks.body.block.args
    inside = e.inside(chunks.body.block)
    counter = inside.add(start, inside.mul(thread, loop.step))
    counter.name_hint = old.args[0].name_hint
    old.args[0].replace_all_uses_with(counter)
    here = inside.compare(_SLT, counter, loop.ub)
    needed = _needed_for(scan.values, old)
    users = [op for op in old.ops if op not in (*needed, *scan.ops, old.last_op)]
    needed_again = set(_needed_for([value for op in users for value in op.operands], old, scan.ops))
    again = [op for op in needed if op in needed_again]
    types = [value.type for value in scan.values]
    branches = [Region(Block()), Region(Block())]
    given = inside.create(scf.IfOp, [here], types, regions=branches)
    _move(needed, inside.inside(branches[0].block)).yield_(scan.values)
    neutral = [inside.constants.scalar(type_, n) for type_, n in zip(types, scan.neutral, strict=True)]
    inside.inside(branches[1].block).yield_(neutral)
    combined = ScanOp(scan.kind, given.results)
    combined.location = loop.location
    results = tuple(inside.insert(combined).results)
    value = scan.apply(inside, total, results[: len(types)])
    after = scan.apply(inside, total, results[len(types) :])
    scan.ops[-1].results[0].replace_all_uses_with(value)
    outside = inside.inside(inside.if_(here).true_region.block)
    for op in again:
        copy = outside.insert(op.clone())
        for was, now in zip(op.results, copy.results, strict=True):
            for use in [use for use in was.uses if use.operation in users or use.operation.parent is outside.block]:
                use.operation.operands[use.index] = now
    _move(users, outside).yield_()
    inside.yield_([after])
    chunks.results[0].name_hint = loop.results[0].name_hint
    loop.results[0].replace_all_uses_with(chunks.results[0])
    loop.detach()
    loop.erase()


def _needed_for(values: Iterable[SSAValue], block: Block, without: tuple[Operation, ...] = ()) -> list[Operation]:
    """The operations of a block that values depend on, in order; `without` some, and what these depend on."""
    needed: set[Operation] = set()
    pending = list(values)
    while pending:
        op = pending.pop().owner
        if isinstance(op, Operation) and op.parent is block and op not in needed and op not in without:
            needed.add(op)
            pending += op.operands
    return [op for op in block.ops if op in needed]


def _move(ops: list[Operation], e: Emitter) -> Emitter:
    for op in ops:
        op.detach()
        e.insert(op)
    return e
