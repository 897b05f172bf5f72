"""Attention on a GPU, without memory for scores: a block has some queries and goes through the keys.

    linalgx.attention causal scale 0.25 ins(%q, %k, %v) outs(%y, %l)
    ->
    spmd.parallel {                                  // a block: 64 queries, and all keys up to the last of them
      scf.for %key = 0 to … step 32 {
        %s = q k^T * scale; what is left out is -inf
        %top_ = max(%top, max(%s)); %p = exp(%s - %top_)
        %sum = %sum * exp(%top - %top_) + sum(%p); %y = %y * exp(%top - %top_) + %p v
      }
      y = %y / %sum; l = %top + log(%sum)
    } attributes {blocks = …, threads = 256}

The gradients compute the weights again, as exp(s - l): a block has some queries and adds up their cotangents over all
keys, or some keys, and adds up over all queries. Nobody adds to what another block has, so the order is always one.

(Milakov and Gimelshein, Online normalizer calculation for softmax, 2018; Dao, FlashAttention-2: Faster Attention with
Better Parallelism and Work Partitioning, 2023.)
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects import math as math_ops
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i1
from xdsl.dialects.func import FuncOp
from xdsl.ir import SSAValue

from ....dialects.effects import register_effects
from ....dialects.linalgx import AttentionBase, AttentionKeyGradientOp, AttentionOp
from ....dialects.types import bytes_of, memref_of
from ...interface import check_on_buffers
from ...options import option
from ...pass_base import KernelPass
from ...utils.affine import LinearExpr
from ...utils.constants import memref_type
from ...utils.nest_emitter import NestEmitter
from .attention_tiles import ACROSS, SLE, SLT, AttentionPlan, AttentionTile, plan_attention, stride
from .launches import open_launch

__all__ = ["AttendBlocks"]

_EQ, _OEQ = 0, 1


@dataclass(frozen=True)
class AttendBlocks(KernelPass):
    """Attention and its gradients in kernels -> launches with tiles in shared memory and registers."""

    name = "attend-blocks"
    shared_bytes: int = option(48 * 1024, 1024, 227 * 1024)

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_on_buffers(op)
        super().apply(ctx, op)

    def apply_to_function(self, function: FuncOp) -> None:
        register_effects()
        for op in list(function.body.block.ops):
            if isinstance(op, AttentionBase):
                kind = _Forward if isinstance(op, AttentionOp) else _Gradient
                kind(NestEmitter(op, op.location), op).emit(self.shared_bytes)
                op.detach()
                op.erase()


class _Kernel:
    """What attention and its gradients share: the scores of a tile."""

    TILES = 1
    """Of scores, in shared memory at once."""

    def __init__(self, e: NestEmitter, op: AttentionBase) -> None:
        self.e, self.op = e, op
        self.query, self.key, self.value = op.inputs[:3]
        *self.batch, self.queries, self.width = memref_of(self.query).get_shape()
        self.keys, self.value_width = memref_of(self.value).get_shape()[-2:]
        self.element = memref_of(self.query).element_type
        self.causal = bool(op.integer("causal"))

    def number(self, value: float) -> SSAValue:
        return self.e.constants.scalar(self.element, value)

    def plan(self, rows: int, room: int) -> AttentionPlan:
        """Leaves room for a few numbers a row."""
        size = bytes_of(memref_type(self.element, (1,)))
        return plan_attention(rows, room, lambda plan: size * self.elements(plan))

    def elements(self, plan: AttentionPlan) -> int:
        """How many shared memory holds."""
        raise NotImplementedError

    def score(
        self, tile: AttentionTile, product: SSAValue, query: LinearExpr, key: LinearExpr, steps: tuple[int, int]
    ) -> tuple[SSAValue, SSAValue | None]:
        """A score, and whether it takes part, None for always; the tile's queries and keys may lie outside."""
        e, op = self.e, self.op
        score = e.op(arith.MulfOp, product, self.number(op.factor))
        conditions: list[SSAValue] = []
        for index, extent, step in ((query, self.queries, steps[0]), (key, self.keys, steps[1])):
            if extent % step:
                conditions.append(e.compare(SLT, e.value(index), e.index(extent)))
        if self.causal:
            conditions.append(e.compare(SLE, e.value(key), e.value(query)))
        if op.mask is not None:
            shape = memref_of(op.mask).get_shape()
            place = [*tile.batch, tile.within(query, self.queries, steps[0]), tile.within(key, self.keys, steps[1])]
            given = place[len(place) - len(shape) :]
            allowed = e.load(op.mask, [LinearExpr() if n == 1 else at for n, at in zip(shape, given, strict=True)])
            if allowed.type == i1:
                conditions.append(allowed)
            else:
                score = e.op(arith.AddfOp, score, allowed)
        return score, tile.all_of(conditions) if conditions else None

    def exp(self, x: SSAValue) -> SSAValue:
        return self.e.op(math_ops.ExpOp, x)

    def is_lost(self, x: SSAValue) -> SSAValue:
        """Whether a number is -inf."""
        return self.e.op(arith.CmpfOp, x, self.number(-math.inf), type=i1, predicate=IntegerAttr(_OEQ, 64))

    def select(self, condition: SSAValue, yes: SSAValue, no: SSAValue) -> SSAValue:
        return self.e.op(arith.SelectOp, condition, yes, no, type=yes.type)


