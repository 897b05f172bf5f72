"""Indexing: x[...] with numbers, slices, None and ellipsis gives views; with tensors, gathers. Writes go the same way.

x[:, idx]        gather along dimension 1
x[i, j]          flatten dimensions 0 and 1, gather at i * n + j
x[mask]          the positions where the mask holds, then as above; in compiled code a Selection
x[mask] = v      a select, where v is one number or fits x (any mode)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from typing import cast as typed

import numpy as np

from ...dialects.hl import elementwise as e
from ...dialects.hl import indexing as i
from ...dialects.types import i1, i32, i64
from .. import eager
from ..creation import as_tensor
from ..dispatch import apply, builder, known_array, needed_array, scalar
from ..eager import on_host
from ..errors import TYPE_NAMES, index_error, runtime_error, type_error, untraceable
from ..modes import modes
from ..tensor import Tensor
from .checks import check_index, check_range
from .in_place import copy_, expanded
from .index_parts import basic, consumed, parts_of
from .operands import cast, common_shape, expand_to
from .segments import added
from .selection import FIX, Selection, assigned, selected
from .selection_shapes import gathered, position_rows, positions
from .shape import expand, movedim, reshaped, select


# Reading
def getitem(self: Tensor, index: Any) -> Tensor:
    """self[index]"""
    if type(index) is int and self._spec.shape:
        return select(self, 0, index)
    if modes.trace is not None:
        given = list(typed(Any, index)) if isinstance(index, tuple) else [index]
        if any(type(part) is Selection for part in given):
            return typed(Tensor, gathered(self, given))
    parts = parts_of(self, index)
    _check_numbers(self, parts)
    x, left = basic(self, parts)
    if all(part is None for part in left):
        return x
    if modes.trace is not None:
        d = _only_mask(x, left)
        if d is not None and known_array(left[d]) is None:
            return typed(Tensor, selected(x, left[d], d))
        apart = _numbers_apart(left)
        if apart is not None:
            return getitem(getitem(x, apart[0]), apart[1])
    x, left = without_masks(x, left)
    return _gathered(x, left)


def _check_numbers(x: Tensor, parts: list[Any]) -> None:
    """Checks numbers that a trace does not know while their dimensions are still called as the user calls them."""
    d = 0
    for part in parts:
        if isinstance(part, Tensor) and not part._spec.shape and part._spec.dtype.kind == "int":
            check_index(part, x._spec.shape[d], d, low=-x._spec.shape[d])
        d += consumed(part)


def _numbers_apart(left: list[Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
    """Where numbers whose values are not known stand beside other tensors: an index of the numbers, one of the others.

    As in PyTorch, a number takes its dimension away before the others say which dimensions they move.
    """
    is_number = [isinstance(p, Tensor) and p._spec.dtype is not i1 and not p._spec.shape for p in left]
    if not any(is_number) or sum(part is not None for part in left) == sum(is_number):
        return None
    numbers: list[Any] = []
    others: list[Any] = []
    for part, alone in zip(left, is_number):
        if alone:
            numbers.append(part)
            continue
        numbers.extend([slice(None)] * (len(part._spec.shape) if _is_mask(part) else 1))
        if isinstance(part, bool):  # its dimension is there already
            others.append([0] if part else [])
        else:
            others.append(slice(None) if part is None else part)
    return tuple(numbers), tuple(others)


def _is_mask(part: Any) -> bool:
    """Whether a part of an index is a tensor of bools."""
    return isinstance(part, Tensor) and part._spec.dtype is i1


def _only_mask(x: Tensor, left: list[Any]) -> int | None:
    """Where the one mask in an index is, if there is nothing else and it fits."""
    places = [k for k, part in enumerate(left) if part is not None]
    if len(places) != 1 or not _is_mask(left[places[0]]):
        return None
    (d,) = places
    mask = left[d]._spec.shape
    return d if mask == x._spec.shape[d : d + len(mask)] else None


def without_masks(x: Tensor, left: list[Any]) -> tuple[Tensor, list[Any]]:
    """Each mask as the positions where it holds, a tensor a dimension."""
    result: list[Any] = []
    d = 0
    for part in left:
        if isinstance(part, bool):
            result.append(as_tensor([0] if part else []).to(i64))
            d += 1
        elif _is_mask(part):
            count = len(part._spec.shape)
            if part._spec.shape != x._spec.shape[d : d + count]:
                raise index_error(
                    f"The shape of the mask {list(part._spec.shape)} at index {d} does not match the shape of the "
                    f"indexed tensor {list(x._spec.shape)} at index {d}"
                )
            if count == 0:
                x = x.unsqueeze(d)
                result.append(as_tensor([0] if bool(part) else []).to(i64))
                d += 1
                continue
            result.extend(nonzero(part, as_tuple=True))
            d += count
        else:
            result.append(part)
            d += 1
    return x, result


def _plan(x: Tensor, left: list[Any]) -> tuple[Tensor, list[int], Tensor, bool, int]:
    """(x with indexed dimensions leading and joined, their order, flat positions, whether the result moves, place)"""
    dims = [d for d, part in enumerate(left) if part is not None]
    try:
        shape = common_shape(*(left[d] for d in dims))
    except RuntimeError:
        shapes = ", ".join(str(list(left[d]._spec.shape)) for d in dims)
        message = f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
        raise index_error(message) from None
    extents = [x._spec.shape[d] for d in dims]
    position: Tensor | None = None
    for d, n in zip(dims, extents):
        check_index(left[d], n, d, low=-n)
        part = cast(left[d], i64)
        spec = part._spec
        part = builder.select(
            builder.compare("lt", part, scalar(0, spec.shape, i64)), builder.add(part, scalar(n, spec.shape, i64)), part
        )
        part = expand_to(part, shape)
        if position is None:
            position = part
        else:
            position = builder.add(builder.mul(position, scalar(n, shape, i64)), part)
    assert position is not None
    rest = [d for d in range(len(left)) if d not in dims]
    adjacent = dims == list(range(dims[0], dims[0] + len(dims)))
    order = dims + rest
    moved = builder.transpose(x, tuple(order)) if order != sorted(order) else x
    flat = reshaped(moved, (math.prod(extents), *(x._spec.shape[d] for d in rest)))
    return flat, order, position, adjacent, dims[0]


def _gathered(x: Tensor, left: list[Any]) -> Tensor:
    dims = [d for d, part in enumerate(left) if part is not None]
    if len(dims) == 1:
        # Along the dimension itself: no moving.
        (d,) = dims
        n = x._spec.shape[d]
        check_index(left[d], n, d, low=-n)
        index = wrapped(left[d], n)
        return apply(i.GatherOp, (x, index), {"axis": d, "batch_dims": 0})[0]
    flat, _, position, adjacent, place = _plan(x, left)
    result = apply(i.GatherOp, (flat, position), {"axis": 0, "batch_dims": 0})[0]
    count = len(position._spec.shape)
    if adjacent and place:
        result = movedim(result, tuple(range(count)), tuple(range(place, place + count))).contiguous()
    return result


def wrapped(index: Tensor, n: int) -> Tensor:
    """Negative indices counted from the end."""
    index = index if index._spec.dtype in (i64, i32) else cast(index, i64)
    spec = index._spec
    if modes.trace is None and not (on_host(index) < 0).any():
        return index
    return builder.select(
        builder.compare("lt", index, scalar(0, spec.shape, spec.dtype)),
        builder.add(index, scalar(n, spec.shape, spec.dtype)),
        index,
    )


# Writing
def setitem(self: Tensor, index: Any, value: Any) -> None:
    """self[index] = value"""
    given = value
    if not isinstance(value, Tensor):
        value = _value(self, value)
    parts = parts_of(self, index)
    _check_numbers(self, parts)
    x, left = basic(self, parts)
    if type(value) is Selection:
        d = _only_mask(x, left)
        if d is None:
            raise untraceable("assigning x[mask] to elements that no mask selects", FIX)
        copy_(x, assigned(x, left[d], d, value))
        return
    if all(part is None for part in left):
        copy_(x, expand(_trimmed(value, x._spec.shape), x._spec.shape))
        return
    written = _masked(x, left, value, given is value)
    if written is not None:
        copy_(x, written)
        return
    apart = _numbers_apart(left) if modes.trace is not None else None
    if apart is not None:
        part = getitem(x, apart[0])
        setitem(part, apart[1], value)
        setitem(x, apart[0], part)
        return
    if given is value:
        check_put(x, value)
    wide, left = without_masks(x, left)
    copy_(wide, scattered(wide, left, value, accumulate=False))


def check_put(x: Tensor, value: Tensor) -> None:
    """Raises where a tensor of another element type is written to indexed places, which converts nothing."""
    if value._spec.dtype is not x._spec.dtype:
        names = TYPE_NAMES[x._spec.dtype], TYPE_NAMES[value._spec.dtype]
        raise runtime_error(
            f"Index put requires the source and destination dtypes match, got {names[0]} for the destination and "
            f"{names[1]} for the source."
        )


def _value(self: Tensor, value: Any) -> Tensor:
    if isinstance(value, bool | int | float | np.generic):
        return scalar(typed(Any, value), (), self._spec.dtype)
    return as_tensor(value)


def _masked(x: Tensor, left: list[Any], value: Tensor, is_tensor: bool) -> Tensor | None:
    """x with `value` where the one mask in its index holds: a select, whose shapes do not depend on values.

    Where `value` has a row for every place, its rows are counted along the mask. None where another way is needed.
    """
    d = _only_mask(x, left)
    if d is None:
        return None
    mask: Tensor = left[d]
    shape, count = x._spec.shape, len(mask._spec.shape)
    behind = shape[d + count :]
    whole, value = value, cast(_trimmed(value, (*shape[:d], 0, *behind)), x._spec.dtype)
    given = value._spec.shape
    at = len(given) - len(behind) - 1
    """Where value has the dimension of places that hold."""
    if at < 0 or given[at] == 1:
        wide = reshaped(value, (*given[:at], *((1,) * count), *given[at + 1 :])) if at >= 0 else value
        new = expand_to(wide, expanded(wide, shape))
    elif modes.trace is not None and known_array(mask) is None:
        if is_tensor:
            check_put(x, whole)
        at_start, at_end = (f"{list(part)}"[1:-1] for part in (shape[:d], behind))
        counted = ", ".join(part for part in (at_start, "{value}", at_end) if part)
        message = (
            f"shape mismatch: value tensor of shape {list(given)} cannot be broadcast to indexing result of shape "
            f"[{counted}]"
        )
        check_range(cast(mask, i64).sum(), given[at], given[at] + 1, RuntimeError, message)
        rows = expand_to(value, (*shape[:d], given[at], *behind))
        new = successive(rows, mask, d)
    else:
        return None  # eager: positions, which also tell whether there are as many as places
    mask = reshaped(mask, (1,) * d + mask._spec.shape + (1,) * len(behind))
    return apply(e.SelectOp, (expand_to(mask, shape), new, x))[0]


def successive(rows: Tensor, mask: Tensor, d: int = 0) -> Tensor:
    """Along d, for every place of the mask the row whose number is how many places before it hold."""
    held = builder.cumsum(reshaped(cast(mask, i64), (-1,)), 0)
    number = reshaped(builder.sub(held, scalar(1, held._spec.shape, i64)), mask._spec.shape)
    return apply(i.GatherOp, (rows, number), {"axis": d, "batch_dims": 0})[0]


def _trimmed(value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Without leading extents of 1 beyond the rank of the target, as PyTorch allows."""
    given = value._spec.shape
    while len(given) > len(shape) and given[0] == 1:
        given = given[1:]
    return value if given == value._spec.shape else reshaped(value, given)


