"""The contraction engine: every sum of products becomes packed panels and a register-tiled micro-kernel.

    linalg.fill ins(%zero) outs(%h)
    linalg.generic ins(%x, %w) outs(%h)         // h[m, n] += x[m, k] * w[n, k]
    linalg.generic ins(%h, %b) outs(%y)         // y[m, n] = max(h[m, n] + b[n], 0)
->
    pack x into panels; spmd.barrier
    scf.for %piece = (this thread's share)
      scf.for %panel, scf.for %row {
        %tile = memref.alloca() : memref<14x2xvector<16xf32>>
        scf.for %k { vector.fma … }             // unrolled over the tile
        y = max(tile + b, 0)
      }

classify.py sorts dimensions into roles, plan.py chooses numbers, pack.py, microkernel.py and nest.py emit, epilogue.py
finds what can be done to a tile before it is stored. What the engine does not take is left for `lower-linalg`.
"""

# pyright: basic
from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import func
from xdsl.dialects.linalg.ops import FillOp, GenericOp
from xdsl.ir import Operation

from ....dialects.effects import register_effects
from ....dialects.locations import fuse
from ...options import option, vector_width
from ...pass_base import KernelPass
from ..expand_math import expand
from .classify import Contraction, NotTaken, classify, is_zero
from .emit import Emitter
from .epilogue import buffers_of, collect
from .nest import Nest
from .plan import Target, make_plan

__all__ = ["Contract"]


@dataclass(frozen=True)
class Contract(KernelPass):
    """Contractions in kernels -> packing, register tiles and fused epilogues at the loops level."""

    name = "contract"

    vector_bits: int = vector_width()
    registers: int = option(32, 8, 1024)
    l1: int = option(48 * 1024, 1024, 2**40)
    l2: int = option(1024 * 1024, 1024, 2**40)
    cores: int = option(2, 1, 65536)

    def apply_to_function(self, function: func.FuncOp) -> None:
        register_effects()
        lower_kernel(function, Target(self.vector_bits, self.registers, self.l1, self.l2, self.cores))


def lower_kernel(kernel: func.FuncOp, target: Target) -> None:
    """Lowers every contraction of a kernel that the engine takes."""
    op = kernel.body.block.first_op
    while op is not None:
        following = op.next_op
        if isinstance(op, GenericOp):
            try:
                contraction = classify(op, find_fill(op))
                if expand(kernel, (*contraction.left.ops, *contraction.right.ops)):
                    contraction = classify(op, contraction.fill)
            except NotTaken:
                pass
            else:
                following = lower(kernel, contraction, target)
        op = following


def find_fill(op: GenericOp) -> FillOp | None:
    """The fill with zero that an operation starts from, if nothing touches the buffer in between."""
    buffer = op.outputs[-1]
    before = op.prev_op
    while before is not None:
        if buffer in buffers_of(before):
            if isinstance(before, FillOp) and before.outputs[0] is buffer and is_zero(before.inputs[0]):
                return before
            return None
        before = before.prev_op
    return None


def lower(kernel: func.FuncOp, contraction: Contraction, target: Target) -> Operation | None:
    """Replaces a contraction and its epilogue; returns the operation that follows."""
    epilogue = collect(kernel, contraction)
    block = contraction.op.parent
    assert block is not None
    for op in epilogue.moved:
        op.detach()
        block.insert_op_before(op, contraction.op)
    stages = [stage.op for stage in epilogue.stages]
    location = fuse([contraction.op.location, *(op.location for op in stages)])
    Nest(Emitter(contraction.op, location), contraction, epilogue, make_plan(contraction, epilogue, target)).emit()
    following = contraction.op.next_op
    while following is not None and following in stages:
        following = following.next_op
    for op in (*reversed(stages), contraction.op, *([contraction.fill] if contraction.fill else [])):
        op.detach()
        op.erase()
    for buffer in epilogue.local:
        allocation = buffer.owner
        assert isinstance(allocation, Operation)
        allocation.detach()
        allocation.erase()
    return following
