"""Writes, sums and other reductions at places along a dimension."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from ...dialects.hl import shape as s
from ...dialects.types import i1, i32, i64, u8
from ..dispatch import apply, builder, scalar
from ..errors import TYPE_NAMES, index_error, located, runtime_error
from ..tensor import Tensor
from .checks import check_index, check_range
from .gathering import check_element_index, check_places, check_rows, cropped, rows_along, unrows
from .in_place import copy_, expanded
from .index_parts import basic, parts_of
from .indexing import check_put, scattered, setitem, successive, without_masks
from .operands import cast, common_shape, expand_to
from .segments import added, reduced_at
from .shape import axis, reshaped


def _along(name: str, input: Tensor, dim: int, index: Tensor, src: Tensor) -> int:
    """The dimension, after checking that everything fits."""
    d = axis(dim, len(input._spec.shape))
    check_element_index(name, input, d, index)
    if src._spec.dtype is not input._spec.dtype:
        raise runtime_error(f"{name}(): Expected self.dtype to be equal to src.dtype")
    if any(m > n for m, n in zip(index._spec.shape, src._spec.shape)):
        raise runtime_error(
            f"Expected index {list(index._spec.shape)} to be no larger than self {list(input._spec.shape)} apart from "
            f"dimension {d} and to be no larger size than src {list(src._spec.shape)}"
        )
    return d


Combine = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(targets [rows, n], places [rows, k], updates [rows, k]) -> the new targets."""


def _written(name: str, input: Tensor, dim: int, index: Tensor, src: Tensor, combine: Combine) -> Tensor:
    """Every scatter: rows along the dimension, and only as many of them as the index has."""
    if not input._spec.shape or not index._spec.shape:
        vector = [x if x._spec.shape else reshaped(x, (1,)) for x in (input, index, src)]
        return reshaped(_written(name, vector[0], dim, vector[1], vector[2], combine), input._spec.shape)
    if 0 in index._spec.shape:
        return input.clone()
    d = _along(name, input, dim, index, src)
    shape = index._spec.shape
    part = cropped(input, shape, d)
    updates = rows_along(cropped(src, shape, -1), d)
    new = combine(rows_along(part, d), rows_along(index, d), updates)
    return _replaced(input, unrows(new, part._spec.shape, d))


def _replaced(input: Tensor, corner: Tensor) -> Tensor:
    """input with its first elements along every dimension replaced."""
    if corner._spec.shape == input._spec.shape:
        return corner
    result = input.clone()
    stop = corner._spec.shape
    view = apply(s.SliceOp, (result,), {"start": (0,) * len(stop), "stop": stop, "step": (1,) * len(stop)})[0]
    copy_(view, corner)
    return result


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """input with src[i][j][k] added at [index[i][j][k]][j][k], for dim 0"""
    return _written("scatter", input, dim, index, src, lambda x, at, y: added(x, at, y, 1, 1))


def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Tensor:
    """input with src[i][j][k] written at [index[i][j][k]][j][k], for dim 0; with reduce="add" or "multiply" combined"""
    number = value if src is None else src
    source = number if isinstance(number, Tensor) else scalar(number, (), input._spec.dtype)
    if not source._spec.shape:
        source = expand_to(source, index._spec.shape)
    if reduce is None:
        return _written("scatter", input, dim, index, source, lambda x, at, y: builder.scatter(x, at, y, 1, 1))
    if reduce not in _REDUCE:
        raise runtime_error("reduce argument must be either add or multiply.")
    return scatter_reduce(input, dim, index, source, _REDUCE[reduce])


_REDUCE = {"add": "sum", "multiply": "prod"}


