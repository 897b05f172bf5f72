"""What loops say of themselves: bounds, how often they run, whether in any order."""

from __future__ import annotations

from xdsl.dialects import gpu, scf
from xdsl.dialects.builtin import UnitAttr
from xdsl.ir import Attribute, Operation

from .constants import constant_value

PARALLEL = "parallel"
"""On an `scf.for`: iterations touch no memory of one another's, and what they carry may be combined in any order."""

SCAN = "scan"
"""On an `scf.for`: iterations touch no memory of one another's, and what they carry may be combined in any grouping, as
long as its order stays."""


def parallel_attributes() -> dict[str, Attribute]:
    """The attributes of a parallel loop."""
    return {PARALLEL: UnitAttr()}


def scan_attributes() -> dict[str, Attribute]:
    """The attributes of a loop of running sums or the like."""
    return {SCAN: UnitAttr()}


def static_range(loop: scf.ForOp) -> tuple[int, int, int] | None:
    """The constant (lower, upper, step) of a loop, or None."""
    lower, upper, step = (constant_value(value) for value in (loop.lb, loop.ub, loop.step))
    if lower is None or upper is None or step is None:
        return None
    return lower, upper, step


def trip_count(loop: scf.ForOp) -> int | None:
    """How often a loop runs, where that is known."""
    found = static_range(loop)
    return None if found is None else max(0, -(-(found[1] - found[0]) // found[2]))


def most_trips(loop: scf.ForOp) -> int | None:
    """How often a loop runs at most, where that is known: one that begins with the number of the thread, say."""
    upper, step = constant_value(loop.ub), constant_value(loop.step)
    if isinstance(loop.lb.owner, gpu.ThreadIdOp) and upper is not None and step is not None:
        return max(0, -(-upper // step))
    return trip_count(loop)


def is_parallel(op: Operation) -> bool:
    return type(op) is scf.ForOp and PARALLEL in op.attributes