class _Forward(_Kernel):
    def elements(self, plan: AttentionPlan) -> int:
        wide = max(stride(self.width), stride(self.value_width))
        return plan.rows * (stride(self.width) + stride(plan.columns) + stride(ACROSS)) + plan.columns * wide

    def emit(self, room: int) -> None:
        e = self.e
        plan = self.plan(self.queries, room)
        tiles = -(-self.queries // plan.rows)
        with open_launch(e, prod(self.batch) * tiles, plan.threads) as (block, thread):
            *batch, number = e.delinearize(block, [*self.batch, tiles])
            tile = AttentionTile(e, self.element, plan, thread, batch, number * plan.rows)
            self.attend(tile)

    def attend(self, tile: AttentionTile) -> None:
        e, plan = self.e, tile.plan
        queries = tile.shared(plan.rows, self.width, "queries")
        passing = tile.shared(plan.columns, max(self.width, self.value_width), "keys")
        weights = tile.shared(plan.rows, plan.columns, "weights")
        of_threads = tile.shared(plan.rows, ACROSS, "of_threads")
        top, total = tile.registers(-math.inf, None, "top"), tile.registers(0, None, "total")
        sums = tile.registers(0, self.value_width, "sums")
        tile.stage(self.query, tile.first, plan.rows, queries)
        end = e.minimum(tile.first + plan.rows, self.keys) if self.causal else LinearExpr(self.keys)
        with e.for_(0, end, plan.columns, hint="key") as first:
            tile.barrier()  # nobody reads the values and weights of the last round any more
            tile.stage(self.key, first, plan.columns, passing)
            tile.barrier()
            scores = tile.multiply(queries, passing, plan.columns, self.width, "scores")
            for i, row in tile.rows():
                best = e.private(self.element, hint="best")
                e.store(self.number(-math.inf), best, [])
                for j, column in tile.columns(plan.columns):
                    product = e.load(scores, [i, j])
                    steps = plan.rows, plan.columns
                    score, counts = self.score(tile, product, tile.first + row, first + column, steps)
                    if counts is not None:
                        score = self.select(counts, score, self.number(-math.inf))
                    e.store(score, scores, [i, j])
                    e.store(e.op(arith.MaximumfOp, e.load(best, []), score), best, [])
                e.store(e.load(best, []), of_threads, [row, tile.member])
            tile.barrier()
            tile.stage(self.value, first, plan.columns, passing)
            for i, row in tile.rows():
                self.rescale(tile, i, row, (scores, of_threads, top, total, sums, weights))
            tile.barrier()
            tile.accumulate(sums, weights, passing, self.value_width)
        self.write(tile, of_threads, top, total, sums)

    def rescale(self, tile: AttentionTile, i: LinearExpr, row: LinearExpr, memory: tuple[SSAValue, ...]) -> None:
        """Lets a row's sums be relative to its new largest score, and computes its weights."""
        e = self.e
        scores, of_threads, top, total, sums, weights = memory
        before = e.load(top, [i])
        with e.for_(0, ACROSS, unroll=True) as other:
            e.store(e.op(arith.MaximumfOp, e.load(top, [i]), e.load(of_threads, [row, other])), top, [i])
        now = e.load(top, [i])
        now = self.select(self.is_lost(now), self.number(0), now)
        shrink = self.exp(e.op(arith.SubfOp, before, now))
        e.store(e.op(arith.MulfOp, e.load(total, [i]), shrink), total, [i])
        for j, _ in tile.columns(self.value_width):
            e.store(e.op(arith.MulfOp, e.load(sums, [i, j]), shrink), sums, [i, j])
        for j, column in tile.columns(tile.plan.columns):
            weight = self.exp(e.op(arith.SubfOp, e.load(scores, [i, j]), now))
            tile.add(weight, total, [i])
            e.store(weight, weights, [row, column])

    def write(self, tile: AttentionTile, of_threads: SSAValue, top: SSAValue, total: SSAValue, sums: SSAValue) -> None:
        """Adds up what the threads of a row have of its sum, and stores it and the means of values."""
        e, op = self.e, self.op
        result, log_sum = op.outputs
        for i, row in tile.rows():
            e.store(e.load(total, [i]), of_threads, [row, tile.member])
        tile.barrier()
        for i, row in tile.rows():
            e.store(self.number(0), total, [i])
            with e.for_(0, ACROSS, unroll=True) as other:
                tile.add(e.load(of_threads, [row, other]), total, [i])

        def mean(i: LinearExpr, j: LinearExpr) -> SSAValue:
            value = e.op(arith.DivfOp, e.load(sums, [i, j]), e.load(total, [i]))
            return self.select(self.is_lost(e.load(top, [i])), self.number(0), value)

        tile.write(result, mean)
        with e.when(e.compare(_EQ, e.value(tile.member), e.index(0))):
            for i, row in tile.rows():
                with ExitStack() as inside:
                    if self.queries % tile.plan.rows:
                        inside.enter_context(e.when(e.compare(SLT, e.value(tile.first + row), e.index(self.queries))))
                    logarithm = e.op(math_ops.LogOp, e.load(total, [i]))
                    value = e.op(arith.AddfOp, e.load(top, [i]), logarithm)
                    e.store(value, log_sum, [*tile.batch, tile.first + row])


class _Gradient(_Kernel):
    """Rows are queries, which pass by keys, or keys, which pass by queries."""

    def __init__(self, e: NestEmitter, op: AttentionBase) -> None:
        super().__init__(e, op)
        self.of_keys = isinstance(op, AttentionKeyGradientOp)
        self.log_sum, self.delta, self.cotangent = op.inputs[3:6]
        queries, keys = (self.query, self.cotangent, self.queries), (self.key, self.value, self.keys)
        self.own, self.others = (keys, queries) if self.of_keys else (queries, keys)

    def elements(self, plan: AttentionPlan) -> int:
        both = stride(self.width) + stride(self.value_width)
        return (plan.rows + plan.columns) * both + len(self.op.outputs) * plan.rows * stride(plan.columns)

    def emit(self, room: int) -> None:
        e = self.e
        size = self.own[2]
        plan = self.plan(size, room)
        tiles = -(-size // plan.rows)
        with open_launch(e, prod(self.batch) * tiles, plan.threads) as (block, thread):
            *batch, number = e.delinearize(block, [*self.batch, tiles])
            self.gather(AttentionTile(e, self.element, plan, thread, batch, number * plan.rows))

    def gather(self, tile: AttentionTile) -> None:
        e, plan, of_keys = self.e, tile.plan, self.of_keys
        widths = self.width, self.value_width
        hints = (("keys", "values"), ("queries", "cotangents"))
        here, passing = hints if of_keys else hints[::-1]
        own = [tile.shared(plan.rows, width, hint) for width, hint in zip(widths, here, strict=True)]
        others = [tile.shared(plan.columns, width, hint) for width, hint in zip(widths, passing, strict=True)]
        factors = [tile.shared(plan.rows, plan.columns, "by_scores")]
        sums = [tile.registers(0, self.width, "sums")]
        if of_keys:
            factors.append(tile.shared(plan.rows, plan.columns, "weights"))
            sums.append(tile.registers(0, self.value_width, "value_sums"))
        for buffer, shared in zip(self.own[:2], own, strict=True):
            tile.stage(buffer, tile.first, plan.rows, shared)
        start, end = LinearExpr(), LinearExpr(self.others[2])
        if self.causal and of_keys:
            start = e.divide(tile.first, plan.columns) * plan.columns
        elif self.causal:
            end = e.minimum(tile.first + plan.rows, end)
        with e.for_(start, end, plan.columns, hint="other") as first:
            tile.barrier()  # nobody reads what was there in the last round any more
            for buffer, shared in zip(self.others[:2], others, strict=True):
                tile.stage(buffer, first, plan.columns, shared)
            tile.barrier()
            products = [
                tile.multiply(mine, theirs, plan.columns, width, hint)
                for mine, theirs, width, hint in zip(own, others, widths, ("scores", "by_weights"), strict=True)
            ]
            for i, row in tile.rows():
                for j, column in tile.columns(plan.columns):
                    query, key = tile.first + row, first + column
                    steps = plan.rows, plan.columns
                    if of_keys:
                        query, key, steps = key, query, (plan.columns, plan.rows)
                    values = self.factors(tile, [e.load(result, [i, j]) for result in products], query, key, steps)
                    for value, factor in zip(values, factors):
                        e.store(value, factor, [row, column])
            tile.barrier()
            for total, factor, theirs, width in zip(sums, factors, others, widths):
                tile.accumulate(total, factor, theirs, width)

        def scaled(i: LinearExpr, j: LinearExpr) -> SSAValue:
            return e.op(arith.MulfOp, e.load(sums[0], [i, j]), self.number(self.op.factor))

        tile.write(self.op.outputs[0], scaled)
        if of_keys:
            tile.write(self.op.outputs[1], lambda i, j: e.load(sums[1], [i, j]))

    def factors(
        self, tile: AttentionTile, products: list[SSAValue], query: LinearExpr, key: LinearExpr, steps: tuple[int, int]
    ) -> tuple[SSAValue, SSAValue]:
        """What cotangents are added up by: that of a score, for those of queries and keys, and the weight, for that of
        a value."""
        e, zero = self.e, self.number(0)
        score, counts = self.score(tile, products[0], query, key, steps)
        at = [*tile.batch, tile.within(query, self.queries, steps[0])]
        log_sum = e.load(self.log_sum, at)
        weight = self.exp(e.op(arith.SubfOp, score, log_sum))
        weight = self.select(self.is_lost(log_sum), zero, weight)
        by_score = e.op(arith.MulfOp, weight, e.op(arith.SubfOp, products[1], e.load(self.delta, at)))
        if counts is None:
            return by_score, weight
        return self.select(counts, by_score, zero), self.select(counts, weight, zero)