def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """input with src[i][j][k] reduced into [index[i][j][k]][j][k], for dim 0.

    reduce is "sum", "prod", "mean", "amax" or "amin"; without `include_self` the element itself has no say where
    something is reduced into it.
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise runtime_error(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    if reduce == "mean" and input._spec.dtype is i1:
        raise located(NotImplementedError, "\"div_floor_cpu\" not implemented for 'Bool'")
    return _written("scatter", input, dim, index, src, lambda x, at, y: reduced_at(x, at, y, reduce, include_self))


# By slices


def _slices(name: str, input: Tensor, dim: int, index: Tensor, source: Tensor, wrong: Any = runtime_error) -> int:
    """The dimension, after checking that the source has a slice for every place."""
    d = axis(dim, len(input._spec.shape))
    shape = source._spec.shape
    count = index.numel()
    length = shape[d] if shape else 1
    if count != length:
        colon = ":" if name == "index_add_" else ""
        tail = f", for dim: {d}" if name == "index_add_" else ""
        raise wrong(
            f"{name}(): Number of indices ({count}) should be equal to source.size(dim){colon} ({length}){tail}"
        )
    return d


def _check_vector(name: str, index: Tensor) -> None:
    """Raises unless an index of slices is a row of whole numbers."""
    kind = TYPE_NAMES[index._spec.dtype]
    if index._spec.dtype not in (i64, i32):
        raise runtime_error(f"{name}(): Expected dtype int32/int64 for index but got: {kind}")
    if len(index._spec.shape) > 1:
        raise index_error(
            f"{name}(): Index is supposed to be a vector, but got dim: {len(index._spec.shape)} with type: {kind} and "
            f"size: {list(index._spec.shape)}"
        )


def _of_vectors(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function for tensors without dimensions too, which are like vectors of one element."""

    @wraps(function)
    def method(input: Tensor, dim: int, index: Tensor, *args: Any, **options: Any) -> Tensor:
        if input._spec.shape:
            return function(input, dim, index, *args, **options)
        given = [_vector(x) for x in args]
        named = {name: _vector(x) for name, x in options.items()}
        return reshaped(function(_vector(input), axis(dim, 0), reshaped(index, (-1,)), *given, **named), ())

    return method


def _vector(x: Any) -> Any:
    return reshaped(x, (1,)) if isinstance(x, Tensor) and not x._spec.shape else x


@_of_vectors
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """input with the slices of `source` added at the given positions along a dimension"""
    if source._spec.dtype is not input._spec.dtype:
        names = TYPE_NAMES[input._spec.dtype], TYPE_NAMES[source._spec.dtype]
        raise runtime_error(f"index_add_(): self ({names[0]}) and source ({names[1]}) must have the same scalar type")
    _check_vector("index_add_", index)
    d = _slices("index_add_", input, dim, index, source)
    others = input._spec.shape[:d] + input._spec.shape[d + 1 :]
    if source._spec.shape[:d] + source._spec.shape[d + 1 :] != others or not source._spec.shape:
        raise runtime_error(
            "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = "
            f"{list(input._spec.shape)} source.shape = {list(source._spec.shape)}"
        )
    check_index(index, input._spec.shape[d], d, RuntimeError)
    if input._spec.dtype.kind != "float":
        alpha = bool(alpha) if input._spec.dtype is i1 else int(alpha)
    updates = source if alpha == 1 else source * alpha
    return added(input, reshaped(index, (-1,)), updates, d, 0)


