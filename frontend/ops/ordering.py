"""Running sums, sorting, and comparing whole tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ...dialects.hl import sequence as s
from ...dialects.hl.base import HLOp
from ...dialects.types import DType, i1, i32, i64
from ..creation import full_of
from ..dispatch import apply, builder, needed_array, scalar
from ..errors import index_error, runtime_error, untraceable
from ..modes import modes
from ..promotion import iinfo
from ..tensor import Tensor
from .arithmetic import mul, where
from .elementwise import FUNCTIONS as ELEMENTWISE
from .gathering import gather
from .operands import cast, expand_to
from .reductions import GENERATED, RETURN_TYPES, kept
from .shape import axis, narrow, reshaped, select


# Along one dimension, keeping it
def cumsum(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Running sums."""
    return _running(s.CumsumOp, input, dim, dtype)


def cumprod(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Running products."""
    return _running(s.CumprodOp, input, dim, dtype)


def _running(op: type[HLOp], input: Tensor, dim: int, dtype: DType | None) -> Tensor:
    d = axis(dim, len(input._spec.shape))
    x = cast(input, dtype or (input._spec.dtype if input._spec.dtype.kind == "float" else i64))
    if not x._spec.shape:
        return x.clone()
    return apply(op, (x,), {"dimension": d, "reverse": False})[0]


def _running_extreme(
    name: str, better: Literal["ge", "le"], combine: Callable[[Tensor, Tensor], Tensor]
) -> Callable[..., Any]:
    def function(input: Tensor, dim: int) -> Any:
        d = axis(dim, len(input._spec.shape))
        x = cast(input, i64) if input._spec.dtype is i1 else input
        if not x._spec.shape or not x.numel():
            return RETURN_TYPES[name](input.clone(), cast(mul(input.detach(), 0), i64))
        seen = x.detach()
        best = _doubling(seen, d, combine)
        # The extreme so far is where an element last equalled it; a NaN stays the extreme.
        found = builder.compare(better, seen, best)
        if x._spec.dtype.kind == "float":
            found = builder.bitwise_or(found, builder.is_nan(seen))
        shape = x._spec.shape
        places = builder.select(found, builder.iota(shape, i64, d), builder.constant(0, shape, i64))
        indices = _doubling(places, d, builder.maximum)
        return RETURN_TYPES[name](gather(input, d, indices), indices)

    function.__name__ = name
    function.__doc__ = "(values, indices) of the extreme element so far, the last of equal ones."
    return function


def _doubling(x: Tensor, d: int, combine: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """result[i] = x[0] combined with ... x[i], in log2(n) steps of shifting by 1, 2, 4, ...; x's own edge fills in,
    which a combination like `maximum` does not notice."""
    shape = x._spec.shape
    step = 1
    while step < shape[d]:
        edge = expand_to(narrow(x, d, 0, 1), tuple(step if k == d else n for k, n in enumerate(shape)))
        x = combine(x, builder.concat((edge, narrow(x, d, 0, shape[d] - step)), d))
        step *= 2
    return x


# Orders
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool | None = None) -> Any:
    """(values, indices), sorted."""
    return RETURN_TYPES["sort"](*_sorted(input, dim, descending))


def _sorted(input: Tensor, dim: int, descending: bool) -> tuple[Tensor, Tensor]:
    d = axis(dim, len(input._spec.shape))
    if not input._spec.shape:
        return input.clone(), cast(mul(input.detach(), 0), i64)
    values, indices = apply(s.SortOp, (input,), {"dimension": d, "descending": descending})
    return values, indices


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The positions that sort the tensor."""
    return _sorted(input.detach(), dim, descending)[1]


def msort(input: Tensor) -> Tensor:
    """Sorted along the first dimension."""
    return _sorted(input, 0, False)[0]


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """(values, indices) of the k largest or smallest."""
    d = axis(dim, len(input._spec.shape))
    if not 0 <= k <= (input._spec.shape or (1,))[d]:
        raise runtime_error("selected index k out of range")
    if input._spec.dtype is i1:
        raise runtime_error("topk does not support bool dtypes on CPU")
    if modes.trace is not None and input._spec.shape and 0 < k <= FEW < input._spec.shape[d] // 4:
        indices = _few(input.detach(), k, d, largest)
        return RETURN_TYPES["topk"](gather(input, d, indices), indices)
    values, indices = _sorted(input, d, largest)
    if input._spec.shape and k < input._spec.shape[d]:
        values, indices = narrow(values, d, 0, k).clone(), narrow(indices, d, 0, k).clone()
    return RETURN_TYPES["topk"](values, indices)


FEW = 8
"""Up to so many of the largest are found one by one in compiled code; for more, all are sorted."""


def _few(x: Tensor, k: int, d: int, largest: bool) -> Tensor:
    """Where the k largest are: the first, then the largest of the others, and so on."""
    shape, dtype = x._spec.shape, x._spec.dtype
    if dtype is i1:
        x, dtype = cast(x, i32), i32
    is_float = dtype.kind == "float"
    lowest = scalar(-math.inf if is_float else iinfo(dtype).min, shape, dtype)
    if not largest:  # NaN counts as the largest
        x = builder.select(builder.is_nan(x), lowest, builder.neg(x)) if is_float else ELEMENTWISE["bitwise_not"](x)
    places = builder.iota(shape, i64, d)
    left = builder.constant(True, shape, i1)
    found: list[Tensor] = []
    for _ in range(k):
        best = expand_to(GENERATED["amax"](builder.select(left, x, lowest), d, True), shape)
        here = builder.compare("eq", x, best)
        if is_float:
            here = builder.bitwise_or(here, builder.bitwise_and(builder.is_nan(x), builder.is_nan(best)))
        here = builder.cast(builder.bitwise_and(here, left), i32)
        found.append(kept(builder.argmax(here, d), shape, (d,)))
        left = builder.bitwise_and(left, builder.compare("ne", places, expand_to(found[-1], shape)))
    return builder.concat(tuple(found), d) if k > 1 else found[0]


def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """(values, indices) of the k-th smallest elements."""
    d = axis(dim, len(input._spec.shape))
    if not 1 <= k <= (input._spec.shape or (1,))[d]:
        raise runtime_error("selected index k out of range")
    return RETURN_TYPES["kthvalue"](*_kth(input, k - 1, d, keepdim))


def _kth(input: Tensor, k: int, d: int, keepdim: bool) -> tuple[Tensor, Tensor]:
    shape = input._spec.shape
    values, indices = _sorted(input, d, False)
    if not shape:
        return values, indices
    values, indices = select(values, d, k).clone(), select(indices, d, k).clone()
    return (kept(values, shape, (d,)), kept(indices, shape, (d,))) if keepdim else (values, indices)


def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The element in the middle of the sorted ones, the lower of two."""
    x = reshaped(input, (-1,)) if dim is None else input
    d = axis(-1 if dim is None else dim, len(x._spec.shape))
    n = (x._spec.shape or (1,))[d]
    if not n and dim is None and x._spec.dtype.kind == "float":
        return full_of((), np.nan, x._spec.dtype)
    if not n and dim is None:
        return full_of((), iinfo(x._spec.dtype).min, x._spec.dtype)
    if not n:
        raise index_error(f"median(): Expected reduction dim {d} to have non-zero size.")
    values, indices = _kth(x, (n - 1) // 2, d, keepdim)
    if x._spec.dtype.kind == "float" and x._spec.shape:
        # One NaN makes the median NaN. It is sorted last.
        last, place = _kth(x, n - 1, d, keepdim)
        unknown = builder.is_nan(last.detach())
        values, indices = builder.select(unknown, last, values), builder.select(unknown, place, indices)
    return of_equals(x, values) if dim is None else RETURN_TYPES["median"](values, indices)


def of_equals(x: Tensor, value: Tensor) -> Tensor:
    """An element of a vector: all that equal it have the same part in its gradient."""
    if not x.requires_grad:
        return value
    found = expand_to(value.detach(), x._spec.shape)
    same = builder.compare("eq", x, found)
    same = builder.bitwise_or(same, builder.bitwise_and(builder.is_nan(x.detach()), builder.is_nan(found)))
    return GENERATED["amax"](builder.select(same, x, scalar(-math.inf, *x._spec)))


def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where each value would be inserted to keep the last dimension in order: how many elements are smaller."""
    shape = sorted_sequence._spec.shape
    values: tuple[int, ...] = input._spec.shape if isinstance(input, Tensor) else ()
    if not shape:
        raise runtime_error(
            "torch.searchsorted(): boundaries tensor should have positive dimension, but got 0 dimension"
        )
    if len(shape) > 1 and shape[:-1] != values[:-1]:
        raise runtime_error(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
            f"tensor and input value tensor must match, but we got boundaries tensor {list(shape)} and input value "
            f"tensor {list(values)}"
        )
    edges = sorted_sequence if sorter is None else gather(sorted_sequence, -1, sorter)
    x = input if isinstance(input, Tensor) else scalar(input, (), edges._spec.dtype)
    if len(edges._spec.shape) == 1:
        edges = reshaped(edges, (1,) * len(x._spec.shape) + edges._spec.shape)
    else:
        edges = edges.unsqueeze(-2)
    before, behind = ("le", "gt") if right or side == "right" else ("lt", "ge")
    edges, x = edges.detach(), x.detach().unsqueeze(-1)
    count = GENERATED["sum"](ELEMENTWISE[before](edges, x), -1)
    if edges._spec.dtype.kind == "float" or x._spec.dtype.kind == "float":  # NaN counts as the largest
        count = where(GENERATED["any"](ELEMENTWISE[behind](edges, x), -1), count, edges._spec.shape[-1])
    return cast(count, i32 if out_int32 else i64)


def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The number of the bucket, between boundaries, that each value is in."""
    if len(boundaries._spec.shape) != 1:
        raise runtime_error(f"boundaries tensor must be 1 dimension, but got dim({len(boundaries._spec.shape)})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether shapes and all elements are equal."""
    if input._spec.shape != other._spec.shape:
        return False
    return _answer("equal()", ELEMENTWISE["eq"](input, other))


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close."""
    if input._spec.dtype is not other._spec.dtype:
        raise runtime_error(f"{input.dtype} did not match {other.dtype}")
    return _answer("allclose()", ELEMENTWISE["isclose"](input, other, rtol, atol, equal_nan))


def _answer(name: str, same: Tensor) -> bool:
    array = needed_array(GENERATED["all"](same))
    if array is None:
        raise untraceable(
            name, "compute with torch.eq or torch.isclose, or return the tensors and compare them outside"
        )
    return bool(array)


cummax = _running_extreme("cummax", "ge", builder.maximum)
cummin = _running_extreme("cummin", "le", builder.minimum)

FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        *(allclose, argsort, bucketize, cummax, cummin, cumprod, cumsum, equal, kthvalue, median, msort),
        *(searchsorted, sort, topk),
    )
}
METHODS = {name: f for name, f in FUNCTIONS.items() if name not in ("bucketize", "searchsorted")}
IN_PLACE = ("cumprod", "cumsum")

__all__ = ["FUNCTIONS", "IN_PLACE", "METHODS", "of_equals"]
