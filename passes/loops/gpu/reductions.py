"""What a parallel loop carries, as reductions that threads can share."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import arith, math, scf
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import IRDLOperation

from ...utils.combiners import COMBINERS, neutral_element
from ...utils.selections import CarriedSelection, selections_of


@dataclass(frozen=True)
class CarriedReduction:
    """Carried values that two parts of a loop combine into one."""

    positions: tuple[int, ...]
    """Among what is carried."""
    kind: str
    combiner: type[IRDLOperation] | None = None
    """By which a part goes onto what the loop starts from; None where that changes nothing, since all parts do."""
    neutral: int | float = 0
    """What a part starts from, if there is a combiner."""


def reductions_of(loop: scf.ForOp) -> list[CarriedReduction] | None:
    """What the carried values of a loop are; None where one is no reduction that is known."""
    end = loop.body.block.last_op
    assert end is not None
    found = [each for k in range(len(loop.iter_args)) if (each := _reduction(loop, k)) is not None]
    known = {k for each in found for k in each.positions}
    if len(known) < len(loop.iter_args):
        for selection in selections_of(loop.body.block, loop.body.block.args[1:], end.operands):
            first = _first_extremum(loop, selection)
            if first is not None and not known & {*first.positions}:
                found.append(first)
                known |= {*first.positions}
    return found if len(known) == len(loop.iter_args) else None


def _reduction(loop: scf.ForOp, k: int) -> CarriedReduction | None:
    combiner = _combiner(loop, k)
    if combiner is None:
        return None
    neutral = neutral_element(combiner, loop.iter_args[k].type)
    if neutral is None:
        neutral = _OF_BITS.get(COMBINERS[combiner][1])
    if neutral is None or not issubclass(combiner, IRDLOperation):
        return None
    return CarriedReduction((k,), COMBINERS[combiner][0], arith.AddfOp if combiner is math.FmaOp else combiner, neutral)


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


# The largest element and its place. Threads may meet equal ones in any order: the least place is the first.


def _first_extremum(loop: scf.ForOp, selection: CarriedSelection) -> CarriedReduction | None:
    """A selection of numbers by size and of their places, which grow from round to round."""
    if len(selection.positions) != 2:
        return None
    for number, place in ((0, 1), (1, 0)):
        old = loop.body.block.args[1 + selection.positions[number]]
        kind = _extremum(selection.condition, selection.offered[number], old)
        if kind is not None and _grows(selection.offered[place], loop):
            return CarriedReduction((selection.positions[number], selection.positions[place]), f"first_{kind}")
    return None


_EXTREMA_OF_FLOATS = {2: "maximumf", 4: "minimumf"}
_EXTREMA_OF_INTEGERS = {2: "minsi", 4: "maxsi", 6: "minui", 8: "maxui"}
_OEQ, _UNO = 1, 14


def _extremum(condition: SSAValue, new: SSAValue, old: SSAValue) -> str | None:
    """What wins where a condition lets a new number replace an old one: new > old, or NaN where there was none."""
    op = condition.owner
    if isinstance(op, arith.CmpiOp) and (op.lhs, op.rhs) == (new, old):
        return _EXTREMA_OF_INTEGERS.get(op.predicate.value.data)
    if not isinstance(op, arith.OrIOp):
        return None
    larger, first_nan = op.lhs.owner, op.rhs.owner
    if not isinstance(larger, arith.CmpfOp) or (larger.lhs, larger.rhs) != (new, old):
        return None
    if not isinstance(first_nan, arith.AndIOp):
        return None
    for value, predicate, which in ((first_nan.lhs, _UNO, new), (first_nan.rhs, _OEQ, old)):
        compared = value.owner
        if not isinstance(compared, arith.CmpfOp) or compared.predicate.value.data != predicate:
            return None
        if compared.lhs is not which or compared.rhs is not which:
            return None
    return _EXTREMA_OF_FLOATS.get(larger.predicate.value.data)


def _grows(value: SSAValue, loop: scf.ForOp) -> bool:
    """Whether a value is a loop's counter, or that plus what the loop does not change."""
    op = value.owner
    if value is loop.body.block.args[0]:
        return True
    if isinstance(op, arith.IndexCastOp):
        return _grows(op.input, loop)
    if isinstance(op, arith.AddiOp):
        return any(_grows(a, loop) and _is_outside(b, loop) for a, b in ((op.lhs, op.rhs), (op.rhs, op.lhs)))
    return False


def _is_outside(value: SSAValue, loop: scf.ForOp) -> bool:
    owner = value.owner
    made = owner if isinstance(owner, Operation) else owner.parent_op()
    return made is not None and not loop.is_ancestor(made)
