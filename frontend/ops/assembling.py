"""Copies with a part replaced, and tensors put together of smaller ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...dialects.types import i64
from ..creation import from_array, zeros
from ..dispatch import builder, scalar
from ..errors import runtime_error, type_error
from ..promotion import PROMOTED
from ..size import Size
from ..tensor import Tensor
from .arithmetic import FUNCTIONS as ARITHMETIC
from .families import GENERATED
from .gathering import index_select
from .in_place import copy_
from .indexing import nonzero
from .joining import cat, diag, diagonal, stack
from .operands import cast
from .shape import axis, narrow, reshaped, select, slice_along, unsqueeze

# Parts replaced


def _replaced(input: Tensor, src: Tensor, part_of: Callable[[Tensor], Tensor]) -> Tensor:
    """A copy of the input in which a view of it has other values."""
    result = input.clone()
    part = part_of(result)
    if part._spec.shape != src._spec.shape:
        raise runtime_error(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(src._spec.shape)}, slice size = {list(part._spec.shape)}"
        )
    copy_(part, src)
    return result


def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """A copy in which input[..., start:end:step, ...] is `src`."""
    d = axis(dim, len(input._spec.shape))
    first, last, _ = slice(start, end, 1).indices(input._spec.shape[d])
    return _replaced(input, src, lambda x: slice_along(x, d, first, max(first, last), step))


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy in which one position along a dimension is `src`."""
    return _replaced(input, src, lambda x: select(x, dim, index))


def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy with `src` on a diagonal."""
    return _replaced(input, src, lambda x: diagonal(x, offset, dim1, dim2))


def narrow_copy(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """narrow, in memory of its own"""
    return narrow(input, dim, start, length).clone()


# Matrices


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A matrix with all elements on a diagonal."""
    return diag(reshaped(input, (-1,)), offset)


def block_diag(*tensors: Tensor) -> Tensor:
    """A matrix with these along its diagonal, zeros elsewhere."""
    if not tensors:
        return zeros(1, 0)
    blocks: list[Tensor] = []
    for number, x in enumerate(tensors):
        rank = len(x._spec.shape)
        if rank > 2:
            raise runtime_error(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {number} has {rank} dimensions"
            )
        blocks.append(reshaped(x, (1,) * (2 - rank) + x._spec.shape))
    dtype = blocks[0]._spec.dtype
    for x in blocks:
        dtype = PROMOTED[dtype, x._spec.dtype]
    width = sum(x._spec.shape[1] for x in blocks)
    zero: Any = {"float": 0.0, "int": 0, "bool": False}[dtype.kind]
    rows: list[Tensor] = []
    at = 0
    for x in blocks:
        columns = x._spec.shape[1]
        rows.append(builder.pad(cast(x, dtype), (0, at), (0, width - at - columns), (0, 0), zero))
        at += columns
    return cat(rows)


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of each element, a row each."""
    if len(x._spec.shape) != 1:
        raise runtime_error("x must be a one-dimensional tensor.")
    count = x._spec.shape[0] if N is None else N
    if count < 0:
        raise runtime_error("N must be non-negative.")
    powers = builder.iota((count,), i64, 0)
    if not increasing:
        powers = builder.sub(scalar(count - 1, (count,), i64), powers)
    return ARITHMETIC["pow"](unsqueeze(x, 1), powers)


# Choices and places


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All ways to choose r elements of a vector, a row each."""
    if len(input._spec.shape) != 1:
        raise runtime_error(f"Expect a 1D vector, but got shape {list(input._spec.shape)}")
    if r < 0:
        raise runtime_error(f"Expect a non-negative number, but got {r}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    if not r:
        return input.new_zeros(0)
    rows = np.array(list(choose(range(input._spec.shape[0]), r)), np.int64).reshape(-1, r)
    return reshaped(index_select(input, 0, from_array(rows.reshape(-1))), rows.shape)


def argwhere(input: Tensor) -> Tensor:
    """The indices of elements that are not zero, a row each."""
    return nonzero(input)


def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """The index along each dimension of a shape, of places counted row by row."""
    if indices._spec.dtype.kind != "int":
        raise type_error(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    indices = cast(indices, i64)
    extents = (shape,) if isinstance(shape, int) else tuple(shape)
    steps = [math.prod(extents[d + 1 :]) for d in range(len(extents))]
    places = [GENERATED["floor_divide"](indices, step) for step in steps]
    return tuple(GENERATED["remainder"](place, n) for place, n in zip(places, extents))


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that all of these broadcast to."""
    result: list[int] = []
    for number, shape in enumerate(shapes):
        given: Sequence[int] = (shape,) if isinstance(shape, int) else tuple(shape)
        result = [1] * (len(given) - len(result)) + result
        for back, n in enumerate(reversed(given), 1):
            if n != 1 and result[-back] not in (1, n):
                raise runtime_error(
                    f"Attempting to broadcast a dimension of length {n} at {-back}! Mismatching argument at index "
                    f"{number} had {tuple(given)}; but expected shape should be broadcastable to {result}"
                )
            result[-back] = n if n != 1 else result[-back]
    return Size(result)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of elements of some vectors, a row each."""
    for x in tensors:
        if len(x._spec.shape) != 1:
            raise runtime_error(f"Expect a 1D vector, but got shape {list(x._spec.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    sizes = tuple(x.numel() for x in tensors)
    return stack(
        [reshaped(builder.broadcast(reshaped(x, (-1,)), sizes, (d,)), (-1,)) for d, x in enumerate(tensors)], 1
    )


_METHODS = (argwhere, diagflat, diagonal_scatter, narrow_copy, select_scatter, slice_scatter)
METHODS: dict[str, Callable[..., Any]] = {f.__name__: f for f in _METHODS}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (*_METHODS, block_diag, broadcast_shapes, cartesian_prod, combinations, unravel_index, vander)
}

__all__ = ["FUNCTIONS", "METHODS"]
