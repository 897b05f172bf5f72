"""Splitting, joining, repeating and rearranging tensors."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any
from typing import cast as typed

import numpy as np

from ...dialects.hl import shape as s
from ...dialects.types import i64
from .. import dispatch
from ..dispatch import apply, builder
from ..errors import located, runtime_error, type_error
from ..promotion import PROMOTED
from ..tensor import Tensor
from .operands import cast, expand_to, fitted
from .shape import axis, ints, movedim, reshaped, select, slice_along, unsqueeze


def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Parts of equal size, or of the sizes given, along a dimension."""
    d = axis(dim, len(tensor._spec.shape))
    n = tensor._spec.shape[d]
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        if size < 0 or (size == 0 and n):
            raise runtime_error(f"split expects split_size be non-negative, but got split_size={size}")
        sections = [min(size, n - at) for at in range(0, n, size or 1)] or [0]
    else:
        sections = list(split_size_or_sections)
        if sum(sections) != n:
            raise runtime_error(
                f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {d}), "
                f"but got split_sizes={sections}"
            )
    parts: list[Tensor] = []
    at = 0
    for size in sections:
        parts.append(slice_along(tensor, d, at, at + size))
        at += size
    return tuple(parts)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most so many parts of equal size."""
    if chunks <= 0:
        raise runtime_error(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    n = input._spec.shape[axis(dim, len(input._spec.shape))]
    return split(input, max(-(-n // chunks), 1), dim)


def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Parts as equal as possible, or cut at the indices given."""
    d = axis(dim, len(input._spec.shape))
    n = input._spec.shape[d]
    if isinstance(indices_or_sections, int):
        small, longer = divmod(n, indices_or_sections)
        return split(input, [small + (k < longer) for k in range(indices_or_sections)], d)
    cuts = [0, *(min(k, n) for k in indices_or_sections), n]
    return tuple(slice_along(input, d, a, max(a, b)) for a, b in itertools.pairwise(cuts))


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Each position along a dimension."""
    d = axis(dim, len(input._spec.shape))
    return tuple(select(input, d, k) for k in range(input._spec.shape[d]))


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors one after the other along a dimension."""
    parts: list[Any] = list(tensors)
    if not parts:
        raise located(ValueError, "torch.cat(): expected a non-empty list of Tensors")
    for k, part in enumerate(parts):
        if not isinstance(part, Tensor):
            raise type_error(f"expected Tensor as element {k} in argument 0, but got {type(part).__name__}")
    dtype = parts[0]._spec.dtype
    for part in parts:
        dtype = PROMOTED[dtype, part._spec.dtype]
    # As in PyTorch, an empty 1-d tensor fits anything.
    if any(part._spec.shape != (0,) for part in parts):
        parts = [part for part in parts if part._spec.shape != (0,)]
    rank = len(parts[0]._spec.shape)
    if rank == 0:
        raise runtime_error("zero-dimensional tensor (at position 0) cannot be concatenated")
    d = axis(dim, rank)
    first = parts[0]._spec.shape
    for k, part in enumerate(parts):
        shape = part._spec.shape
        if len(shape) != rank:
            raise runtime_error(f"Tensors must have same number of dimensions: got {rank} and {len(shape)}")
        for other, (m, n) in enumerate(zip(first, shape)):
            if m != n and other != d:
                raise runtime_error(
                    f"Sizes of tensors must match except in dimension {d}. Expected size {m} but got size {n} for "
                    f"tensor number {k} in the list."
                )
    return apply(s.ConcatOp, [cast(part, dtype) for part in parts], {"dimension": d})[0]


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors along a new dimension."""
    parts = list(tensors)
    if not parts:
        raise runtime_error("stack expects a non-empty TensorList")
    for k, part in enumerate(parts):
        if part._spec.shape != parts[0]._spec.shape:
            raise runtime_error(
                f"stack expects each tensor to be equal size, but got {list(parts[0]._spec.shape)} at entry 0 and "
                f"{list(part._spec.shape)} at entry {k}"
            )
    return cat([unsqueeze(part, dim) for part in parts], axis(dim, len(parts[0]._spec.shape) + 1))


def _stacked_along(d: int, at_least: int) -> Callable[[Sequence[Tensor]], Tensor]:
    def function(tensors: Sequence[Tensor]) -> Tensor:
        parts = [reshaped(x, (1,) * (at_least - len(x._spec.shape)) + x._spec.shape) for x in tensors]
        return cat(parts, min(d, len(parts[0]._spec.shape) - 1))

    return function


def repeat(self: Tensor, *sizes: Any) -> Tensor:
    """The tensor several times along each dimension."""
    times = ints(sizes)
    shape = self._spec.shape
    if len(times) < len(shape):
        raise runtime_error(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor"
        )
    padded = (1,) * (len(times) - len(shape)) + shape
    spread = tuple(n for pair in zip(times, padded) for n in pair)
    x = builder.broadcast(builder.reshape(self, padded), spread, tuple(range(1, 2 * len(padded), 2)))
    return owned(reshaped(x, tuple(a * b for a, b in zip(times, padded))))


def owned(x: Tensor) -> Tensor:
    """The tensor, copied where it is a view."""
    return x if x._view is None else x.clone()


def tile(input: Tensor, *dims: Any) -> Tensor:
    """repeat, with missing repetitions taken as 1"""
    times = ints(dims)
    return repeat(input, (1,) * (len(input._spec.shape) - len(times)) + times)


def repeat_interleave(input: Tensor, repeats: Any, dim: int | None = None) -> Tensor:
    """Each element several times, next to each other."""
    x = reshaped(input, (-1,)) if dim is None else input
    d = axis(0 if dim is None else dim, len(x._spec.shape))
    if isinstance(repeats, Tensor):
        from ..creation import from_array
        from .gathering import index_select

        counts = np.broadcast_to(np.asarray(repeats.tolist()), (x._spec.shape[d],))
        return index_select(x, d, from_array(np.repeat(np.arange(x._spec.shape[d]), counts)))
    shape = x._spec.shape
    spread = (*shape[: d + 1], repeats, *shape[d + 1 :])
    dimensions = tuple(k for k in range(len(spread)) if k != d + 1)
    return owned(reshaped(builder.broadcast(x, spread, dimensions), (*shape[:d], shape[d] * repeats, *shape[d + 1 :])))


def flip(input: Tensor, *axes: Any, dims: Any = ()) -> Tensor:
    """The opposite order along some dimensions, as a copy."""
    rank = len(input._spec.shape)
    dims = axes or (dims,)
    over = tuple(sorted(axis(d, rank) for d in ints(dims)))
    return apply(s.ReverseOp, (input,), {"dimensions": over})[0] if rank else input.clone()


def _flipped(d: int) -> Callable[[Tensor], Tensor]:
    return lambda input: flip(input, d)


def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Elements moved along dimensions; what leaves at one end enters at the other."""
    if dims is None:
        return reshaped(roll(reshaped(input, (-1,)), shifts, 0), input._spec.shape)
    steps = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    places = (dims,) if isinstance(dims, int) else tuple(dims)
    if len(steps) != len(places):
        raise runtime_error(f"shifts and dimensions must align. shifts: {len(steps)}, dims:{len(places)}")
    x = input
    for step, dim in zip(steps, places):
        d = axis(dim, len(input._spec.shape))
        n = input._spec.shape[d]
        cut = (-step) % n if n else 0
        if cut:
            x = cat([slice_along(x, d, cut, n), slice_along(x, d, 0, cut)], d)
    return x.clone() if x is input else x


