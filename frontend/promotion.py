"""PyTorch's rules for the element type of a result, as tables.

Tensors with dimensions outrank 0-d tensors, which outrank Python numbers: a lower rank only counts where it is of a
higher category (bool < int < float).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, cast

import numpy as np

from ..dialects.types import DType, Kind, f32, f64, i1, i32, i64, u8
from .errors import runtime_error

CATEGORY: dict[Kind, int] = {"bool": 0, "int": 1, "float": 2}
ORDER: tuple[DType, ...] = (i1, u8, i32, i64, f32, f64)
"""Of two types, the later one holds both."""

PROMOTED: dict[tuple[DType, DType], DType] = {
    (a, b): ORDER[max(i, j)] for i, a in enumerate(ORDER) for j, b in enumerate(ORDER)
}

PYTHON: dict[type, DType] = {bool: i1, int: i64, float: f32}
"""What a Python number counts as. The entry of float is the default dtype."""


def get_default_dtype() -> DType:
    """The element type of tensors made from Python floats."""
    return PYTHON[float]


def set_default_dtype(dtype: DType) -> None:
    """Sets the element type of tensors made from Python floats: float32 or float64."""
    if dtype.kind != "float":
        raise TypeError(f"only floating-point types are supported as the default type, got {dtype}")
    PYTHON[float] = dtype


def promote_types(type1: DType, type2: DType) -> DType:
    """The smallest type that holds both."""
    return PROMOTED[type1, type2]


def python_dtype(value: Any) -> DType | None:
    """What a Python or numpy number counts as; None for anything else."""
    found = PYTHON.get(cast(Any, type(value)))
    if found is not None:
        return found
    if isinstance(value, np.bool_):
        return i1
    if isinstance(value, (int, np.integer)):
        return i64
    if isinstance(value, (float, np.floating)):
        return PYTHON[float]
    return None


def combine(higher: DType | None, lower: DType | None) -> DType | None:
    """The type of a group of higher rank with one of lower rank."""
    if higher is None or lower is None:
        return higher or lower
    return PROMOTED[higher, lower] if CATEGORY[lower.kind] > CATEGORY[higher.kind] else higher


def result_dtype(ranked: Iterable[tuple[int, DType]]) -> DType:
    """The common type of operands, each with its rank: 2 with dimensions, 1 a 0-d tensor, 0 a Python number."""
    groups: list[DType | None] = [None, None, None]
    for rank, dtype in ranked:
        before = groups[rank]
        groups[rank] = dtype if before is None else PROMOTED[before, dtype]
    result = combine(groups[2], combine(groups[1], groups[0]))
    assert result is not None
    return result


def can_cast(from_: DType, to: DType) -> bool:
    """Whether a result of one type may be stored in place into another: never to a lower category."""
    return CATEGORY[from_.kind] <= CATEGORY[to.kind]


def float_dtype(dtype: DType) -> DType:
    """The type that sqrt, mean and the like compute in."""
    return dtype if dtype.kind == "float" else PYTHON[float]


def check_fits(values: Any, dtype: DType) -> None:
    """Raises RuntimeError where a number, or one of an array, is beyond an integer type; -1 fits unsigned ones too."""
    if dtype.kind != "int":
        return
    limits = iinfo(dtype)
    least = limits.min if dtype.signed else -limits.max
    array = np.asarray(values)
    if array.size and not (least <= array.min() and array.max() <= limits.max):
        raise runtime_error(f"value cannot be converted to type {dtype.torch_name} without overflow")


class finfo:
    """Limits of a floating-point type."""

    def __init__(self, type: DType | None = None) -> None:
        if type is not None and type.kind != "float":
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'"
            )
        limits: Any = np.finfo(cast(Any, (type or PYTHON[float]).numpy))
        self.dtype = (type or PYTHON[float]).torch_name
        self.bits = limits.bits
        self.eps, self.max, self.min, self.tiny = (float(v) for v in (limits.eps, limits.max, limits.min, limits.tiny))
        self.smallest_normal, self.resolution = self.tiny, float(limits.resolution)


class iinfo:
    """Limits of an integer type."""

    def __init__(self, type: DType) -> None:
        if type.kind != "int":
            raise TypeError("torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'")
        limits: Any = np.iinfo(cast(Any, type.numpy))
        self.dtype = type.torch_name
        self.bits, self.max, self.min = limits.bits, limits.max, limits.min


def lowest(dtype: DType) -> float | int | bool:
    """The number that a maximum starts from."""
    if dtype.kind == "float":
        return -math.inf
    return iinfo(dtype).min if dtype.kind == "int" else False


def highest(dtype: DType) -> float | int | bool:
    """The number that a minimum starts from."""
    if dtype.kind == "float":
        return math.inf
    return iinfo(dtype).max if dtype.kind == "int" else True


__all__ = [
    "PYTHON",
    "can_cast",
    "check_fits",
    "combine",
    "finfo",
    "float_dtype",
    "get_default_dtype",
    "iinfo",
    "promote_types",
    "python_dtype",
    "result_dtype",
    "set_default_dtype",
]
