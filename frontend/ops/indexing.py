"""Indexing: x[...] with numbers, slices, None and ellipsis gives views; with tensors, gathers. Writes go the same way.

x[:, idx]        gather along dimension 1
x[i, j]          flatten dimensions 0 and 1, gather at i * n + j
x[mask]          the positions where the mask holds, then as above (needs values: eager only)
x[mask] = v      a select, where v is one number or fits x (any mode)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...dialects.hl import elementwise as e
from ...dialects.hl import indexing as i
from ...dialects.hl import shape as s
from ...dialects.types import TensorSpec, i1, i32, i64
from .. import dispatch
from ..dispatch import apply, array_of, builder, scalar
from ..errors import index_error, runtime_error, type_error, untraceable
from ..tensor import Tensor
from .conversion import copy_, dispatch_tensor, expanded
from .elementwise import cast, common_shape, expand_to, masked_fill
from .reductions import take_along
from .shape import axis, movedim, reshaped, select, transpose

# Parts of an index


def _parts(x: Tensor, index: Any) -> list[Any]:
    """The index as a list that covers all dimensions, without ellipsis, lists turned into tensors."""
    given = list(index) if isinstance(index, tuple) else [index]
    given = [_part(part) for part in given]
    used = sum(_consumed(part) for part in given)
    rank = len(x._spec.shape)
    if used > rank:
        raise index_error(f"too many indices for tensor of dimension {rank}")
    rest = [slice(None)] * (rank - used)
    places = [k for k, part in enumerate(given) if part is Ellipsis]
    if len(places) > 1:
        raise index_error("an index can only have a single ellipsis ('...')")
    at = places[0] if places else len(given)
    return given[:at] + rest + given[at + len(places) :]


def _part(part: Any) -> Any:
    kind = type(part)
    if kind is int or kind is slice or part is None or part is Ellipsis or kind is bool:
        return part
    if isinstance(part, Tensor):
        if part._spec.dtype.kind == "float":
            raise index_error("tensors used as indices must be long, int, byte or bool tensors")
        # A number in a 0-d tensor is an integer index, unless its value is not known.
        if not part._spec.shape and part._spec.dtype.kind == "int" and dispatch.current_trace is None:
            return int(array_of(part))
        return part
    if isinstance(part, np.ndarray | list | range):
        found = dispatch_tensor(part if isinstance(part, np.ndarray) else list(part))
        if found._spec.dtype.kind == "float":
            if found.numel():
                raise index_error("tensors used as indices must be long, int, byte or bool tensors")
            found = cast(found, i64)
        return found
    if hasattr(part, "__index__"):
        return part.__index__()
    raise index_error(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got "
        f"{kind.__name__})"
    )


def _consumed(part: Any) -> int:
    if part is None or part is Ellipsis or isinstance(part, bool):
        return 0
    if isinstance(part, Tensor) and part._spec.dtype is i1:
        return len(part._spec.shape)
    return 1


def _basic(x: Tensor, parts: list[Any]) -> tuple[Tensor, list[Any]]:
    """Applies the numbers, slices and Nones: one slice and one reshape. What is left, by dimension: tensors or None."""
    shape = x._spec.shape
    start, stop, step = [0] * len(shape), list(shape), [1] * len(shape)
    new: list[int | None] = []
    """Extents of the result; None where a slice says."""
    left: list[Any] = []
    d = 0
    sliced = False
    for part in parts:
        if part is None or isinstance(part, bool):
            new.append(1)
            left.append(None if part is None else part)
            continue
        n = shape[d] if d < len(shape) else 0
        if isinstance(part, slice):
            bounds = _bounds(part, n)
            if bounds != (0, n, 1):
                sliced = True
                start[d], stop[d], step[d] = bounds
            new.append(None)
            left.append(None)
            d += 1
        elif isinstance(part, Tensor):
            count = _consumed(part)
            new.extend([None] * count)
            left.append(part)
            d += count
        else:
            at = part + n if part < 0 else part
            if not 0 <= at < n:
                raise index_error(f"index {part} is out of bounds for dimension {d} with size {n}")
            sliced = True
            start[d], stop[d] = at, at + 1
            d += 1
    if sliced:
        x = apply(s.SliceOp, (x,), {"start": tuple(start), "stop": tuple(stop), "step": tuple(step)})[0]
    after = x._spec.shape
    kept = iter([n for n, part in zip(after, _by_dimension(parts)) if not part])
    target = tuple(next(kept) if n is None else n for n in new)
    if target != after or not sliced:
        x = reshaped(x, target)
    return x, left


def _by_dimension(parts: list[Any]) -> list[bool]:
    """For each dimension of the source: whether a number takes it away."""
    taken: list[bool] = []
    for part in parts:
        if part is None or isinstance(part, bool):
            continue
        if isinstance(part, Tensor):
            taken.extend([False] * _consumed(part))
        else:
            taken.append(not isinstance(part, slice))
    return taken


def _bounds(part: slice, n: int) -> tuple[int, int, int]:
    step = 1 if part.step is None else int(part.step)
    if step <= 0:
        from ..errors import located

        raise located(ValueError, "step must be greater than zero")
    start, stop, _ = slice(
        None if part.start is None else int(part.start), None if part.stop is None else int(part.stop), 1
    ).indices(n)
    return start, max(start, stop), step


# Reading


def getitem(self: Tensor, index: Any) -> Tensor:
    """self[index]"""
    if type(index) is int and self._spec.shape:
        return select(self, 0, index)
    parts = _parts(self, index)
    x, left = _basic(self, parts)
    if all(part is None for part in left):
        return x
    x, left = _without_masks(x, left)
    return _gathered(x, left)


def _without_masks(x: Tensor, left: list[Any]) -> tuple[Tensor, list[Any]]:
    """Each mask as the positions where it holds, a tensor a dimension."""
    result: list[Any] = []
    d = 0
    for part in left:
        if isinstance(part, bool):
            result.append(dispatch_tensor([0] if part else []).to(i64))
            d += 1
        elif isinstance(part, Tensor) and part._spec.dtype is i1:
            count = len(part._spec.shape)
            if part._spec.shape != x._spec.shape[d : d + count]:
                raise index_error(
                    f"The shape of the mask {list(part._spec.shape)} at index {d} does not match the shape of the "
                    f"indexed tensor {list(x._spec.shape)} at index {d}"
                )
            if count == 0:
                x = x.unsqueeze(d)
                result.append(dispatch_tensor([0] if bool(part) else []).to(i64))
                d += 1
                continue
            result.extend(nonzero(part, as_tuple=True))
            d += count
        else:
            result.append(part)
            d += 1
    return x, result


def _plan(x: Tensor, left: list[Any]) -> tuple[Tensor, list[int], Tensor, bool, int]:
    """(x with indexed dimensions leading and joined, their order, flat positions, whether the result moves, place)"""
    dims = [d for d, part in enumerate(left) if part is not None]
    shape = common_shape(*(left[d] for d in dims))
    extents = [x._spec.shape[d] for d in dims]
    position: Tensor | None = None
    for d, n in zip(dims, extents):
        _check_range(left[d], n, d)
        part = cast(left[d], i64)
        spec = part._spec
        part = builder.select(
            builder.compare("lt", part, scalar(0, spec.shape, i64)), builder.add(part, scalar(n, spec.shape, i64)), part
        )
        part = expand_to(part, shape)
        if position is None:
            position = part
        else:
            position = builder.add(builder.mul(position, scalar(n, shape, i64)), part)
    assert position is not None
    rest = [d for d in range(len(left)) if d not in dims]
    adjacent = dims == list(range(dims[0], dims[0] + len(dims)))
    order = dims + rest
    moved = builder.transpose(x, tuple(order)) if order != sorted(order) else x
    flat = reshaped(moved, (math.prod(extents), *(x._spec.shape[d] for d in rest)))
    return flat, order, position, adjacent, dims[0]


def _check_range(index: Tensor, n: int, d: int) -> None:
    """Raises IndexError for an index out of range, where values are known; compiled code clamps."""
    if dispatch.current_trace is not None:
        return
    array = array_of(index)
    if array.size and (array.min() < -n or array.max() >= n):
        bad = array[(array < -n) | (array >= n)].flat[0]
        raise index_error(f"index {bad} is out of bounds for dimension {d} with size {n}")


def _gathered(x: Tensor, left: list[Any]) -> Tensor:
    dims = [d for d, part in enumerate(left) if part is not None]
    if len(dims) == 1:
        # Along the dimension itself: no moving.
        (d,) = dims
        n = x._spec.shape[d]
        _check_range(left[d], n, d)
        index = _wrapped(left[d], n)
        return apply(i.GatherOp, (x, index), {"axis": d, "batch_dims": 0})[0]
    flat, _, position, adjacent, place = _plan(x, left)
    result = apply(i.GatherOp, (flat, position), {"axis": 0, "batch_dims": 0})[0]
    count = len(position._spec.shape)
    if adjacent and place:
        result = movedim(result, tuple(range(count)), tuple(range(place, place + count)))
    return result


def _wrapped(index: Tensor, n: int) -> Tensor:
    """Negative indices counted from the end."""
    index = index if index._spec.dtype in (i64, i32) else cast(index, i64)
    spec = index._spec
    if dispatch.current_trace is None and not (array_of(index) < 0).any():
        return index
    return builder.select(
        builder.compare("lt", index, scalar(0, spec.shape, spec.dtype)),
        builder.add(index, scalar(n, spec.shape, spec.dtype)),
        index,
    )


# Writing


def setitem(self: Tensor, index: Any, value: Any) -> None:
    """self[index] = value"""
    if not isinstance(value, Tensor):
        value = _value(self, value)
    if isinstance(index, Tensor) and index._spec.dtype is i1 and index._spec.shape and _fits(self, index, value):
        mask = reshaped(index, index._spec.shape + (1,) * (len(self._spec.shape) - len(index._spec.shape)))
        copy_(self, _masked(self, mask, value))
        return
    parts = _parts(self, index)
    x, left = _basic(self, parts)
    if all(part is None for part in left):
        copy_(x, _trimmed(value, x._spec.shape))
        return
    wide, left = _without_masks(x, left)
    copy_(wide, _scattered(wide, left, value, accumulate=False))


def _value(self: Tensor, value: Any) -> Tensor:
    if isinstance(value, bool | int | float | np.generic):
        return scalar(value, (), self._spec.dtype)
    return dispatch_tensor(value)


def _fits(self: Tensor, mask: Tensor, value: Tensor) -> bool:
    """Whether a masked write needs no count of where the mask holds: one number for all."""
    return value.numel() == 1 and mask._spec.shape == self._spec.shape[: len(mask._spec.shape)]


def _masked(self: Tensor, mask: Tensor, value: Tensor) -> Tensor:
    shape = self._spec.shape
    new = expand_to(cast(reshaped(value, ()), self._spec.dtype), shape)
    return apply(e.SelectOp, (expand_to(mask, shape), new, self))[0]


def _trimmed(value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Without leading extents of 1 beyond the rank of the target, as PyTorch allows."""
    given = value._spec.shape
    while len(given) > len(shape) and given[0] == 1:
        given = given[1:]
    return value if given == value._spec.shape else reshaped(value, given)


