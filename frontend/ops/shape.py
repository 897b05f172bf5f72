"""Shapes: views where PyTorch makes views, copies where it copies."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...dialects.hl import shape as s
from ...dialects.types import i64
from .. import dispatch
from ..dispatch import apply, builder
from ..errors import index_error, located, runtime_error, type_error
from ..promotion import PROMOTED
from ..tape import named
from ..tensor import Tensor
from .elementwise import cast, expand_to, fitted


def axis(dim: Any, rank: int) -> int:
    """A dimension as a non-negative number. Raises IndexError where there is none such."""
    bound = rank or 1
    if not isinstance(dim, int):
        try:
            dim = dim.__index__()
        except AttributeError:
            raise type_error(f"argument 'dim' must be int, not {type(dim).__name__}") from None
    if not -bound <= dim < bound:
        raise index_error(f"Dimension out of range (expected to be in range of [{-bound}, {bound - 1}], but got {dim})")
    return dim + bound if dim < 0 else dim


def ints(values: Sequence[Any]) -> tuple[int, ...]:
    """f(1, 2) and f((1, 2)) alike."""
    if len(values) == 1 and isinstance(values[0], tuple | list):
        values = values[0]
    return tuple([v if type(v) is int else v.__index__() for v in values])


def resolved(shape: tuple[int, ...], old: tuple[int, ...]) -> tuple[int, ...]:
    """A shape in which -1 is what is left over."""
    total = math.prod(old)
    if -1 in shape:
        if shape.count(-1) > 1:
            raise runtime_error("only one dimension can be inferred")
        rest = -math.prod(shape)
        if rest == 0 and total == 0:
            raise runtime_error(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension "
                "size -1 can be any value and is ambiguous"
            )
        if rest <= 0 or total % rest:
            raise runtime_error(f"shape '{list(shape)}' is invalid for input of size {total}")
        return tuple(total // rest if n == -1 else n for n in shape)
    if math.prod(shape) != total or min(shape, default=0) < 0:
        raise runtime_error(f"shape '{list(shape)}' is invalid for input of size {total}")
    return shape


def reshaped(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The elements in another shape; a view where possible."""
    old = x._spec.shape
    if -1 in shape or shape != old:
        shape = resolved(shape, old)
    return apply(s.ReshapeOp, (x,), {"shape": shape})[0]


def reshape(input: Tensor, *shape: Any, **options: Any) -> Tensor:
    """The elements in another shape: a view where possible, otherwise a copy."""
    return reshaped(input, ints(shape or (options["shape"],)))


def view(self: Tensor, *shape: Any) -> Tensor:
    """The same memory in another shape."""
    if len(shape) == 1 and not isinstance(shape[0], int | tuple | list):
        raise runtime_error("view(dtype) is not supported; use .to(dtype) to convert the values")
    new = resolved(ints(shape), self._spec.shape)
    found = apply(s.ReshapeOp, (self,), {"shape": new})[0]
    if found._storage is not self._storage:
        raise runtime_error(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            "contiguous subspaces). Use .reshape(...) instead."
        )
    return found


def view_as(self: Tensor, other: Tensor) -> Tensor:
    """view with the shape of another tensor"""
    return view(self, other._spec.shape)


def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """reshape to the shape of another tensor"""
    return reshaped(self, other._spec.shape)


