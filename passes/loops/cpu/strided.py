"""Vectors of elements a small stride apart: whole vectors from memory, and shuffles.

x[2 * i]     ->  %a = vector.load %x[2 * i];  %b = vector.load %x[2 * i + 15]
                 the even lanes of %a, then the odd ones of %b
y[2 * i + 1] ->  every lane twice, stored under masks that are on in every second lane
"""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import arith, vector
from xdsl.dialects.builtin import (
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    i1,
    i32,
    i64,
)
from xdsl.ir import SSAValue

from ....dialects import vectorx
from ....dialects.types import is_memref
from ...utils.constants import constant_value, vector_type
from ...utils.emitter import Emitter, flat_view

__all__ = ["LARGEST_STRIDE", "flat_index", "flatten", "load_strided", "store_strided"]

LARGEST_STRIDE = 4
"""Elements of a larger stride go lane by lane."""

_NEVER = 1 << 20


def flatten(buffer: SSAValue, kept: int, emitter: Emitter) -> SSAValue:
    """A buffer whose dimensions from `kept` on are one."""
    view = flat_view(buffer, kept)
    view.location = emitter.location
    return emitter.insert(view).results[0]


def flat_index(indices: Sequence[SSAValue], shape: Sequence[int], emitter: Emitter) -> SSAValue:
    """Row-major."""
    total = emitter.index(0)
    for index, extent in zip(indices, shape, strict=True):
        total = emitter.add(emitter.mul(total, emitter.index(extent)), index)
    return total


def _moved(indices: Sequence[SSAValue], by: int, emitter: Emitter) -> list[SSAValue]:
    return [*indices[:-1], emitter.add(indices[-1], emitter.index(by))]


def load_strided(
    buffer: SSAValue, indices: Sequence[SSAValue], stride: int, lanes: int, count: SSAValue | None, emitter: Emitter
) -> SSAValue:
    """The elements at `indices`, and every `stride` elements from there; only the first `count` if that is given."""
    assert is_memref(buffer.type)
    element = buffer.type.element_type
    type_ = vector_type(lanes, element)
    known = constant_value(count) if count is not None else lanes
    result: SSAValue | None = None
    for part in range(stride):
        first = part * lanes
        if known is not None and first > stride * (known - 1):
            break
        start = first
        if count is None and part:  # the last one ends with the last element that counts
            start = min(first, stride * (lanes - 1) - lanes + 1)
        place = _moved(indices, start, emitter)
        if count is None or (known is not None and stride * (known - 1) + 1 - first >= lanes):
            loaded = emitter.create(vector.LoadOp, [buffer, *place], [type_]).results[0]
        else:
            span = emitter.add(emitter.mul(count, emitter.index(stride)), emitter.index(1 - stride - first))
            mask = emitter.op(vector.CreateMaskOp, span, type=vector_type(lanes, i1))
            other = emitter.broadcast(emitter.constants.scalar(element, 0), lanes)
            loaded = emitter.create(vector.MaskedLoadOp, [buffer, *place, mask, other], [type_]).results[0]
        here = {lane: lane * stride - start for lane in range(lanes) if lane * stride // lanes == part}
        if result is not None:
            chosen = [lanes + here[lane] if lane in here else lane for lane in range(lanes)]
            result = _shuffled(result, loaded, chosen, emitter)
        elif stride > 1:
            result = _shuffled(loaded, loaded, [here.get(lane, 0) for lane in range(lanes)], emitter)
        else:
            result = loaded
    assert result is not None
    return result


def store_strided(
    value: SSAValue,
    buffer: SSAValue,
    indices: Sequence[SSAValue],
    stride: int,
    lanes: int,
    count: SSAValue | None,
    emitter: Emitter,
) -> None:
    """Stores lanes `stride` elements apart; what lies between is not touched."""
    limit = emitter.index(lanes) if count is None else count
    known = constant_value(limit)
    many = emitter.constants.scalar(i32, known) if known is not None else emitter.op(arith.IndexCastOp, limit, type=i32)
    many = emitter.broadcast(many, lanes)
    for part in range(stride):
        first = part * lanes
        if known is not None and first > stride * (known - 1):
            break
        places = range(first, first + lanes)
        numbers = [place // stride if place % stride == 0 else _NEVER for place in places]
        lane_numbers = DenseIntOrFPElementsAttr.from_list(vector_type(lanes, i32), numbers)  # pyright: ignore
        mask = emitter.op(
            vectorx.CmpiOp,
            emitter.constants.get(lane_numbers),
            many,
            type=vector_type(lanes, i1),
            predicate=IntegerAttr(2, i64),
        )
        spread = value if stride == 1 else _shuffled(value, value, [place // stride for place in places], emitter)
        emitter.create(vector.MaskedStoreOp, [buffer, *_moved(indices, first, emitter), mask, spread])


def _shuffled(first: SSAValue, second: SSAValue, lanes: Sequence[int], emitter: Emitter) -> SSAValue:
    mask = DenseArrayBase.from_list(i64, lanes)
    return emitter.op(vector.ShuffleOp, first, second, type=first.type, mask=mask)
