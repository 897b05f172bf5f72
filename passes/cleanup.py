"""Cleanup, of what every lowering leaves behind: `hoist-invariants`, `cse` of what now stands side by side, `dce`."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.func import FuncOp

from ..dialects.effects import register_effects
from .cse import eliminate_common_subexpressions
from .dce import eliminate_dead_code
from .hoist import hoist_invariants
from .pass_base import FunctionPass


@dataclass(frozen=True)
class Cleanup(FunctionPass):
    """Hoists invariant ops, merges equal ones, removes dead ones. Linear in size times loop depth."""

    name = "cleanup"

    def apply_to_function(self, function: FuncOp) -> None:
        register_effects()
        hoist_invariants(function.body)
        eliminate_common_subexpressions(function.body)
        eliminate_dead_code(function.body)
