"""Movements that do nothing, and two movements that are one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from xdsl.ir import SSAValue

from ....dialects.hl import shape as s
from ....dialects.hl.codec import decode
from ....dialects.hl.elementwise import AddOp
from ....dialects.types import DYNAMIC
from ...pass_base import RecordingBuilder as B
from .match import PatternTable, made_by, spec


def ints(attribute: object) -> tuple[int, ...]:
    """A list of integers that an op's property holds."""
    return decode(attribute)  # pyright: ignore[reportArgumentType,reportReturnType]


def _static(*values: SSAValue) -> bool:
    return all(DYNAMIC not in spec(v).shape for v in values)


def changes_nothing(b: B, op: s.HLOp) -> SSAValue | None:
    """reshape 4x4 -> 4x4 -> its operand        broadcast and slice alike"""
    (x,) = op.operands
    return x if x.type == op.results[0].type and _static(x) else None


# reshape


def reshape_of_reshape(b: B, op: s.ReshapeOp) -> SSAValue | None:
    """reshape(reshape(x)) -> reshape(x)"""
    inner = made_by(op.x, s.ReshapeOp)
    return b.reshape(inner.x, spec(op.result).shape) if inner is not None and _static(inner.x, op.result) else None


# transpose


def transpose_of_transpose(b: B, op: s.TransposeOp) -> SSAValue | None:
    """transpose(transpose(x)) -> transpose(x), by the product of the permutations"""
    inner = made_by(op.x, s.TransposeOp)
    if inner is None:
        return None
    first = ints(inner.permutation)
    return b.transpose(inner.x, tuple(first[d] for d in ints(op.permutation)))


def transpose_of_ones(b: B, op: s.TransposeOp) -> SSAValue | None:
    """transpose 4x1x3 [1, 0, 2] -> reshape, since only an extent of 1 moves"""
    shape = spec(op.x).shape
    moving = [d for d in ints(op.permutation) if shape[d] != 1]
    return b.reshape(op.x, spec(op.result).shape) if _static(op.x) and moving == sorted(moving) else None


# broadcast


def broadcast_of_broadcast(b: B, op: s.BroadcastOp) -> SSAValue | None:
    """broadcast(broadcast(x)) -> broadcast(x)"""
    inner = made_by(op.x, s.BroadcastOp)
    if inner is None:
        return None
    outer = ints(op.dimensions)
    return b.broadcast(inner.x, spec(op.result).shape, tuple(outer[d] for d in ints(inner.dimensions)))


def broadcast_adds_ones(b: B, op: s.BroadcastOp) -> SSAValue | None:
    """broadcast 4 -> 4x1 -> reshape, since nothing repeats"""
    x, result = spec(op.x).shape, spec(op.result).shape
    return b.reshape(op.x, result) if _static(op.x, op.result) and math.prod(x) == math.prod(result) else None


def broadcast_without_ones(b: B, op: s.BroadcastOp) -> SSAValue | None:
    """broadcast 4x1 along [0, 1] -> 4x8      ->      reshape 4x1 -> 4, then broadcast 4 along [0] -> 4x8"""
    shape, result, dimensions = spec(op.x).shape, spec(op.result).shape, ints(op.dimensions)
    keep = [i for i, d in enumerate(dimensions) if shape[i] == result[d]]
    if len(keep) == len(shape) or not _static(op.x, op.result):
        return None
    x = b.reshape(op.x, tuple(shape[i] for i in keep))
    return b.broadcast(x, result, tuple(dimensions[i] for i in keep))


def broadcast_iota(b: B, op: s.BroadcastOp) -> SSAValue | None:
    """broadcast(iota) -> iota"""
    inner = made_by(op.x, s.IotaOp)
    if inner is None:
        return None
    counted, dimensions, result = decode(inner.dimension), ints(op.dimensions), spec(op.result)
    assert isinstance(counted, int)
    same = spec(op.x).shape[counted] == result.shape[dimensions[counted]]
    return b.iota(result.shape, result.dtype, dimensions[counted]) if same else None


