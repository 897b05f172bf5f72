"""Code that all threads of a block run: its loops are shared among them.

    %m = scf.for %j = %c0 to %c1000 step %c1 iter_args(%a = %low) -> (f32) {
      %x = memref.load %in[%b, %j]
      %n = arith.maximumf %a, %x : f32
      memref.store %x, %row[%j]                        // %row = memref.alloca() : memref<1000xf32>
      scf.yield %n : f32
    } {parallel}
    memref.store %m, %out[%b]
    ->
    %row = memref.alloc() {spmd.space = #spmd<space team>} : memref<1000xf32>
    %p = scf.for %j = %thread to %c1000 step %c256 iter_args(%a = %low) -> (f32) { ... the same ... }
    %m = gpux.reduce maximumf %p : f32
    spmd.single { memref.store %m, %out[%b] } attributes {scope = #spmd<scope block>}

- A parallel loop's iterations go to the threads in turn, so that neighbours access neighbouring memory; what it carries
  is combined over the block, each thread having the result. Running sums and the like are scans (`scans.py`).
- What computes or reads is run by all threads, each for itself; what writes, by the first alone.
- A barrier stands where one thread may touch what another one has written, or may still read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from xdsl.dialects import memref, scf
from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, MemRefType, i32, i64
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.traits import IsTerminator

from ....dialects.gpux import ReduceOp
from ....dialects.spmd import SPACE, BarrierOp, SingleOp, Space
from ....dialects.types import bytes_of, is_memref
from ...pass_base import fail
from ...utils.constants import Constants, memref_type
from ...utils.emitter import Emitter
from ...utils.loop_info import is_parallel, static_range, trip_count
from ...utils.memory import Access, accesses, root, same_iteration, space_of, uses_of
from .bands import LONG, band_of, longest
from .launches import BLOCK, TEAM
from .reductions import reductions_of
from .scans import scan_of, share_scan


@dataclass(frozen=True)
class _Item:
    """An access, and which thread makes it: that of its point in a shared loop, the first one, or any."""

    access: Access
    who: str
    """point, first, or any."""
    ranges: tuple[tuple[int, int, int], ...] = ()
    counters: tuple[SSAValue, ...] = ()

    def clashes(self, other: _Item) -> bool:
        """Whether two threads may meet at one place, one of them writing."""
        a, b = self.access, other.access
        if not (a.writes or b.writes) or root(a.buffer) is not root(b.buffer):
            return False
        if self.who == other.who == "first":
            return False
        if self.who != "point" or other.who != "point" or self.ranges != other.ranges:
            return True
        return not all(same_iteration([a], x, [b], y) for x, y in zip(self.counters, other.counters, strict=True))


@dataclass
class Team:
    """The threads of a block, and the place from which on they run the same code."""

    constants: Constants
    threads: int
    thread: SSAValue
    """The number of this thread."""
    blocks: int
    block_id: SSAValue | None
    """The number of this block; None where there is one."""
    shared_bytes: int
    """Of shared memory that are left."""
    kept: list[Operation] = field(default_factory=list[Operation])
    """Allocations of memory that the grid sees, made for this code: they belong to the top of the kernel."""

    def run(self, block: Block, pending: Sequence[_Item] = ()) -> list[_Item]:
        """Shares the code of a block; `pending` is what may still be going on, before and after."""
        going = list(pending)
        for op in list(block.ops):
            if isinstance(op, memref.AllocaOp):
                self.place(op)
            elif isinstance(op, scf.ForOp) and self.is_shared(op):
                going = self.share(op, going)
            elif op.regions and any(self.is_shared(inner) for inner in op.walk()):
                going = self.together(op, going)
            elif any(item.access.writes for item in _items([op], "any")) or _may_write(op):
                going = self.alone(op, going)
            else:
                going = self.wait_for(op, going, _items([op], "any"))
        return going

    def emitter(self, op: Operation) -> Emitter:
        """In front of an operation."""
        assert op.parent is not None
        return Emitter(self.constants, op.parent, op, op.location)

    def behind(self, op: Operation) -> Emitter:
        """After an operation."""
        assert op.parent is not None
        return Emitter(self.constants, op.parent, op.next_op, op.location)

    def wait_for(self, op: Operation, pending: list[_Item], items: list[_Item]) -> list[_Item]:
        """Puts a barrier in front of an operation that needs one."""
        if _clash(pending, items):
            self.barrier(op)
            pending = []
        return [*pending, *items]

    def barrier(self, op: Operation) -> None:
        self.emitter(op).create(BarrierOp, [], properties={"scope": BLOCK})

    # Who runs what.

    def is_shared(self, op: Operation) -> bool:
        """Whether the rounds of a loop go to the threads, rather than those of loops inside of it."""
        if scan_of(op) is not None:
            return True
        if not isinstance(op, scf.ForOp) or not is_parallel(op):
            return False
        if op.iter_args and reductions_of(op) is None:
            return False
        band = band_of(op)
        trips, body = (trip_count(op), op.body.block) if band is None else (band.points, band.body)
        inner = [loop for loop in body.walk() if isinstance(loop, scf.ForOp) and self.could_share(loop)]
        return not inner or trips is None or trips >= LONG or trips >= longest(inner)

    @staticmethod
    def could_share(loop: scf.ForOp) -> bool:
        if scan_of(loop) is not None:
            return True
        return is_parallel(loop) and not (loop.iter_args and reductions_of(loop) is None)

    def share(self, loop: scf.ForOp, pending: list[_Item]) -> list[_Item]:
        """Gives the rounds of a loop to the threads in turn."""
        scan = scan_of(loop)
        if scan is not None:
            pending = self.wait_for(loop, pending, _items([loop], "any"))
            share_scan(loop, scan, self.emitter(loop), self.thread, self.threads)
            return pending
        band = band_of(loop)
        if band is not None and len(band.loops) > 1:
            pending = self.wait_for(loop, pending, _items([loop], "point", band.ranges, band.counters))
            e = self.emitter(loop)
            points = e.loop(self.thread, e.index(band.points), e.index(self.threads), name="point")
            inside = e.inside(points.body.block)
            band.enter(inside, points.body.block.args[0])
            inside.yield_()
            return pending
        known = static_range(loop)
        counter = loop.body.block.args[0]
        items = _items([loop], "any") if known is None else _items([loop], "point", (known,), (counter,))
        pending = self.wait_for(loop, pending, items)
        e = self.emitter(loop)
        low = e.add(loop.lb, e.mul(self.thread, loop.step))
        step = e.mul(loop.step, e.index(self.threads))
        initial = list(loop.iter_args)
        found = reductions_of(loop) or []
        starts = list(initial)
        for reduction in found:
            if reduction.combiner is not None:
                (k,) = reduction.positions
                starts[k] = self.constants.scalar(initial[k].type, reduction.neutral)
        loop.operands = [low, loop.ub, step, *starts]
        after = self.behind(loop)
        for reduction in found:
            parts = [loop.results[k] for k in reduction.positions]
            uses = [(use, n) for n, part in enumerate(parts) for use in list(part.uses)]
            reduced = ReduceOp(reduction.kind, parts)
            reduced.location = loop.location
            after.insert(reduced)
            totals: list[SSAValue] = list(reduced.res)
            if reduction.combiner is not None:
                (k,) = reduction.positions
                if initial[k] is not starts[k]:
                    totals = [after.op(reduction.combiner, initial[k], totals[0])]
            for total, part in zip(totals, parts, strict=True):
                total.name_hint = part.name_hint
            for use, n in uses:
                use.operation.operands[use.index] = totals[n]
        return pending

    def together(self, op: Operation, pending: list[_Item]) -> list[_Item]:
        """A loop that all threads go through, or a branch that all take, with shared loops inside."""
        everything = _items([op], "any")
        if isinstance(op, scf.IfOp):
            branches = [self.run(region.block, pending) for region in op.regions if region.blocks]
            return _merged([*pending, *(item for branch in branches for item in branch)])
        if _clash(pending, everything):
            self.barrier(op)
            pending = []
        assert isinstance(op, scf.ForOp)
        after = self.run(op.body.block)
        end = op.body.block.last_op
        assert end is not None and end.has_trait(IsTerminator)
        if is_parallel(op):  # rounds meet in what is made anew for each: it is the same memory
            again = [item for item in after if op.is_ancestor(_maker(item.access.buffer))]
        else:
            again = after
        if _clash(again, _items([op], "any")):
            self.barrier(end)
            after = []
        return _merged([*pending, *after])

    def alone(self, op: Operation, pending: list[_Item]) -> list[_Item]:
        """What the first thread does for all; the others read its results from shared memory."""
        pending = self.wait_for(op, pending, _items([op], "first"))
        before = op.prev_op
        used = [result for result in op.results if result.first_use is not None]
        e = self.emitter(op)
        homes = [self.shared(e, memref_type(result.type, ())) for result in used]
        if isinstance(before, SingleOp) and before.scope == BLOCK and not used:
            section = before
        else:
            section = e.create(SingleOp, [], properties={"scope": BLOCK}, regions=[Region(Block())])
        assert isinstance(section, SingleOp)
        after = self.behind(op)
        op.detach()
        section.body.block.add_op(op)
        if not used:
            return pending
        after.create(BarrierOp, [], properties={"scope": BLOCK})
        inside = e.inside(section.body.block)
        for result, home in zip(used, homes, strict=True):
            value = after.load(home, [])
            value.name_hint = result.name_hint
            result.replace_all_uses_with(value)
            inside.store(result, home, [])
        return []

    # Memory.

    def shared(self, e: Emitter, type_: MemRefType) -> SSAValue:
        """Memory that the threads of the block share."""
        self.shared_bytes -= _aligned(bytes_of(type_))
        return e.create(memref.AllocOp, [], [type_], {"operandSegmentSizes": NO_SIZES}, {SPACE: TEAM}).results[0]

    def place(self, alloca: memref.AllocaOp) -> None:
        """A temporary of the block: in shared memory, or where that is full, in a row of its own that the grid sees."""
        buffer = alloca.memref
        assert is_memref(buffer.type)
        e = self.emitter(alloca)
        if _aligned(bytes_of(buffer.type)) <= self.shared_bytes:
            made = self.shared(e, buffer.type)
        elif self.block_id is None:
            made = self.keep(buffer.type, alloca)
        else:
            shape = (self.blocks, *buffer.type.get_shape())
            made = self.keep(memref_type(buffer.type.element_type, shape), alloca)
            for op in uses_of(buffer):
                if not isinstance(op, memref.LoadOp | memref.StoreOp):
                    fail(op, f"{op.name}: a view of a temporary that shared memory has no room for")
                op.operands = [*op.operands[: len(op.operands) - len(op.indices)], self.block_id, *op.indices]
        made.name_hint = buffer.name_hint
        buffer.replace_all_uses_with(made)
        alloca.detach()
        alloca.erase()

    def keep(self, type_: MemRefType, like: Operation) -> SSAValue:
        """Memory that the grid sees."""
        properties = {"operandSegmentSizes": NO_SIZES, "alignment": IntegerAttr(64, i64)}
        op = memref.AllocOp.create(result_types=[type_], properties=properties, location=like.location)
        self.kept.append(op)
        return op.results[0]


NO_SIZES = DenseArrayBase.from_list(i32, [0, 0])


def _maker(buffer: SSAValue) -> Operation:
    """The operation that makes a buffer, or the function that is given it."""
    owner = root(buffer).owner
    made = owner.parent_op() if isinstance(owner, Block) else owner
    assert made is not None
    return made


def _may_write(op: Operation) -> bool:
    """Whether an operation does something that no access tells of."""
    return not (op.regions or op.results or op.has_trait(IsTerminator) or isinstance(op, memref.StoreOp | BarrierOp))


def _aligned(size: int) -> int:
    return -(-size // 16) * 16


def _items(
    ops: Iterable[Operation],
    who: str,
    ranges: tuple[tuple[int, int, int], ...] = (),
    counters: tuple[SSAValue, ...] = (),
) -> list[_Item]:
    """The accesses of some operations to memory that other threads see."""
    found = [item for item in accesses(ops) if space_of(item.buffer) is not Space.PRIVATE]
    return [_Item(item, who, ranges, counters) for item in found]


def _clash(pending: Sequence[_Item], items: Sequence[_Item]) -> bool:
    return any(a.clashes(b) for a in pending for b in items)


def _merged(items: Sequence[_Item]) -> list[_Item]:
    return list(dict.fromkeys(items))
