"""Joining, repeating and rearranging tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from typing import cast as typed

import numpy as np

from ...dialects.hl import shape as s
from ...dialects.hl import window as w
from ...dialects.types import i32, i64
from .. import dispatch
from ..dispatch import apply, builder
from ..errors import TYPE_NAMES, located, runtime_error, type_error
from ..promotion import PROMOTED
from ..tensor import Tensor
from .operands import cast, expand_to, fitted
from .shape import axis, distinct, ints, movedim, numbers, reshaped, slice_along, unsqueeze
from .splitting import known


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors one after the other along a dimension."""
    parts = _members("cat", tensors)
    if not parts:
        raise located(ValueError, "torch.cat(): expected a non-empty list of Tensors")
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


def _members(name: str, tensors: Any) -> list[Tensor]:
    """What is in a list of tensors."""
    if not isinstance(tensors, Iterable) or isinstance(tensors, Tensor):
        kind = type(typed(Any, tensors)).__name__
        raise type_error(f"{name}(): argument 'tensors' must be tuple of Tensors, not {kind}")
    members = list(typed("Iterable[Any]", tensors))
    for k, member in enumerate(members):
        if not isinstance(member, Tensor):
            raise type_error(f"expected Tensor as element {k} in argument 0, but got {type(member).__name__}")
    return members


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors along a new dimension."""
    parts = _members("stack", tensors)
    if not parts:
        raise runtime_error("stack expects a non-empty TensorList")
    for k, part in enumerate(parts):
        if part._spec.shape != parts[0]._spec.shape:
            raise runtime_error(
                f"stack expects each tensor to be equal size, but got {list(parts[0]._spec.shape)} at entry 0 and "
                f"{list(part._spec.shape)} at entry {k}"
            )
    return cat([unsqueeze(part, dim) for part in parts], axis(dim, len(parts[0]._spec.shape) + 1))


def _stacked_along(name: str, d: int, at_least: int) -> Callable[[Sequence[Tensor]], Tensor]:
    def function(tensors: Sequence[Tensor]) -> Tensor:
        if not len(tensors):
            raise runtime_error(f"{name} expects a non-empty TensorList")
        parts = [reshaped(x, (1,) * (at_least - len(x._spec.shape)) + x._spec.shape) for x in tensors]
        return cat(parts, min(d, len(parts[0]._spec.shape) - 1))

    function.__name__ = function.__qualname__ = name
    return function


def repeat(self: Tensor, *sizes: Any, **options: Any) -> Tensor:
    """The tensor several times along each dimension."""
    times = numbers("repeat", sizes, "repeats", options)
    shape = self._spec.shape
    if len(times) < len(shape):
        raise runtime_error(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor"
        )
    padded = (1,) * (len(times) - len(shape)) + shape
    if min(times, default=0) < 0:
        whole = [a * b for a, b in zip(times, padded)]
        raise runtime_error(f"Trying to create tensor with negative dimension {min(whole)}: {whole}")
    spread = tuple(n for pair in zip(times, padded) for n in pair)
    x = builder.broadcast(builder.reshape(self, padded), spread, tuple(range(1, 2 * len(padded), 2)))
    return owned(reshaped(x, tuple(a * b for a, b in zip(times, padded))))


def owned(x: Tensor) -> Tensor:
    """The tensor, copied where it is a view."""
    return x if x._view is None else x.clone()


def unshared(x: Tensor, source: Tensor) -> Tensor:
    """The result of a function that is no view, copied where it shares memory with what it was computed from."""
    return x.clone() if x._storage is source._storage else x


def tile(input: Tensor, *reps: Any, **options: Any) -> Tensor:
    """repeat, with missing repetitions taken as 1"""
    times = numbers("tile", reps, "dims", options)
    return repeat(input, (1,) * (len(input._spec.shape) - len(times)) + times)


def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each element several times, next to each other; of numbers alone, each place as often as its number says."""
    if repeats is None:
        if len(input._spec.shape) != 1:
            raise runtime_error("repeat_interleave only accept 1D vector as repeat")
        _check_repeats(input)
        input, repeats, dim = builder.iota(input._spec.shape, input._spec.dtype, 0), input, 0
    x = reshaped(input, (-1,)) if dim is None else input
    d = axis(0 if dim is None else dim, len(x._spec.shape))
    shape = x._spec.shape
    if isinstance(repeats, Tensor):
        from ..creation import from_array
        from .gathering import index_select

        _check_repeats(repeats)
        if len(repeats._spec.shape) > 1:
            raise runtime_error("repeats must be 0-dim or 1-dim tensor")
        counts = known("repeat_interleave", repeats).reshape(-1)
        if counts.size not in (1, shape[d]):
            raise runtime_error(
                f"repeats must have the same size as input along dim, but got repeats.size(0) = {counts.size} and "
                f"input.size({d}) = {shape[d]}"
            )
        if (counts < 0).any():
            raise runtime_error("repeats can not be negative")
        return index_select(x, d, from_array(np.repeat(np.arange(shape[d]), np.broadcast_to(counts, (shape[d],)))))
    if repeats < 0:
        raise runtime_error("Repeats must be non-negative")
    spread = (*shape[: d + 1], repeats, *shape[d + 1 :])
    dimensions = tuple(k for k in range(len(spread)) if k != d + 1)
    return owned(reshaped(builder.broadcast(x, spread, dimensions), (*shape[:d], shape[d] * repeats, *shape[d + 1 :])))


