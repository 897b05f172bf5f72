"""Shares the loops of a kernel among the threads of a team.

    scf.for %i = %c0 to %c1000 step %c1 { ... } {parallel}          // writes %h
    scf.for %j = %c0 to %c10 step %c1 { ... } {parallel}            // reads %h, little work
->
    %me = spmd.thread_id : index
    %team = spmd.thread_count : index
    %low = 1000 * %me / %team
    %high = 1000 * (%me + 1) / %team
    scf.for %i = %low to %high step %c1 { ... } {parallel, extent = 1000, granule = 1}
    spmd.barrier
    %first = arith.cmpi eq, %me, %c0 : index
    scf.if %first {
      scf.for %j = %c0 to %c10 step %c1 { ... } {parallel}
    }

Each thread takes one contiguous range, in multiples of the vector length where the loop will be vectorized, so that
its numbers do not depend on how many threads there are. What has no parallel loop, or little work, runs on the first
thread. A barrier stands only where a nest touches memory that another thread may have written, or may still read.
"""

# pyright: basic
from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.dialects import arith, func, memref, scf
from xdsl.dialects.builtin import IntegerAttr, i64
from xdsl.ir import Operation
from xdsl.traits import IsTerminator, is_side_effect_free

from ...dialects.effects import register_effects
from ...dialects.spmd import BarrierOp, ThreadCountOp, ThreadIdOp
from ..pass_base import KernelPass
from .build import Constants, Emitter, is_parallel, trip_count
from .memory import (
    Access,
    accesses,
    conflicting_roots,
    first_thread_sections,
    inside_any,
    same_iteration,
    uses_of,
)
from .strips import EXTENT, GRANULE
from .team import Team
from .vector_plan import WEIGHTS, plan_loop

__all__ = ["Parallelize"]

_ENOUGH = 32
"""An outer loop with so many pieces is split rather than a longer inner one."""
_UNKNOWN_TRIPS = 16


