"""Turns loops into vector operations, the end of each under a mask.

    scf.for %i = %c0 to %c100 step %c1 {
      %a = memref.load %x[%i] : memref<100xf32>
      %b = arith.mulf %a, %k : f32
      memref.store %b, %y[%i] : memref<100xf32>
    } {parallel}
->
    %ks = vector.broadcast %k : f32 to vector<16xf32>
    scf.for %i = %c0 to %c96 step %c16 {
      %a = vector.load %x[%i] : memref<100xf32>, vector<16xf32>
      %b = arith.mulf %a, %ks : vector<16xf32>
      vector.store %b, %y[%i] : memref<100xf32>, vector<16xf32>
    }
    %m = vector.create_mask %c4 : vector<16xi1>
    ... the same with vector.maskedload and vector.maskedstore at %c96

The outermost parallel loop with contiguous accesses is taken, loops inside of it stay loops (over vectors). A
reduction carries a vector of partial results, several where its rows are long, combined in a fixed order at the end.
Strided and gathered accesses go lane by lane where there is enough arithmetic to pay for them. What has no vector
form stays scalar.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import scf
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block

from ...options import vector_width
from ...pass_base import KernelPass
from ...utils.constants import Constants
from ...utils.emitter import Emitter
from ...utils.loop_info import is_parallel
from .strip_mine import vectorize_loop
from .vector_plan import plan_loop

__all__ = ["Vectorize"]


@dataclass(frozen=True)
class Vectorize(KernelPass):
    """Widens loops to vectors of `vector_bits / 32` lanes, whatever the element type."""

    name = "vectorize"
    vector_bits: int = vector_width()

    def apply_to_function(self, function: FuncOp) -> None:
        self._block(function.body.block, Constants(function))

    def _block(self, block: Block, constants: Constants) -> None:
        for op in list(block.ops):
            plan = plan_loop(op) if isinstance(op, scf.ForOp) and is_parallel(op) else None
            if plan is not None:
                vectorize_loop(plan, Emitter(constants, block, op, op.location), self.vector_bits // 32)
                continue
            for region in op.regions:
                for inner in region.blocks:
                    self._block(inner, constants)