def _triangle(name: str, predicate: Any) -> Callable[..., Tensor]:
    def function(input: Tensor, diagonal: int = 0) -> Tensor:
        shape = input._spec.shape
        if len(shape) < 2:
            raise runtime_error("tril/triu: input tensor must have at least 2 dimensions")
        rows = builder.iota(shape[-2:], i64, 0)
        columns = builder.iota(shape[-2:], i64, 1)
        inside = builder.compare(predicate, columns, builder.add(rows, dispatch.scalar(diagonal, shape[-2:], i64)))
        zero = dispatch.scalar(0, shape, input._spec.dtype)
        return builder.select(expand_to(inside, shape), input, zero)

    function.__name__ = function.__qualname__ = name
    return function


tril = _triangle("tril", "le")


triu = _triangle("triu", "ge")


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The elements where two indices are equal, as a copy along a last dimension."""
    rank = len(input._spec.shape)
    x = movedim(input, (dim1, dim2), (rank - 2, rank - 1))
    rows, columns = x._spec.shape[-2:]
    count = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    start = offset if offset >= 0 else -offset * columns
    flat = reshaped(x, (*x._spec.shape[:-2], rows * columns))
    stop = start + (count - 1) * (columns + 1) + 1 if count else start
    if count == 0:
        return slice_along(flat, rank - 2, 0, 0)
    return slice_along(flat, rank - 2, start, stop, columns + 1)


_diagonal = diagonal


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, or a matrix with this diagonal."""
    if len(input._spec.shape) == 2:
        return _diagonal(input, diagonal).clone()
    if len(input._spec.shape) != 1:
        raise runtime_error(f"diag(): Supports 1D or 2D tensors. Got {len(input._spec.shape)}D")
    n = input._spec.shape[0]
    size = n + abs(diagonal)
    rows, columns = (builder.iota((size, size), i64, k) for k in (0, 1))
    on = builder.compare("eq", columns, builder.add(rows, dispatch.scalar(diagonal, (size, size), i64)))
    low = (max(diagonal, 0),)
    zero: Any = 0.0 if input._spec.dtype.kind == "float" else 0
    values = builder.pad(input, low, (size - n - low[0],), (0,), zero)
    return builder.select(on, expand_to(values, (size, size)), fitted(0, (size, size), input._spec.dtype))


