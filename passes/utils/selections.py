"""Values that a loop carries together, of which each round keeps the old ones or puts new ones in their place.

    ^bb0(%value: f32, %best: f32, %where: i64):
      %better = ... only of %value and %best ...
      %b = arith.select %better, %value, %best : f32
      %w = arith.select %better, %here, %where : i64
      linalg.yield %b, %w

So argmax finds the largest element and its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.ir import Block, Operation, SSAValue

from ..effects import only_computes


@dataclass(frozen=True)
class CarriedSelection:
    """Carried values that one condition replaces."""

    positions: tuple[int, ...]
    """Among what is carried."""
    condition: SSAValue
    offered: tuple[SSAValue, ...]
    """What takes their places where the condition holds."""
    comparison: tuple[Operation, ...]
    """The operations that compute the condition, of carried and offered values alone, in order."""


def selections_of(block: Block, carried: Sequence[SSAValue], yielded: Sequence[SSAValue]) -> list[CarriedSelection]:
    """The selections in the body of a loop; what else is carried is in none."""
    groups: dict[SSAValue, list[int]] = {}
    for k, (old, value) in enumerate(zip(carried, yielded, strict=True)):
        op = value.owner
        if isinstance(op, arith.SelectOp) and op.parent is block and op.rhs is old:
            groups.setdefault(op.cond, []).append(k)
    found: list[CarriedSelection] = []
    for condition, positions in groups.items():
        chosen = [yielded[k].owner for k in positions]
        offered = tuple(op.lhs for op in chosen if isinstance(op, arith.SelectOp))
        old = [carried[k] for k in positions]
        comparison = _computed_of(condition, {*old, *offered}, block)
        users = {use.operation for value in old for use in value.uses}
        if comparison is not None and users <= {*chosen, *comparison}:
            found.append(CarriedSelection(tuple(positions), condition, offered, tuple(comparison)))
    return found


def _computed_of(value: SSAValue, known: set[SSAValue], block: Block) -> list[Operation] | None:
    """The operations of a block that compute a value of known ones and of what is made elsewhere; None where one does
    more than compute, or takes an argument of the block."""
    needed: set[Operation] = set()
    pending = [value]
    while pending:
        value = pending.pop()
        op = value.owner
        if value in known or op in needed:
            continue
        if op is block or (isinstance(op, Operation) and op.parent is block and not only_computes(op)):
            return None
        if isinstance(op, Operation) and op.parent is block:
            needed.add(op)
            pending += op.operands
    return [op for op in block.ops if op in needed]
