"""Dead code elimination, at every level: one walk backwards.

    %0 = hl.exp %x
    %1 = hl.neg %0          // nobody uses %1, and then nobody %0
    func.return %x
    ->
    func.return %x

Users stand behind what they use, so that a single walk from the end sees each op after all its users are gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.func import FuncOp
from xdsl.ir import Region

from ..dialects.effects import register_effects
from .effects import is_removable
from .pass_base import FunctionPass, remove


@dataclass(frozen=True)
class DCE(FunctionPass):
    """Removes ops that have no effect and whose results nobody uses."""

    name = "dce"

    def apply_to_function(self, function: FuncOp) -> None:
        register_effects()
        eliminate_dead_code(function.body)


def eliminate_dead_code(region: Region) -> int:
    """Removes the dead ops of a region; returns how many."""
    removed = 0
    for block in reversed(region.blocks):
        op = block.last_op
        while op is not None:
            before = op.prev_op
            if all(not r.uses for r in op.results) and is_removable(op):
                remove(op)
                removed += 1
            else:
                for inner in op.regions:
                    removed += eliminate_dead_code(inner)
            op = before
    return removed
