"""Attention that stays whole: destination-passing operations of linalgx."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xdsl.dialects import arith
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineMap

from ....dialects.hl import attention as a
from ....dialects.hl.base import HLOp
from ....dialects.linalgx import AttentionBase, AttentionKeyGradientOp, AttentionQueryGradientOp
from ....dialects.linalgx import AttentionOp as WholeOp
from ...utils.emitter import Emitter
from .builder import KernelBuilder
from .views import Splat


def _emit(
    low: KernelBuilder, op: type[AttentionBase], inputs: Sequence[SSAValue], outputs: Sequence[SSAValue], options: Any
) -> list[SSAValue]:
    return list(low.emitter.insert(low.located(op.of(inputs, outputs, **options))).results)


def attention(low: KernelBuilder, op: HLOp, *xs: Any, causal: bool, scale: float) -> list[SSAValue]:
    inputs = [low.stored(x, low.spec(operand)) for x, operand in zip(xs, op.operands, strict=True)]
    outputs = [low.destination(result) for result in op.results]
    return _emit(low, WholeOp, inputs, outputs, {"causal": causal, "scale": scale})


def attention_gradient(low: KernelBuilder, op: HLOp, *xs: Any, causal: bool, scale: float) -> list[SSAValue]:
    """Two operations, both by the sum of result times cotangent of each query: that of weights times theirs."""
    query, key, value, log_sum, cotangent, *mask = (
        low.stored(xs[k], low.spec(operand)) for k, operand in enumerate(op.operands) if k != 3
    )
    spec = low.spec(op.operands[4])
    rank = len(spec.shape) + 1
    rows = AffineMap(rank, 0, AffineMap.identity(rank).results[:-1])

    def body(e: Emitter, values: Sequence[SSAValue], sums: Sequence[SSAValue]) -> list[SSAValue]:
        return [e.op(arith.AddfOp, sums[0], e.op(arith.MulfOp, values[0], values[1]))]

    start = low.fill(low.temporary(spec), Splat(0, spec.dtype))
    shape = low.spec(op.operands[3]).shape
    (delta,) = low.generic(shape, [xs[3], xs[5]], [(start, rows)], body, reduced=(rank - 1,))
    inputs = [query, key, value, log_sum, delta, cotangent, *mask]
    options = {"causal": causal, "scale": scale}
    outputs = [low.destination(result) for result in op.results]
    by_query = _emit(low, AttentionQueryGradientOp, inputs, outputs[:1], options)
    return [*by_query, *_emit(low, AttentionKeyGradientOp, inputs, outputs[1:], options)]


ATTENTIVE: dict[type[HLOp], Callable[..., list[SSAValue]]] = {
    a.AttentionOp: attention,
    a.AttentionGradientOp: attention_gradient,
}
