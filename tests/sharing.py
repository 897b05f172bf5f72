"""Small work, which is one thread's, shared like large work, so that tests on small arrays see what teams do."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from irtool.passes import PASSES
from irtool.passes.loops.cpu.contract import plan
from irtool.passes.loops.cpu.parallelize import Parallelize
from irtool.passes.loops.cpu.profitability import CPUProfitability


@dataclass(frozen=True)
class ShareAll(Parallelize):
    """Shares whatever can be shared."""

    min_work: int = 1


def share_all(patch: pytest.MonkeyPatch) -> None:
    """Passes find all work worth sharing."""
    patch.setitem(PASSES, "parallelize", lambda: ShareAll)
    patch.setattr(CPUProfitability, "divides_rows", lambda self, slices, updates: slices < self.scatter_slices)
    patch.setattr(plan, "PARALLEL_FLOPS", 0)
    patch.setattr(plan, "PARALLEL_PACKED_FLOPS", 0)
