"""Lowers `linalgx.scatter_add` and `linalgx.scatter` to loops without races, in an order that no thread count changes.

Duplicated indices make the loop over them sequential. Where the dimensions in front of the axis keep all workers busy,
they are the parallel loop; else every worker looks at all the indices and changes only the rows that it owns, in the
indices' order (`Profitability.divides_rows` decides):

    linalgx.scatter_add axis 0 batch_dims 0 ins(%indices, %updates : ...) outs(%base : memref<1000x8xf32>)
->
    %low, %high = spmd.share %c1000 : index
    scf.for %i = %c0 to %c5000 step %c1 {
      %row = %indices[%i]
      scf.if %low <= %row < %high {
        scf.for %q = %c0 to %c8 step %c1 { %base[%row, %q] += %updates[%i, %q] } {parallel}
      }
    }
"""

from __future__ import annotations

from math import prod

from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerType
from xdsl.ir import SSAValue

from ...dialects.linalgx import ScatterAddOp, ScatterBase
from ...dialects.types import is_memref
from ..target import Profitability
from ..utils.constants import INDEX
from ..utils.emitter import Emitter
from ..utils.loop_info import parallel_attributes

_SLT, _SGE = 2, 5


def lower_scatter(op: ScatterBase, emitter: Emitter, profitability: Profitability) -> None:
    """Replaces the operation by loops in front of the emitter."""
    axis, batch = op.integer("axis"), op.integer("batch_dims")
    shapes = [value.type.get_shape() for value in op.operands if is_memref(value.type)]
    index_shape, _, base_shape = shapes
    front, rows, back = base_shape[:axis], base_shape[axis], base_shape[axis + 1 :]
    updates = prod(front) * prod(index_shape[batch:]) * prod(back)
    if updates and rows:
        divided = profitability.divides_rows(prod(front), updates)
        low, high = emitter.share(rows) if divided else (emitter.index(0), emitter.index(rows))
        _emit(op, emitter, front, index_shape[batch:], back, low, high, front_is_parallel=not divided)
    op.detach()
    op.erase()


def _emit(
    op: ScatterBase,
    emitter: Emitter,
    front: tuple[int, ...],
    middle: tuple[int, ...],
    back: tuple[int, ...],
    low: SSAValue,
    high: SSAValue,
    front_is_parallel: bool,
) -> None:
    batch = op.integer("batch_dims")
    opened: list[Emitter] = []

    def open_loops(inside: Emitter, extents: tuple[int, ...], parallel: bool) -> tuple[Emitter, list[SSAValue]]:
        indices: list[SSAValue] = []
        for extent in extents:
            loop = inside.loop(
                inside.index(0), inside.index(extent), inside.index(1), (), parallel_attributes() if parallel else {}
            )
            inside = inside.inside(loop.body.block)
            opened.append(inside)
            indices.append(loop.body.block.args[0])
        return inside, indices

    inside, p = open_loops(emitter, front, front_is_parallel)
    inside, i = open_loops(inside, middle, parallel=False)
    row = inside.op(arith.IndexCastOp, inside.load(op.indices, [*p[:batch], *i]), type=INDEX)
    owned = inside.op(arith.AndIOp, inside.compare(_SGE, row, low), inside.compare(_SLT, row, high))
    inside = inside.inside(inside.if_(owned).true_region.block)
    opened.append(inside)
    inside, q = open_loops(inside, back, parallel=True)
    place = [*p, row, *q]
    value = inside.load(op.updates, [*p, *i, *q])
    if isinstance(op, ScatterAddOp):
        add = arith.AddiOp if isinstance(value.type, IntegerType) else arith.AddfOp
        value = inside.op(add, inside.load(op.base, place), value)
    inside.store(value, op.base, place)
    for block in opened:
        block.yield_()
