"""Gathers along a dimension."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...dialects.hl import indexing as i
from ...dialects.hl import shape as s
from ...dialects.types import TensorSpec, i1, i32, i64
from ...runtime.storage import SymbolicStorage
from ..dispatch import apply, builder
from ..errors import TYPE_NAMES, index_error, runtime_error
from ..tensor import Tensor, wrap
from .checks import check_index, check_range
from .families import GENERATED
from .indexing import getitem, wrapped
from .operands import cast, common_shape, expand_to
from .shape import axis, reshaped, transpose


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask holds, in a row."""
    if mask._spec.dtype is not i1:
        raise runtime_error("masked_select: expected BoolTensor for mask")
    shape = common_shape(input, mask)
    return getitem(expand_to(input, shape), expand_to(mask, shape))


def check_rows(index: Tensor, n: int) -> None:
    """Raises for an index that is none of n rows."""
    check_range(index, 0, n, IndexError, "index out of range in self")


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The given positions along a dimension."""
    if len(index._spec.shape) > 1:
        raise index_error("index_select(): Index is supposed to be a vector")
    if index._spec.dtype not in (i64, i32):
        raise runtime_error("index_select(): Expected dtype int32 or int64 for index")
    if not input._spec.shape:
        axis(dim, 0)
        if index.numel() != 1:
            raise runtime_error(f"index_select(): Index to scalar can have only 1 value, got {index.numel()} value(s)")
        return reshaped(index_select(reshaped(input, (1,)), 0, index), ())
    d = axis(dim, len(input._spec.shape))
    check_rows(index, input._spec.shape[d])
    index = reshaped(index, (-1,)) if not index._spec.shape else index
    return apply(i.GatherOp, (input, index), {"axis": d, "batch_dims": 0})[0]


def take(input: Tensor, index: Tensor) -> Tensor:
    """Elements by their place in the flattened tensor."""
    if index._spec.dtype is not i64:
        raise runtime_error(f"take(): Expected a long tensor for index, but got {TYPE_NAMES[index._spec.dtype]}")
    flat = reshaped(input, (-1,))
    n = flat._spec.shape[0]
    check_places(index, n)
    return apply(i.GatherOp, (flat, wrapped(index, n)), {"axis": 0, "batch_dims": 0})[0]


def check_places(index: Tensor, n: int) -> None:
    """Raises for a place beyond the n elements of a tensor."""
    message = f"out of range: tried to access index {{value}} on a tensor of {n} elements."
    check_range(index, -n, n, IndexError, message)


def check_element_index(name: str, input: Tensor, dim: int, index: Tensor) -> None:
    """Raises unless the index of a gather or scatter has a fitting type and shape, and lies in the dimension."""
    if index._spec.dtype is not i64 and index._spec.dtype is not i32:
        raise runtime_error(f"{name}(): Expected dtype int32/int64 for index")
    of = "input" if name == "gather" else "self"
    if len(index._spec.shape) != len(input._spec.shape):
        raise runtime_error(f"Index tensor must have the same number of dimensions as {of} tensor")
    for d, (m, n) in enumerate(zip(index._spec.shape, input._spec.shape)):
        if m > n and d != dim:
            raise runtime_error(
                f"Size does not match at dimension {d} expected index {list(index._spec.shape)} to be no larger than "
                f"self {list(input._spec.shape)} apart from dimension {dim}"
            )
    check_index(index, input._spec.shape[dim], dim, RuntimeError)


def cropped(x: Tensor, shape: tuple[int, ...], but: int) -> Tensor:
    """x cut to the extents of `shape`, one dimension left as it is."""
    stop = tuple(n if d == but else m for d, (m, n) in enumerate(zip(shape, x._spec.shape)))
    if stop == x._spec.shape:
        return x
    return apply(s.SliceOp, (x,), {"start": (0,) * len(stop), "stop": stop, "step": (1,) * len(stop)})[0]


def rows_along(x: Tensor, d: int) -> Tensor:
    """Dimension d last, all others joined."""
    x = transpose(x, d, -1)
    n = x._spec.shape[-1]
    return reshaped(x, (math.prod(x._spec.shape[:-1]), n))


def unrows(x: Tensor, shape: tuple[int, ...], d: int) -> Tensor:
    """What `rows_along` made of a tensor of this shape, back in that shape and in its order in memory."""
    order = list(shape)
    order[d], order[-1] = order[-1], order[d]
    return transpose(reshaped(x, tuple(order)), d, -1).contiguous()


def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """result[i][j][k] = input[index[i][j][k]][j][k], for dim 0"""
    if len(input._spec.shape) < 2 and len(index._spec.shape) < 2:
        vector, places = reshaped(input, (-1,)), reshaped(index, (-1,))
        check_element_index("gather", vector, axis(dim, 1), places)
        return reshaped(apply(i.GatherOp, (vector, places), {"axis": 0, "batch_dims": 0})[0], index._spec.shape)
    d = axis(dim, len(input._spec.shape))
    if 0 in index._spec.shape and len(index._spec.shape) != len(input._spec.shape):
        return builder.reshape(builder.slice(reshaped(input, (-1,)), (0,), (0,), (1,)), index._spec.shape)
    check_element_index("gather", input, d, index)
    x = cropped(input, index._spec.shape, d)
    picked = apply(i.GatherOp, (rows_along(x, d), rows_along(index, d)), {"axis": 1, "batch_dims": 1})[0]
    return unrows(picked, index._spec.shape, d)


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """gather, other dimensions broadcast"""
    if dim is None:
        return gather(reshaped(input, (-1,)), 0, reshaped(indices, (-1,)))
    d = axis(dim, len(input._spec.shape))
    if len(input._spec.shape) != len(indices._spec.shape):
        raise runtime_error(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{len(input._spec.shape)} dimensions for input, and {len(indices._spec.shape)} dimensions for indices"
        )
    if indices._spec.dtype is not i64:
        kind = TYPE_NAMES[indices._spec.dtype]
        raise runtime_error(f"torch.take_along_dim(): dtype of indices should be Long but got {kind}")
    a, b = list(input._spec.shape), list(indices._spec.shape)
    a[d] = b[d] = 1
    shape = list(common_shape(_like(tuple(a)), _like(tuple(b))))
    wide, tall = list(shape), list(shape)
    wide[d], tall[d] = input._spec.shape[d], indices._spec.shape[d]
    indices = GENERATED["remainder"](indices, input._spec.shape[d])  # counts around
    return gather(expand_to(input, tuple(wide)), d, expand_to(indices, tuple(tall)))


def _like(shape: tuple[int, ...]) -> Tensor:
    spec = TensorSpec(shape, i1)
    return wrap(SymbolicStorage(spec), spec)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """A last dimension with 1 at the position that the number says"""
    if tensor._spec.dtype is not i64:
        raise runtime_error("one_hot is only applicable to index tensor of type LongTensor.")
    check_range(tensor, 0, 1 << 62, RuntimeError, "Class values must be non-negative.")
    if not tensor.numel() and num_classes <= 0:
        raise runtime_error("Can not infer total number of classes from empty tensor.")
    if num_classes == -1:
        num_classes = int(tensor.max().item()) + 1
    message = "Class values must be smaller than num_classes."
    if num_classes < 0:
        raise runtime_error(message)
    check_range(tensor, 0, num_classes, RuntimeError, message)
    shape = (*tensor._spec.shape, num_classes)
    x = builder.broadcast(cast(tensor, i64), shape, tuple(range(len(shape) - 1)))
    return cast(builder.compare("eq", x, builder.iota(shape, i64, len(shape) - 1)), i64)


def check_table_index(index: Tensor) -> None:
    """Raises unless an index is of whole numbers."""
    if index._spec.dtype not in (i64, i32):
        raise runtime_error(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"torch.{TYPE_NAMES[index._spec.dtype]}Tensor instead (while checking arguments for embedding)"
        )


def embedding_rows(weight: Tensor, index: Tensor) -> Tensor:
    """weight[index], for indices that are not negative"""
    check_table_index(index)
    check_rows(index, weight._spec.shape[0])
    return apply(i.GatherOp, (weight, index), {"axis": 0, "batch_dims": 0})[0]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (gather, index_select, masked_select, take, take_along_dim)
}
METHODS = FUNCTIONS

__all__ = ["FUNCTIONS", "METHODS", "check_rows", "check_table_index", "embedding_rows", "one_hot"]
