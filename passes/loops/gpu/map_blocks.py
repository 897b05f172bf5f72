"""Maps the loops of kernels to launches, blocks and threads.

    scf.for %i = %c0 to %c64 step %c1 {                       spmd.parallel {
      %m = scf.for %j = %c0 to %c1000 step %c1 {...}            %i = gpu.block_id x
      memref.store %m, %s[%i]                          ->       ... `team.py`: all threads of the block, for one %i ...
    } {parallel}                                              } attributes {blocks = 64, threads = 256}
    scf.for %k = %c0 to %c640 step %c1 {                      spmd.parallel {
      ... elementwise ...                                       %k = gpu.block_id x * 256 + gpu.thread_id x
    } {parallel}                                                scf.if %k < 640 { ... elementwise ... }
                                                              } attributes {blocks = 3, threads = 256}

Each `spmd.parallel` is one launch: where it ends all blocks have written what the next one reads. A large parallel
nest is a launch of its own. If its rows are long and lie in order in memory, a block takes a row (or a point of the
outer loops), else a thread takes a point. What is between the nests, and a kernel that is small altogether, is run by
one block.

A value that one launch computes and another needs is computed or loaded again, or handed on through memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import func, memref, scf
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.traits import IsTerminator

from ....dialects.effects import register_effects
from ....dialects.locations import fuse
from ....dialects.spmd import BarrierOp, ParallelOp, ShareOp, SingleOp, ThreadCountOp, ThreadIdOp
from ...effects import only_computes
from ...interface import check_on_buffers
from ...options import option
from ...pass_base import KernelPass, fail
from ...utils.constants import Constants, memref_type
from ...utils.emitter import Emitter
from ...utils.loop_info import trip_count
from ...utils.memory import accesses, ancestor_in, root
from ...utils.setup import raise_setup
from .bands import LONG, Band, band_of, longest, power_of_two, shared_loops
from .launches import block_id, new_launch, thread_id
from .team import NO_SIZES, Team

__all__ = ["MapBlocks"]

_UNKNOWN_TRIPS = 16
_OF_CPUS = (BarrierOp, SingleOp, ThreadCountOp, ThreadIdOp)
"""What the passes for CPUs leave."""


@dataclass(frozen=True)
class MapBlocks(KernelPass):
    """Kernels of loops -> kernels of launches."""

    name = "map-blocks"
    multiprocessors: int = option(108, 1, 65536)
    max_threads: int = option(1024, 32, 1024, power_of_two=True)
    shared_bytes: int = option(48 * 1024, 1024, 227 * 1024)
    threads: int = option(256, 32, 1024, power_of_two=True)
    """Of a block that a long nest is cut into."""
    min_work: int = option(4096, 0)
    """Operations from which a nest is worth a launch of its own, beside what one block does."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_on_buffers(op)
        super().apply(ctx, op)

    def apply_to_function(self, function: func.FuncOp) -> None:
        register_effects()
        for op in _outside_launches(function.body.block):
            if isinstance(op, _OF_CPUS) or op.name.startswith("linalg"):
                fail(op, f"{self.name}: expected loops that nobody has shared among threads, got {op.name}")
        _Mapper(function, self).run()


@dataclass
class _Phase:
    """Operations at the top of a kernel that become one launch."""

    ops: list[Operation]
    grid: bool
    """Whether many blocks share it; else one block runs it."""
    start: Operation
    """The first of them: what is known from other launches comes before it."""
    values: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    """What other launches have computed -> how this one knows it."""


