"""What vectors of a CPU can compute, and roughly what it costs."""

from __future__ import annotations

from xdsl.dialects import arith, math
from xdsl.ir import Operation

from .expand_math import EXPANSIONS, is_expandable

HARDWARE: tuple[type[Operation], ...] = (
    math.SqrtOp, math.AbsFOp, math.FloorOp, math.CeilOp, math.FmaOp, math.RoundEvenOp, math.TruncOp, math.CopySignOp,
)  # fmt: skip
"""Functions of math that are one instruction on vectors, for any float type; others must have an expansion."""

DIVISIONS: tuple[type[Operation], ...] = (
    arith.DivSIOp, arith.DivUIOp, arith.RemSIOp, arith.RemUIOp,
    arith.FloorDivSIOp, arith.CeilDivSIOp, arith.CeilDivUIOp,
)  # fmt: skip
"""Operations that trap on lanes that do not count."""

WEIGHTS: dict[type[Operation], int] = {
    arith.DivfOp: 4,
    math.SqrtOp: 4,
    **dict.fromkeys(DIVISIONS, 8),
    **dict.fromkeys(EXPANSIONS, 16),
}
"""Roughly how many simple operations one of these costs."""


def computes_in_lanes(op: Operation) -> bool:
    """Whether an operation of a body can be done on every lane of vectors."""
    if op.regions or len(op.results) != 1 or isinstance(op, DIVISIONS):
        return False
    if any(type_.name == "index" for type_ in (*(v.type for v in op.operands), op.results[0].type)):
        return False
    return op.name.startswith("arith.") or isinstance(op, HARDWARE) or is_expandable(op)
