"""Gradients of convolution and pooling: convolutions and windows again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ....dialects.hl import window as w
from ....dialects.hl.builder import OpBuilder
from ....dialects.hl.placing import summed_windows
from ....dialects.types import i32, i64
from .call import GradientTable, OpCall, ReasonTable, where, zeros_like
from .expr import TensorExpr

B = OpBuilder[Any]
Ints = tuple[int, ...]


def surrounded(b: B, x: Any, low: Ints, high: Ints, gaps: Ints) -> Any:
    """x with zeros around its last dimensions and between their elements."""
    lead = (0,) * (len(b.shape(x)) - len(low))
    return b.pad(x, lead + low, lead + high, lead + gaps, 0.0)


def exchanged(b: B, x: Any, groups: int, outer: int) -> Any:
    """[a, g * b, ...] -> [b, g * a, ...] where outer = 1;    [g * a, b, ...] -> [g * b, a, ...] where it is 0"""
    shape = b.shape(x)
    rest = tuple(range(3, len(shape) + 1))
    if groups == 1:
        return b.transpose(x, (1, 0, *range(2, len(shape))))
    lead = (shape[0], groups, shape[1] // groups) if outer else (groups, shape[0] // groups, shape[1])
    grouped = b.transpose(b.reshape(x, (*lead, *shape[2:])), (2, 1, 0, *rest) if outer else (0, 2, 1, *rest))
    swapped = (lead[2], groups * lead[0]) if outer else (groups * lead[2], lead[1])
    return b.reshape(grouped, (*swapped, *shape[2:]))


def _conv(b: B, call: OpCall[Any]) -> Sequence[Any]:
    x, filters = call.operands
    if 0 in (*b.shape(x), *b.shape(filters), *b.shape(call.y)):
        return [zeros_like(b, v) if need else None for v, need in zip(call.operands, call.needs, strict=True)]
    return [rule(b, call) if need else None for rule, need in zip((_conv_x, _conv_w), call.needs, strict=True)]


def _reach(b: B, call: OpCall[Any]) -> Ints:
    """How many elements the window spans, less one."""
    return tuple((k - 1) * d for k, d in zip(b.shape(call.operands[1])[2:], call.ints("dilation"), strict=True))


def _span(b: B, call: OpCall[Any]) -> Ints:
    """How many elements the places of the window span, less one."""
    return tuple((n - 1) * t for n, t in zip(b.shape(call.y)[2:], call.ints("stride"), strict=True))


def _conv_x(b: B, call: OpCall[Any]) -> Any:
    # Every output goes back to where it came from: strides become gaps, filters are reversed.
    filters = call.operands[1]
    groups = int(call.attributes["groups"])
    spread = call.ints("input_dilation")
    reach = _reach(b, call)
    low = tuple(r - n for r, n in zip(reach, call.ints("low"), strict=True))
    high = tuple(
        (n - 1) * t + r - before - span
        for n, t, r, before, span in zip(b.shape(call.x)[2:], spread, reach, low, _span(b, call), strict=True)
    )
    flipped = b.reverse(exchanged(b, filters, groups, 0), tuple(range(2, len(b.shape(filters)))))
    return b.conv(call.ct, flipped, spread, low, high, call.ints("dilation"), call.ints("stride"), groups)


def _conv_w(b: B, call: OpCall[Any]) -> Any:
    # The inputs that met each weight, by the outputs' cotangents: samples become channels, strides become dilations.
    if max(call.ints("input_dilation")) > 1 and max(call.ints("stride")) == 1:
        return _conv_w_spread(b, call)
    groups = int(call.attributes["groups"])
    gaps = tuple(n - 1 for n in call.ints("input_dilation"))
    x = surrounded(b, call.x, call.ints("low"), call.ints("high"), gaps)  # as in the forward convolution
    none, ones = (0,) * len(gaps), (1,) * len(gaps)
    covered = (r + s + 1 for r, s in zip(_reach(b, call), _span(b, call), strict=True))
    high = tuple(n - have for n, have in zip(covered, b.shape(x)[2:], strict=True))
    ct = b.transpose(call.ct, (1, 0, *range(2, len(b.shape(x)))))
    result = b.conv(
        exchanged(b, x, groups, 1), ct, call.ints("dilation"), none, high, call.ints("stride"), ones, groups
    )
    return b.transpose(result, (1, 0, *range(2, len(b.shape(x)))))


def _conv_w_spread(b: B, call: OpCall[Any]) -> Any:
    # Of a transposed convolution: the cotangents that each input met by each weight, so that no gap is multiplied.
    groups, spread = int(call.attributes["groups"]), call.ints("input_dilation")
    (outputs, inputs, *_), rank = b.shape(call.operands[1]), len(spread)
    reach = _reach(b, call)
    low = tuple(r - n for r, n in zip(reach, call.ints("low"), strict=True))
    high = tuple(
        (n - 1) * t + 1 + r - have - before
        for n, t, r, have, before in zip(b.shape(call.x)[2:], spread, reach, b.shape(call.ct)[2:], low, strict=True)
    )
    x = b.transpose(call.x, (1, 0, *range(2, 2 + rank)))
    ct = exchanged(b, call.ct, groups, 1)
    result = b.conv(ct, x, call.ints("dilation"), low, high, spread, (1,) * rank, groups)
    result = b.reverse(result, tuple(range(2, 2 + rank)))
    if groups == 1:
        return result
    window = b.shape(result)[2:]
    grouped = b.reshape(result, (outputs // groups, groups, inputs, *window))
    return b.reshape(b.transpose(grouped, (1, 0, *range(2, 3 + rank))), (outputs, inputs, *window))


def _correlate(b: B, call: OpCall[Any]) -> Sequence[Any]:
    # As the convolution that it is.
    rank = len(call.ints("stride"))
    x, filters = call.operands
    shape, ct = b.shape(filters), call.ct
    groups = shape[0] if len(shape) == rank + 3 else 1
    none, ones = (0,) * rank, (1,) * rank
    whole = {"low": none, "high": none, "input_dilation": ones, "groups": groups, **call.attributes}
    joined = [_joined(b, x, rank, 1), _joined(b, filters, rank, 0)]
    y, ct = _joined(b, call.y, rank, 1), _joined(b, ct, rank, 1)
    found = _conv(b, OpCall(joined, [y], [ct], whole, call.needs))
    return [None if g is None else b.reshape(g, b.shape(v)) for g, v in zip(found, call.operands, strict=True)]


def _joined(b: B, x: Any, rank: int, at: int) -> Any:
    """Groups and channels as one dimension."""
    shape = b.shape(x)
    if len(shape) == rank + 2:
        return x
    return b.reshape(x, (*shape[:at], shape[at] * shape[at + 1], *shape[at + 2 :]))


def _spread(b: B, x: Any, window: Ints) -> Any:
    """Every element of the last dimensions as often as a window has elements: [..., n, ...] -> [..., n, k, ...]"""
    shape = b.shape(x)
    lead = len(shape) - len(window)
    wide = (n for pair in zip(shape[lead:], window, strict=True) for n in pair)
    dimensions = (*range(lead), *range(lead, lead + 2 * len(window), 2))
    return b.broadcast(x, (*shape[:lead], *wide), dimensions)


def _side_by_side(b: B, x: Any, window: Ints) -> Any:
    """[..., n, k, ...] -> [..., n * k, ...]"""
    shape = b.shape(x)
    lead = len(shape) - 2 * len(window)
    pairs = (shape[d] * shape[d + 1] for d in range(lead, len(shape), 2))
    return b.reshape(x, (*shape[:lead], *pairs))


def _fitted(b: B, x: Any, like: Any, low: Ints) -> Any:
    """What stands at windows side by side, the first of them `low` before the operand, moved to the operand's place."""
    shape, spatial = b.shape(like), b.shape(x)[-len(low) :]
    high = tuple(n - have + before for n, have, before in zip(shape[-len(low) :], spatial, low, strict=True))
    return surrounded(b, x, tuple(-n for n in low), high, (0,) * len(low))


