"""Different elements and their counts: of values that are known, since the shapes of results depend on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...dialects.types import i1, i32, i64, u8
from .. import eager
from ..creation import from_array
from ..dispatch import needed_array
from ..errors import TYPE_NAMES, located, runtime_error, untraceable
from ..modes import modes
from ..tensor import Tensor
from .operands import refusing_derivative
from .shape import axis


def _eager(name: str, x: Tensor) -> np.ndarray[Any, Any]:
    array = eager.mirrored(name, x)[0] if modes.trace is None else needed_array(x)
    if array is None:
        raise untraceable(
            f"{name}()", "its result has a shape that depends on values; call it outside the compiled function"
        )
    return array


def _results(
    input: Tensor, name: str, values: Any, inverse: Any, counts: Any, return_inverse: bool, return_counts: bool
) -> Any:
    message = f"the derivative for '{name}' is not implemented."
    results = [refusing_derivative(from_array(np.asarray(values)), NotImplementedError, message, input)]
    if return_inverse:
        results.append(from_array(np.asarray(inverse, np.int64)))
    if return_counts:
        results.append(from_array(np.asarray(counts, np.int64)))
    return results[0] if len(results) == 1 else tuple(results)


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different elements in order, or along `dim` the different slices; where each went, and how many there are."""
    array = _eager("unique", input)
    d = None if dim is None else axis(dim, array.ndim)
    if not array.ndim:
        array = array.reshape(1)
    values, inverse, counts = np.unique(array, return_inverse=True, return_counts=True, axis=d, equal_nan=False)
    inverse = inverse.reshape(input.shape if d is None else (-1,))
    name = "_unique2" if dim is None else "unique_dim"
    return _results(input, name, values, inverse, counts, return_inverse, return_counts)


def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The elements, or slices along `dim`, without those equal to the one before."""
    array = _eager("unique_consecutive", input)
    if not array.ndim and dim is not None:
        axis(dim, 0)
        array = array.reshape(1)
    d = 0 if dim is None else axis(dim, array.ndim)
    rows = array.reshape(-1) if dim is None else np.moveaxis(array, d, 0)
    new = (rows[1:] != rows[:-1]).any(tuple(range(1, rows.ndim)))
    starts = np.flatnonzero(np.concatenate([np.ones(min(len(rows), 1), bool), new]))
    inverse = np.zeros(len(rows), np.int64)
    inverse[starts[1:]] = 1
    counts = np.diff(np.append(starts, len(rows)))
    values = np.moveaxis(rows[starts], 0, d)
    place = np.cumsum(inverse).reshape(array.shape if dim is None else (-1,))
    name = "unique_consecutive" if dim is None else "unique_dim_consecutive"
    return _results(input, name, values, place, counts, return_inverse, return_counts)


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each number occurs, or the sum of its weights."""
    if input.dtype not in (i64, i32, u8) or input.dtype is i1:
        raise located(NotImplementedError, f"\"bincount_cpu\" not implemented for '{TYPE_NAMES[input.dtype]}'")
    array = _eager("bincount", input)
    if array.ndim != 1 or (array < 0).any():
        raise runtime_error("bincount only supports 1-d non-negative integral inputs.")
    if minlength < 0:
        raise runtime_error("minlength should be >= 0")
    if weights is None:
        return from_array(np.bincount(array, None, minlength).astype(np.int64))
    if weights.shape != input.shape:
        raise runtime_error("weights should be 1-d and have the same length as input")
    kind = np.float32 if weights.dtype.torch_name == "float32" else np.float64
    found = from_array(np.bincount(array, _eager("bincount", weights), minlength).astype(kind))
    return refusing_derivative(found, RuntimeError, "derivative for aten::bincount is not implemented", weights)


_ALL = (bincount, unique, unique_consecutive)
FUNCTIONS: dict[str, Callable[..., Any]] = {f.__name__: f for f in _ALL}
METHODS = FUNCTIONS

__all__ = ["FUNCTIONS", "METHODS"]