class _Mapper:
    def __init__(self, kernel: func.FuncOp, options: MapBlocks) -> None:
        self.block = kernel.body.block
        self.constants = Constants(kernel)
        self.options = options

    def run(self) -> None:
        setup = raise_setup(self.block, self.constants)
        for share in [op for op in setup if isinstance(op, ShareOp)]:
            self.lower(share)
            setup.remove(share)
        rest = [op for op in self.block.ops if op not in setup and not op.has_trait(IsTerminator)]
        phases = self.phases(rest)
        self.separate(phases)
        for phase in phases:
            if _is_needed(phase):
                self.launch(phase)
            else:
                for op in reversed(phase.ops):
                    op.detach()
                    op.erase()

    def lower(self, share: ShareOp) -> None:
        """Moves a share in front of what uses it first, which is divided by it."""
        users = {ancestor_in(use.operation, self.block) for result in share.results for use in result.uses}
        first = next(op for op in self.block.ops if op in users)
        share.detach()
        self.block.insert_op_before(share, first)

    # Which operations are one launch.

    def phases(self, ops: list[Operation]) -> list[_Phase]:
        found: list[_Phase] = []
        taken: set[Operation] = set()
        for k, op in enumerate(ops):
            if op in taken:
                continue
            together = self.with_users(ops[k:]) if isinstance(op, ShareOp) else [op]
            taken.update(together)
            grid = isinstance(op, ShareOp | ParallelOp) or self.is_large(op)
            if not grid and found and not found[-1].grid:
                found[-1].ops += together
            else:
                found.append(_Phase(together, grid, op))
        return found

    def with_users(self, ops: list[Operation]) -> list[Operation]:
        """A share, and the operations up to the last one that depends on it."""
        users = {ancestor_in(use.operation, self.block) for result in ops[0].results for use in result.uses}
        last = max((k for k, op in enumerate(ops) if op in users), default=0)
        return ops[: last + 1]

    def is_large(self, op: Operation) -> bool:
        """Whether an operation is a nest for the whole grid."""
        if not isinstance(op, scf.ForOp):
            return False
        band = band_of(op)
        return band is not None and band.points > 1 and _work(op) >= self.options.min_work

    # Values that cross from one launch to another.

    def separate(self, phases: list[_Phase]) -> None:
        """Lets no launch use what another one has computed."""
        place = {op: k for k, phase in enumerate(phases) for op in phase.ops}
        for k, phase in enumerate(phases):
            for op in list(phase.ops):
                for inner in op.walk():
                    for position, value in enumerate(inner.operands):
                        owner = value.owner
                        if isinstance(owner, Operation) and place.get(owner, k) != k:
                            inner.operands[position] = self.known(value, phases, k, place)

    def known(self, value: SSAValue, phases: list[_Phase], k: int, place: dict[Operation, int]) -> SSAValue:
        """A value of an earlier launch, as launch `k` knows it."""
        phase, owner = phases[k], value.owner
        if value in phase.values or not isinstance(owner, Operation) or place.get(owner, k) == k:
            return phase.values.get(value, value)
        if only_computes(owner) or (
            isinstance(owner, memref.LoadOp) and _unchanged(owner, phases[place[owner] : k + 1])
        ):
            operands = [self.known(operand, phases, k, place) for operand in owner.operands]
            made = owner.clone()
            made.operands = operands
        else:
            home = self.home(value)
            store = Emitter(self.constants, self.block, owner.next_op, owner.location).store(value, home, [])
            maker = phases[place[owner]]
            maker.ops.insert(maker.ops.index(owner) + 1, store)
            place[store] = place[owner]
            made = memref.LoadOp.create(operands=[home], result_types=[value.type], location=owner.location)
        self.block.insert_op_before(made, phase.start)
        phase.ops.insert(phase.ops.index(phase.start), made)
        place[made] = k
        for old, new in zip(owner.results if made.name == owner.name else [value], made.results, strict=True):
            new.name_hint = old.name_hint
            phase.values[old] = new
        return phase.values[value]

    def home(self, value: SSAValue) -> SSAValue:
        """Memory for a value on its way from one launch to another."""
        first = self.block.first_op
        e = Emitter(self.constants, self.block, first)
        properties: dict[str, Attribute] = {"operandSegmentSizes": NO_SIZES, "alignment": IntegerAttr(64, i64)}
        return e.create(memref.AllocOp, [], [memref_type(value.type, ())], properties).results[0]

    # Launches.

    def launch(self, phase: _Phase) -> None:
        """Makes a phase a launch, unless it is one."""
        nest = phase.ops[-1]
        if isinstance(nest, ParallelOp):
            self.adopt(phase, nest)
            return
        band = band_of(nest) if phase.grid and isinstance(nest, scf.ForOp) else None
        if band is not None and not _rows_in_order(band):
            threads = self.threads_for_points(band.points)
            inside = self.open(phase, -(-band.points // threads), threads)
            block = block_id(inside)
            thread = thread_id(inside)
            self.move(phase.ops[:-1], inside)
            point = inside.add(inside.mul(block, inside.index(threads)), thread)
            if band.points % threads:
                branch = inside.if_(inside.compare(_SLT, point, inside.index(band.points)))
                body = inside.inside(branch.true_region.block)
                band.enter(body, point)
                body.yield_()
            else:
                band.enter(inside, point)
            return
        loops = [loop for top in phase.ops for loop in shared_loops(top)]
        if band is not None:
            threads = _clamp(power_of_two(longest(band.inner_loops())), LONG, self.options.threads)
            inside = self.open(phase, band.points, threads)
            block = block_id(inside)
            thread = thread_id(inside)
            self.move(phase.ops[:-1], inside)
            band.enter(inside, block)
            team = self.team(threads, thread, band.points, block)
        elif phase.grid:
            share = next(op for op in phase.ops if isinstance(op, ShareOp))
            threads = _clamp(power_of_two(longest(loops)), LONG, self.options.threads)
            blocks = 2 * self.options.multiprocessors
            inside = self.open(phase, blocks, threads)
            block = block_id(inside)
            thread = thread_id(inside)
            self.move(phase.ops, inside)
            self.divide(share, block, blocks)
            team = self.team(threads, thread, blocks, block)
        else:
            points = [found.points for loop in loops if (found := band_of(loop)) is not None]
            wanted = max([longest(loops), *points])
            threads = _clamp(power_of_two(wanted), LONG, min(2 * self.options.threads, self.options.max_threads))
            inside = self.open(phase, 1, threads)
            thread = thread_id(inside)
            self.move(phase.ops, inside)
            team = self.team(threads, thread, 1, None)
        team.run(inside.block)
        for op in team.kept:
            first = self.block.first_op
            assert first is not None
            self.block.insert_op_before(op, first)

    def adopt(self, phase: _Phase, launch: ParallelOp) -> None:
        """Moves what a launch needs of others into it."""
        first = launch.body.block.first_op
        for op in phase.ops[:-1]:
            op.detach()
            if first is None:
                launch.body.block.add_op(op)
            else:
                launch.body.block.insert_op_before(op, first)

    def team(self, threads: int, thread: SSAValue, blocks: int, block_id: SSAValue | None) -> Team:
        return Team(self.constants, threads, thread, blocks, block_id, self.options.shared_bytes - _RESERVED)

    def threads_for_points(self, points: int) -> int:
        """As many as a block may have, as long as all multiprocessors get one."""
        threads = self.options.threads
        while threads > LONG and -(-points // threads) < self.options.multiprocessors:
            threads //= 2
        return threads

    def open(self, phase: _Phase, blocks: int, threads: int) -> Emitter:
        """An empty launch in the place of a phase."""
        first = phase.ops[0]
        location = fuse([op.location for op in phase.ops if op.regions] or [first.location])
        e = Emitter(self.constants, self.block, first, location)
        return e.inside(new_launch(e, blocks, threads).body.block)

    @staticmethod
    def move(ops: list[Operation], e: Emitter) -> None:
        for op in ops:
            op.detach()
            e.insert(op)

    def divide(self, share: ShareOp, block_id: SSAValue, blocks: int) -> None:
        """A block's part of what a grid shares: chunks of equal size, in order."""
        assert share.parent is not None
        e = Emitter(self.constants, share.parent, share, share.location)
        extent, chunk = share.extent, share.chunk.value.data
        per_block = e.div(e.add(extent, e.index(blocks * chunk - 1)), e.index(blocks * chunk))
        size = e.mul(per_block, e.index(chunk))
        low = e.min(e.mul(block_id, size), extent)
        high = e.min(e.add(low, size), extent)
        for old, new in zip(share.results, (low, high), strict=True):
            new.name_hint = old.name_hint
            old.replace_all_uses_with(new)
        share.detach()
        share.erase()


_RESERVED = 2048
"""Bytes of shared memory that reductions over a block use."""
_SLT = 2


def _outside_launches(block: Block) -> Iterator[Operation]:
    """The operations of a kernel, those of launches that it has already left out."""
    for op in block.ops:
        if not isinstance(op, ParallelOp):
            yield from op.walk()


def _clamp(n: int, low: int, high: int) -> int:
    return max(low, min(n, high))


def _is_needed(phase: _Phase) -> bool:
    """Whether a phase does more than compute."""
    return any(item.writes for item in accesses(phase.ops)) or any(
        not (op.regions or only_computes(op) or isinstance(op, memref.LoadOp)) for op in phase.ops
    )


def _unchanged(load: memref.LoadOp, phases: list[_Phase]) -> bool:
    """Whether nothing in these launches writes what a load reads."""
    buffer = root(load.memref)
    return not any(item.writes and root(item.buffer) is buffer for phase in phases for item in accesses(phase.ops))


def _rows_in_order(band: Band) -> bool:
    """Whether neighbours in memory are the rounds of long loops inside the band, rather than points of the band: then a
    block takes a point, and its threads these rounds."""
    inner = [loop for loop in band.inner_loops() if (trips := trip_count(loop)) is None or trips >= LONG]
    counters = {loop.body.block.args[0] for loop in inner}
    if not inner:
        return False
    balance = 0
    for loop in inner:
        for item in accesses([loop]):
            if item.indices:
                balance += (item.indices[-1] in counters) - (item.indices[-1] is band.counters[-1])
    return balance >= 0


def _work(op: Operation) -> int:
    """Roughly how many operations something takes."""
    trips = 1
    if isinstance(op, scf.ForOp):
        found = trip_count(op)
        trips = _UNKNOWN_TRIPS if found is None else found
    return trips * (1 + sum(_work(inner) for region in op.regions for block in region.blocks for inner in block.ops))
