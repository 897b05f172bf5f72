"""Runs the host function's calls on a team of threads, with barriers only where one kernel must wait for another.

    func.call @a(%x, %h) : ...                     spmd.parallel {
    func.call @b(%x, %g) : ...                       func.call @a(%x, %h) : ...
    func.call @c(%h, %y) : ...               ->      func.call @b(%x, %g) : ...
                                                     spmd.barrier
                                                     func.call @c(%h, %y) : ...
                                                   }

A kernel waits where it reads what an unfinished one writes, or writes what one reads or writes: arguments, bytes of
the arena, the workspace. What only the first thread of the team touches on both sides is in order anyway. Around a
loop, the end of one round meets the start of the next. Where all the work is the first thread's, there is no team.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects import builtin, func, memref, scf
from xdsl.ir import Block, Operation, Region
from xdsl.traits import IsTerminator

from ....dialects.marks import KERNEL_ATTRIBUTE
from ....dialects.spmd import FIRST, BarrierOp, ParallelOp, StopOnErrorOp
from ....dialects.types import is_memref
from ...pass_base import HostPass
from ...utils.memory import Place, accesses, is_single, place_of, root

__all__ = ["InsertBarriers"]

ALONE = 32768
"""So many elements one thread has checked before a team has met at a barrier."""


@dataclass(frozen=True, slots=True)
class _Use:
    """What a call does to a place."""

    place: Place
    writes: bool
    first_only: bool

    def clashes(self, other: _Use) -> bool:
        if not (self.writes or other.writes) or (self.first_only and other.first_only):
            return False
        return self.place.meets(other.place)


@dataclass(frozen=True, slots=True)
class _Argument:
    """What a kernel does to one of its arguments."""

    reads: bool
    writes: bool
    first_only: bool
    shared: bool = True
    """Whether other threads than the first write to it."""


@dataclass(frozen=True)
class InsertBarriers(HostPass):
    """Wraps the calls of the host function in `spmd.parallel` and orders them by barriers."""

    name = "insert-barriers"

    def apply(self, ctx: Context, op: builtin.ModuleOp) -> None:
        functions = [f for f in op.body.block.ops if isinstance(f, func.FuncOp) and f.body.blocks]
        kernels = {f.sym_name.data: _arguments(f) for f in functions if KERNEL_ATTRIBUTE in f.attributes}
        for host in functions:
            if KERNEL_ATTRIBUTE in host.attributes or any(isinstance(o, ParallelOp) for o in host.walk()):
                continue
            if any(_is_shared(o, kernels) for o in host.walk()):
                body = _open_team(host)
                if body is not None:
                    _Barriers(kernels).block(body, [])


def _arguments(kernel: func.FuncOp) -> list[_Argument]:
    """What a kernel does to each of its arguments."""
    found = {argument: [False, False, True, False] for argument in kernel.body.block.args}
    for item in accesses(kernel.body.block.ops):
        flags = found.get(root(item.buffer))  # pyright: ignore[reportArgumentType]
        if flags is not None:
            flags[1 if item.writes else 0] = True
            alone = is_single(item.op)
            flags[2] &= alone
            flags[3] |= item.writes and not alone
    return [_Argument(*flags) for flags in found.values()]


def _is_shared(op: Operation, kernels: dict[str, list[_Argument]]) -> bool:
    """Whether an operation of the host calls a kernel that more than one thread works on."""
    if not isinstance(op, func.CallOp):
        return False
    arguments = kernels.get(op.callee.root_reference.data)
    return arguments is None or any(a.shared for a in arguments)


def _open_team(host: func.FuncOp) -> Block | None:
    """Moves the host's work into an `spmd.parallel`, what only names memory in front of it; None without calls."""
    if not any(isinstance(op, func.CallOp) for op in host.walk()):
        return None
    block, body = host.body.block, Block()
    end = block.last_op
    assert end is not None
    alone = _checked_alone(block)
    for op in list(block.ops):
        if op is end or op in alone:
            continue
        if op.regions or isinstance(op, func.CallOp | memref.LoadOp | StopOnErrorOp) or _needs(op, body):
            op.detach()
            body.add_op(op)
    team = ParallelOp(Region(body))
    team.location = host.location
    block.insert_op_before(team, end)
    return body


