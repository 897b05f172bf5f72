"""Denormal numbers: the mode of a thread in which they count as zero.

Arithmetic on them is up to 100 times slower on many processors, and vanishing gradients are full of them. Compiled
programs set the mode in each of their threads and give back the one they found (`codegen/primitives.py`); whether they
flush is an argument of each call. Here is the setting, and the same mode for what numpy does in the calling thread.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np

flush = 1
"""Whether compiled programs flush: their argument."""

_PROCESSORS = frozenset({"x86_64", "AMD64", "aarch64", "arm64"})
"""Those that generated C can set the mode of."""
_FIELDS = {"x86_64": (28, 0x8040), "aarch64": (0, 1 << 24)}
"""In the C library's `fenv_t` on Linux: where the word with the mode is, and its bits."""


def set_flush_denormal(mode: bool) -> bool:
    """Whether denormal numbers count as zero, in compiled programs and in what this thread computes from now on.

    Until it is called, compiled programs flush and eager code does not. Returns whether this processor can.
    """
    global flush
    if not isinstance(mode, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"set_flush_denormal expects a bool, but got {type(mode).__name__}")
    if platform.machine() not in _PROCESSORS:
        return False
    flush = int(mode)
    set_thread_mode(mode)
    return True


class _Mode:
    """The floating-point environment of the calling thread, as the C library reads and writes it."""

    def __init__(self) -> None:
        library = ctypes.PyDLL(None)
        self._get, self._set = library.fegetenv, library.fesetenv
        self._offset, self._bits = _FIELDS[platform.machine()]

    def set(self, on: bool) -> bool:
        """Changes the mode; returns the one before."""
        environment = ctypes.create_string_buffer(64)
        self._get(environment)
        word = ctypes.c_uint32.from_buffer(environment, self._offset)
        before = bool(word.value & self._bits)
        word.value = word.value | self._bits if on else word.value & ~self._bits
        self._set(environment)
        return before


@lru_cache(maxsize=1)
def _thread_mode() -> _Mode | None:
    """How to change the mode of the calling thread; None where that is not known."""
    if sys.platform != "linux" or platform.machine() not in _FIELDS:
        return None
    try:
        return _Mode()
    except (OSError, AttributeError):  # a C library without these functions
        return None


def set_thread_mode(on: bool) -> bool | None:
    """Whether denormals count as zero in what this thread computes from now on, numpy included.

    Returns the mode before; None where it cannot be changed, and has not been.
    """
    mode = _thread_mode()
    return None if mode is None else mode.set(on)


@contextmanager
def as_compiled() -> Generator[None]:
    """In this thread, denormals count as they do in compiled programs."""
    before = set_thread_mode(bool(flush))
    try:
        yield
    finally:
        if before is not None:
            set_thread_mode(before)


def without_denormals(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same numbers with zero for each denormal, as results are compared while compiled programs flush."""
    if not flush or array.dtype.kind != "f":
        return array
    return np.where(np.abs(array) < np.finfo(array.dtype).tiny, np.copysign(array.dtype.type(0), array), array)