def _check_repeats(repeats: Tensor) -> None:
    if repeats._spec.dtype not in (i64, i32):
        raise located(
            NotImplementedError, f"\"repeat_interleave_cpu\" not implemented for '{TYPE_NAMES[repeats._spec.dtype]}'"
        )


def flip(input: Tensor, *axes: Any, dims: Any = ()) -> Tensor:
    """The opposite order along some dimensions, as a copy."""
    rank = len(input._spec.shape)
    dims = axes or (dims,)
    over = tuple(sorted(distinct(ints(dims), rank)))
    return apply(s.ReverseOp, (input,), {"dimensions": over})[0] if rank else input.clone()


def _flipped(name: str, d: int) -> Callable[[Tensor], Tensor]:
    def function(input: Tensor) -> Tensor:
        if len(input._spec.shape) <= d:
            raise runtime_error(f"Input must be >= {d + 1}-d.")
        return flip(input, d)

    function.__name__ = function.__qualname__ = name
    return function


def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Elements moved along dimensions; what leaves at one end enters at the other."""
    if dims is None:
        if not isinstance(shifts, int) and len(shifts) != 1:
            raise runtime_error(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:0")
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
            raise runtime_error(f"{name}: input tensor must have at least 2 dimensions")
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
    """The elements where two indices are equal, along a last dimension: a view."""
    rank = len(input._spec.shape)
    a, b = axis(dim1, rank), axis(dim2, rank)
    if a == b:
        raise runtime_error(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return apply(s.DiagonalOp, (movedim(input, (a, b), (rank - 2, rank - 1)),), {"offset": offset})[0]


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
    if indexing not in ("ij", "xy"):
        raise runtime_error(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    one = tensors[0] if len(tensors) == 1 else None
    parts: list[Tensor] = list(typed(Any, one)) if isinstance(one, (list, tuple)) else [*tensors]
    if indexing == "xy" and len(parts) > 1:
        x, y, *rest = meshgrid(parts[1], parts[0], *parts[2:])
        return y, x, *rest
    for part in parts:
        if len(part._spec.shape) > 1:
            raise runtime_error(
                "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: a tensor of shape "
                f"{list(part._spec.shape)}"
            )
    shape = tuple(math.prod(p._spec.shape) for p in parts)
    return tuple(builder.broadcast(reshaped(p, (-1,)), shape, (k,)) for k, p in enumerate(parts))


def unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of a size along a dimension, in a new last dimension: a view."""
    d = axis(dimension, len(self._spec.shape))
    shape = self._spec.shape or (1,)
    if size < 0:
        raise runtime_error(f"size is {size} but must be >= 0")
    if step <= 0:
        raise runtime_error(f"step is {step} but must be > 0")
    if size > shape[d]:
        raise runtime_error(f"maximum size for tensor at dimension {d} is {shape[d]} but size is {size}")
    if not size:
        found = (*shape[:d], shape[d] // step + 1, *shape[d + 1 :], 0)
        return dispatch.scalar(0, found if self._spec.shape else (0,), self._spec.dtype).clone()
    windows = apply(w.WindowsOp, (reshaped(self, shape),), {"dimension": d, "size": size, "step": step})[0]
    return windows if self._spec.shape else reshaped(windows, (1,))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{
        f.__name__: f
        for f in (
            *(
                cat,
                diag,
                diagonal,
                flip,
                meshgrid,
                repeat_interleave,
                roll,
                stack,
                tile,
                tril,
            ),
            *(triu,),
        )
    },
    "concat": cat,
    "concatenate": cat,
    "hstack": _stacked_along("hstack", 1, 1),
    "row_stack": _stacked_along("vstack", 0, 2),
    "vstack": _stacked_along("vstack", 0, 2),
    "fliplr": _flipped("fliplr", 1),
    "flipud": _flipped("flipud", 0),
}
_NOT_METHODS = ("cat", "concat", "concatenate", "stack", "meshgrid", "hstack", "row_stack", "vstack")
METHODS: dict[str, Callable[..., Any]] = {
    **{name: function for name, function in FUNCTIONS.items() if name not in _NOT_METHODS},
    "repeat": repeat,
    "unfold": unfold,
}
IN_PLACE = ("tril", "triu")

__all__ = ["FUNCTIONS", "IN_PLACE", "METHODS", "pad_constant"]
