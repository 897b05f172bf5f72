"""Says which thread runs what: a kernel's loops become shares, or sections for one thread.

    scf.for %i = %c0 to %c1000 step %c1 { ... } {parallel}          // writes %h
    scf.for %j = %c0 to %c10 step %c1 { ... } {parallel}            // reads %h, little work
->
    %low, %high = spmd.share %c1000 {chunk = 1 : i64} : index
    scf.for %i = %low to %high step %c1 { ... } {parallel}
    spmd.barrier
    spmd.single {
      scf.for %j = %c0 to %c10 step %c1 { ... } {parallel}
    }

Each thread takes one contiguous range, in multiples of the vector length where the loop will be vectorized, so that
its numbers do not depend on how many threads there are. What has no parallel loop, or little work, runs on one thread.
All threads run what writes nothing that they share: index arithmetic at the top, and loads that belong to several
segments. A barrier stands only where a nest touches memory that another thread may have written, or may still
read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.dialects import func, memref, scf
from xdsl.ir import Block, Operation
from xdsl.traits import IsTerminator, is_side_effect_free

from ....dialects.effects import register_effects
from ....dialects.spmd import BarrierOp, ShareOp, SingleOp, ThreadCountOp, ThreadIdOp
from ...effects import is_pure
from ...options import option, vector_width
from ...pass_base import KernelPass, parent_block
from ...target import Profitability, default_profitability
from ...utils.constants import Constants
from ...utils.emitter import Emitter
from ...utils.loop_info import is_parallel, trip_count
from ...utils.memory import Access, accesses, ancestor_in, conflicting_roots, is_single, root, same_iteration, uses_of
from ...utils.setup import raise_setup

__all__ = ["Parallelize"]

_ENOUGH = 32
"""An outer loop with so many chunks is split rather than a longer inner one."""
_UNKNOWN_TRIPS = 16


@dataclass(frozen=True)
class Parallelize(KernelPass):
    """Makes kernels SPMD: shares, sections for one thread, barriers."""

    name = "parallelize"
    vector_bits: int = vector_width()
    profitability: Profitability = field(default_factory=default_profitability)
    min_work: int = option(8192, 0)
    """Operations, vectors counting as one, from which sharing a nest pays for the barrier it may need."""

    def apply_to_function(self, function: func.FuncOp) -> None:
        register_effects()
        _Parallelizer(function, self.vector_bits // 32, self.profitability, self.min_work).run()


@dataclass
class _Segment:
    """Operations at the top of a kernel that belong together because they share values."""

    ops: list[Operation]
    kind: str = "single"
    """single: by one thread. shared: split among all. all: by every thread, as it stands."""
    split: scf.ForOp | None = None
    extent: int = 0
    chunk: int = 1
    accesses: list[Access] = field(default_factory=list[Access])
    single: bool = False
    """Whether only the first thread touches memory in it."""


class _Parallelizer:
    def __init__(self, kernel: func.FuncOp, lanes: int, profitability: Profitability, min_work: int) -> None:
        self.block = kernel.body.block
        self.constants = Constants(kernel)
        self.lanes = lanes
        self.profitability = profitability
        self.min_work = min_work

    def run(self) -> None:
        setup = raise_setup(self.block, self.constants)
        _sink_loads(self.block, setup)
        pending: list[_Segment] = []
        section: SingleOp | None = None
        """The last section for one thread, while nothing else came after it."""
        for segment in _segments([op for op in self.block.ops if op not in setup and not op.has_trait(IsTerminator)]):
            self.classify(segment)
            start = segment.ops[0]
            if any(_must_wait(earlier, segment) for earlier in pending):
                Emitter(self.constants, self.block, start, start.location).create(BarrierOp, [])
                pending, section = [], None
            if segment.kind == "single" and segment.accesses:
                section = self.single(segment, section)
            else:
                section = None
                if segment.kind == "shared":
                    self.share(segment)
            if any(isinstance(op, BarrierOp) for op in segment.ops):
                pending = []
            pending.append(segment)

    def classify(self, segment: _Segment) -> None:
        segment.accesses = accesses(segment.ops)
        if segment.kind == "all":
            return
        if len(segment.ops) == 1 and isinstance(segment.ops[0], SingleOp):
            segment.single = True
            return
        if any(_knows_threads(inner) for op in segment.ops for inner in op.walk()):
            segment.kind = "all"
            segment.single = all(is_single(item.op) for item in segment.accesses)
            return
        segment.single = True
        nests = [op for op in segment.ops if op.regions]
        alone = all(op in nests or isinstance(op, memref.LoadOp) or is_side_effect_free(op) for op in segment.ops)
        if len(nests) != 1 or not alone or not is_parallel(nests[0]):
            return
        loop = nests[0]
        assert isinstance(loop, scf.ForOp)
        if loop.iter_args or self.work(loop) < self.min_work:
            return
        candidates = self.candidates(loop)
        chunks = [-(-extent // chunk) for _, extent, chunk in candidates]
        best = next((k for k, n in enumerate(chunks) if n >= _ENOUGH), None)
        if best is None:
            best = max(range(len(chunks)), key=lambda k: chunks[k])
        if chunks[best] > 1:
            segment.kind, segment.single = "shared", False
            segment.split, segment.extent, segment.chunk = candidates[best]

    def candidates(self, loop: scf.ForOp) -> list[tuple[scf.ForOp, int, int]]:
        """(loop, extent, chunk) of the loops, from the outermost inwards, that may be split."""
        found: list[tuple[scf.ForOp, int, int]] = []
        vectorized = False
        current: scf.ForOp | None = loop
        while current is not None:
            extent = trip_count(current)
            if extent is None:
                break
            becomes_vectors = not vectorized and self.profitability.in_lanes(current)
            vectorized |= becomes_vectors
            found.append((current, extent, self.lanes if becomes_vectors else 1))
            inner = [op for op in current.body.block.ops if op.regions]
            pure = all(
                op in inner or op.has_trait(IsTerminator) or isinstance(op, memref.LoadOp) or is_side_effect_free(op)
                for op in current.body.block.ops
            )
            only = inner[0] if len(inner) == 1 and pure else None
            current = only if isinstance(only, scf.ForOp) and is_parallel(only) and not only.iter_args else None
        return found or [(loop, 0, 1)]

    def work(self, op: Operation, vectorized: bool = False) -> int:
        """A rough count of machine operations."""
        if not isinstance(op, scf.ForOp):
            inner = sum(self.work(o, vectorized) for r in op.regions for b in r.blocks for o in b.ops)
            return inner + self.profitability.weight(op)
        trips = trip_count(op)
        trips = _UNKNOWN_TRIPS if trips is None else trips
        if not vectorized and self.profitability.in_lanes(op):
            vectorized = True
            trips = -(-trips // self.lanes)
        return trips * sum(self.work(inner, vectorized) for inner in op.body.block.ops)

    def share(self, segment: _Segment) -> None:
        """Gives the chosen loop this thread's range."""
        loop = segment.split
        assert loop is not None
        outermost = next(op for op in segment.ops if op.regions)
        emitter = Emitter(self.constants, self.block, outermost, loop.location)
        loop.operands = [*emitter.share(segment.extent, segment.chunk), *loop.operands[2:]]

    def single(self, segment: _Segment, section: SingleOp | None) -> SingleOp:
        """Moves a segment into a section for one thread: the one just before, if there is."""
        ops = segment.ops
        if len(ops) == 1 and isinstance(ops[0], SingleOp):
            if section is None:
                return ops[0]
            ops = list(ops[0].body.block.ops)
            segment.ops[0].detach()
        if section is None:
            section = Emitter(self.constants, self.block, ops[0], ops[0].location).single()
        for op in ops:
            op.detach()
            section.body.block.add_op(op)
        return section


