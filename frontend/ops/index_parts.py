"""What an index is made of: numbers, slices, None and ellipsis become one slice and one reshape; tensors are left."""

from __future__ import annotations

import operator
from typing import Any
from typing import cast as typed

import numpy as np

from ...dialects.hl import shape as s
from ...dialects.types import i1, i64, u8
from ..creation import as_tensor
from ..devices import CPU
from ..dispatch import apply, known_array
from ..errors import index_error, located, runtime_error, type_error
from ..tensor import Tensor
from .movement import moved
from .operands import cast
from .shape import reshaped


def parts_of(x: Tensor, index: Any) -> list[Any]:
    """The index as a list that covers all dimensions, without ellipsis, lists turned into tensors."""
    raw: list[Any] = list(typed(Any, index)) if isinstance(index, tuple) or _is_tuple(index) else [index]
    given = [_part(part) for part in raw]
    used = sum(consumed(part) for part in given)
    rank = len(x._spec.shape)
    if used > rank:
        raise index_error(f"too many indices for tensor of dimension {rank}")
    rest = [slice(None)] * (rank - used)
    at = next((k for k, part in enumerate(given) if part is Ellipsis), len(given))
    return given[:at] + rest + [part for part in given[at:] if part is not Ellipsis]


def _is_tuple(index: Any) -> bool:
    """Whether a list stands for a tuple: as in PyTorch, where it holds anything but numbers."""
    return isinstance(index, list) and any(
        part is None or part is Ellipsis or isinstance(part, Tensor | list | tuple | slice | np.ndarray)
        for part in typed("list[Any]", index)
    )


def _part(part: Any) -> Any:
    kind = typed(Any, type(part))
    if kind is int or kind is slice or part is None or part is Ellipsis or kind is bool:
        return part
    if isinstance(part, Tensor):
        if part._spec.dtype.kind == "float":
            raise index_error("tensors used as indices must be long, int, byte or bool tensors")
        if part._spec.dtype is u8:
            return cast(part, i1)
        # A number in a 0-d tensor is an integer index, unless its value is not known.
        if not part._spec.shape and part._spec.dtype.kind == "int":
            array = known_array(part)
            return part if array is None else int(array)
        return part
    if kind is list or kind is range or isinstance(part, np.ndarray):
        found = as_tensor(list(typed(Any, part)) if kind is range else typed(Any, part))
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


def consumed(part: Any) -> int:
    """How many dimensions a part of an index stands for."""
    if part is None or part is Ellipsis or isinstance(part, bool):
        return 0
    if isinstance(part, Tensor) and part._spec.dtype is i1:
        return len(part._spec.shape)
    return 1


def _beside(x: Tensor, part: Tensor) -> Tensor:
    """An index where the tensor is: those on the CPU go along with tensors of any device."""
    where = x.device
    if part.device is where:
        return part
    if part.device is not CPU:
        raise runtime_error(f"indices should be either on cpu or on the same device as the indexed tensor ({where})")
    return moved(part, where)


def basic(x: Tensor, parts: list[Any]) -> tuple[Tensor, list[Any]]:
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
            bounds = _bounds(typed(Any, part), n)
            if bounds != (0, n, 1):
                sliced = True
                start[d], stop[d], step[d] = bounds
            new.append(None)
            left.append(None)
            d += 1
        elif isinstance(part, Tensor):
            count = consumed(part)
            new.extend([None] * count)
            left.append(_beside(x, part))
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
            taken.extend([False] * consumed(part))
        else:
            taken.append(not isinstance(part, slice))
    return taken


def _bounds(part: slice, n: int) -> tuple[int, int, int]:
    try:
        start, stop, step = (None if at is None else operator.index(at) for at in (part.start, part.stop, part.step))
    except TypeError:
        raise type_error("slice indices must be integers or None or have an __index__ method") from None
    if step is not None and step <= 0:
        raise located(ValueError, "step must be greater than zero")
    start, stop, _ = slice(start, stop, 1).indices(n)
    return start, max(start, stop), 1 if step is None else step


__all__ = ["basic", "consumed", "parts_of"]
