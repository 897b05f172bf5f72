"""Contractions on a GPU: tiles for blocks, smaller ones in the registers of threads.

    linalg.generic ins(%x, %w) outs(%h)              // h[m, n] += x[m, k] * w[n, k]
    linalg.generic ins(%h, %b) outs(%y)              // y[m, n] = max(h[m, n] + b[n], 0)
    ->
    spmd.parallel {                                  // a block: 128 x 128 of h; a thread: 8 x 8 of these
      %rows, %columns = memref.alloc() {team}        // 16 steps of K of x and of w, twice
      %sums = memref.alloca() : memref<8x8xf32>      // registers: every loop over it is unrolled
      scf.for %k {                                   // in steps of 16
        fetch the next 16 steps of x and w to registers
        sums += outer products of what lies in shared memory
        put what was fetched into the other half of shared memory; spmd.barrier {block}
      }
      y = max(sums + b, 0)
    } attributes {blocks = …, threads = 256}

Where it is faster, warps with tensor cores multiply instead (`tensor_tiles.py`). What lies outside of the matrices is
read as zero and not written. Where few blocks would have much of K, it is cut
into parts: these write their sums to memory, and loops behind them add these up, in order, and do the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, f32
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, SSAValue

from ....dialects.effects import register_effects
from ...effects import only_computes
from ...interface import check_on_buffers
from ...options import option
from ...pass_base import KernelPass
from ...utils.affine import LinearExpr
from ...utils.loop_info import parallel_attributes
from ...utils.nest_emitter import NestEmitter
from ..contraction.classify import AffineAccess, Contraction, Factor
from ..contraction.epilogue import Epilogue
from ..contraction.finish import finish
from ..contraction.rewrite import rewrite_contractions
from ..contraction.scalars import evaluate_scalars
from .block_tiles import plan_blocks, tiles_for
from .launches import open_launch
from .tensor_tiles import TensorTile
from .tiles import Product, Side, ThreadTile

__all__ = ["ContractBlocks"]


@dataclass(frozen=True)
class ContractBlocks(KernelPass):
    """Contractions in kernels -> launches with tiles in shared memory and registers, and fused epilogues."""

    name = "contract-blocks"
    multiprocessors: int = option(108, 1, 65536)
    tensor_cores: int = option(1, 0, 1)
    tf32: int = option(0, 0, 1)
    """Whether products of floats of 32 bits may be of their first 11 bits alone."""
    min_products: int = option(32768, 0)
    """A contraction of fewer is left to other passes, as loops."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_on_buffers(op)
        super().apply(ctx, op)

    def apply_to_function(self, function: FuncOp) -> None:
        register_effects()
        rewrite_contractions(
            function,
            _Scalars(),
            lambda e, contraction, epilogue: _Launch(e, contraction, epilogue, self).emit(),
            lambda contraction: bool(contraction.m and contraction.n) and contraction.points >= self.min_products,
        )


class _Scalars:
    """What threads can do to the elements of a tile: all that a number can go through."""

    def computes(self, op: Operation) -> bool:
        return len(op.results) == 1 and only_computes(op)

    def expand(self, kernel: FuncOp, ops: Iterable[Operation]) -> bool:
        return False