def _knows_threads(op: Operation) -> bool:
    """Whether an operation depends on which thread runs it, or waits for the others."""
    return isinstance(op, BarrierOp | SingleOp) or any(
        isinstance(v.owner, ShareOp | ThreadIdOp | ThreadCountOp) for v in op.operands
    )


def _sink_loads(block: Block, setup: set[Operation]) -> None:
    """Moves what only reads down to its first user, so that it belongs to nothing that stands in between."""
    op = block.last_op
    while op is not None and op not in setup:
        before = op.prev_op
        if op.results and not op.regions and (isinstance(op, memref.LoadOp) or is_pure(op)):
            _sink(op, [ancestor_in(use.operation, block) for result in op.results for use in result.uses])
        op = before


def _sink(op: Operation, users: list[Operation | None]) -> None:
    buffer = root(op.memref) if isinstance(op, memref.LoadOp) else None
    following = op.next_op
    while following is not None and following not in users:
        if buffer is not None and any(item.writes and root(item.buffer) is buffer for item in accesses([following])):
            break
        following = following.next_op
    if following is not None and following is not op.next_op:
        op.detach()
        parent_block(following).insert_op_before(op, following)


def _segments(ops: list[Operation]) -> list[_Segment]:
    """The top of a kernel in segments that share no values, in order.

    Where such a segment has work in it that is shared already, its operations are segments of their own, and those that
    only read are run by all.
    """
    position = {op: k for k, op in enumerate(ops)}
    merged: list[list[int]] = []
    for op, first in position.items():
        last = first
        for result in op.results:
            for user in uses_of(result):
                top = ancestor_in(user, parent_block(op))
                assert top is not None
                last = max(last, position.get(top, first))
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    segments: list[_Segment] = []
    for first, last in merged:
        inside = ops[first : last + 1]
        if len(inside) > 1 and any(_knows_threads(inner) for op in inside for inner in op.walk()):
            segments += [_Segment([op], "single" if _writes(op) else "all") for op in inside]
        else:
            segments.append(_Segment(inside))
    return segments


def _writes(op: Operation) -> bool:
    """Whether an operation at the top of a kernel does work, all of it inside of itself."""
    return not any(result.uses for result in op.results) and any(item.writes for item in accesses([op]))


def _must_wait(a: _Segment, b: _Segment) -> bool:
    """Whether `b` may touch what another thread does in `a`."""
    if a.single and b.single:
        return False
    conflicts = conflicting_roots(a.accesses, b.accesses)
    if not conflicts:
        return False
    if a.kind == b.kind == "shared" and (a.extent, a.chunk) == (b.extent, b.chunk):
        assert a.split is not None and b.split is not None
        ivs = a.split.body.block.args[0], b.split.body.block.args[0]
        return not all(_within(x, a) and _within(y, b) and same_iteration(x, ivs[0], y, ivs[1]) for x, y in conflicts)
    return True


def _within(found: list[Access], segment: _Segment) -> bool:
    """Whether all accesses stand inside of the loop that is split."""
    split = segment.split
    assert split is not None
    return all(split.is_ancestor(item.op) for item in found)
