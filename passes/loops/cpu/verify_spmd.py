"""Proves that no two threads of a team do the same write.

    scf.for %i = %c0 to %c8 step %c1 {
      memref.store %a, %w[%i] : memref<8xf32>      // error: every thread of the team would write %w
    }

Who runs an operation follows from what it stands in: *one* thread inside of `spmd.single`; *a share* of the team inside
of a loop over what an `spmd.share` gives this thread, or of an `scf.if` that asks whether a number that all threads
agree on lies in there; *all* threads otherwise. What all run may write private memory alone, `memref.alloca`s. What is
shared may write elsewhere, at a place that depends on the iteration. One thread of the grid, or a share of the grid,
writes global memory, one of a block team memory: the other way round every block would do the same write, or one block
alone would see it. Also refused is what would wait for threads that never come, or leave work undone: a barrier, a call
of a kernel or an end that not all threads come to, a barrier of blocks between kernels, a share within a share.

    %low, %high = spmd.share %n : index
    %full = %high - (%high - %low) mod 16          // lies between %low and %high: a loop from or to it is a share too

What cannot be proved is refused, at its line. One walk; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import arith, builtin, func, memref, scf
from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.traits import IsTerminator, MemoryEffectKind, RecursiveMemoryEffect

from ....dialects.bounds import CheckOp
from ....dialects.effects import register_effects
from ....dialects.marks import KERNEL_ATTRIBUTE
from ....dialects.spmd import (
    BarrierOp,
    ParallelOp,
    PrefetchOp,
    Scope,
    ShareOp,
    SingleOp,
    Space,
    StopOnErrorOp,
    ThreadIdOp,
    scope_of,
)
from ...effects import Writes, buffer_of, effects_of, is_pure, writes_inside
from ...pass_base import HostPass, fail, functions
from ...utils.constants import constant_value
from ...utils.memory import Place, accesses, place_of, places, space_of

__all__ = ["VerifySPMD"]

_SLT, _SGE = 2, 5
_WHOLE_TEAM = (BarrierOp, func.CallOp, ParallelOp, ShareOp)
"""What means nothing to one thread alone."""


@dataclass(frozen=True)
class VerifySPMD(HostPass):
    """Refuses a module in which threads may repeat one another's writes, or wait for ever."""

    name = "verify-spmd"

    def apply(self, ctx: Context, op: builtin.ModuleOp) -> None:
        register_effects()
        kernels = {f.sym_name.data for f in functions(op) if KERNEL_ATTRIBUTE in f.attributes}
        for function in functions(op):
            if function.sym_name.data in kernels:
                _Team(kernels, None).run(function.body.blocks)
            else:
                _host(function.body.blocks, kernels)


def _host(blocks: Sequence[Block], kernels: set[str]) -> None:
    """What stands in front of `spmd.parallel` is run by its caller alone."""
    for op in (op for block in blocks for op in block.ops):
        if isinstance(op, memref.AllocOp) and space_of(op.memref) is Space.TEAM:
            fail(op, f"{op.name}: expected the memory of a block in a kernel: it ends with the block")
        if isinstance(op, ParallelOp):
            _Team(kernels, scope_of(op)).run(op.body.blocks)
        else:
            for region in op.regions:
                _host(region.blocks, kernels)


