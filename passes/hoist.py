"""Hoists what a loop computes anew in each round, although it never changes.

    scf.for %i = %lo to %hi step %one {          %a = arith.muli %n, %m
      %a = arith.muli %n, %m                     scf.for %i = %lo to %hi step %one {
      %b = arith.addi %a, %i               ->      %b = arith.addi %a, %i
      memref.store ...                             memref.store ...
    }                                            }

Loads move too, where the loop is known to run and does not write their buffer. Divisions stay: the loop may run only
where the divisor is not 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import scf
from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import IntegerAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.traits import IsTerminator

from ..dialects.effects import register_effects
from .effects import Writes, is_pure, reads_of, writes_inside
from .pass_base import FunctionPass

_MAY_TRAP = frozenset(
    "arith." + name for name in ("divsi", "divui", "remsi", "remui", "floordivsi", "ceildivsi", "ceildivui")
)


@dataclass(frozen=True)
class HoistInvariants(FunctionPass):
    """Moves loop-invariant ops in front of `scf.for`."""

    name = "hoist-invariants"

    def apply_to_function(self, function: FuncOp) -> None:
        register_effects()
        hoist_invariants(function.body)


def hoist_invariants(region: Region) -> int:
    """Hoists out of every loop of a region, inner loops first; returns how many ops moved."""
    return _hoist(region, {})


def _hoist(region: Region, written: dict[Operation, Writes]) -> int:
    moved = 0
    for block in region.blocks:
        for op in list(block.ops):
            for inner in op.regions:
                moved += _hoist(inner, written)
            if isinstance(op, scf.ForOp):
                moved += _hoist_from(op, written)
    return moved


def _hoist_from(loop: scf.ForOp, written: dict[Operation, Writes]) -> int:
    body, before = loop.body.block, loop.parent
    assert before is not None
    writes = writes_inside(loop, written) if _runs(loop) else None
    moved = 0
    for op in list(body.ops):
        if _movable(op, writes) and not any(_inside(v, body) for v in op.operands):
            op.detach()
            before.insert_op_before(op, loop)
            moved += 1
    return moved


def _movable(op: Operation, writes: Writes | None) -> bool:
    if op.regions or op.has_trait(IsTerminator) or op.name in _MAY_TRAP:
        return False
    if is_pure(op):
        return True
    if writes is None:
        return False
    reads = reads_of(op)
    return reads is not None and not any(buffer in writes for buffer in reads)


def _inside(value: SSAValue, body: Block) -> bool:
    """Whether a value of one of the body's own ops is made in this body."""
    owner = value.owner
    return (owner if isinstance(owner, Block) else owner.parent) is body


def _runs(loop: scf.ForOp) -> bool:
    """Whether a loop is known to run at least once."""
    lower, upper = _constant(loop.lb), _constant(loop.ub)
    return lower is not None and upper is not None and lower < upper


def _constant(value: SSAValue) -> int | None:
    op = value.owner
    return op.value.value.data if isinstance(op, ConstantOp) and isinstance(op.value, IntegerAttr) else None
