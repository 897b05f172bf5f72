"""Launches in a kernel: `spmd.parallel` with a number of blocks, and of threads in each."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from xdsl.dialects import gpu
from xdsl.dialects.builtin import IntegerAttr, i64
from xdsl.ir import Attribute, Block, Region, SSAValue

from ....dialects.spmd import ParallelOp, Scope, ScopeAttr, Space, SpaceAttr
from ...pass_base import fail
from ...utils.affine import LinearExpr
from ...utils.constants import INDEX
from ...utils.emitter import Emitter
from ...utils.nest_emitter import NestEmitter

BLOCKS, THREADS = "blocks", "threads"
"""Attributes of a launch: how many blocks, of how many threads."""
BLOCK = ScopeAttr(Scope.BLOCK)
TEAM = SpaceAttr(Space.TEAM)

_X = gpu.DimensionAttr(gpu.DimensionEnum.X)


def new_launch(e: Emitter, blocks: int, threads: int) -> ParallelOp:
    """An empty launch: the caller fills its block."""
    numbers: dict[str, Attribute] = {BLOCKS: IntegerAttr(blocks, i64), THREADS: IntegerAttr(threads, i64)}
    op = e.create(ParallelOp, [], attributes=numbers, regions=[Region(Block())])
    assert isinstance(op, ParallelOp)
    return op


def block_id(e: Emitter) -> SSAValue:
    """The number of this block in its launch."""
    value = e.create(gpu.BlockIdOp, [], [INDEX], {"dimension": _X}).results[0]
    value.name_hint = "block"
    return value


def thread_id(e: Emitter) -> SSAValue:
    """The number of this thread in its block."""
    value = e.create(gpu.ThreadIdOp, [], [INDEX], {"dimension": _X}).results[0]
    value.name_hint = "thread"
    return value


@contextmanager
def open_launch(e: NestEmitter, blocks: int, threads: int) -> Generator[tuple[LinearExpr, LinearExpr]]:
    """A launch to build in, with the numbers of block and thread."""
    with e.within(new_launch(e, blocks, threads).body.block, ends=False):
        block = LinearExpr.of(block_id(e)) if blocks > 1 else LinearExpr()
        yield block, LinearExpr.of(thread_id(e))


def number(op: ParallelOp, name: str) -> int:
    """A number that an attribute of a launch gives."""
    given = op.attributes.get(name)
    if not isinstance(given, IntegerAttr):
        fail(op, f"{op.name}: expected the attribute {name}, as `map-blocks` sets it")
    return given.value.data