@dataclass(frozen=True)
class Parallelize(KernelPass):
    """Makes kernels SPMD: work ranges, first-thread sections, barriers."""

    name = "parallelize"
    vector_bits: int = 512
    min_work: int = 8192
    """Operations, vectors counting as one, from which sharing a nest pays for the barrier it may need."""

    def apply_to_function(self, function: func.FuncOp) -> None:
        register_effects()
        _Kernel(function, self.vector_bits // 32, self.min_work).run()


@dataclass
class _Unit:
    """Operations at the top of a kernel that belong together because they share values."""

    ops: list[Operation]
    kind: str = "first"
    """first: by the first thread. shared: split among all. asis: has its own idea of threads."""
    split: scf.ForOp | None = None
    extent: int = 0
    granule: int = 1
    accesses: list[Access] = field(default_factory=list)
    first_only: bool = False
    """Whether only the first thread touches memory in it."""


class _Kernel:
    def __init__(self, kernel: func.FuncOp, lanes: int, min_work: int) -> None:
        self.block = kernel.body.block
        self.constants = Constants(kernel)
        self.lanes = lanes
        self.min_work = min_work
        self.team = Team(self.constants)

    def run(self) -> None:
        self.raise_setup()
        pending: list[_Unit] = []
        section: scf.IfOp | None = None
        for unit in _units(list(self.block.ops)):
            self.classify(unit)
            start, end = unit.ops[0], unit.ops[-1]
            if any(_must_wait(earlier, unit) for earlier in pending):
                Emitter(self.constants, self.block, start, start.location).create(BarrierOp, [])
                pending, section = [], None
            if unit.kind == "first" and unit.accesses:
                section = self.first_thread(unit, section)
            elif unit.kind == "shared":
                self.share(unit)
                section = None
            else:
                section = None
            if any(isinstance(inner, BarrierOp) for op in unit.ops for inner in op.walk()):
                pending = []
            pending.append(unit)
            del end

    def raise_setup(self) -> None:
        """Moves constants, buffers and views to the top, where all that follows sees them."""
        setup = [op for op in self.block.ops if _is_setup(op)]
        for op in setup:
            op.detach()
        first = self.block.first_op
        assert first is not None
        setup.sort(key=lambda op: not isinstance(op, arith.ConstantOp))
        for op in setup:
            self.block.insert_op_before(op, first)
        self.constants.last = next((op for op in reversed(setup) if isinstance(op, arith.ConstantOp)), None)

    def classify(self, unit: _Unit) -> None:
        unit.accesses = accesses(unit.ops)
        if any(_knows_threads(inner) for op in unit.ops for inner in op.walk()):
            unit.kind = "asis"
            sections = first_thread_sections(unit.ops)
            unit.first_only = all(inside_any(item.op, sections) for item in unit.accesses)
            return
        unit.first_only = True
        nests = [op for op in unit.ops if op.regions]
        alone = all(op in nests or isinstance(op, memref.LoadOp) or is_side_effect_free(op) for op in unit.ops)
        if len(nests) != 1 or not alone or not is_parallel(nests[0]):
            return
        loop = nests[0]
        assert isinstance(loop, scf.ForOp)
        if loop.iter_args or self.work(loop) < self.min_work:
            return
        candidates = self.candidates(loop)
        pieces = [-(-extent // granule) for _, extent, granule in candidates]
        best = next((k for k, n in enumerate(pieces) if n >= _ENOUGH), None)
        if best is None:
            best = max(range(len(pieces)), key=lambda k: pieces[k])
        if pieces[best] > 1:
            unit.kind, unit.first_only = "shared", False
            unit.split, unit.extent, unit.granule = candidates[best]

    def candidates(self, loop: scf.ForOp) -> list[tuple[scf.ForOp, int, int]]:
        """(loop, extent, granule) of the loops, from the outermost inwards, that may be split."""
        found: list[tuple[scf.ForOp, int, int]] = []
        vectorized = False
        current: scf.ForOp | None = loop
        while current is not None:
            extent = trip_count(current)
            if extent is None:
                break
            becomes_vectors = not vectorized and plan_loop(current) is not None
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
            return inner + WEIGHTS.get(type(op), 1)
        trips = trip_count(op)
        trips = _UNKNOWN_TRIPS if trips is None else trips
        if not vectorized and plan_loop(op) is not None:
            vectorized = True
            trips = -(-trips // self.lanes)
        return trips * sum(self.work(inner, vectorized) for inner in op.body.block.ops)

    def share(self, unit: _Unit) -> None:
        """Gives the chosen loop this thread's range."""
        loop = unit.split
        assert loop is not None
        outermost = next(op for op in unit.ops if op.regions)
        emitter = Emitter(self.constants, self.block, outermost, loop.location)
        low, high = self.team.range(emitter, emitter.index(unit.extent), unit.granule)
        loop.operands = [low, high, *loop.operands[2:]]
        loop.attributes[EXTENT] = IntegerAttr(unit.extent, i64)
        loop.attributes[GRANULE] = IntegerAttr(unit.granule, i64)

    def first_thread(self, unit: _Unit, section: scf.IfOp | None) -> scf.IfOp:
        """Moves a unit into a section for the first thread: the one just before, if there is."""
        if section is None:
            start = unit.ops[0]
            emitter = Emitter(self.constants, self.block, start, start.location)
            section = emitter.if_(self.team.is_first(emitter))
            emitter.inside(section.true_region.block).yield_()
        end = section.true_region.block.last_op
        assert end is not None
        for op in unit.ops:
            op.detach()
            section.true_region.block.insert_op_before(op, end)
        return section


def _is_setup(op: Operation) -> bool:
    """Operations that every thread runs and that join nothing: constants, buffers, views of them, who is asking."""
    return isinstance(op, arith.ConstantOp | memref.AllocOp | ThreadIdOp | ThreadCountOp) or op.name in (
        "memref.alloca",
        "memref.collapse_shape",
        "memref.expand_shape",
        "memref.reinterpret_cast",
        "memref.view",
        "memref.cast",
        "memref.get_global",
    )


def _knows_threads(op: Operation) -> bool:
    """Whether an operation depends on which thread runs it, or waits for the others."""
    return isinstance(op, BarrierOp) or any(isinstance(v.owner, ThreadIdOp | ThreadCountOp) for v in op.operands)


def _units(ops: list[Operation]) -> list[_Unit]:
    """The top of a kernel in pieces that share no values, in order."""
    position = {op: k for k, op in enumerate(ops)}
    spans: list[list[int]] = []
    for op in ops:
        if _is_setup(op) or op.has_trait(IsTerminator):
            continue
        last = position[op]
        for result in op.results:
            for user in uses_of(result):
                top = user
                while top not in position:
                    parent = top.parent_op()
                    assert parent is not None
                    top = parent
                last = max(last, position[top])
        spans.append([position[op], last])
    merged: list[list[int]] = []
    for first, last in spans:
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return [_Unit([op for op in ops[first : last + 1] if not _is_setup(op)]) for first, last in merged]


def _must_wait(a: _Unit, b: _Unit) -> bool:
    """Whether `b` may touch what another thread does in `a`."""
    if a.first_only and b.first_only:
        return False
    conflicts = conflicting_roots(a.accesses, b.accesses)
    if not conflicts:
        return False
    if a.kind == b.kind == "shared" and (a.extent, a.granule) == (b.extent, b.granule):
        assert a.split is not None and b.split is not None
        ivs = a.split.body.block.args[0], b.split.body.block.args[0]
        return not all(_within(x, a) and _within(y, b) and same_iteration(x, ivs[0], y, ivs[1]) for x, y in conflicts)
    return True


def _within(found: list[Access], unit: _Unit) -> bool:
    """Whether all accesses stand inside of the loop that is split."""
    split = unit.split
    assert split is not None
    return all(split.is_ancestor(item.op) for item in found)