def _disjoint(call: OpCall[Any]) -> bool:
    """Whether windows lie side by side without gaps."""
    return call.ints("window") == call.ints("stride") and all(n == 1 for n in call.ints("dilation"))


def _reduce_window(b: B, call: OpCall[Any]) -> Sequence[Any]:
    kind = call.attributes["kind"]
    if kind == "sum":
        return (_window_sum(b, call),)
    # The first of equal ones takes it all, as in PyTorch.
    x = call.x if kind == "max" else b.neg(call.x)
    window, stride, low, high, dilation = (call.ints(n) for n in ("window", "stride", "low", "high", "dilation"))
    return (_winners(b, call, b.argmax_window(x, window, stride, low, high, dilation)),)


def _winners(b: B, call: OpCall[Any], index: Any) -> Any:
    """The cotangent of every window, at the element that the index names."""
    shape, rank = b.shape(call.x), len(call.ints("window"))
    lead, extents = shape[:-rank], shape[-rank:]
    if _disjoint(call):
        window, low = call.ints("window"), call.ints("low")
        index = b.cast(index, i32 if math.prod(extents) < 1 << 31 else i64)  # more of these fit a vector
        ct, index = (_spread(b, v, window) for v in (call.ct, index))
        here = _tiled_index(b, index, extents, window, low)
        winner = where(b, b.compare("eq", index, here), ct)
        return _fitted(b, _side_by_side(b, winner, window), call.x, low)
    rows = math.prod(lead)
    base = b.constant(0.0, (rows, math.prod(extents)), b.dtype(call.x))
    index, ct = (b.reshape(v, (rows, math.prod(b.shape(v)[-rank:]))) for v in (index, call.ct))
    return b.reshape(b.scatter_add(base, index, ct, 1, 1), shape)


