"""Nests of parallel loops as one range of points, for threads or blocks to take.

scf.for %i = %c0 to %c64 step %c1 {                     point p, of 640:
  scf.for %j = %c0 to %c10 step %c1 { ... }      ->       %i = p div 10, %j = p mod 10
} {parallel}
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from xdsl.dialects import scf
from xdsl.ir import Block, Operation, SSAValue

from ...utils.emitter import Emitter
from ...utils.loop_info import is_parallel, static_range, trip_count
from .scans import scan_of

LONG = 32
"""A loop with so many rounds has one for each thread of a warp."""


@dataclass(frozen=True)
class Band:
    """Parallel loops that carry nothing, each all that the one around it contains."""

    loops: tuple[scf.ForOp, ...]
    ranges: tuple[tuple[int, int, int], ...]
    extents: tuple[int, ...]

    @property
    def points(self) -> int:
        return prod(self.extents)

    @property
    def body(self) -> Block:
        """What each point does."""
        return self.loops[-1].body.block

    @property
    def counters(self) -> tuple[SSAValue, ...]:
        return tuple(loop.body.block.args[0] for loop in self.loops)

    def inner_loops(self) -> list[scf.ForOp]:
        """Loops inside of the body that threads can share, wherever they stand."""
        return shared_loops(self.body)

    def enter(self, emitter: Emitter, point: SSAValue) -> None:
        """Moves the body to the emitter's place, for one point; the loops go."""
        values: list[SSAValue] = []
        for (low, _, step), extent in zip(reversed(self.ranges), reversed(self.extents), strict=True):
            outermost = len(values) + 1 == len(self.extents)
            number = point if outermost else emitter.rem(point, emitter.index(extent))
            values.append(emitter.add(emitter.mul(number, emitter.index(step)), emitter.index(low)))
            point = point if outermost else emitter.div(point, emitter.index(extent))
        for counter, value in zip(self.counters, reversed(values), strict=True):
            if counter.name_hint and not value.name_hint:
                value.name_hint = counter.name_hint
            counter.replace_all_uses_with(value)
        for op in list(self.body.ops):
            op.detach()
            if isinstance(op, scf.YieldOp):
                op.erase()
            else:
                emitter.insert(op)
        outer = self.loops[0]
        outer.detach()
        outer.erase()


def shared_loops(inside: Block | Operation) -> list[scf.ForOp]:
    """The loops in some code that the threads of a block can share: parallel ones, and scans."""
    return [op for op in inside.walk() if isinstance(op, scf.ForOp) and (is_parallel(op) or scan_of(op) is not None)]


def band_of(loop: scf.ForOp) -> Band | None:
    """The band that begins with a loop; None where it is not parallel, carries something or has unknown bounds."""
    loops: list[scf.ForOp] = []
    current: scf.ForOp | None = loop
    while current is not None and is_parallel(current) and not current.iter_args and static_range(current) is not None:
        loops.append(current)
        inner = current.body.block.first_op
        alone = inner is not None and inner.next_op is current.body.block.last_op
        current = inner if alone and isinstance(inner, scf.ForOp) else None
    if not loops:
        return None
    ranges = tuple(found for each in loops if (found := static_range(each)) is not None)
    return Band(tuple(loops), ranges, tuple(trip_count(each) or 0 for each in loops))


def longest(loops: list[scf.ForOp]) -> int:
    """How often the longest of some loops runs; what is not known counts as a warp's worth."""
    return max((LONG if (trips := trip_count(loop)) is None else trips for loop in loops), default=1)


def power_of_two(n: int) -> int:
    """The least power of two that is no less than n."""
    return 1 << max(n - 1, 0).bit_length()
