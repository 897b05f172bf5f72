"""The contraction engine: every sum of products becomes packed panels and a register-tiled micro-kernel.

    linalg.fill ins(%zero) outs(%h)
    linalg.generic ins(%x, %w) outs(%h)         // h[m, n] += x[m, k] * w[n, k]
    linalg.generic ins(%h, %b) outs(%y)         // y[m, n] = max(h[m, n] + b[n], 0)
->
    pack x into panels; spmd.barrier
    scf.for %chunk = (this thread's share)
      scf.for %panel, scf.for %row {
        %tile = memref.alloca() : memref<14x2xvector<16xf32>>
        scf.for %k { vector.fma … }             // unrolled over the tile
        y = max(tile + b, 0)
      }

classify.py sorts dimensions into roles, plan.py chooses numbers, pack.py, microkernel.py and nest.py emit, epilogue.py
finds what can be done to a tile before it is stored. What the engine does not take is left for `lower-linalg`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xdsl.dialects import func
from xdsl.ir import Operation

from .....dialects.effects import register_effects
from ....options import option, vector_width
from ....pass_base import KernelPass
from ....target import DEFAULT, Target
from ...contraction.rewrite import rewrite_contractions
from ..expand_math import expand
from ..lanes import computes_in_lanes
from .nest import Nest
from .plan import make_plan

__all__ = ["Contract"]


@dataclass(frozen=True)
class Contract(KernelPass):
    """Contractions in kernels -> packing, register tiles and fused epilogues at the loops level."""

    name = "contract"

    vector_bits: int = vector_width()
    registers: int = option(DEFAULT.registers, 8, 1024)
    l1: int = option(DEFAULT.l1, 1024, 2**40)
    l2: int = option(DEFAULT.l2, 1024, 2**40)
    cores: int = option(DEFAULT.cores, 1, 65536)

    def apply_to_function(self, function: func.FuncOp) -> None:
        register_effects()
        target = Target(self.vector_bits, self.registers, self.l1, self.l2, self.cores)
        rewrite_contractions(
            function,
            _Vectors(),
            lambda e, contraction, epilogue: Nest(
                e, contraction, epilogue, make_plan(contraction, epilogue, target)
            ).emit(),
        )


class _Vectors:
    """What vector registers can do to the elements of a tile."""

    def computes(self, op: Operation) -> bool:
        return computes_in_lanes(op)

    def expand(self, kernel: func.FuncOp, ops: Iterable[Operation]) -> bool:
        return expand(kernel, ops)