def pad_constant(x: Tensor, padding: Sequence[int], value: Any = 0) -> Tensor:
    """torch.nn.functional.pad with a constant: (low, high) pairs from the last dimension on."""
    rank = len(x._spec.shape)
    if len(padding) % 2 or len(padding) // 2 > rank:
        raise runtime_error("Padding length must be divisible by 2 and at most twice the number of dimensions")
    low, high = [0] * rank, [0] * rank
    for k in range(len(padding) // 2):
        low[rank - 1 - k], high[rank - 1 - k] = int(padding[2 * k]), int(padding[2 * k + 1])
    kind = x._spec.dtype.kind
    number: Any = float(value) if kind == "float" else int(value) if kind == "int" else bool(value)
    return apply(
        s.PadOp,
        (x,),
        {"low": tuple(low), "high": tuple(high), "interior": (0,) * rank, "value": number},
    )[0]


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Coordinates of a grid."""
    one = tensors[0] if len(tensors) == 1 else None
    parts: list[Tensor] = list(typed(Any, one)) if isinstance(one, (list, tuple)) else [*tensors]
    if indexing == "xy" and len(parts) > 1:
        x, y, *rest = meshgrid(parts[1], parts[0], *parts[2:])
        return y, x, *rest
    shape = tuple(math.prod(p._spec.shape) for p in parts)
    return tuple(builder.broadcast(reshaped(p, (-1,)), shape, (k,)) for k, p in enumerate(parts))


def unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of a size along a dimension, in a new last dimension."""
    d = axis(dimension, len(self._spec.shape))
    n = self._spec.shape[d]
    if size > n:
        raise runtime_error(f"maximum size for tensor at dimension {d} is {n} but size is {size}")
    starts = range(0, n - size + 1, step)
    windows = stack([slice_along(self, d, a, a + size) for a in starts], d)
    return movedim(windows, d + 1, -1)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{
        f.__name__: f
        for f in (
            *(
                cat,
                chunk,
                diag,
                diagonal,
                flip,
                meshgrid,
                repeat_interleave,
                roll,
                split,
                stack,
                tensor_split,
                tile,
                tril,
            ),
            *(triu, unbind),
        )
    },
    "concat": cat,
    "concatenate": cat,
    "hstack": _stacked_along(1, 1),
    "vstack": _stacked_along(0, 2),
    "fliplr": _flipped(1),
    "flipud": _flipped(0),
}
_NOT_METHODS = ("cat", "concat", "concatenate", "stack", "meshgrid", "hstack", "vstack")
METHODS: dict[str, Callable[..., Any]] = {
    **{name: function for name, function in FUNCTIONS.items() if name not in _NOT_METHODS},
    "repeat": repeat,
    "unfold": unfold,
}
IN_PLACE = ("tril", "triu")

__all__ = ["FUNCTIONS", "IN_PLACE", "METHODS", "pad_constant"]
