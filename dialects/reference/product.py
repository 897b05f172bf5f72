"""Matrix products by numpy, on as many threads as pay.

The threads of numpy's BLAS library spin in wait for the next product. Beside a program that does other things in
between, or on a machine that is busy, that costs several times what they gain. So BLAS is kept on one thread here, and
large products are split among threads that sleep. The chunks depend on shapes alone: results do not depend on the
number of threads.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .table import Array

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

ALONE, ALONE_BY_VECTOR = 1 << 18, 1 << 13
"""Up to so many multiplications libraries stay on one thread by themselves; to fewer where a factor is a vector."""
CHUNK = 1 << 25
"""Multiplications of one chunk: some 0.5 ms on one core, much longer than it takes to wake a thread."""
MOST = 64
"""Chunks of one product."""


@cache
def libraries() -> list[Any]:
    """The BLAS libraries of this process whose threads can be set."""
    from threadpoolctl import ThreadpoolController  # pyright: ignore[reportMissingTypeStubs]

    found: Any = ThreadpoolController()
    return found.select(user_api="blas").lib_controllers


def set_threads(count: int) -> None:
    """How many threads a product may use; BLAS outside of this package too."""
    for library in libraries():
        library.set_num_threads(count)


class _Alone:
    """While any thread of Python is inside, BLAS uses no threads of its own."""

    def __init__(self, most: int = 1 << 16) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._inside = 0
        self._before: list[int] = []

    def __enter__(self) -> int:
        """Returns how many threads a product may use instead: as many as BLAS would have used."""
        with self._lock:
            if self._inside == 0:
                self._before = [library.get_num_threads() for library in libraries()]
                self._set([1] * len(self._before))
            self._inside += 1
            return min(self._most, *self._before)

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._set(self._before)

    def _set(self, counts: list[int]) -> None:
        for library, count, before in zip(libraries(), counts, self._before):
            if before != 1:
                library.set_num_threads(count)


_alone = _Alone()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(threads, "irtool-product")


def _after_fork() -> None:
    """A forked child has none of the threads, and is one of several workers."""
    global _alone
    _alone = _Alone(most=1)
    _pool.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def ranges(extent: int, count: int) -> Iterator[slice]:
    """`count` slices that cover so many elements."""
    for i in range(count):
        yield slice(extent * i // count, extent * (i + 1) // count)


def chunks(x: Array, y: Array, out: Array, count: int) -> Iterator[tuple[Array, Array, Array]]:
    """x @ y = out as smaller products: by the first batch dimension that is long enough, else by rows or by columns."""
    rank, shape = out.ndim, out.shape
    batch = next((d for d in range(rank - 2) if shape[d] >= count), None)
    axis = batch if batch is not None else max(rank - 2, rank - 1, key=shape.__getitem__)
    for part in ranges(shape[axis], min(count, shape[axis])):
        at = (*(slice(None),) * axis, part)
        yield x[at] if axis < rank - 1 else x, y[at] if axis != rank - 2 else y, out[at]


def _chunk(operands: tuple[Array, Array, Array]) -> None:
    x, y, out = operands
    with np.errstate(all="ignore"):  # which is each thread's own
        np.matmul(x, y, out=out)


def matmul(x: Array, y: Array) -> Array:
    rows, inner, columns = x.shape[-2], x.shape[-1], y.shape[-1]
    each = rows * inner * columns
    count = min(math.prod(x.shape[:-2]) * each // CHUNK, MOST)
    small = count < 2 and each <= (ALONE_BY_VECTOR if 1 in (rows, columns) else ALONE)
    if small or x.dtype.kind != "f" or not libraries():
        return np.matmul(x, y)
    with _alone as threads:
        if count < 2:
            return np.matmul(x, y)
        out = np.empty((*x.shape[:-1], columns), x.dtype)
        parts = chunks(x, y, out, count)
        list(map(_chunk, parts) if threads == 1 else _pool(threads).map(_chunk, parts))
        return out
