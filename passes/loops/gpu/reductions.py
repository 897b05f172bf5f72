"""What a parallel loop carries, as a reduction that threads can share."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import arith, math, scf
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import IRDLOperation

from ...utils.combiners import COMBINERS, neutral_element


@dataclass(frozen=True)
class CarriedReduction:
    """One carried value: how two parts combine, and what a part starts from."""

    kind: str
    combiner: type[IRDLOperation]
    neutral: int | float


def reductions_of(loop: scf.ForOp) -> list[CarriedReduction] | None:
    """What each carried value of a loop is; None where one is no reduction that is known."""
    found = [_reduction(loop, k) for k in range(len(loop.iter_args))]
    known = [each for each in found if each is not None]
    return known if len(known) == len(found) else None


def _reduction(loop: scf.ForOp, k: int) -> CarriedReduction | None:
    combiner = _combiner(loop, k)
    if combiner is None:
        return None
    neutral = neutral_element(combiner, loop.iter_args[k].type)
    if neutral is None:
        neutral = _OF_BITS.get(COMBINERS[combiner][1])
    if neutral is None or not issubclass(combiner, IRDLOperation):
        return None
    return CarriedReduction(COMBINERS[combiner][0], arith.AddfOp if combiner is math.FmaOp else combiner, neutral)


_OF_BITS = {"zero": 0, "one": 1, "ones": 1}
"""Neutral elements of i1."""


def _combiner(loop: scf.ForOp, k: int) -> type[Operation] | None:
    """The operation that the carried value goes through, its only use, here or in a loop inside."""
    carried = loop.body.block.args[1 + k]
    end = loop.body.block.last_op
    assert end is not None
    value: SSAValue = end.operands[k]
    op, user = value.owner, carried.get_user_of_unique_use()
    if not isinstance(op, Operation) or user is not op:
        return None
    if isinstance(op, scf.ForOp):
        inner = [j for j, initial in enumerate(op.iter_args) if initial is carried]
        return _combiner(op, inner[0]) if len(inner) == 1 and op.results[inner[0]] is value else None
    if type(op) is math.FmaOp and op.operands[2] is not carried:
        return None
    return type(op) if type(op) in COMBINERS else None
