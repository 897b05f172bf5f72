"""linalg ops for convolutions, sums over windows: to the contraction engine, maps like any others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from xdsl.dialects import arith
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineMap

from ....dialects.hl import window
from ....dialects.hl.base import HLOp
from ...hl.index_maps import scaled
from ...utils.emitter import Emitter
from .builder import KernelBuilder
from .views import Splat

d = AffineDimExpr


def correlate(
    low: KernelBuilder, op: HLOp, x: Any, w: Any, *, stride: tuple[int, ...], dilation: tuple[int, ...]
) -> list[SSAValue]:
    """(n, g, o, s..., c, k...): x[n, g, c, s * stride + k * dilation ...] * w[g, o, c, k...], summed over c and k"""
    filters, result = low.spec(op.operands[1]), low.spec(op.results[0])
    spatial, channel = len(stride), len(result.shape)
    output = channel - spatial - 1
    rank = channel + 1 + spatial
    groups = tuple(d(i) for i in range(1, output))
    places = tuple(d(i) for i in range(output + 1, channel))
    elements = tuple(d(i) for i in range(channel + 1, rank))
    under = (scaled(s, t, 0) + scaled(k, gap, 0) for s, k, t, gap in zip(places, elements, stride, dilation))
    x = x.through(AffineMap(rank, 0, (d(0), *groups, d(channel), *under)))
    w = w.through(AffineMap(rank, 0, (*groups, d(output), d(channel), *elements)))
    out = AffineMap(rank, 0, tuple(d(i) for i in range(channel)))
    initial = low.fill(low.destination(op.results[0]), Splat(0, result.dtype))
    is_float = result.dtype.kind == "float"
    times, plus = (arith.MulfOp, arith.AddfOp) if is_float else (arith.MuliOp, arith.AddiOp)

    def body(e: Emitter, values: Sequence[SSAValue], accumulators: Sequence[SSAValue]) -> list[SSAValue]:
        return [e.op(plus, accumulators[0], e.op(times, values[0], values[1]))]

    extents = (*result.shape, *filters.shape[output:])
    return low.generic(extents, [x, w], [(initial, out)], body, reduced=tuple(range(channel, rank)))


WINDOWED: dict[type[HLOp], Callable[..., list[SSAValue]]] = {window.CorrelateOp: correlate}
