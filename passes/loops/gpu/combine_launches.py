"""Launches what does not depend on one another as one: a launch costs more than a small kernel.

    gpu.launch_func @kernels::@a blocks in (64, 1, 1) threads in (256, 1, 1) args(%x, %y)
    gpu.launch_func @kernels::@b blocks in (3, 1, 1) threads in (256, 1, 1) args(%y, %z)       // reads what @a writes
    gpu.launch_func @kernels::@c blocks in (10, 1, 1) threads in (256, 1, 1) args(%x, %v)
    ->
    gpu.launch_func @kernels::@a_c blocks in (74, 1, 1) threads in (256, 1, 1) args(%x, %y, %v)
    gpu.launch_func @kernels::@b blocks in (3, 1, 1) threads in (256, 1, 1) args(%y, %z)

    gpu.func @a_c(%x, %y, %v) kernel {
      scf.if %block < 64 { ... a, of block %block ... } else { ... c, of block %block - 64 ... }
    }

Between loops of the host, each launch goes as early as it can: behind the last one that touches memory of its own, one
of the two writing. Those that come at the same time become one, as long as their shared memory fits. Where one has
fewer threads than others, the rest of a block's are idle, and its barriers count those that are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func, gpu, memref, scf
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import Attribute, Block, Region, SSAValue

from ....dialects.gpux import THREADS, CollectiveOp
from ....dialects.locations import fuse
from ....dialects.spmd import BarrierOp, Space
from ....dialects.types import bytes_of
from ...options import option
from ...pass_base import HostPass, functions
from ...utils.constants import Constants
from ...utils.emitter import Emitter
from ...utils.memory import Place, accesses, place_of, root, space_of
from .block_tiles import WARP
from .device_functions import DeviceFunctions, blocks_of, launch_function, threads_of
from .launches import block_id, thread_id

__all__ = ["CombineLaunches"]

_SLT = 2


@dataclass(frozen=True)
class CombineLaunches(HostPass):
    """Independent launches of a host function -> launches of what all of them do."""

    name = "combine-launches"
    shared_bytes: int = option(48 * 1024, 1024)
    most: int = option(16, 1)
    """So many launches become one at most."""
    most_threads: int = option(256, 32)
    """A block has at most, where those of a part wait for one another without the rest: more have fewer registers."""
    most_ops: int = option(2000, 1)
    """So many operations one function has at most, where it is of several."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        combiner = _Combiner(DeviceFunctions(op), self)
        for function in functions(op):
            combiner.block(function.body.block, Constants(function))
        combiner.functions.remove_unused(op)


@dataclass(frozen=True)
class _Member:
    """A launch, and what is asked of it."""

    op: gpu.LaunchFuncOp
    function: gpu.FuncOp
    touches: tuple[tuple[Place, bool], ...]
    """Memory, and whether it is written."""

    @property
    def threads(self) -> int:
        return threads_of(self.function)


@dataclass(frozen=True)
class _Traits:
    """What decides whether a function goes with others."""

    written: tuple[bool, ...]
    """By argument."""
    read: tuple[bool, ...]
    waits: bool
    """Whether its threads wait for one another, whole warps of a block."""
    shared: int
    ops: int


class _Earlier:
    """For each piece of memory, the last levels at which it was written, and touched at all."""

    def __init__(self) -> None:
        self.written: dict[Place, int] = {}
        self.touched: dict[Place, int] = {}

    def level(self, member: _Member) -> int:
        """The first level at which a launch finds what it needs, where it is from now on."""
        waits = [
            level
            for place, writes in member.touches
            for other, level in (self.touched if writes else self.written).items()
            if place.meets(other)
        ]
        level = max(waits, default=-1) + 1
        for place, writes in member.touches:
            for known in (self.touched, self.written) if writes else (self.touched,):
                known[place] = max(level, known.get(place, -1))
        return level