def _scattered(x: Tensor, left: list[Any], value: Tensor, accumulate: bool) -> Tensor:
    """x with `value` written (or added) at the indexed positions."""
    flat, order, position, adjacent, place = _plan(x, left)
    count = len(position._spec.shape)
    rest = flat._spec.shape[1:]
    target = position._spec.shape + rest
    value = cast(_trimmed(value, target), x._spec.dtype)
    if adjacent and place:
        wanted = rest[:place] + position._spec.shape + rest[place:]
        value = expand_to(value, expanded(value, wanted))
        value = movedim(value, tuple(range(place, place + count)), tuple(range(count)))
    else:
        value = expand_to(value, expanded(value, target))
    if accumulate:
        result = builder.scatter_add(flat, position, value, 0, 0)
    else:
        result = _put(flat, position, value)
    moved = reshaped(result, tuple(x._spec.shape[d] for d in order))
    inverse = tuple(sorted(range(len(order)), key=order.__getitem__))
    return builder.transpose(moved, inverse) if order != sorted(order) else moved


def _put(base: Tensor, position: Tensor, value: Tensor) -> Tensor:
    """base with rows replaced. Of several writes to one row the last wins.

    Row r of the result is value[last[r]] where some position is r, and base[r] elsewhere; `last` is found by comparing
    every position with every row when traced, and directly when eager.
    """
    rows = base._spec.shape[0]
    flat = reshaped(position, (-1,))
    m = flat._spec.shape[0]
    if m == 0 or rows == 0:
        return base
    updates = reshaped(value, (m, *base._spec.shape[1:]))
    last, written = _last_writes(flat, rows, m)
    chosen = apply(i.GatherOp, (updates, last), {"axis": 0, "batch_dims": 0})[0]
    written = reshaped(written, (rows,) + (1,) * (len(base._spec.shape) - 1))
    return builder.select(expand_to(written, base._spec.shape), chosen, base)


