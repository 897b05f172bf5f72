"""Shapes: views where PyTorch makes views, copies where it copies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

from ...dialects.hl import shape as s
from ..dispatch import apply
from ..errors import TYPE_NAMES, index_error, runtime_error, type_error
from ..tape import named
from ..tensor import Tensor
from .operands import expand_to


def axis(dim: Any, rank: int) -> int:
    """A dimension as a non-negative number. Raises IndexError where there is none such."""
    bound = rank or 1
    if type(dim) is not int:
        dim = _dimension(dim)
    if not -bound <= dim < bound:
        raise index_error(f"Dimension out of range (expected to be in range of [{-bound}, {bound - 1}], but got {dim})")
    return dim + bound if dim < 0 else dim


def _dimension(dim: Any) -> int:
    if isinstance(dim, bool):  # a mistaken keepdim, or a comparison: never a number
        raise type_error("argument 'dim' must be int, not bool")
    if isinstance(dim, int):
        return dim
    try:
        return dim.__index__()
    except AttributeError:
        raise type_error(f"argument 'dim' must be int, not {type(dim).__name__}") from None


def ints(values: Sequence[Any]) -> tuple[int, ...]:
    """f(1, 2) and f((1, 2)) alike."""
    if len(values) == 1 and isinstance(values[0], tuple | list):
        values = cast(Sequence[Any], values[0])
    return tuple([v if type(v) is int else _whole(v) for v in values])


def _whole(value: Any) -> int:
    if not hasattr(value, "__index__"):
        raise type_error(f"expected a tuple of ints, but found an element of type {type(value).__name__}")
    return value.__index__()


def resolved(shape: tuple[int, ...], old: tuple[int, ...]) -> tuple[int, ...]:
    """A shape in which -1 is what is left over."""
    total = math.prod(old)
    for at, n in enumerate(shape):
        if type(n) is int and n < -1:
            raise runtime_error(f"invalid shape dimension {n} at index {at} of shape {list(shape)}")
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


def numbers(name: str, given: tuple[Any, ...], key: str, options: dict[str, Any]) -> tuple[int, ...]:
    """f(1, 2), f((1, 2)) and f(key=(1, 2)) alike."""
    if not given:
        if list(options) != [key]:
            raise type_error(f'{name}() missing 1 required positional arguments: "{key}"')
        given = (options[key],)
    return ints(given)


def reshape(input: Tensor, *shape: Any, **options: Any) -> Tensor:
    """The elements in another shape: a view where possible, otherwise a copy."""
    return reshaped(input, numbers("reshape", shape, "shape", options))


def view(self: Tensor, *shape: Any, **options: Any) -> Tensor:
    """The same memory in another shape."""
    dtype = options.get("dtype", shape[0] if len(shape) == 1 else None)
    if dtype is self._spec.dtype:
        return reshaped(self, self._spec.shape)
    if dtype is not None and not isinstance(dtype, int | tuple | list):
        raise runtime_error("view(dtype) is not supported; use .to(dtype) to convert the values")
    new = resolved(numbers("view", shape, "size", options), self._spec.shape)
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
    return named(transpose(input, 0, 1) if rank == 2 else reshaped(input, input._spec.shape), "TBackward0")


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """Two dimensions exchanged."""
    return transpose(input, axis0, axis1)


def adjoint(input: Tensor) -> Tensor:
    """The transpose of a matrix, or of each in a batch."""
    return _matrix_transpose("adjoint()", input)


def _matrix_transpose(name: str, input: Tensor) -> Tensor:
    rank = len(input._spec.shape)
    if not rank:
        return reshaped(input, ())
    if rank < 2 or (rank > 2 and name == "tensor.H"):
        kinds = "matrices (2-D tensors)" if name == "tensor.H" else "matrices or batches of matrices"
        raise runtime_error(f"{name} is only supported on {kinds}. Got {rank}-D tensor.")
    return transpose(input, -2, -1)


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Dimensions moved to other places."""
    rank = len(input._spec.shape)
    sources, destinations = ints((source,)), ints((destination,))
    if len(sources) != len(destinations):
        raise runtime_error(
            f"movedim: Invalid source or destination dims: source ({list(sources)} dims) should contain the same "
            f"number of dims as destination ({list(destinations)} dims)"
        )
    from_, to = [axis(d, rank) for d in sources], [axis(d, rank) for d in destinations]
    for name, given, places in (("source", sources, from_), ("destination", destinations, to)):
        if len(set(places)) != len(places):
            raise runtime_error(f"movedim: repeated dim in `{name}` ({list(given)})")
    if not rank:
        return permute(input, ())
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


def ravel(input: Tensor) -> Tensor:
    """All elements along one dimension: a view where they lie row by row in memory, otherwise a copy."""
    return reshaped(input.contiguous(), (-1,))