def _checked_alone(block: Block) -> set[Operation]:
    """The checks that come before anything else, and where they stop: one thread makes them before there is a team, and
    nobody has to wait; unless there is so much to check that a team is faster."""
    calls: list[Operation] = []
    for op in block.ops:
        if isinstance(op, StopOnErrorOp):
            sizes = [prod(v.type.get_shape()) for call in calls for v in call.operands if is_memref(v.type)]
            return {*calls, op} if FIRST in op.attributes and sum(sizes) <= ALONE else set()
        if isinstance(op, func.CallOp):
            calls.append(op)
    return set()


def _needs(op: Operation, body: Block) -> bool:
    """Whether an operation uses what has been moved already."""
    return any(isinstance(value.owner, Operation) and value.owner.parent is body for value in op.operands)


class _Barriers:
    def __init__(self, kernels: dict[str, list[_Argument]]) -> None:
        self.kernels = kernels

    def block(self, block: Block, pending: list[_Use]) -> list[_Use]:
        """Inserts the barriers of a block; `pending` is what may still be going on, before and after."""
        for op in list(block.ops):
            if isinstance(op, scf.ForOp):
                pending = self.loop(op, pending)
            elif isinstance(op, scf.IfOp):
                branches = [self.block(region.block, list(pending)) for region in op.regions if region.blocks]
                pending = [*(pending if len(branches) < 2 else ()), *(use for branch in branches for use in branch)]
            else:
                uses = self.uses(op)
                if _clash(pending, uses):
                    _barrier_before(op)
                    pending = []
                pending = [*pending, *uses]
        return _merged(pending)

    def loop(self, op: scf.ForOp, pending: list[_Use]) -> list[_Use]:
        block = op.body.block
        everything = [use for inner in op.walk() for use in self.uses(inner)]
        if _clash(pending, everything):
            _barrier_before(op)
            pending = []
        after = self.block(block, [])
        if _clash(after, self.head(block)[0]):
            end = block.last_op
            assert end is not None and end.has_trait(IsTerminator)
            _barrier_before(end)
            after = []
        # The loop may run no times at all.
        return _merged([*pending, *after])

    def head(self, block: Block) -> tuple[list[_Use], bool]:
        """What a block does before its first barrier, and whether it surely comes to one."""
        found: list[_Use] = []
        for op in block.ops:
            if isinstance(op, BarrierOp):
                return found, True
            found += self.uses(op)
            for region in op.regions:
                for inner in region.blocks:
                    found += self.head(inner)[0]
        return found, False

    def uses(self, op: Operation) -> list[_Use]:
        """What an operation of the host itself touches."""
        if isinstance(op, memref.LoadOp):
            return [_Use(place_of(op.memref), writes=False, first_only=False)]
        if isinstance(op, StopOnErrorOp):
            return [_Use(place_of(op.record), writes=False, first_only=False)]
        if not isinstance(op, func.CallOp):
            return []
        known = self.kernels.get(op.callee.root_reference.data)
        found: list[_Use] = []
        for position, value in enumerate(op.operands):
            if not is_memref(value.type):
                continue
            does = known[position] if known is not None else _Argument(True, True, False)
            if does.reads or does.writes:
                found.append(_Use(place_of(value), does.writes, does.first_only))
        return found


def _clash(pending: Sequence[_Use], uses: Sequence[_Use]) -> bool:
    return any(a.clashes(b) for a in pending for b in uses)


def _merged(uses: Sequence[_Use]) -> list[_Use]:
    return list(dict.fromkeys(uses))


def _barrier_before(op: Operation) -> None:
    assert op.parent is not None
    op.parent.insert_op_before(BarrierOp.create(location=op.location), op)