class _Launch:
    def __init__(self, e: NestEmitter, contraction: Contraction, epilogue: Epilogue, options: ContractBlocks) -> None:
        self.e = e
        self.contraction = contraction
        self.epilogue = epilogue
        self.single = bool(options.tf32)
        extents = contraction.extents
        sides = [self.side(contraction.left, contraction.m), self.side(contraction.right, contraction.n)]
        if contraction.out.contiguous(contraction.m[-1]) and not contraction.out.contiguous(contraction.n[-1]):
            sides.reverse()  # threads next to each other write neighbours
        self.product = Product(e, contraction, *sides)
        self.rows, self.columns = sides
        self.batch = [extents[d] for d in contraction.batch]
        tiles = tiles_for(bool(options.tensor_cores) and contraction.element == f32, self.single)
        shape = prod(self.batch), self.rows.size, self.columns.size, self.product.depth
        self.plan = plan_blocks(*shape, options.multiprocessors, tiles)

    def side(self, factor: Factor, dims: tuple[int, ...]) -> Side:
        k = self.contraction.k
        size = prod(self.contraction.extents[d] for d in dims)
        return Side(factor, dims, size, bool(k) and factor.contiguous(k[-1]))

    def emit(self) -> None:
        e, plan, tile = self.e, self.plan, self.plan.tile
        parts = None
        if plan.splits > 1:
            shape = (plan.splits, *self.batch, self.rows.size, self.columns.size)
            parts = e.shared(self.contraction.element, *shape, hint="parts")
        count = prod(self.batch) * plan.splits * plan.row_tiles * plan.column_tiles
        depth = self.product.depth
        with open_launch(e, count, tile.threads) as (block, thread):
            *batch, part, row_tile, column_tile = e.delinearize(
                block, [*self.batch, plan.splits, plan.row_tiles, plan.column_tiles]
            )
            first = part * plan.part
            end = first + plan.part if depth % plan.part == 0 else e.minimum(first + plan.part, depth)
            point = dict(zip(self.contraction.batch, batch, strict=True))
            place = self.product, plan, thread, point, row_tile * tile.rows, column_tile * tile.columns

            def act(row: LinearExpr, column: LinearExpr, value: SSAValue) -> None:
                if parts is None:
                    self.finish(value, self.at(point, row, column))
                else:
                    e.store(value, parts, [part, *batch, row, column])

            made = ThreadTile(*place) if tile.warp is None else TensorTile(*place, self.single)
            made.finish(first, end, act)
        if parts is not None:
            self.add_up(parts)

    def at(self, point: dict[int, LinearExpr], row: LinearExpr, column: LinearExpr) -> dict[int, LinearExpr]:
        """The point of an element of the output."""
        return {**point, **self.product.split(self.rows.dims, row), **self.product.split(self.columns.dims, column)}

    def add_up(self, parts: SSAValue) -> None:
        """Loops over the output, in the order of its memory: the sum of all parts, then what follows."""
        e, contraction = self.e, self.contraction
        dims = [terms[0][0] for _, terms in contraction.out.forms if terms]
        with ExitStack() as loops:
            point: dict[int, LinearExpr] = {}
            for dim in dims:
                bounds = e.index(0), e.index(contraction.extents[dim]), e.index(1)
                body = e.loop(*bounds, attributes=parallel_attributes()).body.block
                loops.enter_context(e.within(body))
                point[dim] = LinearExpr.of(body.args[0])
            where = [point[d] for d in contraction.batch]
            for side in (self.rows, self.columns):
                flat = LinearExpr()
                for dim in side.dims:
                    flat = flat * contraction.extents[dim] + point[dim]
                where.append(flat)
            bounds = e.index(0), e.index(self.plan.splits), e.index(1)
            loop = e.loop(*bounds, [e.zero(self.contraction.element)], name="part")
            with e.within(loop.body.block, ends=False):
                part, total = loop.body.block.args
                e.yield_([self.product.add(total, e.load(parts, [part, *where]))])
            self.finish(loop.results[0], point)

    def finish(self, value: SSAValue, point: dict[int, LinearExpr]) -> None:
        """The initial value, the epilogue and the stores of one element."""
        finish(self.contraction, self.epilogue, value, _Element(self.product, point))


@dataclass(frozen=True)
class _Element:
    """The element of the output at a point."""

    product: Product
    point: dict[int, LinearExpr]

    def add(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.product.add(a, b)

    def read(self, access: AffineAccess) -> SSAValue:
        return self.product.e.load(access.buffer, access.at(self.point))

    def write(self, value: SSAValue, access: AffineAccess) -> None:
        self.product.e.store(value, access.buffer, access.at(self.point))

    def evaluate(self, ops: Iterable[Operation], values: dict[SSAValue, SSAValue]) -> None:
        evaluate_scalars(self.product.e, ops, values)

    def look_up(self, values: dict[SSAValue, SSAValue], value: SSAValue) -> SSAValue:
        return values.get(value, value)