def _last_writes(position: Tensor, rows: int, m: int) -> tuple[Tensor, Tensor]:
    if dispatch.current_trace is None:
        from ..creation import from_array

        last = np.full(rows, -1, np.int64)
        last[array_of(position)] = np.arange(m)
        return from_array(np.maximum(last, 0)), from_array(last >= 0)
    shape = (rows, m)
    hits = builder.compare("eq", builder.broadcast(position, shape, (1,)), builder.iota(shape, i64, 0))
    numbered = builder.select(hits, builder.iota(shape, i64, 1), builder.constant(-1, shape, i64))
    last = builder.reduce_max(numbered, (1,))
    zero = builder.constant(0, (rows,), i64)
    return builder.maximum(last, zero), builder.compare("ge", last, zero)


# Functions


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of elements that are not zero."""
    from ..creation import from_array

    if dispatch.current_trace is not None:
        raise untraceable(
            "a boolean mask as an index (or nonzero())",
            "its result has a shape that depends on values; use torch.where(mask, x, y), masked_fill or a product with "
            "the mask instead",
        )
    found = np.nonzero(array_of(input.reshape(1) if not input._spec.shape else input))
    if as_tuple:
        return tuple(from_array(part.astype(np.int64)) for part in found)
    columns = found if input._spec.shape else ()
    rows = len(found[0])
    stacked = np.stack(columns, 1) if columns else np.zeros((rows, 0))
    return from_array(stacked.astype(np.int64))


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask holds, in a row."""
    shape = common_shape(input, mask)
    return getitem(expand_to(input, shape), expand_to(mask, shape))


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The given positions along a dimension."""
    if not input._spec.shape:
        return reshaped(input, (1,))
    d = axis(dim, len(input._spec.shape))
    _check_range(index, input._spec.shape[d], d)
    index = reshaped(index, (-1,)) if not index._spec.shape else index
    if index._spec.dtype not in (i64, i32):
        raise runtime_error("index_select(): Expected dtype int32 or int64 for index")
    return apply(i.GatherOp, (input, index), {"axis": d, "batch_dims": 0})[0]


def take(input: Tensor, index: Tensor) -> Tensor:
    """Elements by their place in the flattened tensor."""
    flat = reshaped(input, (-1,))
    return apply(i.GatherOp, (flat, _wrapped(index, flat._spec.shape[0])), {"axis": 0, "batch_dims": 0})[0]


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
        _check_range(index, input._spec.shape[d], d)
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
    _check_range(index, input._spec.shape[d], d)
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
    d = axis(dim, len(input._spec.shape))
    _check_index("scatter", input, d, index)
    _check_range(index, input._spec.shape[d], d)
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
    rows, positions = _rows(part, d), _rows(cast(index, i64), d)
    updates = _rows(_cropped(expand_to(source, shape) if not source._spec.shape else source, shape, -1), d)
    count, n = rows._spec.shape
    offsets = builder.mul(builder.iota(positions._spec.shape, i64, 0), scalar(n, positions._spec.shape, i64))
    flat = _put(
        reshaped(rows, (count * n,)),
        reshaped(builder.add(positions, offsets), (-1,)),
        reshaped(updates, (-1,)),
    )
    return _replaced(input, _unrows(reshaped(flat, (count, n)), part._spec.shape, d))


def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """input with the slices of `source` added at the given positions along a dimension"""
    d = axis(dim, len(input._spec.shape))
    _check_range(index, input._spec.shape[d], d)
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
    parts = _parts(input, tuple(indices))
    x, left = _basic(input, parts)
    x, left = _without_masks(x, left)
    return _scattered(x, left, values, accumulate)


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """input with successive elements of `source` where the mask holds"""
    shape = common_shape(input, mask)
    result = expand_to(input, shape).clone()
    held = expand_to(mask, shape)
    count = int(held.sum().item())
    setitem(result, held, reshaped(source, (-1,))[:count])
    return result


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """A last dimension with 1 at the position that the number says"""
    if num_classes < 0:
        num_classes = int(tensor.max().item()) + 1 if tensor.numel() else 0
    elif dispatch.current_trace is None and tensor.numel() and int(tensor.max().item()) >= num_classes:
        raise runtime_error("Class values must be smaller than num_classes.")
    shape = (*tensor._spec.shape, num_classes)
    x = builder.broadcast(cast(tensor, i64), shape, tuple(range(len(shape) - 1)))
    return cast(builder.compare("eq", x, builder.iota(shape, i64, len(shape) - 1)), i64)


def embedding_rows(weight: Tensor, index: Tensor) -> Tensor:
    """weight[index], for indices that are not negative"""
    _check_range(index, weight._spec.shape[0], 0)
    return apply(i.GatherOp, (weight, index), {"axis": 0, "batch_dims": 0})[0]


def iterate(self: Tensor) -> Any:
    """for row in tensor"""
    if not self._spec.shape:
        raise type_error("iteration over a 0-d tensor")
    return iter([select(self, 0, k) for k in range(self._spec.shape[0])])


def contains(self: Tensor, element: Any) -> bool:
    """element in tensor"""
    return bool((self == element).any())


FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        gather,
        index_add,
        index_copy,
        index_fill,
        index_put,
        index_select,
        masked_scatter,
        masked_select,
        nonzero,
        scatter,
        scatter_add,
        take,
        take_along_dim,
    )
}
METHODS: dict[str, Callable[..., Any]] = {
    **FUNCTIONS,
    "__getitem__": getitem,
    "__setitem__": setitem,
    "__iter__": iterate,
    "__contains__": contains,
}
IN_PLACE = (
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "masked_scatter",
    "scatter",
    "scatter_add",
)

__all__ = ["FUNCTIONS", "IN_PLACE", "METHODS", "masked_fill", "one_hot", "take_along"]
