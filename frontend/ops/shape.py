"""Shapes: views where PyTorch makes views, copies where it copies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

from ...dialects.hl import shape as s
from ..dispatch import apply
from ..errors import index_error, runtime_error, type_error
from ..tape import named
from ..tensor import Tensor
from .operands import expand_to


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
        values = cast(Sequence[Any], values[0])
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
    from .operands import common_shape

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


def atleast_nd(n: int) -> Callable[[Tensor], Tensor]:
    """With leading dimensions of extent 1 up to n dimensions."""
    return lambda input: reshaped(input, (1,) * (n - len(input._spec.shape)) + input._spec.shape)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{
        f.__name__: f
        for f in (
            *(
                broadcast_tensors,
                broadcast_to,
                flatten,
                movedim,
                narrow,
                permute,
                reshape,
                select,
                squeeze,
                t,
                transpose,
            ),
            *(unflatten, unsqueeze),
        )
    },
    "moveaxis": movedim,
    "swapaxes": transpose,
    "swapdims": transpose,
    "ravel": flatten,
    "atleast_1d": atleast_nd(1),
    "atleast_2d": atleast_nd(2),
}
METHODS: dict[str, Callable[..., Any]] = {
    **{name: function for name, function in FUNCTIONS.items() if name != "broadcast_tensors"},
    **{f.__name__: f for f in (expand, expand_as, reshape_as, view, view_as)},
}
PROPERTIES: dict[str, Callable[[Tensor], Tensor]] = {
    "T": lambda self: permute(self, tuple(reversed(range(len(self._spec.shape))))),
    "mT": lambda self: transpose(self, -2, -1),
    "H": lambda self: transpose(self, -2, -1),
}

__all__ = ["FUNCTIONS", "METHODS", "PROPERTIES"]
