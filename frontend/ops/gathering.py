"""Gathers and scatters along a dimension."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ...dialects.hl import indexing as i
from ...dialects.hl import shape as s
from ...dialects.types import TensorSpec, i1, i32, i64
from .. import dispatch
from ..dispatch import apply, builder, scalar
from ..errors import runtime_error
from ..modes import modes
from ..tensor import Tensor
from .in_place import copy_
from .index_parts import basic, parts_of
from .indexing import check_range, getitem, scattered, setitem, successive, without_masks, wrapped
from .operands import cast, common_shape, expand_to
from .shape import axis, reshaped, transpose


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask holds, in a row."""
    shape = common_shape(input, mask)
    return getitem(expand_to(input, shape), expand_to(mask, shape))


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The given positions along a dimension."""
    if not input._spec.shape:
        return reshaped(input, (1,))
    d = axis(dim, len(input._spec.shape))
    check_range(index, input._spec.shape[d], d)
    index = reshaped(index, (-1,)) if not index._spec.shape else index
    if index._spec.dtype not in (i64, i32):
        raise runtime_error("index_select(): Expected dtype int32 or int64 for index")
    return apply(i.GatherOp, (input, index), {"axis": d, "batch_dims": 0})[0]


def take(input: Tensor, index: Tensor) -> Tensor:
    """Elements by their place in the flattened tensor."""
    flat = reshaped(input, (-1,))
    return apply(i.GatherOp, (flat, wrapped(index, flat._spec.shape[0])), {"axis": 0, "batch_dims": 0})[0]


def _check_index(name: str, input: Tensor, dim: int, index: Tensor) -> None:
    if index._spec.dtype is not i64 and index._spec.dtype is not i32:
        raise runtime_error(f"{name}(): Expected dtype int64 for index")
    if len(index._spec.shape) != len(input._spec.shape):
        raise runtime_error("Index tensor must have the same number of dimensions as input tensor")
    for d, (m, n) in enumerate(zip(index._spec.shape, input._spec.shape)):
        if m > n and d != dim:
            raise runtime_error(
                f"Size does not match at dimension {d} expected index {list(index._spec.shape)} to be no larger than "
                f"self {list(input._spec.shape)} apart from dimension {dim}"
            )


def _cropped(x: Tensor, shape: tuple[int, ...], but: int) -> Tensor:
    """x cut to the extents of `shape`, one dimension left as it is."""
    stop = tuple(n if d == but else m for d, (m, n) in enumerate(zip(shape, x._spec.shape)))
    if stop == x._spec.shape:
        return x
    return apply(s.SliceOp, (x,), {"start": (0,) * len(stop), "stop": stop, "step": (1,) * len(stop)})[0]


def _rows(x: Tensor, d: int) -> Tensor:
    """Dimension d last, all others joined."""
    x = transpose(x, d, -1)
    n = x._spec.shape[-1]
    return reshaped(x, (math.prod(x._spec.shape[:-1]), n))


def _unrows(x: Tensor, shape: tuple[int, ...], d: int) -> Tensor:
    order = list(shape)
    order[d], order[-1] = order[-1], order[d]
    return transpose(reshaped(x, tuple(order)), d, -1)


def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """result[i][j][k] = input[index[i][j][k]][j][k], for dim 0"""
    if not input._spec.shape:
        return reshaped(gather(reshaped(input, (1,)), 0, reshaped(index, (-1,))), index._spec.shape)
    d = axis(dim, len(input._spec.shape))
    _check_index("gather", input, d, index)
    try:
        check_range(index, input._spec.shape[d], d)
    except IndexError as error:
        raise RuntimeError(*error.args) from None
    x = _cropped(input, index._spec.shape, d)
    picked = apply(i.GatherOp, (_rows(x, d), _rows(index, d)), {"axis": 1, "batch_dims": 1})[0]
    return _unrows(picked, index._spec.shape, d)


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """gather, other dimensions broadcast"""
    if dim is None:
        return take(input, reshaped(indices, (-1,)))
    d = axis(dim, len(input._spec.shape))
    a, b = list(input._spec.shape), list(indices._spec.shape)
    a[d] = b[d] = 1
    shape = list(common_shape(_like(tuple(a)), _like(tuple(b))))
    wide, tall = list(shape), list(shape)
    wide[d], tall[d] = input._spec.shape[d], indices._spec.shape[d]
    return gather(expand_to(input, tuple(wide)), d, expand_to(indices, tuple(tall)))


def _like(shape: tuple[int, ...]) -> Tensor:
    from ..tensor import wrap

    spec = TensorSpec(shape, i1)
    return wrap(dispatch.Storage(None, spec), spec)


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """input with src[i][j][k] added at [index[i][j][k]][j][k], for dim 0"""
    if not input._spec.shape:
        return reshaped(scatter_add(reshaped(input, (1,)), 0, reshaped(index, (1,)), reshaped(src, (1,))), ())
    d = axis(dim, len(input._spec.shape))
    _check_index("scatter_add", input, d, index)
    check_range(index, input._spec.shape[d], d)
    if src._spec.dtype is not input._spec.dtype:
        raise runtime_error("scatter(): Expected self.dtype to be equal to src.dtype")
    shape = index._spec.shape
    updates = _rows(_cropped(src, shape, -1), d)
    part = _cropped(input, shape, d)
    summed = builder.scatter_add(_rows(part, d), _rows(index, d), updates, 1, 1)
    return _replaced(input, _unrows(summed, part._spec.shape, d))


def _replaced(input: Tensor, corner: Tensor) -> Tensor:
    """input with its first elements along every dimension replaced."""
    if corner._spec.shape == input._spec.shape:
        return corner
    result = input.clone()
    stop = corner._spec.shape
    view = apply(s.SliceOp, (result,), {"start": (0,) * len(stop), "stop": stop, "step": (1,) * len(stop)})[0]
    copy_(view, corner)
    return result


def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Tensor:
    """input with src[i][j][k] written at [index[i][j][k]][j][k], for dim 0"""
    if not input._spec.shape:
        return reshaped(scatter(reshaped(input, (1,)), 0, reshaped(index, (1,)), src, value=value, reduce=reduce), ())
    d = axis(dim, len(input._spec.shape))
    _check_index("scatter", input, d, index)
    check_range(index, input._spec.shape[d], d)
    number = value if src is None else src
    shape = index._spec.shape
    source = number if isinstance(number, Tensor) else scalar(number, shape, input._spec.dtype)
    if source._spec.dtype is not input._spec.dtype:
        raise runtime_error("scatter(): Expected self.dtype to be equal to src.dtype")
    if reduce == "add":
        return scatter_add(input, dim, index, expand_to(source, shape) if not source._spec.shape else source)
    if reduce is not None:
        raise runtime_error(f"scatter with reduce='{reduce}' is not supported; use scatter_reduce's 'add' or a loop")
    part = _cropped(input, shape, d)
    updates = _rows(_cropped(expand_to(source, shape) if not source._spec.shape else source, shape, -1), d)
    written = builder.scatter(_rows(part, d), _rows(index, d), updates, 1, 1)
    return _replaced(input, _unrows(written, part._spec.shape, d))


def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """input with src[i][j][k] reduced into [index[i][j][k]][j][k], for dim 0: their sum or mean"""
    if reduce not in ("sum", "mean"):
        raise runtime_error(f"scatter_reduce with reduce='{reduce}' is not supported; 'sum' and 'mean' are")
    base = input if include_self else scatter(input, dim, index, value=0)
    total = scatter_add(base, dim, index, src)
    if reduce == "sum":
        return total
    one = input._spec.dtype
    first = expand_to(scalar(1, (), one), input._spec.shape)
    if not include_self:
        first = scatter(first, dim, index, value=0)
    count = scatter_add(first, dim, index, expand_to(scalar(1, (), one), src._spec.shape))
    none = builder.compare("eq", count, scalar(0, count._spec.shape, one))
    count = builder.select(none, expand_to(scalar(1, (), one), count._spec.shape), count)
    return builder.div(total, count) if one.kind == "float" else builder.floor_div(total, count)


def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """input with the slices of `source` added at the given positions along a dimension"""
    d = axis(dim, len(input._spec.shape))
    check_range(index, input._spec.shape[d], d)
    updates = source if alpha == 1 else source * alpha
    return builder.scatter_add(input, index, updates, d, 0)


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """input with a number at the given positions along a dimension"""
    result = input.clone()
    setitem(result, (slice(None),) * axis(dim, len(input._spec.shape)) + (index,), value)
    return result


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """input with the slices of `source` at the given positions along a dimension"""
    result = input.clone()
    setitem(result, (slice(None),) * axis(dim, len(input._spec.shape)) + (index,), source)
    return result


def index_put(input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False) -> Tensor:
    """input[indices] = values, or += with `accumulate`"""
    parts = parts_of(input, tuple(indices))
    x, left = basic(input, parts)
    x, left = without_masks(x, left)
    return scattered(x, left, values, accumulate)


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """input with successive elements of `source` where the mask holds"""
    shape = common_shape(input, mask)
    rows = successive(reshaped(source, (-1,)), expand_to(mask, shape))
    return builder.select(expand_to(mask, shape), rows, expand_to(input, shape))


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """A last dimension with 1 at the position that the number says"""
    if tensor._spec.dtype is not i64:
        raise runtime_error("one_hot is only applicable to index tensor of type LongTensor.")
    if num_classes < 0:
        num_classes = int(tensor.max().item()) + 1 if tensor.numel() else 0
    elif modes.trace is None and tensor.numel() and int(tensor.max().item()) >= num_classes:
        raise runtime_error("Class values must be smaller than num_classes.")
    shape = (*tensor._spec.shape, num_classes)
    x = builder.broadcast(cast(tensor, i64), shape, tuple(range(len(shape) - 1)))
    return cast(builder.compare("eq", x, builder.iota(shape, i64, len(shape) - 1)), i64)


def embedding_rows(weight: Tensor, index: Tensor) -> Tensor:
    """weight[index], for indices that are not negative"""
    check_range(index, weight._spec.shape[0], 0)
    return apply(i.GatherOp, (weight, index), {"axis": 0, "batch_dims": 0})[0]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        *(gather, index_add, index_copy, index_fill, index_put, index_select, masked_scatter, masked_select, scatter),
        *(scatter_add, scatter_reduce, take, take_along_dim),
    )
}
METHODS = FUNCTIONS
IN_PLACE = (
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "masked_scatter",
    "scatter",
    "scatter_add",
    "scatter_reduce",
)

__all__ = ["FUNCTIONS", "IN_PLACE", "METHODS", "embedding_rows", "one_hot"]
