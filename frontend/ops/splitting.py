"""Splitting tensors along a dimension: views of their parts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...dialects.types import i64
from ..dispatch import needed_array
from ..errors import TYPE_NAMES, index_error, runtime_error, type_error, untraceable
from ..tensor import Tensor
from .shape import axis, select, slice_along


def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Parts of equal size, or of the sizes given, along a dimension."""
    if not tensor._spec.shape:
        raise runtime_error("split expects at least a 1-dimensional tensor")
    d = axis(dim, len(tensor._spec.shape))
    n = tensor._spec.shape[d]
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        if size < 0:
            raise runtime_error(f"split expects split_size be non-negative, but got split_size={size}")
        if size == 0 and n:
            raise runtime_error(f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}")
        sections = [min(size, n - at) for at in range(0, n, size or 1)] or [0]
    else:
        sections = list(split_size_or_sections)
        if min(sections, default=0) < 0:
            raise runtime_error(
                f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={sections}"
            )
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
    if not input._spec.shape:
        raise runtime_error("chunk expects at least a 1-dimensional tensor")
    n = input._spec.shape[axis(dim, len(input._spec.shape))]
    return split(input, -(-n // chunks), dim) if n else split(input, [0] * chunks, dim)


def tensor_split(
    input: Tensor, indices_or_sections: Any = None, dim: int = 0, *, indices: Any = None, sections: Any = None
) -> tuple[Tensor, ...]:
    """Parts as equal as possible, or cut at the indices given."""
    given = next((x for x in (indices_or_sections, indices, sections) if x is not None), None)
    if given is None:
        raise type_error("tensor_split(): expected the number of sections or indices")
    if not input._spec.shape:
        raise runtime_error("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    if isinstance(given, Tensor):
        if given._spec.dtype is not i64:
            raise runtime_error(
                "tensor_split expected tensor_indices_or_sections to have dtype of long, but got "
                f"{TYPE_NAMES[given._spec.dtype]}"
            )
        given = known("tensor_split", given).tolist()
    d = axis(dim, len(input._spec.shape))
    n = input._spec.shape[d]
    if isinstance(given, int):
        if given <= 0:
            raise runtime_error(f"number of sections must be larger than 0, got {given}")
        small, longer = divmod(n, given)
        return split(input, [small + (k < longer) for k in range(given)], d)
    cuts = [0, *(max(k + n, 0) if k < 0 else min(k, n) for k in given), n]
    return tuple(slice_along(input, d, a, max(a, b)) for a, b in itertools.pairwise(cuts))


def known(name: str, x: Tensor) -> np.ndarray[Any, Any]:
    """The values of a tensor that decides a shape. Raises where a trace does not know them."""
    array = needed_array(x)
    if array is None:
        raise untraceable(f"{name}() by a tensor", "its result has a shape that depends on values; give numbers")
    return array


def _split_along(name: str, at_least: int, dim: int) -> Callable[..., tuple[Tensor, ...]]:
    def function(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
        rank = len(input._spec.shape)
        if rank < at_least:
            raise runtime_error(
                f"torch.{name} requires a tensor with at least {at_least} dimension, but got a tensor with {rank} "
                "dimensions!"
            )
        d = min(dim, rank - 1)
        n = input._spec.shape[d]
        if isinstance(indices_or_sections, int) and (not indices_or_sections or n % indices_or_sections):
            raise runtime_error(
                f"torch.{name} attempted to split along dimension {d}, but the size of the dimension {n} is not "
                f"divisible by the split_size {indices_or_sections}!"
            )
        return tensor_split(input, indices_or_sections, d)

    function.__name__ = function.__qualname__ = name
    return function


hsplit = _split_along("hsplit", 1, 1)
vsplit = _split_along("vsplit", 2, 0)
dsplit = _split_along("dsplit", 3, 2)


def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Parts of the sizes given, along a dimension."""
    return split(input, list(split_sizes), dim)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Each position along a dimension."""
    if not input._spec.shape:
        raise index_error("Dimension specified as 0 but tensor has no dimensions")
    d = axis(dim, len(input._spec.shape))
    return tuple(select(input, d, k) for k in range(input._spec.shape[d]))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (chunk, dsplit, hsplit, split, split_with_sizes, tensor_split, unbind, vsplit)
}
METHODS = FUNCTIONS

__all__ = ["FUNCTIONS", "METHODS", "known"]