@_of_vectors
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """input with the slices of `source` reduced into the given positions along a dimension, as scatter_reduce does"""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise runtime_error(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    _check_vector("index_reduce_", index)
    d = _slices("index_reduce_", input, dim, index, source)
    check_rows(index, input._spec.shape[d])
    spread = [1] * len(source._spec.shape)
    spread[d] = index.numel()
    places = expand_to(reshaped(index, tuple(spread)), source._spec.shape)
    return scatter_reduce(input, d, places, source, reduce, include_self=include_self)


def _at(input: Tensor, dim: int, index: Tensor) -> tuple[Any, ...]:
    return (slice(None),) * axis(dim, len(input._spec.shape)) + (index,)


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """input with a number at the given positions along a dimension"""
    if isinstance(value, Tensor):
        if value._spec.shape:
            raise runtime_error(
                "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{len(value._spec.shape)} dimension(s)."
            )
        value = cast(value, input._spec.dtype)
    if index._spec.dtype is not i64:
        raise index_error("index_fill_(): Expected dtype int64 for index.")
    if len(index._spec.shape) > 1:
        raise runtime_error("Index has to be a vector/scalar")
    result = input.clone() if input._spec.shape else reshaped(input.clone(), (1,))
    setitem(result, _at(result, dim, index), value)
    return reshaped(result, input._spec.shape)


@_of_vectors
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """input with the slices of `source` at the given positions along a dimension"""
    if source._spec.dtype is not input._spec.dtype:
        raise runtime_error(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{TYPE_NAMES[input._spec.dtype]} and (source) {TYPE_NAMES[source._spec.dtype]}"
        )
    if index._spec.dtype is not i64:
        kind = TYPE_NAMES[index._spec.dtype]
        raise runtime_error(f"index_copy_(): Expected a long tensor for index, but got {kind}")
    if len(index._spec.shape) > 1:
        raise index_error(f"index_copy_(): Index should have dimension 1 or 0 (got {len(index._spec.shape)})")
    d = _slices("index_copy_", input, dim, index, source, index_error)
    n = input._spec.shape[d]
    message = f"index_copy_(): index {{value}} is out of bounds for dimension {d} with size {n}"
    check_range(index, 0, n, IndexError, message)
    result = input.clone()
    setitem(result, _at(input, dim, index), source)
    return result


# By positions


def index_put(input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False) -> Tensor:
    """input[indices] = values, or += with `accumulate`"""
    masked = len(indices) == 1 and indices[0]._spec.dtype in (i1, u8)
    if accumulate or not masked or values.numel() != 1:  # else it is a masked_fill
        check_put(input, values)
    if not accumulate:
        result = input.clone()
        setitem(result, tuple(indices), values)
        return result
    x, left = basic(input, parts_of(input, tuple(indices)))
    if all(part is None for part in left):  # known numbers
        result = input.clone()
        part = basic(result, parts_of(result, tuple(indices)))[0]
        copy_(part, part + expand_to(values, expanded(values, part._spec.shape)))
        return result
    x, left = without_masks(x, left)
    return scattered(x, left, values, accumulate)


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """input with the elements of `source` at places of the flattened tensor"""
    check_put(input, source)
    if index._spec.dtype is not i64:
        raise runtime_error(f"put_(): Expected a long tensor for index, but got {TYPE_NAMES[index._spec.dtype]}")
    if index.numel() != source.numel():
        raise runtime_error(
            "put_(): Expected source and index to have the same number of elements, but got source.numel() = "
            f"{source.numel()}, index.numel() = {index.numel()}"
        )
    flat = reshaped(input, (-1,))
    n = flat._spec.shape[0]
    check_places(index, n)
    result = index_put(flat, (reshaped(index, (-1,)),), reshaped(source, (-1,)), accumulate)
    return reshaped(result, input._spec.shape)


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """input with successive elements of `source` where the mask holds"""
    if source._spec.dtype is not input._spec.dtype:
        names = TYPE_NAMES[input._spec.dtype], TYPE_NAMES[source._spec.dtype]
        raise runtime_error(
            f"masked_scatter: expected self and source to have same dtypes but got{names[0]} and {names[1]}"
        )
    shape = common_shape(input, mask)
    mask = expand_to(mask, shape)
    message = "Number of elements of source < number of ones in mask"
    check_range(mask.sum(), 0, source.numel() + 1, RuntimeError, message)
    rows = successive(reshaped(source, (-1,)), mask)
    return builder.select(mask, rows, expand_to(input, shape))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        *(index_add, index_copy, index_fill, index_put, index_reduce, masked_scatter, put, scatter, scatter_add),
        scatter_reduce,
    )
}
METHODS = FUNCTIONS
IN_PLACE = tuple(FUNCTIONS)

__all__ = ["FUNCTIONS", "IN_PLACE", "METHODS"]
