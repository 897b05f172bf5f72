"""How a list of examples becomes a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....dialects.types import f64
from ...creation import as_tensor, from_numpy, tensor
from ...ops.shape import stack
from ...tensor import Tensor


def default_collate(batch: Sequence[Any]) -> Any:
    """Stacks tensors, arrays and numbers along a new first dimension, inside tuples, lists and dictionaries."""
    first = batch[0]
    if isinstance(first, Tensor):
        if all(isinstance(x, Tensor) and not x.requires_grad and x.shape == first.shape for x in batch):
            return from_numpy(np.stack([x.numpy() for x in batch]))
        return stack(list(batch), 0)
    if isinstance(first, (np.ndarray, np.generic)):
        if np.asarray(first).dtype.kind in "SUO":
            raise TypeError(_unknown(first))
        return as_tensor(np.stack([np.asarray(x) for x in batch]))
    if isinstance(first, float):
        return tensor(list(batch), dtype=f64)
    if isinstance(first, int):
        return tensor(list(batch))
    if isinstance(first, (str, bytes)):
        return list(batch)
    if isinstance(first, Mapping):
        collated = {key: default_collate([example[key] for example in batch]) for key in first}
        return _rebuild(first, collated)
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(column) for column in _columns(batch)))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(first, Sequence):
        columns = [default_collate(column) for column in _columns(batch)]
        return columns if isinstance(first, tuple) else _rebuild(first, columns)
    raise TypeError(_unknown(first))


def default_convert(data: Any) -> Any:
    """Without batches: arrays become tensors, inside tuples, lists and dictionaries."""
    if isinstance(data, (np.ndarray, np.generic)) and np.asarray(data).dtype.kind not in "SUO":
        return as_tensor(np.asarray(data))
    if isinstance(data, Mapping):
        return _rebuild(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(data, tuple):
        return [default_convert(value) for value in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _rebuild(data, [default_convert(value) for value in data])
    return data


def _columns(batch: Sequence[Sequence[Any]]) -> list[list[Any]]:
    size = len(batch[0])
    if any(len(example) != size for example in batch):
        raise RuntimeError("each element in list of batch should be of equal size")
    return [list(column) for column in zip(*batch, strict=True)]


def _rebuild(like: Any, values: Any) -> Any:
    """`values` in the type of `like`, where that can be made from it."""
    try:
        return type(like)(values)
    except TypeError:
        return values


def _unknown(value: object) -> str:
    return f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {type(value)}"