class _Combiner:
    def __init__(self, functions: DeviceFunctions, options: CombineLaunches) -> None:
        self.functions = functions
        self.options = options
        self.known: dict[gpu.FuncOp, _Traits] = {}
        self.made: dict[tuple[object, ...], gpu.FuncOp] = {}

    def traits(self, function: gpu.FuncOp) -> _Traits:
        found = self.known.get(function)
        if found is None:
            arguments = function.body.block.args
            touched = [(root(item.buffer), item.writes) for item in accesses([function])]
            allocs = [
                op for op in function.walk() if isinstance(op, memref.AllocOp) and space_of(op.memref) is Space.TEAM
            ]
            found = self.known[function] = _Traits(
                tuple((argument, True) in touched for argument in arguments),
                tuple((argument, False) in touched for argument in arguments),
                any(isinstance(op, BarrierOp | CollectiveOp) for op in function.walk()),
                sum(bytes_of(op.memref.type) for op in allocs if space_of(op.memref) is Space.TEAM),
                sum(1 for _ in function.walk()),
            )
        return found

    def block(self, block: Block, constants: Constants) -> None:
        """Combines the launches between two loops of the host, or branches."""
        run: list[gpu.LaunchFuncOp] = []
        for op in [*block.ops]:
            if isinstance(op, gpu.LaunchFuncOp):
                run.append(op)
            elif op.regions or isinstance(op, func.CallOp):
                self.combine(run, constants)
                run = []
                for region in op.regions:
                    for inner in region.blocks:
                        self.block(inner, constants)
        self.combine(run, constants)

    def combine(self, run: list[gpu.LaunchFuncOp], constants: Constants) -> None:
        if len(run) < 2:
            return
        members = [self.member(op) for op in run]
        last = run[-1].next_op
        levels: list[list[_Member]] = []
        earlier = _Earlier()
        for member in members:
            level = earlier.level(member)
            if level == len(levels):
                levels.append([])
            levels[level].append(member)
        block = run[0].parent
        assert block is not None
        for op in run:  # what makes their operands stands in front of all of them by now
            op.detach()
        for level in levels:
            for group in self.groups(level):
                location = fuse([member.op.location for member in group])
                self.launch(group, Emitter(constants, block, last, location))

    def member(self, op: gpu.LaunchFuncOp) -> _Member:
        function = self.functions.of(op)
        traits = self.traits(function)
        touches = [
            (place_of(value), written)
            for value, written, read in zip(op.kernelOperands, traits.written, traits.read, strict=True)
            if written or read
        ]
        return _Member(op, function, tuple(touches))

    def groups(self, level: list[_Member]) -> Iterator[list[_Member]]:
        """Launches that become one, those with the most threads first."""
        waiting = sorted(level, key=lambda member: -member.threads)
        while waiting:
            group, rest = [waiting[0]], list[_Member]()
            for member in waiting[1:]:
                (group if self.joins(member, group) else rest).append(member)
            yield group
            waiting = rest

    def joins(self, member: _Member, group: list[_Member]) -> bool:
        all_traits = [self.traits(other.function) for other in (*group, member)]
        return (
            len(group) < self.options.most
            and (
                member.threads == group[0].threads
                or not all_traits[-1].waits
                or (group[0].threads <= self.options.most_threads and member.threads % WARP == 0)
            )
            and sum(traits.shared for traits in all_traits) <= self.options.shared_bytes
            and sum(traits.ops for traits in all_traits) <= self.options.most_ops
        )

    def launch(self, group: list[_Member], e: Emitter) -> None:
        """One launch in the place of a group."""
        if len(group) == 1:
            e.insert(group[0].op)
            return
        operands = list(dict.fromkeys(value for member in group for value in member.op.kernelOperands))
        position = {value: k for k, value in enumerate(operands)}
        places = tuple(tuple(position[v] for v in member.op.kernelOperands) for member in group)
        key = (tuple(member.function for member in group), places)
        made = self.made.get(key)
        if made is None:
            made = self.made[key] = self.function(group, places, [value.type for value in operands])
        launch_function(e, made, operands)
        for member in group:
            member.op.erase()

    def function(self, group: list[_Member], places: tuple[tuple[int, ...], ...], types: list[Attribute]) -> gpu.FuncOp:
        """Does, by the number of the block, what one of a group does."""
        body = Block(arg_types=types)
        for member, at in zip(group, places, strict=True):
            for inner, k in zip(member.function.body.block.args, at, strict=True):
                body.args[k].name_hint = body.args[k].name_hint or inner.name_hint
        location = fuse([member.function.location for member in group])
        e = Emitter(Constants(body), body, None, location)
        block, thread = block_id(e), thread_id(e)
        arguments: list[list[SSAValue]] = [[body.args[k] for k in at] for at in places]
        ids = _Numbers(block, thread, group[0].threads)
        blocks = self.parts(list(zip(group, arguments, strict=True)), e, ids, 0)
        name = group[0].function.sym_name.data
        return self.functions.add(f"{name}_and_{len(group) - 1}_more", body, blocks, group[0].threads, location)

    def parts(self, members: list[tuple[_Member, list[SSAValue]]], e: Emitter, ids: _Numbers, first: int) -> int:
        """The bodies of several functions, one behind the other's `else`; returns how many blocks there are in all."""
        (member, arguments), *others = members
        end = first + blocks_of(member.function)
        if not others:
            self.part(member, arguments, e, ids, first)
            return end
        condition = e.compare(_SLT, ids.block, e.index(end))
        branch = e.create(scf.IfOp, [condition], regions=[Region(Block()), Region(Block())])
        inside, following = (e.inside(region.block) for region in branch.regions)
        self.part(member, arguments, inside, ids, first)
        inside.yield_()
        end = self.parts(others, following, ids, end)
        following.yield_()
        return end

    def part(self, member: _Member, arguments: list[SSAValue], e: Emitter, ids: _Numbers, first: int) -> None:
        """The body of one function, for blocks from the `first` on."""
        source = member.function.body.block
        values: dict[SSAValue, SSAValue] = dict(zip(source.args, arguments, strict=True))
        own = {gpu.BlockIdOp: e.sub(ids.block, e.index(first)), gpu.ThreadIdOp: ids.thread}
        inside, around = e, None
        if member.threads < ids.threads:
            around = e.if_(e.compare(_SLT, ids.thread, e.index(member.threads)))
            inside = e.inside(around.true_region.block)
        for op in source.ops:
            if isinstance(op, gpu.BlockIdOp | gpu.ThreadIdOp):
                values[op.result] = own[type(op)]
            elif not isinstance(op, gpu.ReturnOp):
                for copy in [*inside.insert(op.clone(values)).walk()]:
                    if around is not None and isinstance(copy, BarrierOp | CollectiveOp):
                        copy.attributes.setdefault(THREADS, IntegerAttr(member.threads, i64))
                    if isinstance(copy, gpu.BlockIdOp | gpu.ThreadIdOp):
                        copy.result.replace_all_uses_with(own[type(copy)])
                        copy.detach()
                        copy.erase()
        if around is not None:
            inside.yield_()


@dataclass(frozen=True)
class _Numbers:
    """Of a block and a thread in it, and how many threads there are."""

    block: SSAValue
    thread: SSAValue
    threads: int
