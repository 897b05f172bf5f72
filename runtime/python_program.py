"""Programs that are functions in Python of the memory that a launch points them at."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import numpy as np

from ..dialects.types import TensorSpec, dtype_by_name
from .pointer_call import PointerCall

Array = np.ndarray[Any, Any]


class PythonProgram:
    """`function(buffers)` reads the arguments, and writes to those that are state and to the results behind them."""

    def __init__(self, plan: Mapping[str, Any], function: Callable[[list[Array]], None]) -> None:
        self.plan, self.function = plan, function
        fresh = sorted((found for found in plan["results"] if "buffer" in found), key=itemgetter("buffer"))
        described: list[Mapping[str, Any]] = [*plan["arguments"], *fresh]
        self.specs = [TensorSpec(tuple(s["shape"]), dtype_by_name(s["dtype"])) for s in described]

    def bind(self) -> PointerCall:
        """A call with pointers to fill."""
        return PointerCall(self._launch)

    def _launch(self, pointers: Mapping[int, int]) -> None:
        self.function([array_at(pointers[i], spec) for i, spec in enumerate(self.specs)])


def array_at(address: int, spec: TensorSpec) -> Array:
    """The tensor whose bytes lie at an address."""
    count = math.prod(spec.shape)
    if not count:
        return np.empty(spec.shape, spec.dtype.numpy)
    memory: Any = (ctypes.c_char * (count * spec.dtype.itemsize)).from_address(address)
    return np.frombuffer(memory, spec.dtype.numpy).reshape(spec.shape)
