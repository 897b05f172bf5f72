"""Blocks loops in which some accesses run along one dimension and some along another: transposes.

    scf.for %i = %c0 to %c2048 step %c1 {
      scf.for %j = %c0 to %c2048 step %c1 {
        %a = memref.load %x[%j, %i] : memref<2048x2048xf32>            // one cache line each
        memref.store %a, %y[%i, %j] : memref<2048x2048xf32>
      } {parallel}
    } {parallel}
->
    scf.for %i = %c0 to %c128 step %c1 {
      %i0 = arith.muli %i, %c16 : index
      scf.for %j = %c0 to %c128 step %c1 {
        %j0 = arith.muli %j, %c16 : index
        scf.for %i1 = %c0 to %c16 step %c1 {
          scf.for %j1 = %c0 to %c16 step %c1 {                         // 16 cache lines in all
            %a = memref.load %x[%j0 + %j1, %i0 + %i1] : memref<2048x2048xf32>
            memref.store %a, %y[%i0 + %i1, %j0 + %j1] : memref<2048x2048xf32>

A tile is as wide as a cache line, so that each line is used up while it is near.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import memref, scf
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.traits import is_side_effect_free

from ...options import option
from ...pass_base import KernelPass
from ...utils.affine import growth
from ...utils.constants import Constants
from ...utils.emitter import Emitter
from ...utils.loop_info import is_parallel, parallel_attributes, static_range
from ...utils.memory import Access, accesses, by_root

__all__ = ["TileLoops"]


@dataclass(frozen=True)
class TileLoops(KernelPass):
    """Tiles the two loops that accesses disagree about, in nests where both are long."""

    name = "tile-loops"
    tile: int = option(16, 2, 65536)
    longest_untiled: int = option(64, 0)
    """Two loops of which one is no longer than this fit a cache as they are."""

    def apply_to_function(self, function: FuncOp) -> None:
        constants = Constants(function)
        for inner in list(function.body.block.ops):
            if isinstance(inner, scf.ForOp):
                self._nest(inner, constants)

    def _nest(self, outermost: scf.ForOp, constants: Constants) -> None:
        loops = _perfect_nest(outermost)
        extents = [static_range(loop) for loop in loops]
        if len(loops) < 2 or any(found is None or (found[0], found[2]) != (0, 1) for found in extents):
            return
        counters = [loop.body.block.args[0] for loop in loops]
        across = _crossing(counters, accesses([outermost]))
        if across is None:
            return
        lengths = [found[1] for found in extents if found is not None]
        if min(lengths[across], lengths[-1]) > self.longest_untiled:
            _tile(loops, across, lengths, self.tile, constants)


def _perfect_nest(loop: scf.ForOp) -> list[scf.ForOp]:
    """Parallel loops, each with nothing but the next inside, and what may as well run there."""
    loops: list[scf.ForOp] = []
    current: Operation | None = loop
    while isinstance(current, scf.ForOp) and is_parallel(current) and not current.iter_args:
        loops.append(current)
        block = current.body.block
        inner = [op for op in block.ops if op.regions]
        alone = all(
            op in inner or isinstance(op, scf.YieldOp | memref.LoadOp) or is_side_effect_free(op) for op in block.ops
        )
        if not inner:
            return loops
        current = inner[0] if len(inner) == 1 and alone else None
    return []


def _crossing(counters: Sequence[SSAValue], found: list[Access]) -> int | None:
    """The loop along which some access is contiguous, while others are so along the innermost one.

    None where there is no such loop, or where a buffer is both read and written: its loads could not move.
    """
    along: set[int] = set()
    for group in by_root(found).values():
        if len({item.writes for item in group}) > 1:
            return None
        for item in group:
            if item.indices:
                along |= {k for k, counter in enumerate(counters) if growth(item.indices[-1], counter) == 1}
    last = len(counters) - 1
    others = along - {last}
    return max(others) if last in along and others else None


def _tile(loops: list[scf.ForOp], across: int, lengths: list[int], tile: int, constants: Constants) -> None:
    """Rebuilds the nest: the loops, two of them over tiles, then the two within a tile."""
    outermost, last = loops[0], len(loops) - 1
    assert outermost.parent is not None
    emitter = Emitter(constants, outermost.parent, outermost, outermost.location)
    opened: list[Emitter] = []
    starts: dict[int, SSAValue] = {}

    def open_loop(like: scf.ForOp, upper: SSAValue) -> SSAValue:
        nonlocal emitter
        name = like.body.block.args[0].name_hint
        loop = emitter.loop(emitter.index(0), upper, emitter.index(1), (), parallel_attributes(), name)
        emitter = emitter.inside(loop.body.block)
        opened.append(emitter)
        return loop.body.block.args[0]

    for k, loop in enumerate(loops):
        if k in (across, last):
            counter = open_loop(loop, emitter.index(-(-lengths[k] // tile)))
            starts[k] = emitter.mul(counter, emitter.index(tile))
        else:
            loop.body.block.args[0].replace_all_uses_with(open_loop(loop, loop.ub))
    # Sizes first: the inner of the two loops should be alone in the outer one.
    sizes = {k: _size(emitter, starts[k], lengths[k], tile) for k in starts}
    for k in (across, last):
        counter = open_loop(loops[k], sizes[k])
        loops[k].body.block.args[0].replace_all_uses_with(emitter.add(starts[k], counter))
    for loop in loops:
        _move_body(loop.body.block, emitter)
    for place in reversed(opened):
        place.yield_()
    outermost.detach()
    outermost.erase()


def _size(emitter: Emitter, start: SSAValue, length: int, tile: int) -> SSAValue:
    """How far a tile reaches."""
    if length % tile == 0:
        return emitter.index(tile)
    return emitter.min(emitter.index(tile), emitter.sub(emitter.index(length), start))


def _move_body(block: Block, emitter: Emitter) -> None:
    """Moves what a loop does itself into the innermost new one."""
    for op in list(block.ops):
        if not isinstance(op, scf.YieldOp | scf.ForOp):
            op.detach()
            emitter.insert(op)