class _Team:
    """What all threads of a team run."""

    def __init__(self, kernels: set[str], opened: Scope | None) -> None:
        self.kernels = kernels
        self.opened = opened
        """What the host function opened the team as; None in a kernel."""
        self.differing: set[SSAValue] = set()
        """Values that may not be the same for all threads."""
        self.shares: dict[SSAValue, ShareOp] = {}
        """Values that lie in this thread's part, its ends included."""
        self.sections: set[Operation] = set()
        """What only some threads run."""
        self.private: list[memref.AllocaOp] = []
        self.has_team_memory = False
        self.outermost: Operation | None = None
        """The loop or branch at the top of the function that the walk is in."""
        self.written: dict[Operation, Writes] = {}
        self.places: dict[Operation, list[Place]] = {}

    def run(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            self.block(block, together=True)
        for alloca in self.private:
            self.check_private(alloca)

    def block(self, block: Block, together: bool) -> None:
        """The operations of a block; `together` if all threads come to it, or none."""
        for op in block.ops:
            if _computes(op):
                self.compute(op)
            else:
                self.visit(op, together)

    def compute(self, op: Operation) -> None:
        """An operation that only computes its results."""
        kind, differing = type(op), self.differing
        if kind is ShareOp:
            assert isinstance(op, ShareOp)
            if op.extent in differing:
                fail(op, f"{op.name}: expected an extent that all threads agree on")
            differing.update(op.results)
            self.shares |= {op.low: op, op.high: op}
        elif kind is ThreadIdOp:
            differing.update(op.results)
        elif differing and not differing.isdisjoint(op.operands):
            differing.update(op.results)
            if kind is arith.SubiOp:
                self.subtract(op)

    def subtract(self, op: Operation) -> None:
        """`x - (x - y) mod n` lies between y and x."""
        x, remainder = op.operands[0], op.operands[1].owner
        share = self.shares.get(x)
        if share is None or not isinstance(remainder, arith.RemUIOp | arith.RemSIOp):
            return
        span = remainder.lhs.owner
        if not isinstance(span, arith.SubiOp) or span.lhs is not x or self.shares.get(span.rhs) is not share:
            return
        if x is share.high or span.rhs is share.low:  # all others lie between these two
            self.shares[op.results[0]] = share

    def visit(self, op: Operation, together: bool) -> None:
        if op.regions and self.outermost is None:
            self.outermost = op
            self.visit(op, together)
            self.outermost = None
            return
        match op:
            case scf.ForOp():
                self.loop(op, together)
            case scf.IfOp():
                self.branch(op, together)
            case SingleOp():
                self.sections.add(op)
                self.alone(op)
            case BarrierOp():
                if self.opened is Scope.GRID and scope_of(op) is Scope.BLOCK:
                    fail(op, f"{op.name}: between kernels the whole grid waits, or threads of other blocks go on")
                if not together:
                    fail(op, f"{op.name}: not every thread comes to this barrier, so the others would wait for ever")
            case StopOnErrorOp():  # the first thread writes
                if not together or op.record in self.differing:
                    fail(op, f"{op.name}: some threads of the team would go on, and wait for the others for ever")
            case func.CallOp():
                self.call(op, together)
            case memref.AllocaOp():
                self.private.append(op)
            case memref.AllocOp():
                self.has_team_memory |= space_of(op.memref) is Space.TEAM
            case PrefetchOp() | CheckOp():
                pass
            case _ if op.regions:
                if not op.has_trait(RecursiveMemoryEffect) or isinstance(op, ParallelOp):
                    fail(op, f"{op.name}: cannot tell which thread runs what is in it")
                for block in (block for region in op.regions for block in region.blocks):
                    self.differing.update(block.args)
                    self.block(block, together=False)
                self.differing.update(op.results)
            case _:
                self.access(op)

    def loop(self, op: scf.ForOp, together: bool) -> None:
        if self.is_share(op):
            share = self.shares[op.lb]
            if op.results:
                fail(op, f"{op.name}: what a share carries would be another value for each thread")
            once = constant_value(share.extent) == 1
            self.share(op, op.body.block, op.body.block.args[0], scope_of(share), once)
            return
        same = self.differing.isdisjoint((op.lb, op.ub, op.step))
        self.differing.update(op.body.block.args if not same else op.body.block.args[1:])
        self.block(op.body.block, together and same)
        self.differing.update(op.results)

    def is_share(self, op: Operation) -> bool:
        """Whether a loop runs over what one `spmd.share` gives this thread."""
        if not isinstance(op, scf.ForOp):
            return False
        share = self.shares.get(op.lb)
        return share is not None and self.shares.get(op.ub) is share

    def branch(self, op: scf.IfOp, together: bool) -> None:
        owned = self.owned(op.cond)
        same = op.cond not in self.differing
        if owned is not None:
            number, scope = owned
            self.share(op, op.true_region.block, number, scope, False)
        else:
            self.block(op.true_region.block, together and same)
        for block in op.false_region.blocks:
            self.block(block, together and same)
        self.differing.update(op.results)

    def owned(self, condition: SSAValue) -> tuple[SSAValue, Scope] | None:
        """The number that all threads agree on and one of a scope alone finds in its part, if that is the question."""
        both = condition.owner
        if not isinstance(both, arith.AndIOp):
            return None
        low, high = both.lhs.owner, both.rhs.owner
        if not isinstance(low, arith.CmpiOp) or not isinstance(high, arith.CmpiOp) or low.lhs is not high.lhs:
            return None
        if (low.predicate.value.data, high.predicate.value.data) != (_SGE, _SLT) or low.lhs in self.differing:
            return None
        share = self.shares.get(low.rhs)
        if share is None or low.rhs is not share.low or high.rhs is not share.high:
            return None
        return low.lhs, scope_of(share)

    def call(self, op: func.CallOp, together: bool) -> None:
        name = op.callee.root_reference.data
        if name not in self.kernels:
            fail(op, f"{op.name}: cannot tell what @{name} writes: it is no kernel of this module")
        if any(_is_private(value) for value in op.operands):
            fail(op, f"{op.name}: @{name} is the whole team's work, but is given what is private to a thread")
        if not together:
            fail(op, f"{op.name}: @{name} is the whole team's work, but not every thread comes to this call")

    def access(self, op: Operation) -> None:
        """An operation on memory that all threads run."""
        for buffer in _written(op):
            if not _is_private(buffer):
                fail(op, f"{op.name}: every thread of the team would write {_name(buffer)}; {_EXPECTED}")
        if any(v in self.differing or _is_private(v) or self.changes(v) for v in op.operands):
            self.differing.update(op.results)

    def changes(self, buffer: SSAValue) -> bool:
        """Whether the loop that all threads are in writes a buffer, so that they may find different numbers in it."""
        if self.outermost is None or not isinstance(buffer.type, MemRefType):
            return False
        if buffer_of(buffer) not in writes_inside(self.outermost, self.written).buffers:
            return False
        place = place_of(buffer)  # a workspace is many buffers
        return any(place.meets(item) for item in self.places_written(self.outermost))

    def places_written(self, outermost: Operation) -> list[Place]:
        """The memory that is written in a loop or branch."""
        found = self.places.get(outermost)
        if found is None:
            inside = (op for op in outermost.walk() if not op.regions)
            found = self.places[outermost] = [place_of(buffer) for op in inside for buffer in _written(op)]
        return found

    def share(self, op: Operation, block: Block, key: SSAValue, scope: Scope, at_most_once: bool) -> None:
        """What one thread of a scope runs for each value of `key`."""
        self.sections.add(op)
        self.check_reach(op, scope)
        self.shared_block(block, {key}, at_most_once)

    def shared_block(self, block: Block, moving: set[SSAValue], at_most_once: bool) -> None:
        """`moving` are the values that depend on which iteration this is."""
        for op in block.ops:
            depends = not moving.isdisjoint(op.operands)
            if op.regions:
                if isinstance(op, SingleOp | ParallelOp) or self.is_share(op):
                    fail(op, f"{op.name}: only some threads come here, so work would be left undone")
                if not op.has_trait(RecursiveMemoryEffect):
                    fail(op, f"{op.name}: cannot tell which thread runs what is in it")
                for inner in (inner for region in op.regions for inner in region.blocks):
                    if depends:
                        moving.update(inner.args)
                    self.shared_block(inner, moving, at_most_once)
                    end = inner.last_op
                    depends |= end is not None and not moving.isdisjoint(end.operands)
            elif isinstance(op, _WHOLE_TEAM):
                fail(op, f"{op.name}: not every thread comes here")
            elif not _computes(op) and not isinstance(op, PrefetchOp | CheckOp | memref.AllocaOp) and not at_most_once:
                self.shared_write(op, moving)
            if depends:
                moving.update(op.results)

    def shared_write(self, op: Operation, moving: set[SSAValue]) -> None:
        for buffer in _written(op):
            if not _is_private(buffer) and moving.isdisjoint(places(op, buffer)):
                fail(op, f"{op.name}: each thread would write the same place of {_name(buffer)} in its share")

    def alone(self, section: SingleOp) -> None:
        """What one thread runs may write what its scope sees, but nobody joins it."""
        self.check_reach(section, scope_of(section))
        for op in section.body.walk():
            if isinstance(op, _WHOLE_TEAM):
                fail(op, f"{op.name}: only one thread comes here")
            if not self.shares.keys().isdisjoint(op.operands):
                fail(op, f"{op.name}: only one thread comes here, so all shares but its own would be left undone")

    def check_reach(self, section: Operation, scope: Scope) -> None:
        """What one thread of a scope writes should be what that scope sees, no more and no less."""
        if scope is Scope.GRID and not self.has_team_memory:
            return
        for item in accesses([section]):
            space = space_of(item.buffer)
            if item.writes and space is Space.GLOBAL and scope is Scope.BLOCK:
                fail(item.op, f"{item.op.name}: one thread of every block would write {_name(item.buffer)}")
            if item.writes and space is Space.TEAM and scope is Scope.GRID:
                fail(item.op, f"{item.op.name}: one block alone would have {_name(item.buffer)} written")

    def check_private(self, alloca: memref.AllocaOp) -> None:
        """What only some threads keep for themselves is not there for others."""
        buffer = alloca.memref
        users = {op: self.section(op) for op in _users(buffer)}
        for op, section in users.items():
            if section is not None and _writes_to(op, buffer) and any(other is not section for other in users.values()):
                fail(op, f"{op.name}: {_name(buffer)} is private to a thread, but others than those here use it")

    def section(self, op: Operation) -> Operation | None:
        """What only some threads run, around an operation."""
        current: Operation | None = op
        while current is not None and current not in self.sections:
            current = current.parent_op()
        return current


_EXPECTED = "expected this in an spmd.single, or in a loop over an spmd.share"


def _computes(op: Operation) -> bool:
    """Whether an operation only computes its results. Upstream says of these two neither that they do nor what else."""
    return is_pure(op) or isinstance(op, arith.RemUIOp | arith.ExtSIOp)


def _written(op: Operation) -> list[SSAValue]:
    """The buffers that an operation without regions writes; fails where that is not known."""
    effects = effects_of(op)
    if effects is None:
        if op.has_trait(IsTerminator):
            return []
        fail(op, f"{op.name}: cannot tell what it writes")
    found: list[SSAValue] = []
    for effect in effects:
        if effect.kind in (MemoryEffectKind.READ, MemoryEffectKind.ALLOC):
            continue
        if isinstance(op, memref.CopyOp):
            known: Sequence[SSAValue] = [op.destination]
        else:
            known = [effect.value] if isinstance(effect.value, SSAValue) else op.operands
        buffers = [v for v in known if isinstance(v.type, MemRefType)]
        if not buffers:
            fail(op, f"{op.name}: cannot tell what it writes")
        found += buffers
    return found


def _is_private(value: SSAValue) -> bool:
    return isinstance(value.type, MemRefType) and space_of(value) is Space.PRIVATE


def _users(buffer: SSAValue) -> list[Operation]:
    """The operations that use a buffer or a view of it."""
    found: list[Operation] = []
    for use in buffer.uses:
        op = use.operation
        views = [r for r in op.results if isinstance(r.type, MemRefType)]
        found += [op] if not views else [user for view in views for user in _users(view)]
    return found


def _writes_to(op: Operation, buffer: SSAValue) -> bool:
    return not op.regions and any(buffer_of(written) is buffer for written in _written(op))


def _name(buffer: SSAValue[Attribute]) -> str:
    base = buffer_of(buffer)
    return f"%{base.name_hint}" if base.name_hint else f"a {base.type}"
