"""linalg ops for what is not elementwise: reductions, products, gathers, and what writes parts of its result.

Each rule gets the op's context: where operands are read (views.py), destinations to write to, and an emitter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xdsl.dialects import arith, tensor
from xdsl.dialects.builtin import i64
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap

from ....dialects.hl import contraction, indexing, random, reduction, shape
from ....dialects.hl.base import HLOp
from ....dialects.linalgx import ScatterAddOp, ScatterBase, ScatterOp
from ....dialects.types import DType, TensorSpec
from ...hl.index_maps import scaled
from ...utils.combiners import highest, lowest
from ...utils.emitter import Emitter
from .attention import ATTENTIVE
from .builder import KernelBuilder
from .check import CHECKED
from .scalar import SCALAR, compare, philox, to_index
from .sequence import SEQUENTIAL
from .views import IndexNumber, Splat, emit_index
from .window import WINDOWED

d = AffineDimExpr


COMBINERS: dict[type[HLOp], tuple[str, Callable[[DType], float]]] = {
    reduction.ReduceSumOp: ("AddOp", lambda dtype: 0),
    reduction.ReduceProdOp: ("MulOp", lambda dtype: 1),
    reduction.ReduceMaxOp: ("MaximumOp", lowest),
    reduction.ReduceMinOp: ("MinimumOp", highest),
    reduction.ReduceAnyOp: ("BitwiseOrOp", lambda dtype: 0),
    reduction.ReduceAllOp: ("BitwiseAndOp", lambda dtype: 1),
}
"""Reduction -> the elementwise op that combines two values, and the value to start from."""


def reduce_(low: KernelBuilder, op: HLOp, x: Any, *, dimensions: tuple[int, ...]) -> list[SSAValue]:
    from ....dialects.hl import elementwise

    name, start = COMBINERS[type(op)]
    combine = SCALAR[getattr(elementwise, name)]
    spec = low.spec(op.operands[0])
    rank = len(spec.shape)
    kept = AffineMap(rank, 0, tuple(d(k) for k in range(rank) if k not in dimensions))
    initial = low.fill(low.destination(op.results[0]), Splat(start(spec.dtype), spec.dtype))

    def body(e: Emitter, values: Sequence[SSAValue], accumulators: Sequence[SSAValue]) -> list[SSAValue]:
        return [combine(e, spec.dtype, accumulators[0], values[0])]

    return low.generic(spec.shape, [x], [(initial, kept)], body, reduced=dimensions)


def arg_reduce(low: KernelBuilder, op: HLOp, x: Any, *, dimension: int) -> list[SSAValue]:
    """Carries (best value, its index); NaN beats all, the first of equals stays."""
    largest = isinstance(op, reduction.ArgmaxOp)
    spec = low.spec(op.operands[0])
    rank = len(spec.shape)
    kept = AffineMap(rank, 0, tuple(d(k) for k in range(rank) if k != dimension))
    shape_kept = tuple(n for k, n in enumerate(spec.shape) if k != dimension)
    worst = (lowest if largest else highest)(spec.dtype)
    best = low.fill(low.temporary(TensorSpec(shape_kept, spec.dtype)), Splat(worst, spec.dtype))
    index = low.fill(low.destination(op.results[0]), Splat(0, low.spec(op.results[0]).dtype))

    def body(e: Emitter, values: Sequence[SSAValue], accumulators: Sequence[SSAValue]) -> list[SSAValue]:
        (value,), (so_far, where) = values, accumulators
        better = compare(e, spec.dtype, "gt" if largest else "lt", value, so_far)
        if spec.dtype.kind == "float":
            first_nan = e.op(
                arith.AndIOp,
                compare(e, spec.dtype, "uno", value, value),
                compare(e, spec.dtype, "eq", so_far, so_far),
            )
            better = e.op(arith.OrIOp, better, first_nan)
        here = e.op(arith.IndexCastOp, emit_index(e, dimension), type=i64)
        return [e.op(arith.SelectOp, better, value, so_far, type=value.type),
                e.op(arith.SelectOp, better, here, where, type=i64)]  # fmt: skip

    return low.generic(spec.shape, [x], [(best, kept), (index, kept)], body, reduced=(dimension,))[1:]


def matmul(low: KernelBuilder, op: HLOp, x: Any, y: Any) -> list[SSAValue]:
    """(b..., m, n, k): x[b..., m, k] * y[b..., k, n] summed over k."""
    left, right = low.spec(op.operands[0]), low.spec(op.operands[1])
    batch = len(left.shape) - 2
    m, n, k = batch, batch + 1, batch + 2
    rank = batch + 3
    lead = tuple(d(i) for i in range(batch))
    x = x.through(AffineMap(rank, 0, (*lead, d(m), d(k))))
    y = y.through(AffineMap(rank, 0, (*lead, d(k), d(n))))
    out = AffineMap(rank, 0, (*lead, d(m), d(n)))
    initial = low.fill(low.destination(op.results[0]), Splat(0, left.dtype))
    extents = (*left.shape[:-1], right.shape[-1], left.shape[-1])
    is_float = left.dtype.kind == "float"
    times, plus = (arith.MulfOp, arith.AddfOp) if is_float else (arith.MuliOp, arith.AddiOp)

    def body(e: Emitter, values: Sequence[SSAValue], accumulators: Sequence[SSAValue]) -> list[SSAValue]:
        return [e.op(plus, accumulators[0], e.op(times, values[0], values[1]))]

    return low.generic(extents, [x, y], [(initial, out)], body, reduced=(k,))


def gather(low: KernelBuilder, op: HLOp, x: Any, indices: Any, *, axis: int, batch_dims: int) -> list[SSAValue]:
    source = low.stored(x, low.spec(op.operands[0]))
    spec, result = low.spec(op.operands[0]), low.spec(op.results[0])
    rank, index_rank = len(result.shape), len(low.spec(op.operands[1]).shape)
    looked_up = tuple(range(axis, axis + index_rank - batch_dims))
    read = AffineMap(rank, 0, tuple(d(k) for k in (*range(batch_dims), *looked_up)))

    def body(e: Emitter, values: Sequence[SSAValue], accumulators: Sequence[SSAValue]) -> list[SSAValue]:
        at = [emit_index(e, k) for k in range(axis)]
        at.append(to_index(e, values[0], spec.shape[axis]))
        at.extend(emit_index(e, k) for k in range(axis + len(looked_up), rank))
        return [e.create(tensor.ExtractOp, [source, *at], [spec.dtype.lowered]).results[0]]

    return low.generic(result.shape, [indices.through(read)], [low.identity_out(op.results[0])], body)


SCATTERS: dict[type[HLOp], type[ScatterBase]] = {
    indexing.ScatterAddOp: ScatterAddOp,
    indexing.ScatterOp: ScatterOp,
}


def scatter(
    low: KernelBuilder, op: HLOp, base: Any, indices: Any, updates: Any, *, axis: int, batch_dims: int
) -> list[SSAValue]:
    destination = low.copy(base, low.destination(op.results[0]), low.spec(op.results[0]))
    where, what = (low.stored(v, low.spec(operand)) for v, operand in zip((indices, updates), op.operands[1:]))
    made = SCATTERS[type(op)](where, what, destination, axis, batch_dims)
    return list(low.emitter.insert(low.located(made)).results)


def random_bits(low: KernelBuilder, op: HLOp, state: Any, *, shape: tuple[int, ...]) -> list[SSAValue]:
    """A word of a Philox block for each element, numbered in row-major order."""
    rank = len(shape)
    words = [state.through(AffineMap(rank, 0, (AffineConstantExpr(i),))) for i in (0, 1)]
    element: Any = AffineConstantExpr(0)
    for k, n in enumerate(shape):
        element = scaled(element, n, 0) + d(k) if k else d(0)

    def body(e: Emitter, values: Sequence[SSAValue], accumulators: Sequence[SSAValue]) -> list[SSAValue]:
        from ....dialects.types import i64 as int64

        number = IndexNumber(element, int64).scalar(e) if rank else e.constants.scalar(i64, 0)
        return [philox(e, (values[0], values[1]), number)]

    return low.generic(shape, words, [low.identity_out(op.results[0])], body)


def pad(
    lowering: KernelBuilder,
    op: HLOp,
    x: Any,
    *,
    low: tuple[int, ...],
    interior: tuple[int, ...],
    value: float,
    **_: Any,
) -> list[SSAValue]:
    """Fills, then writes what of x stays: negative padding crops."""
    spec, result = lowering.spec(op.operands[0]), lowering.spec(op.results[0])
    filled = lowering.fill(lowering.destination(op.results[0]), Splat(value, spec.dtype))
    first: list[int] = []
    extents: list[int] = []
    places: list[AffineExpr] = []
    for k, (n, before, gap, total) in enumerate(zip(spec.shape, low, interior, result.shape)):
        stride = gap + 1
        begin = max(0, -(before // stride)) if before < 0 else 0  # the first element that is not cropped
        end = min(n, (total - 1 - before) // stride + 1) if total else begin
        first.append(begin)
        extents.append(max(0, end - begin))
        places.append(scaled(d(k), stride, before + begin * stride))
    if 0 in extents:
        return [filled]
    rank = len(spec.shape)
    if extents != list(spec.shape):
        kept = AffineMap(rank, 0, tuple(scaled(d(k), 1, b) for k, b in enumerate(first)))
        x = x.through(kept)
    return _placed(lowering, extents, x, filled, AffineMap(rank, 0, tuple(places)))


def concat(low: KernelBuilder, op: HLOp, *xs: Any, dimension: int) -> list[SSAValue]:
    destination = low.destination(op.results[0])
    offset = 0
    for x, operand in zip(xs, op.operands):
        spec = low.spec(operand)
        rank = len(spec.shape)
        place = AffineMap(rank, 0, tuple(scaled(d(k), 1, offset if k == dimension else 0) for k in range(rank)))
        if 0 not in spec.shape:
            (destination,) = _placed(low, spec.shape, x, destination, place)
        offset += spec.shape[dimension]
    return [destination]


def _placed(
    low: KernelBuilder, extents: Sequence[int], x: Any, destination: SSAValue, place: AffineMap
) -> list[SSAValue]:
    """Writes x where `place` says. Loops over one element are left out."""
    kept = [k for k, n in enumerate(extents) if n != 1]
    position = {k: d(i) for i, k in enumerate(kept)}
    inner = AffineMap(len(kept), 0, tuple(position.get(k, AffineConstantExpr(0)) for k in range(len(extents))))
    return low.generic([extents[k] for k in kept], [x.through(inner)], [(destination, place.compose(inner))], _first)


def _first(e: Emitter, values: Sequence[SSAValue], accumulators: Sequence[SSAValue]) -> list[SSAValue]:
    return [values[0]]


def dense(low: KernelBuilder, value: np.ndarray) -> SSAValue:
    """A small tensor of given numbers."""
    spec = TensorSpec(value.shape, low.dtype_of(value))
    scalars = [Splat(v, spec.dtype).scalar(low.emitter) for v in value.reshape(-1).tolist()]
    return low.emitter.create(tensor.FromElementsOp, scalars, [low.type(spec)]).results[0]


STRUCTURED: dict[type[HLOp], Callable[..., list[SSAValue]]] = {
    **dict.fromkeys(COMBINERS, reduce_),
    reduction.ArgmaxOp: arg_reduce,
    reduction.ArgminOp: arg_reduce,
    contraction.MatmulOp: matmul,
    **WINDOWED,
    **SEQUENTIAL,
    **ATTENTIVE,
    indexing.GatherOp: gather,
    **dict.fromkeys(SCATTERS, scatter),
    **CHECKED,
    random.RandomBitsOp: random_bits,
    shape.PadOp: pad,
    shape.ConcatOp: concat,
}
