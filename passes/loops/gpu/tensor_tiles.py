"""Tiles that tensor cores multiply: the warps of a block share the tile, 16 x 8 of its elements an instruction.

    big = round_to_tf32(x), small = round_to_tf32(x - big)                  // for both factors
    sums += small big; sums += big small; sums += big big                   // 3 x TF32: accurate as with 32 bits
    sums += big big                                                         // where TF32 is allowed

(Ootomo and Yokota, Recovering single precision accuracy from Tensor Cores while surpassing the FP32 theoretical peak
performance, 2022.) Tensor cores read 10 bits of mantissa; what three products leave out is some 2^-22 of a factor. An
infinity times the zero that it leaves for `small` would be NaN, and the largest floats round to infinity: a thread
that finds sums that are no numbers computes all of its elements again, by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerAttr, f32, i1, i32
from xdsl.ir import SSAValue

from ....dialects.gpux import MmaOp, RoundToTF32Op
from ...utils.affine import LinearExpr
from .block_tiles import WARP
from .tiles import Act, SharedTile

ROWS, COLUMNS, DEPTH = 16, 8, 8
"""Of one instruction."""
_UNO = 14


@dataclass
class TensorTile(SharedTile):
    """Each warp multiplies some rows by some columns, 8 steps of K at once."""

    single: bool = False
    """Whether one product of rounded factors is accurate enough."""

    PADDING: ClassVar = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        e, tile = self.e, self.plan.tile
        assert tile.warp is not None
        self.row_parts, self.column_parts = tile.warp[0] // ROWS, tile.warp[1] // COLUMNS
        warp = e.divide(self.thread, WARP)
        lane = e.remainder(self.thread, WARP)
        self.group, self.member = e.divide(lane, 4), e.remainder(lane, 4)
        across = tile.columns // tile.warp[1]
        self.warp_row = e.divide(warp, across) * tile.warp[0]
        self.warp_column = e.remainder(warp, across) * tile.warp[1]

    def each(self, unroll: bool) -> Iterator[tuple[LinearExpr, LinearExpr, LinearExpr]]:
        """The elements of a lane: numbers of its parts of rows and columns, and of the four in each."""
        e = self.e
        with (
            e.for_(0, self.row_parts, unroll=unroll) as i,
            e.for_(0, self.column_parts, unroll=unroll) as j,
            e.for_(0, 4, unroll=unroll) as r,
        ):
            yield i, j, r

    def place(self, i: LinearExpr, j: LinearExpr, r: LinearExpr) -> tuple[LinearExpr, LinearExpr]:
        """Row and column of an element."""
        e = self.e
        row = self.warp_row + i * ROWS + self.group + e.divide(r, 2) * 8
        column = self.warp_column + j * COLUMNS + self.member * 2 + e.remainder(r, 2)
        return self.first_row + row, self.first_column + column

    def registers(self) -> SSAValue:
        e = self.e
        sums = e.private(f32, self.row_parts, self.column_parts, 4, hint="sums")
        for i, j, r in self.each(unroll=True):
            e.store(e.zero(f32), sums, [i, j, r])
        return sums

    def multiply(self, half: LinearExpr, sums: SSAValue) -> None:
        e, tile = self.e, self.plan.tile
        rows, columns = self.fetches
        kinds = ("big",) if self.single else ("big", "small")
        a = {kind: e.private(i32, self.row_parts, 4, hint=f"{kind}_a") for kind in kinds}
        b = {kind: e.private(i32, self.column_parts, 2, hint=f"{kind}_b") for kind in kinds}
        with e.for_(0, tile.depth, DEPTH, unroll=True) as step:
            with e.for_(0, self.row_parts, unroll=True) as i, e.for_(0, 4, unroll=True) as r:
                row = self.warp_row + i * ROWS + self.group + e.remainder(r, 2) * 8
                k = step + self.member + e.divide(r, 2) * 4
                self.split(e.load(rows.shared, [half, k, row]), a, [i, r])
            with e.for_(0, self.column_parts, unroll=True) as j, e.for_(0, 2, unroll=True) as r:
                column = self.warp_column + j * COLUMNS + self.group
                self.split(e.load(columns.shared, [half, step + self.member + r * 4, column]), b, [j, r])
            products = (("big", "big"),) if self.single else (("small", "big"), ("big", "small"), ("big", "big"))
            with e.for_(0, self.row_parts, unroll=True) as i, e.for_(0, self.column_parts, unroll=True) as j:
                for left, right in products:
                    i_, j_ = e.value(i), e.value(j)
                    e.insert(MmaOp(a[left], [i_], b[right], [j_], sums, [i_, j_]))

    def split(self, x: SSAValue, to: dict[str, SSAValue], at: list[LinearExpr]) -> None:
        """Stores an element as the float that tensor cores read, and what that leaves."""
        e = self.e
        big = e.op(RoundToTF32Op, x, type=i32)
        e.store(big, to["big"], at)
        if "small" in to:
            rest = e.op(arith.SubfOp, x, e.op(arith.BitcastOp, big, type=f32))
            e.store(e.op(RoundToTF32Op, rest, type=i32), to["small"], at)

    def finish(self, first: LinearExpr, end: LinearExpr, act: Act) -> None:
        e = self.e
        sums = self.sums(first, end)
        probe = e.private(f32, hint="probe")
        e.store(e.zero(f32), probe, [])
        for i, j, r in self.each(unroll=True):  # zero times what is no number is none
            nothing = e.op(arith.MulfOp, e.load(sums, [i, j, r]), e.zero(f32))
            e.store(e.op(arith.AddfOp, e.load(probe, []), nothing), probe, [])
        found = e.load(probe, [])
        lost = e.op(arith.CmpfOp, found, found, type=i1, predicate=IntegerAttr(_UNO, 64))

        def as_summed() -> None:
            for i, j, r in self.each(unroll=True):
                row, column = self.place(i, j, r)
                with self.inside(row, column):
                    act(row, column, e.load(sums, [i, j, r]))

        with e.when(lost, as_summed):
            for i, j, r in self.each(unroll=False):
                row, column = self.place(i, j, r)
                with self.inside(row, column):
                    act(row, column, self.again(row, column, first, end))

    def again(self, row: LinearExpr, column: LinearExpr, first: LinearExpr, end: LinearExpr) -> SSAValue:
        """One sum, from memory, in arithmetic of 32 bits."""
        e, product = self.e, self.product
        rows, columns = self.fetches
        loop = e.loop(e.value(first), e.value(end), e.index(1), [e.zero(f32)], name="k")
        with e.within(loop.body.block, ends=False):
            k, total = LinearExpr.of(loop.body.block.args[0]), loop.body.block.args[1]
            value = product.multiply(rows.tile_value(row, k), columns.tile_value(column, k))
            e.yield_([product.add(total, value)])
        return loop.results[0]