def iota_of_one(b: B, op: s.IotaOp) -> SSAValue | None:
    """iota along an extent of 1 -> 0"""
    shape, dtype = spec(op.result)
    return b.constant(0, shape, dtype) if shape[decode(op.dimension)] == 1 else None  # pyright: ignore


# slice and pad


def slice_of_slice(b: B, op: s.SliceOp) -> SSAValue | None:
    """x[a:b:c][d:e:f] -> x[a + d * c : ... : c * f]"""
    inner = made_by(op.x, s.SliceOp)
    if inner is None or 0 in spec(op.result).shape or not _static(inner.x):
        return None
    offset, stride = ints(inner.start), ints(inner.step)
    start = tuple(o + n * t for o, n, t in zip(offset, ints(op.start), stride, strict=True))
    step = tuple(n * t for n, t in zip(ints(op.step), stride, strict=True))
    last = (o + (n - 1) * t + 1 for o, n, t in zip(start, spec(op.result).shape, step, strict=True))
    return b.slice(inner.x, start, tuple(last), step)


def slice_of_broadcast(b: B, op: s.SliceOp) -> SSAValue | None:
    """broadcast(x)[:, 2:5] -> broadcast(x), where all that is cut off is repetition"""
    inner = made_by(op.x, s.BroadcastOp)
    if inner is None:
        return None
    shape, wide, result = spec(inner.x).shape, spec(op.x).shape, spec(op.result).shape
    dimensions = ints(inner.dimensions)
    if any(n != 1 and (wide[d] != result[d]) for n, d in zip(shape, dimensions, strict=True)):
        return None
    return b.broadcast(inner.x, result, dimensions)


def slice_of_concat(b: B, op: s.SliceOp) -> SSAValue | None:
    """concat(x, y)[2:3] -> y[0:1], where all of it is of one part"""
    inner = made_by(op.x, s.ConcatOp)
    if inner is None or 0 in spec(op.result).shape or not _static(*inner.xs):
        return None
    start, stop, d = ints(op.start), ints(op.stop), decode(inner.dimension)
    assert isinstance(d, int)
    at = 0
    for part in inner.xs:
        end = at + spec(part).shape[d]
        if at <= start[d] and stop[d] <= end:
            low, high = (tuple(n - at if k == d else n for k, n in enumerate(side)) for side in (start, stop))
            return b.slice(part, low, high, ints(op.step))
        at = end
    return None


def pad_that_crops(b: B, op: s.PadOp) -> SSAValue | None:
    """pad low [-1] high [-2] -> slice from [1] to [n - 2]"""
    low, high, shape = ints(op.low), ints(op.high), spec(op.x).shape
    if any(ints(op.interior)) or any(n > 0 for n in low + high) or not _static(op.x):
        return None
    stop = tuple(n + h for n, h in zip(shape, high, strict=True))
    return b.slice(op.x, tuple(-n for n in low), stop, (1,) * len(shape))


def pad_of_pad(b: B, op: s.PadOp) -> SSAValue | None:
    """pad(pad(x)) with the same value -> pad(x), where neither crops nor spreads"""
    inner = made_by(op.x, s.PadOp)
    if inner is None or op.value != inner.value or any(ints(op.interior)):
        return None
    sides = [ints(side) for side in (inner.low, inner.high, op.low, op.high)]
    if any(n < 0 for side in sides for n in side):
        return None
    low, high = (tuple(map(sum, zip(sides[i], sides[i + 2], strict=True))) for i in (0, 1))
    return b.pad(inner.x, low, high, ints(inner.interior), decode(op.value))  # pyright: ignore[reportArgumentType]


