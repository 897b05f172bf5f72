"""Simplify: canonicalize, merge what is equal, drop what is dead; again, as long as merging made new patterns match.

    %0 = hl.transpose %x [1, 0]
    %1 = hl.transpose %0 [1, 0]
    %2 = hl.mul %x, %1
    %3 = hl.mul %1, %x
    %4 = hl.add %2, %3
    ->
    %0 = hl.mul %x, %x
    %1 = hl.add %0, %0

Equal operands are what some patterns wait for, such as `maximum(x, x) -> x`.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.func import FuncOp
from xdsl.ir import Region

from ...dialects.effects import register_effects
from ..cse import eliminate_common_subexpressions
from ..dce import eliminate_dead_code
from ..pass_base import FunctionPass
from .canonicalize import canonicalize

ROUNDS = 3
"""At most; the second is rarely needed."""


@dataclass(frozen=True)
class Simplify(FunctionPass):
    """canonicalize, cse and dce, on hl."""

    name = "simplify"

    def apply_to_function(self, function: FuncOp) -> None:
        register_effects()
        simplify(function.body)


def simplify(region: Region) -> None:
    """Simplifies the ops of a region."""
    for _ in range(ROUNDS):
        canonicalize(region)
        if not eliminate_common_subexpressions(region):
            break
    eliminate_dead_code(region)