def _tiled_index(b: B, like: Any, extents: Ints, window: Ints, low: Ints) -> Any:
    """For each element of windows side by side, [..., n, k, ...], its index in the operand."""
    shape, kind = b.shape(like), b.dtype(like)
    total = TensorExpr(b, b.constant(0, shape, kind))
    for d, (k, before) in enumerate(zip(window, low, strict=True)):
        axis = len(shape) - 2 * len(window) + 2 * d
        factor = math.prod(extents[d + 1 :])
        start = TensorExpr(b, b.iota(shape, kind, axis)) * (k * factor)
        inner = TensorExpr(b, b.iota(shape, kind, axis + 1)) * factor
        total = total + (start + inner - before * factor)
    return total.value


def _window_sum(b: B, call: OpCall[Any]) -> Any:
    window, stride, low, dilation = (call.ints(n) for n in ("window", "stride", "low", "dilation"))
    if _disjoint(call):
        return _fitted(b, _side_by_side(b, _spread(b, call.ct, window), window), call.x, low)
    # The windows that an element was in, as windows over the cotangent with the strides as gaps.
    reach = tuple((k - 1) * d for k, d in zip(window, dilation, strict=True))
    rank = len(window)
    before = tuple(r - n for r, n in zip(reach, low, strict=True))
    spread = ((n - 1) * t + 1 for n, t in zip(b.shape(call.ct)[-rank:], stride, strict=True))
    after = tuple(n + r - p - s for n, r, p, s in zip(b.shape(call.x)[-rank:], reach, before, spread, strict=True))
    none, ones = (0,) * rank, (1,) * rank
    ct = surrounded(b, call.ct, before, after, tuple(t - 1 for t in stride))
    return b.reduce_window(ct, "sum", window, ones, none, none, dilation)


def _windows(b: B, call: OpCall[Any]) -> Sequence[Any]:
    return (summed_windows(b, call.ct, b.shape(call.x), call.attributes["dimension"], call.attributes["step"]),)


GRADIENTS: GradientTable = {
    w.ConvOp: _conv,
    w.CorrelateOp: _correlate,
    w.ReduceWindowOp: _reduce_window,
    w.WindowsOp: _windows,
}

NO_GRADIENT: ReasonTable = {w.ArgmaxWindowOp: "the result is an index"}