def scattered(x: Tensor, left: list[Any], value: Tensor, accumulate: bool) -> Tensor:
    """x with `value` written (or added) at the indexed positions."""
    flat, order, position, adjacent, place = _plan(x, left)
    count = len(position._spec.shape)
    rest = flat._spec.shape[1:]
    target = position._spec.shape + rest
    value = cast(_trimmed(value, target), x._spec.dtype)
    if adjacent and place:
        wanted = rest[:place] + position._spec.shape + rest[place:]
        value = expand_to(value, expanded(value, wanted))
        value = movedim(value, tuple(range(place, place + count)), tuple(range(count)))
    else:
        value = expand_to(value, expanded(value, target))
    if accumulate:
        result = added(flat, position, value, 0, 0)
    else:
        result = builder.scatter(flat, position, value, 0, 0)
    moved = reshaped(result, tuple(x._spec.shape[d] for d in order))
    inverse = tuple(sorted(range(len(order)), key=order.__getitem__))
    return builder.transpose(moved, inverse) if order != sorted(order) else moved


# Functions
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of elements that are not zero."""
    from ..creation import from_array

    x = input.reshape(1) if not input._spec.shape else input
    values = eager.mirrored("nonzero", x)[0] if modes.trace is None else needed_array(x)
    if values is None and input._spec.shape:
        mask = cast(input, i1)
        return positions(mask) if as_tuple else position_rows(mask)
    if values is None:
        raise untraceable(
            "a boolean mask as an index (or nonzero())",
            "its result has a shape that depends on values; use torch.where(mask, x, y), masked_fill or a product with "
            "the mask instead",
        )
    found = np.nonzero(values)
    if as_tuple:
        return tuple(from_array(part.astype(np.int64)) for part in found)
    columns = found if input._spec.shape else ()
    rows = len(found[0])
    stacked = np.stack(columns, 1) if columns else np.zeros((rows, 0))
    return from_array(stacked.astype(np.int64))


def iterate(self: Tensor) -> Any:
    """for row in tensor"""
    if not self._spec.shape:
        raise type_error("iteration over a 0-d tensor")
    return iter([select(self, 0, k) for k in range(self._spec.shape[0])])


def contains(self: Tensor, element: Any) -> bool:
    """element in tensor"""
    return bool((self == element).any())


FUNCTIONS: dict[str, Callable[..., Any]] = {"nonzero": nonzero}
METHODS: dict[str, Callable[..., Any]] = {
    "nonzero": nonzero,
    "__getitem__": getitem,
    "__setitem__": setitem,
    "__iter__": iterate,
    "__contains__": contains,
}

__all__ = ["FUNCTIONS", "METHODS"]