def permute(input: Tensor, *axes: Any, dims: Any = ()) -> Tensor:
    """The dimensions in another order."""
    rank = len(input._spec.shape)
    order = ints(axes or (dims,))
    if len(order) != rank:
        raise runtime_error(
            f"permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {rank} is not equal to len(dims) = {len(order)}"
        )
    permutation = tuple(axis(d, rank) for d in order)
    if len(set(permutation)) != rank:
        raise runtime_error("permute(): duplicate dims are not allowed.")
    return named(apply(s.TransposeOp, (input,), {"permutation": permutation})[0], "PermuteBackward0")


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged."""
    rank = len(input._spec.shape)
    a, b = axis(dim0, rank), axis(dim1, rank)
    order = list(range(rank))
    if rank:
        order[a], order[b] = b, a
    return apply(s.TransposeOp, (input,), {"permutation": tuple(order)})[0]


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix."""
    rank = len(input._spec.shape)
    if rank > 2:
        raise runtime_error(f"t() expects a tensor with <= 2 dimensions, but self is {rank}D")
    return named(transpose(input, 0, 1), "TBackward0") if rank == 2 else input


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Dimensions moved to other places."""
    rank = len(input._spec.shape)
    from_ = [axis(d, rank) for d in ((source,) if isinstance(source, int) else source)]
    to = [axis(d, rank) for d in ((destination,) if isinstance(destination, int) else destination)]
    order: list[int] = [-1] * rank
    for a, b in zip(from_, to):
        order[b] = a
    rest = iter(d for d in range(rank) if d not in from_)
    return permute(input, tuple(next(rest) if d == -1 else d for d in order))


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Some dimensions joined to one."""
    shape = input._spec.shape
    first, last = axis(start_dim, len(shape)), axis(end_dim, len(shape))
    if first > last:
        raise runtime_error("flatten() has invalid args: start_dim cannot come after end_dim")
    if first == last and shape:
        return input
    return reshaped(input, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """One dimension split into several."""
    shape = input._spec.shape
    d = axis(dim, len(shape))
    return reshaped(input, (*shape[:d], *resolved(tuple(sizes), (shape[d],)), *shape[d + 1 :]))


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without dimensions of extent 1."""
    shape = input._spec.shape
    if dim is None:
        dims = set(range(len(shape)))
    else:
        dims = {axis(d, len(shape)) for d in ((dim,) if isinstance(dim, int) else dim)}
    kept = tuple(n for d, n in enumerate(shape) if d not in dims or n != 1)
    return named(reshaped(input, kept), "SqueezeBackward0")


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With one more dimension, of extent 1."""
    shape = input._spec.shape
    d = axis(dim, len(shape) + 1)
    return named(reshaped(input, (*shape[:d], 1, *shape[d:])), "UnsqueezeBackward0")


def expand(self: Tensor, *sizes: Any) -> Tensor:
    """Extents of 1 repeated, without copying; -1 keeps an extent."""
    wanted = ints(sizes)
    old = self._spec.shape
    if len(wanted) < len(old):
        raise runtime_error(
            f"expand(irtool.Tensor{list(old)}, size={list(wanted)}): the number of sizes provided ({len(wanted)}) must "
            f"be greater or equal to the number of dimensions in the tensor ({len(old)})"
        )
    padded = (None,) * (len(wanted) - len(old)) + old
    shape: list[int] = []
    for d, (n, m) in enumerate(zip(wanted, padded)):
        if n == -1 and m is not None:
            n = m
        if n < 0 or (m is not None and m not in (1, n)):
            raise runtime_error(
                f"The expanded size of the tensor ({n}) must match the existing size ({m}) at non-singleton dimension "
                f"{d}.  Target sizes: {list(wanted)}.  Tensor sizes: {list(old)}"
            )
        shape.append(n)
    return expand_to(self, tuple(shape))


def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """expand to the shape of another tensor"""
    return expand(self, other._spec.shape)


def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """expand"""
    return expand(input, size)


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All tensors expanded to their common shape."""
    from .elementwise import common_shape

    shape = common_shape(*tensors)
    return tuple(expand_to(x, shape) for x in tensors)


def slice_along(x: Tensor, d: int, start: int, stop: int, step: int = 1) -> Tensor:
    """x[..., start:stop:step, ...]"""
    shape = x._spec.shape
    low, high, steps = [0] * len(shape), list(shape), [1] * len(shape)
    low[d], high[d], steps[d] = start, stop, step
    return apply(s.SliceOp, (x,), {"start": tuple(low), "stop": tuple(high), "step": tuple(steps)})[0]


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """`length` elements along a dimension."""
    n = input._spec.shape[axis(dim, len(input._spec.shape))]
    start = start + n if start < 0 else start
    if length < 0 or start + length > n:
        raise runtime_error(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return slice_along(input, axis(dim, len(input._spec.shape)), start, start + length)


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One position along a dimension, which is dropped."""
    shape = input._spec.shape
    if not shape:
        raise index_error("select() cannot be applied to a 0-dim tensor.")
    d = axis(dim, len(shape))
    at = index + shape[d] if index < 0 else index
    if not 0 <= at < shape[d]:
        raise index_error(f"select(): index {index} out of range for tensor of size {list(shape)} at dimension {d}")
    return named(reshaped(slice_along(input, d, at, at + 1), shape[:d] + shape[d + 1 :]), "SelectBackward0")


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


def cat(tensors: Sequence[Tensor], dim: int = 0, **options: Any) -> Tensor:
    """The tensors one after the other along a dimension."""
    dim = options.get("axis", dim)
    parts = list(tensors)
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
        from .indexing import index_select

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
    return apply(s.ReverseOp, (input,), {"dimensions": tuple(sorted(axis(d, rank) for d in ints(dims)))})[0]


def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Elements moved along dimensions; what leaves at one end enters at the other."""
    if dims is None:
        return reshaped(roll(reshaped(input, (-1,)), shifts, 0), input._spec.shape)
    steps = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    places = (dims,) if isinstance(dims, int) else tuple(dims)
    for step, dim in zip(steps, places):
        d = axis(dim, len(input._spec.shape))
        n = input._spec.shape[d]
        cut = (-step) % n if n else 0
        if cut:
            input = cat([slice_along(input, d, cut, n), slice_along(input, d, 0, cut)], d)
    return input


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


def atleast_nd(n: int) -> Callable[[Tensor], Tensor]:
    """With leading dimensions of extent 1 up to n dimensions."""
    return lambda input: reshaped(input, (1,) * (n - len(input._spec.shape)) + input._spec.shape)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Coordinates of a grid."""
    parts = list(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else list(tensors)
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
            broadcast_tensors,
            broadcast_to,
            cat,
            chunk,
            diag,
            diagonal,
            flatten,
            flip,
            meshgrid,
            movedim,
            narrow,
            permute,
            repeat_interleave,
            reshape,
            roll,
            select,
            split,
            squeeze,
            stack,
            t,
            tensor_split,
            tile,
            transpose,
            tril,
            triu,
            unbind,
            unflatten,
            unsqueeze,
        )
    },
    "concat": cat,
    "concatenate": cat,
    "moveaxis": movedim,
    "swapaxes": transpose,
    "swapdims": transpose,
    "ravel": flatten,
    "hstack": _stacked_along(1, 1),
    "vstack": _stacked_along(0, 2),
    "fliplr": lambda input: flip(input, 1),
    "flipud": lambda input: flip(input, 0),
    "atleast_1d": atleast_nd(1),
    "atleast_2d": atleast_nd(2),
}
_NOT_METHODS = ("broadcast_tensors", "cat", "concat", "concatenate", "stack", "meshgrid", "hstack", "vstack")
METHODS: dict[str, Callable[..., Any]] = {
    **{name: function for name, function in FUNCTIONS.items() if name not in _NOT_METHODS},
    **{f.__name__: f for f in (expand, expand_as, repeat, reshape_as, unfold, view, view_as)},
}
PROPERTIES: dict[str, Callable[[Tensor], Tensor]] = {
    "T": lambda self: permute(self, tuple(reversed(range(len(self._spec.shape))))),
    "mT": lambda self: transpose(self, -2, -1),
    "H": lambda self: transpose(self, -2, -1),
}
IN_PLACE = ("tril", "triu")

__all__ = ["FUNCTIONS", "IN_PLACE", "METHODS", "PROPERTIES"]