def sum_of_pads(b: B, op: AddOp) -> SSAValue | None:
    """pad(x, high [3]) + pad(y, low [2]) -> pad(concat(x, y)), where the parts fill a range without overlap

    As in the gradient of `chunk`: the parts' gradients, each in its place among zeros, added up."""
    pads = _padded_terms(op.result)
    if pads is None or len(pads) < 2:
        return None
    sides = [(ints(p.low), ints(p.high)) for p in pads]
    shape = spec(op.result).shape
    differing = [d for d in range(len(shape)) if len({(low[d], high[d]) for low, high in sides}) > 1]
    if len(differing) != 1 or DYNAMIC in shape or any(n < 0 for side in sides for ends in side for n in ends):
        return None
    d = differing[0]
    pads.sort(key=lambda p: ints(p.low)[d])
    if any(shape[d] - ints(p.high)[d] != ints(q.low)[d] for p, q in pairwise(pads)):
        return None
    low, high = (
        ints(pads[0].low),
        tuple(h if k != d else ints(pads[-1].high)[d] for k, h in enumerate(ints(pads[0].high))),
    )
    joined = b.concat([p.x for p in pads], d)
    return b.pad(joined, low, high, ints(pads[0].interior), 0.0 if spec(joined).dtype.kind == "float" else 0)


def _padded_terms(total: SSAValue) -> list[s.PadOp] | None:
    """The pads with zeros whose sum a value is; None where it is a sum of other things, or others use the terms."""
    terms: list[s.PadOp] = []
    pending = [total]
    while pending:
        # The right one first: where it is not a pad, a long sum is not walked.
        value = pending.pop()
        if value is not total and not value.has_one_use():
            return None
        add = made_by(value, AddOp)
        if add is not None:
            pending += (add.x, add.y)
            continue
        pad = made_by(value, s.PadOp)
        if pad is None or any(ints(pad.interior)) or float(decode(pad.value)) != 0:  # pyright: ignore[reportArgumentType]
            return None
        terms.append(pad)
    return terms[::-1]


# concat and reverse


def concat_without_empty(b: B, op: s.ConcatOp) -> SSAValue | None:
    """concat(x, empty) -> x"""
    dimension = decode(op.dimension)
    assert isinstance(dimension, int)
    filled = [x for x in op.xs if spec(x).shape[dimension] != 0]
    if len(op.xs) == 1 or not filled:
        return op.xs[0]
    return b.concat(filled, dimension) if len(filled) < len(op.xs) else None


def concat_of_concat(b: B, op: s.ConcatOp) -> SSAValue | None:
    """concat(concat(x, y), z) -> concat(x, y, z), where nobody else wants the inner one"""
    flat: list[SSAValue] = []
    for x in op.xs:
        inner = made_by(x, s.ConcatOp)
        mergeable = inner is not None and inner.dimension == op.dimension and x.has_one_use()
        flat.extend(inner.xs if inner is not None and mergeable else (x,))
    return b.concat(flat, decode(op.dimension)) if len(flat) > len(op.xs) else None  # pyright: ignore


def _moving(x: SSAValue, dimensions: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(d for d in dimensions if spec(x).shape[d] != 1))


def reverse_of_one(b: B, op: s.ReverseOp) -> SSAValue | None:
    """reverse 4x1 along [0, 1] -> reverse along [0]"""
    dimensions = ints(op.dimensions)
    moving = _moving(op.x, dimensions)
    return b.reverse(op.x, moving) if len(moving) < len(dimensions) else None


def reverse_of_reverse(b: B, op: s.ReverseOp) -> SSAValue | None:
    """reverse(reverse(x)) -> reverse along what only one of them reverses"""
    inner = made_by(op.x, s.ReverseOp)
    if inner is None:
        return None
    return b.reverse(inner.x, tuple(sorted(set(ints(op.dimensions)) ^ set(ints(inner.dimensions)))))


PATTERNS: PatternTable = {
    AddOp: (sum_of_pads,),
    s.ReshapeOp: (changes_nothing, reshape_of_reshape),
    s.TransposeOp: (transpose_of_transpose, transpose_of_ones),
    s.BroadcastOp: (
        changes_nothing,
        broadcast_of_broadcast,
        broadcast_adds_ones,
        broadcast_without_ones,
        broadcast_iota,
    ),
    s.IotaOp: (iota_of_one,),
    s.SliceOp: (changes_nothing, slice_of_slice, slice_of_broadcast, slice_of_concat),
    s.PadOp: (pad_that_crops, pad_of_pad),
    s.ConcatOp: (concat_without_empty, concat_of_concat),
    s.ReverseOp: (reverse_of_one, reverse_of_reverse),
}
