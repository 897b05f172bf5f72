"""Convolutions as plain correlations; windows as elementwise ops on shifted operands.

    hl.reduce_window %x "max" window [2, 2] stride [2, 2]
    ->
    maximum(maximum(x[0::2, 0::2], x[0::2, 1::2]), maximum(x[1::2, 0::2], x[1::2, 1::2]))

Slices are index maps, so a small window is one elementwise kernel. Large windows are tiles, where they lie side by
side; else they are folded dimension by dimension, by doubling: the fold of 2 neighbours, of 4, of 8.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ....dialects.hl import window as w
from ....dialects.hl.builder import OpBuilder
from ....dialects.types import DType, i32, i64
from ...utils.combiners import highest, lowest
from .rule import DecompositionTable

B = OpBuilder[Any]
Ints = tuple[int, ...]
State = tuple[Any, ...]
Combine = Callable[[State, State], State]
SMALL = 16
"""A window of so many elements is taken apart at once."""


def _surrounded(b: B, x: Any, low: Ints, high: Ints, gaps: Ints, value: float) -> Any:
    lead = (0,) * (len(b.shape(x)) - len(low))
    return b.pad(x, lead + low, lead + high, lead + gaps, value)


def _conv(
    b: B,
    x: Any,
    filters: Any,
    *,
    stride: Ints,
    low: Ints,
    high: Ints,
    dilation: Ints,
    input_dilation: Ints,
    groups: int,
) -> tuple[Any, ...]:
    if max(input_dilation) > 1:
        d = next(d for d, n in enumerate(input_dilation) if n > 1)
        if stride[d] == 1 and 0 not in b.shape(x)[2:]:
            given = Convolution(stride, low, high, dilation, input_dilation, groups)
            return (_phases(b, x, filters, given, d),)
    x = _surrounded(b, x, low, high, tuple(n - 1 for n in input_dilation), 0)
    if groups == 1:
        return (b.correlate(x, filters, stride, dilation),)
    shape, (outputs, inputs, *window) = b.shape(x), b.shape(filters)
    x = b.reshape(x, (shape[0], groups, inputs, *shape[2:]))
    filters = b.reshape(filters, (groups, outputs // groups, inputs, *window))
    y = b.correlate(x, filters, stride, dilation)
    return (b.reshape(y, (shape[0], outputs, *b.shape(y)[3:])),)


@dataclass(frozen=True)
class Convolution:
    """The attributes of one."""

    stride: Ints
    low: Ints
    high: Ints
    dilation: Ints
    input_dilation: Ints
    groups: int


def _phases(b: B, x: Any, filters: Any, given: Convolution, d: int) -> Any:
    """Without the products with gaps: each phase of the result meets a part of the filters.

    y = conv(x, w), input_dilation q        ->        y[r::q] = conv(x, w[first of r :: q])
    """
    gap, dilation, low = given.input_dilation[d], given.dilation[d], given.low[d]
    extent, window = b.shape(x)[2 + d], b.shape(filters)[2 + d]
    total = (extent - 1) * gap + 1 + low + given.high[d] - (window - 1) * dilation
    count = -(-total // gap)
    step = gap // math.gcd(gap, dilation)
    parts: dict[int, Any] = {}
    for phase in range(min(gap, total)):
        first = next((k for k in range(min(step, window)) if (phase + k * dilation - low) % gap == 0), None)
        if first is None:
            continue
        places = len(range(first, window, step))
        between = step * dilation // gap
        before = (low - phase - first * dilation) // gap
        after = count + (places - 1) * between - extent - before
        part = _shifted(b, (filters,), 2 + d, first, places, step, 0)[0]
        parts[phase] = b.conv(
            x,
            part,
            given.stride,
            _replaced(given.low, d, before),
            _replaced(given.high, d, after),
            _replaced(given.dilation, d, between),
            _replaced(given.input_dilation, d, 1),
            given.groups,
        )
    if not parts:  # the filters meet gaps and padding only
        whole = w.ConvOp.infer(b.spec(x), b.spec(filters), **asdict(given))[0]
        return b.constant(0, whole.shape, whole.dtype)
    return _interleaved(b, parts, 2 + d, gap, total)


def _replaced(values: Ints, d: int, value: int) -> Ints:
    return (*values[:d], value, *values[d + 1 :])


def _interleaved(b: B, parts: dict[int, Any], axis: int, gap: int, total: int) -> Any:
    """result[phase::gap] = part for each phase, 0 where there is none; `total` elements."""
    shape = b.shape(next(iter(parts.values())))
    rank = len(shape)
    none = (0,) * rank
    if len(parts) == 1:
        ((phase, part),) = parts.items()
        after = total - phase - (shape[axis] - 1) * gap - 1
        high, interior = (_replaced(none, axis, n) for n in (after, gap - 1))
        return b.pad(part, _replaced(none, axis, phase), high, interior, 0)
    zeros = b.constant_like(next(iter(parts.values())), 0)
    wide = (*shape[: axis + 1], 1, *shape[axis + 1 :])
    joined = b.concat([b.reshape(parts.get(phase, zeros), wide) for phase in range(gap)], axis + 1)
    joined = b.reshape(joined, _replaced(shape, axis, shape[axis] * gap))
    return b.slice(joined, none, _replaced(shape, axis, total), (1,) * rank)


def _shifted(b: B, state: State, axis: int, offset: int, count: int, stride: int, factor: int) -> State:
    """What stands at offset, offset + stride … along one dimension, `count` of it. Places count from before that."""
    shape = b.shape(state[0])
    start, step = [0] * len(shape), [1] * len(shape)
    stop = list(shape)
    start[axis], stop[axis], step[axis] = offset, offset + max((count - 1) * stride + 1, 0), stride
    value, *places = (b.slice(x, tuple(start), tuple(stop), tuple(step)) for x in state)
    return value, *(b.add(p, b.constant_like(p, offset * factor)) for p in places)


def _balanced(parts: list[State], combine: Combine) -> State:
    """One state from several, neighbours first."""
    while len(parts) > 1:
        pairs = [combine(parts[i], parts[i + 1]) for i in range(0, len(parts) - 1, 2)]
        parts = pairs + parts[len(pairs) * 2 :]
    return parts[0]


def _fold(b: B, state: State, combine: Combine, window: Ints, stride: Ints, dilation: Ints, factors: Ints) -> State:
    """The windows' elements combined, in row-major order: values and, where the state has them, places.

    A place says how far an element is behind the start of its window, where each dimension counts by its factor.
    """
    shape = b.shape(state[0])
    lead = len(shape) - len(window)
    counts = tuple(
        (n - (k - 1) * d - 1) // t + 1 for n, k, t, d in zip(shape[lead:], window, stride, dilation, strict=True)
    )
    if math.prod(window) > SMALL:
        for d in reversed(range(len(window))):
            line = Line(lead + d, window[d], counts[d], stride[d], dilation[d], factors[d])
            state = _fold_one(b, state, combine, line)
        return state
    parts: list[State] = []
    for element in np.ndindex(*window):
        part = state
        for d, k in enumerate(element):
            part = _shifted(b, part, lead + d, int(k) * dilation[d], counts[d], stride[d], factors[d])
        parts.append(part)
    return _balanced(parts, combine)


@dataclass(frozen=True)
class Line:
    """One dimension under a window."""

    axis: int
    window: int
    count: int
    stride: int
    dilation: int
    factor: int


def _fold_one(b: B, state: State, combine: Combine, line: Line) -> State:
    """By doubling: the window's extent in binary is the sum of the runs that it consists of."""
    runs: list[State] = []
    offset, length = 0, 1
    for bit in range(line.window.bit_length()):
        if line.window >> bit & 1:
            start = offset * line.dilation
            runs.append(_shifted(b, state, line.axis, start, line.count, line.stride, line.factor))
            offset += length
        if line.window >> bit + 1:
            distance = length * line.dilation
            extent = b.shape(state[0])[line.axis] - distance
            left, right = (_shifted(b, state, line.axis, n, extent, 1, line.factor) for n in (0, distance))
            state = combine(left, right)
            length *= 2
    return _balanced(runs, combine)


