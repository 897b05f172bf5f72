"""Writes out short loops.

    %r = scf.for %i = %c0 to %c2 step %c1 iter_args(%a = %init) -> (f32) {
      %v = memref.load %x[%i] : memref<2xf32>
      %b = arith.addf %a, %v : f32
      scf.yield %b : f32
    }
->
    %v0 = memref.load %x[%c0] : memref<2xf32>
    %b0 = arith.addf %init, %v0 : f32
    %v1 = memref.load %x[%c1] : memref<2xf32>
    %r = arith.addf %b0, %v1 : f32
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import scf
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, SSAValue

from ..options import option
from ..pass_base import KernelPass
from ..utils.constants import Constants
from ..utils.emitter import Emitter
from ..utils.loop_info import static_range, trip_count

__all__ = ["Unroll"]


@dataclass(frozen=True)
class Unroll(KernelPass):
    """Unrolls loops of constant bounds that run at most `trips` times and grow to at most `size` operations.

    Inner loops go first. Loops marked `unroll` are left to the C compiler, which keeps the source short.
    """

    name = "unroll"
    trips: int = option(4, 1, 65536)
    size: int = option(64, 1, 65536)

    def apply_to_function(self, function: FuncOp) -> None:
        self._block(function.body.block, Constants(function))

    def _block(self, block: Block, constants: Constants) -> None:
        for op in list(block.ops):
            for region in op.regions:
                for inner in region.blocks:
                    self._block(inner, constants)
            if isinstance(op, scf.ForOp) and "unroll" not in op.attributes:
                count = trip_count(op)
                if count is not None and count <= self.trips:
                    size = sum(1 for _ in op.walk()) - 2
                    if size * count <= self.size:
                        _unroll(op, Emitter(constants, block, op, op.location))


def _unroll(loop: scf.ForOp, emitter: Emitter) -> None:
    """Copies the body for each round, with the counter a constant."""
    found = static_range(loop)
    assert found is not None
    body = loop.body.block
    carried: list[SSAValue] = list(loop.iter_args)
    for index in range(*found):
        values: dict[SSAValue, SSAValue] = {body.args[0]: emitter.index(index)}
        values.update(zip(body.args[1:], carried, strict=True))
        for op in body.ops:
            if isinstance(op, scf.YieldOp):
                carried = [values.get(value, value) for value in op.operands]
            else:
                emitter.insert(op.clone(values))
    for result, value in zip(loop.results, carried, strict=True):
        result.replace_all_uses_with(value)
    loop.detach()
    loop.erase()