def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """One dimension split into several."""
    shape = input._spec.shape
    d = axis(dim, len(shape))
    if not shape:
        raise runtime_error(f"unflatten: Dimension specified as {dim} but tensor has no dimensions")
    try:
        new = resolved(ints((sizes,)), (shape[d],))
    except RuntimeError:
        raise runtime_error(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {d} ({shape[d]}) in the "
            "input tensor"
        ) from None
    return reshaped(input, (*shape[:d], *new, *shape[d + 1 :]))


def distinct(dims: Sequence[int], rank: int) -> list[int]:
    """Dimensions as non-negative numbers. Raises RuntimeError for one that is named twice."""
    places = [axis(d, rank) for d in dims]
    for d in places:
        if places.count(d) > 1:
            raise runtime_error(f"dim {d} appears multiple times in the list of dims")
    return places


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without dimensions of extent 1."""
    shape = input._spec.shape
    if dim is None:
        dims = set(range(len(shape)))
    else:
        dims = distinct(ints((dim,)), len(shape))
    kept = tuple(n for d, n in enumerate(shape) if d not in dims or n != 1)
    return named(reshaped(input, kept), "SqueezeBackward0")


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With one more dimension, of extent 1."""
    shape = input._spec.shape
    d = axis(dim, len(shape) + 1)
    return named(reshaped(input, (*shape[:d], 1, *shape[d:])), "UnsqueezeBackward0")


def expand(self: Tensor, *sizes: Any, **options: Any) -> Tensor:
    """Extents of 1 repeated, without copying; -1 keeps an extent."""
    wanted = numbers("expand", sizes, "size", options)
    old = self._spec.shape
    if len(wanted) < len(old):
        raise runtime_error(
            f"expand(torch.{TYPE_NAMES[self._spec.dtype]}Tensor{{{list(old)}}}, size={list(wanted)}): the number of "
            f"sizes provided ({len(wanted)}) must be greater or equal to the number of dimensions in the "
            f"tensor ({len(old)})"
        )
    padded = (None,) * (len(wanted) - len(old)) + old
    shape: list[int] = []
    for d, (n, m) in enumerate(zip(wanted, padded)):
        if n == -1:
            if m is None:
                raise runtime_error(
                    f"The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension {d}"
                )
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


def broadcast_to(input: Tensor, *size: Any, **options: Any) -> Tensor:
    """expand"""
    return expand(input, *size, **options)


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
    if not input._spec.shape:
        raise runtime_error("narrow() cannot be applied to a 0-dim tensor.")
    d = axis(dim, len(input._spec.shape))
    n, start, length = input._spec.shape[d], int(start), int(length)
    if length < 0:
        raise runtime_error("narrow(): length must be non-negative.")
    if not -n <= start <= n:
        raise index_error(f"start out of range (expected to be in range of [{-n}, {n}], but got {start})")
    start = start + n if start < 0 else start
    if start + length > n:
        raise runtime_error(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return slice_along(input, d, start, start + length)


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


def _atleast(n: int, shape_of: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Callable[..., Any]:
    """With dimensions of extent 1 up to n dimensions; several tensors, or a sequence of them, give a tuple."""

    def function(*tensors: Any) -> Any:
        if len(tensors) == 1 and isinstance(tensors[0], Tensor):
            x = tensors[0]
            return reshaped(x, x._spec.shape if len(x._spec.shape) >= n else shape_of(x._spec.shape))
        many = cast("Sequence[Tensor]", tensors[0] if len(tensors) == 1 else tensors)
        return tuple(function(x) for x in many)

    function.__name__ = function.__qualname__ = f"atleast_{n}d"
    return function


atleast_1d = _atleast(1, lambda shape: (1,))
atleast_2d = _atleast(2, lambda shape: (1, *shape) if shape else (1, 1))
atleast_3d = _atleast(3, lambda shape: (1, *shape, 1) if len(shape) == 1 else (*shape, 1) if shape else (1, 1, 1))


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
    "swapaxes": swapaxes,
    "swapdims": transpose,
    "ravel": ravel,
    "adjoint": adjoint,
    "atleast_1d": atleast_1d,
    "atleast_2d": atleast_2d,
    "atleast_3d": atleast_3d,
}
METHODS: dict[str, Callable[..., Any]] = {
    **{name: function for name, function in FUNCTIONS.items() if name != "broadcast_tensors"},
    **{f.__name__: f for f in (expand, expand_as, reshape_as, view, view_as)},
}
PROPERTIES: dict[str, Callable[[Tensor], Tensor]] = {
    "T": lambda self: permute(self, tuple(reversed(range(len(self._spec.shape))))),
    "mT": lambda self: _matrix_transpose("tensor.mT", self),
    "mH": lambda self: _matrix_transpose("tensor.mH", self),
    "H": lambda self: _matrix_transpose("tensor.H", self) if self._spec.shape else self,
}

__all__ = ["FUNCTIONS", "METHODS", "PROPERTIES"]