def _are_tiles(window: Ints, stride: Ints, dilation: Ints) -> bool:
    return window == stride and all(n == 1 for n in dilation) and math.prod(window) > SMALL


def _tiles(b: B, x: Any, window: Ints) -> Any:
    """[..., n * k, ...] -> [..., n, k, ...] for each dimension under the window, what is left over cut off."""
    shape = b.shape(x)
    lead = len(shape) - len(window)
    counts = tuple(n // k for n, k in zip(shape[lead:], window, strict=True))
    stop = (*shape[:lead], *(n * k for n, k in zip(counts, window, strict=True)))
    x = b.slice(x, (0,) * len(shape), stop, (1,) * len(shape))
    return b.reshape(x, (*shape[:lead], *(n for pair in zip(counts, window, strict=True) for n in pair)))


NEUTRAL: dict[str, Callable[[DType], float]] = {"sum": lambda dtype: 0, "max": lowest, "min": highest}
NAMES = {"sum": ("add", "reduce_sum"), "max": ("maximum", "reduce_max"), "min": ("minimum", "reduce_min")}
"""Kind of window -> the methods that combine two values, and the values of some dimensions."""


def _reduce_window(
    b: B, x: Any, *, kind: str, window: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints
) -> tuple[Any, ...]:
    x = _surrounded(b, x, low, high, (0,) * len(low), NEUTRAL[kind](b.dtype(x)))
    two, many = (getattr(b, name) for name in NAMES[kind])
    if _are_tiles(window, stride, dilation):
        x = _tiles(b, x, window)
        rank = len(b.shape(x))
        return (many(x, tuple(range(rank - 2 * len(window) + 1, rank, 2))),)
    return _fold(b, (x,), lambda left, right: (two(left[0], right[0]),), window, stride, dilation, window)


def _row_major(extents: Ints) -> Ints:
    """By how much an index into all elements grows with each dimension."""
    return tuple(math.prod(extents[d + 1 :]) for d in range(len(extents)))


def _first_inside(b: B, spatial: Ints, extents: Ints, stride: Ints, low: Ints, dilation: Ints, kind: DType) -> Any:
    """For each place of the window, the index of its first element that is not padding."""
    total = b.constant(0, spatial, kind)
    for d, (t, before, gap, factor) in enumerate(zip(stride, low, dilation, _row_major(extents), strict=True)):
        start = b.sub(b.mul(b.iota(spatial, kind, d), b.constant(t, spatial, kind)), b.constant(before, spatial, kind))
        missing = b.maximum(b.neg(start), b.constant(0, spatial, kind))
        steps = b.floor_div(b.add(missing, b.constant(gap - 1, spatial, kind)), b.constant(gap, spatial, kind))
        first = b.add(start, b.mul(steps, b.constant(gap, spatial, kind)))
        total = b.add(total, b.mul(first, b.constant(factor, spatial, kind)))
    return total


def _argmax_window(
    b: B, x: Any, *, window: Ints, stride: Ints, low: Ints, high: Ints, dilation: Ints
) -> tuple[Any, ...]:
    rank, dtype = len(window), b.dtype(x)
    lead, extents = b.shape(x)[:-rank], b.shape(x)[-rank:]
    worst = lowest(dtype)
    is_padded = any(low + high)
    padded = _surrounded(b, x, low, high, (0,) * rank, worst)

    def combine(left: State, right: State) -> State:
        better = b.compare("gt", right[0], left[0])
        if dtype.kind == "float":
            first_nan = b.bitwise_and(b.is_nan(right[0]), b.logical_not(b.is_nan(left[0])))
            better = b.bitwise_or(better, first_nan)
        return tuple(b.select(better, r, v) for r, v in zip(right, left, strict=True))

    if _are_tiles(window, stride, dilation) and not is_padded:
        return (_argmax_tiles(b, x, window),)
    factors = _row_major(extents)
    kind = i32 if math.prod(b.shape(padded)[-rank:]) < 1 << 31 else i64  # more of these fit a vector
    nearest = b.constant(0, b.shape(padded), kind)
    best, place = _fold(b, (padded, nearest), combine, window, stride, dilation, factors)
    places = b.shape(place)
    start = b.constant(-sum(map(operator.mul, low, factors)), places, kind)
    for d, (t, factor) in enumerate(zip(stride, factors, strict=True)):
        start = b.add(start, b.mul(b.iota(places, kind, len(lead) + d), b.constant(t * factor, places, kind)))
    found = b.add(start, place)
    if is_padded:
        # Where nothing beats the padding, a place in it may have been taken.
        first = _first_inside(b, places[len(lead) :], extents, stride, low, dilation, kind)
        first = b.broadcast(first, places, tuple(range(len(lead), len(places))))
        nothing = b.compare("eq", best, b.constant(worst, places, dtype))
        found = b.select(nothing, first, found)
    return (b.cast(found, i64),)


def _argmax_tiles(b: B, x: Any, window: Ints) -> Any:
    """argmax over the elements of each tile, put side by side."""
    rank = len(window)
    extents = b.shape(x)[-rank:]
    tiles = _tiles(b, x, window)
    lead = len(b.shape(x)) - rank
    order = (*range(lead), *range(lead, lead + 2 * rank, 2), *range(lead + 1, lead + 2 * rank, 2))
    tiles = b.transpose(tiles, order)
    places = b.shape(tiles)[: lead + rank]
    number = b.argmax(b.reshape(tiles, (*places, math.prod(window))), lead + rank)
    index = b.constant(0, places, i64)
    for d, (k, inner, factor) in enumerate(zip(window, _row_major(window), _row_major(extents), strict=True)):
        within = b.remainder(b.floor_div(number, b.constant(inner, places, i64)), b.constant(k, places, i64))
        along = b.add(b.mul(b.iota(places, i64, lead + d), b.constant(k, places, i64)), within)
        index = b.add(index, b.mul(along, b.constant(factor, places, i64)))
    return index


DECOMPOSITIONS: DecompositionTable = {
    w.ConvOp: _conv,
    w.ReduceWindowOp: _reduce_window,
    w.ArgmaxWindowOp: _argmax_window,
}
