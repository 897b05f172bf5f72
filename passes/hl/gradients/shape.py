"""Gradients of ops that move elements: each is the transposed movement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dialects.hl import shape as s
from ....dialects.hl.builder import OpBuilder
from ....dialects.hl.placing import placed_diagonal
from .call import GradientTable, OpCall, ReasonTable

B = OpBuilder[Any]


def inverse(permutation: Sequence[int]) -> tuple[int, ...]:
    """The permutation that undoes one."""
    return tuple(sorted(range(len(permutation)), key=permutation.__getitem__))


def _broadcast(b: B, call: OpCall[Any]) -> Sequence[Any]:
    # Sum over everything along which an element was repeated.
    shape, result = b.shape(call.x), b.shape(call.y)
    moved = [d for d, n in zip(call.attributes["dimensions"], shape, strict=True) if n == result[d]]
    repeated = tuple(d for d in range(len(result)) if d not in moved)
    ct = b.reduce_sum(call.ct, repeated) if repeated else call.ct
    return (ct if b.shape(ct) == shape else b.reshape(ct, shape),)


def _slice(b: B, call: OpCall[Any]) -> Sequence[Any]:
    # %y = slice %x from start to stop by step   ->   pad %ct back, with step - 1 zeros between its elements
    low, step = call.ints("start"), call.ints("step")
    covered = [low[d] + max((n - 1) * step[d] + 1, 0) for d, n in enumerate(b.shape(call.y))]
    high = tuple(n - end for n, end in zip(b.shape(call.x), covered, strict=True))
    return (b.pad(call.ct, low, high, tuple(n - 1 for n in step), 0.0),)


def _pad(b: B, call: OpCall[Any]) -> Sequence[Any]:
    # %y = pad %x low, high, interior   ->   crop %ct (where %x was cropped, give zeros), then take every (interior+1)th
    low, high = (tuple(-n for n in call.ints(name)) for name in ("low", "high"))
    interior = call.ints("interior")
    shape = b.shape(call.x)
    none = (0,) * len(shape)
    if 0 in shape:
        return (b.constant(0.0, shape, b.dtype(call.x)),)
    ct = call.ct if low == high == none else b.pad(call.ct, low, high, none, 0.0)
    return (b.slice(ct, none, b.shape(ct), tuple(n + 1 for n in interior)) if any(interior) else ct,)


def _concat(b: B, call: OpCall[Any]) -> Sequence[Any]:
    dimension = int(call.attributes["dimension"])
    cotangents: list[Any] = []
    offset = 0
    for x, need in zip(call.operands, call.needs, strict=True):
        shape = b.shape(x)
        start = [0] * len(shape)
        stop = list(shape)
        start[dimension], stop[dimension] = offset, offset + shape[dimension]
        offset = stop[dimension]
        cotangents.append(b.slice(call.ct, tuple(start), tuple(stop), (1,) * len(shape)) if need else None)
    return cotangents


GRADIENTS: GradientTable = {
    s.BroadcastOp: _broadcast,
    s.ReshapeOp: lambda b, call: (b.reshape(call.ct, b.shape(call.x)),),
    s.TransposeOp: lambda b, call: (b.transpose(call.ct, inverse(call.attributes["permutation"])),),
    s.SliceOp: _slice,
    s.PadOp: _pad,
    s.ConcatOp: _concat,
    s.DiagonalOp: lambda b, call: (placed_diagonal(b, call.ct, b.shape(call.x), call.attributes["offset"], 0),),
    s.ReverseOp: lambda b, call: (b.reverse(call.ct, call.attributes["dimensions"]),),
}

NO_GRADIENT: ReasonTable = dict.fromkeys((s.ConstantOp, s.IotaOp), "has no operands")
