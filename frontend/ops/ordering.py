"""Running sums, sorting, and comparing whole tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...dialects.types import DType, i64
from ..dispatch import array_of, builder
from ..errors import runtime_error, untraceable
from ..modes import modes
from ..tensor import Tensor
from .arithmetic import mul
from .elementwise import FUNCTIONS as ELEMENTWISE
from .operands import cast
from .reductions import GENERATED, RETURN_TYPES, kept
from .shape import axis, reshaped


# Along one dimension, keeping it: matrix products with a triangle of ones, so that every level knows them
def cumsum(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Running sums."""
    x = cast(input, dtype) if dtype is not None else cast(input, i64) if input._spec.dtype.kind != "float" else input
    return _running(x, dim, builder.add, 0)


def cumprod(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Running products."""
    x = cast(input, dtype) if dtype is not None else cast(input, i64) if input._spec.dtype.kind != "float" else input
    return _running(x, dim, builder.mul, 1)


def _running(input: Tensor, dim: int, combine: Callable[[Tensor, Tensor], Tensor], neutral: int) -> Tensor:
    """result[i] = x[0] combined with ... x[i], in log2(n) steps of shifting by 1, 2, 4, ..."""
    x, shape = input, input._spec.shape
    d = axis(dim, len(shape))
    if not shape:
        return input.clone()
    zeros = (0,) * len(shape)
    value: Any = float(neutral) if x._spec.dtype.kind == "float" else neutral
    step = 1
    while step < shape[d]:
        low = tuple(step if k == d else 0 for k in range(len(shape)))
        shifted = builder.pad(x, low, tuple(-n for n in low), zeros, value)
        x = combine(x, shifted)
        step *= 2
    return x.clone() if x is input else x


# Orders: computed eagerly only
def _eager(name: str, x: Tensor) -> np.ndarray[Any, Any]:
    if modes.trace is not None:
        raise untraceable(f"{name}()", "call it outside the compiled function and pass in the result")
    return array_of(x)


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The positions that sort the tensor."""
    from ..creation import from_array

    d = axis(dim, len(input._spec.shape))
    if not input._spec.shape:
        return cast(mul(input.detach(), 0), i64)
    array = _eager("sort", input)
    if descending:
        # Reversed twice, so that equal elements keep their order.
        flipped = np.flip(array, d)
        order = array.shape[d] - 1 - np.flip(np.argsort(flipped, axis=d, kind="stable"), d)
    else:
        order = np.argsort(array, axis=d, kind="stable")
    return from_array(order.astype(np.int64))


def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """(values, indices), sorted."""
    from .gathering import take_along_dim

    indices = argsort(input, dim, descending, stable)
    return RETURN_TYPES["sort"](take_along_dim(input, indices, dim) if input._spec.shape else input.clone(), indices)


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """(values, indices) of the k largest or smallest."""
    from .gathering import take_along_dim

    d = axis(dim, len(input._spec.shape))
    if not 0 <= k <= input._spec.shape[d]:
        raise runtime_error("selected index k out of range")
    from .shape import narrow

    indices = narrow(argsort(input, d, descending=largest), d, 0, k).clone()
    return RETURN_TYPES["topk"](take_along_dim(input, indices, d), indices)


def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The element in the middle of the sorted ones, the lower of two."""
    x = reshaped(input, (-1,)) if dim is None else input
    d = axis(-1 if dim is None else dim, len(x._spec.shape))
    found = sort(x, d)
    middle = (x._spec.shape[d] - 1) // 2
    from .shape import select

    values, indices = select(found.values, d, middle), select(found.indices, d, middle)
    if dim is None:
        return values
    if keepdim:
        values, indices = kept(values, x._spec.shape, (d,)), kept(indices, x._spec.shape, (d,))
    return RETURN_TYPES["median"](values, indices)


def unique(input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False) -> Any:
    """The different elements."""
    from ..creation import from_array

    array = _eager("unique", input)
    found: Sequence[Any] = np.unique(array, return_inverse=True, return_counts=True)
    values, inverse, counts = found
    results = [from_array(values)]
    if return_inverse:
        results.append(from_array(inverse.reshape(array.shape).astype(np.int64)))
    if return_counts:
        results.append(from_array(counts.astype(np.int64)))
    return results[0] if len(results) == 1 else tuple(results)


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each number occurs."""
    from ..creation import from_array

    array = _eager("bincount", input)
    return from_array(np.bincount(array, None if weights is None else array_of(weights), minlength))


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether shapes and all elements are equal."""
    if input._spec.shape != other._spec.shape:
        return False
    return bool(GENERATED["all"](ELEMENTWISE["eq"](input, other)))


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close."""
    if input._spec.dtype is not other._spec.dtype:
        raise runtime_error(f"{input.dtype} did not match {other.dtype}")
    return bool(GENERATED["all"](ELEMENTWISE["isclose"](input, other, rtol, atol, equal_nan)))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (allclose, argsort, bincount, cumprod, cumsum, equal, median, sort, topk, unique)
}
METHODS = FUNCTIONS
IN_PLACE = ("cumprod", "cumsum")

__all__ = ["FUNCTIONS", "IN_PLACE", "METHODS"]
