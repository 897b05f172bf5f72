"""What pays on a CPU."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import scf
from xdsl.ir import Operation

from ..profitability import ProfitabilityBounds
from .lanes import WEIGHTS
from .vector_plan import plan_loop


@dataclass(frozen=True)
class CPUProfitability(ProfitabilityBounds):
    """The answers for cores that share a cache, each with vector registers, and a stack for each thread."""

    def in_lanes(self, loop: Operation) -> bool:
        return isinstance(loop, scf.ForOp) and plan_loop(loop) is not None

    def weight(self, op: Operation) -> int:
        return WEIGHTS.get(type(op), 1)
