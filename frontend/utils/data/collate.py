"""How a list of examples becomes a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from ....dialects.types import f64
from ...creation import as_tensor, from_numpy, tensor
from ...ops.joining import stack
from ...tensor import Tensor

ARRAY: Any = (np.ndarray, np.generic)


def default_collate(batch: Sequence[Any]) -> Any:
    """Stacks tensors, arrays and numbers along a new first dimension, inside tuples, lists and dictionaries."""
    first: Any = batch[0]
    if isinstance(first, Tensor):
        if all(isinstance(x, Tensor) and not x.requires_grad and x.shape == first.shape for x in batch):
            return from_numpy(np.stack([x.numpy() for x in batch]))
        return stack(list(batch), 0)
    if isinstance(first, ARRAY):
        if not _is_numeric(first):
            raise TypeError(_unknown(first))
        return as_tensor(np.stack([np.asarray(x) for x in batch]))
    if isinstance(first, float):
        return tensor(list(batch), dtype=f64)
    if isinstance(first, int):
        return tensor(list(batch))
    if isinstance(first, (str, bytes)):
        return list(batch)
    kind = cast(Any, type(first))
    if isinstance(first, Mapping):
        keys: list[Any] = list(cast(Mapping[Any, Any], first))
        return _rebuild(kind, {key: default_collate([example[key] for example in batch]) for key in keys})
    if isinstance(first, Sequence):
        columns = [default_collate(column) for column in _columns(batch)]
        if hasattr(kind, "_fields"):
            return kind(*columns)
        return columns if isinstance(first, tuple) else _rebuild(kind, columns)
    raise TypeError(_unknown(first))


def default_convert(data: Any) -> Any:
    """Without batches: arrays become tensors, inside tuples, lists and dictionaries."""
    kind = cast(Any, type(data))
    if isinstance(data, ARRAY):
        return as_tensor(np.asarray(data)) if _is_numeric(data) else data
    if isinstance(data, Mapping):
        table = cast(Mapping[Any, Any], data)
        return _rebuild(kind, {key: default_convert(value) for key, value in table.items()})
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        values = [default_convert(value) for value in cast(Sequence[Any], data)]
        if hasattr(kind, "_fields"):
            return kind(*values)
        return values if isinstance(data, tuple) else _rebuild(kind, values)
    return data


def _is_numeric(value: Any) -> bool:
    return np.asarray(value).dtype.kind not in "SUO"


def _columns(batch: Sequence[Sequence[Any]]) -> list[list[Any]]:
    size = len(batch[0])
    if any(len(example) != size for example in batch):
        raise RuntimeError("each element in list of batch should be of equal size")
    return [list(column) for column in zip(*batch, strict=True)]


def _rebuild(kind: Any, values: Any) -> Any:
    """`values` in a type, where that can be made from them."""
    try:
        return kind(values)
    except TypeError:
        return values


def _unknown(value: object) -> str:
    return f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {type(value)}"


__all__ = ["default_collate", "default_convert"]
