"""CUDA graphs: what is put on the stream, recorded once and put there again as a whole, at the cost of one launch.

PyCUDA has no word for them. Its launches and copies are captured all the same, from the stream's handle.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any

from .bindings import driver_library
from .driver import CUDADevice, DeviceError

RELAXED = 2
"""What other threads may do meanwhile: anything."""


@cache
def _library() -> Any:
    return driver_library()


def _check(code: int, what: str) -> None:
    if code:
        text = ctypes.c_char_p()
        _library().cuGetErrorString(code, ctypes.byref(text))
        raise DeviceError(f"CUDA error: {(text.value or b'unknown').decode()}, when {what}")


class Graph:
    """What `record()` puts on the device's stream; nothing of it runs before `launch`."""

    def __init__(self, device: CUDADevice, record: Callable[[], None]) -> None:
        library, self._device = _library(), device
        with device:
            stream, graph, self._ready = device.stream.handle, ctypes.c_void_p(), ctypes.c_void_p()
            _check(library.cuStreamBeginCapture_v2(stream, RELAXED), "a step began to be recorded")
            try:
                record()
            finally:
                ended = library.cuStreamEndCapture(stream, ctypes.byref(graph))
            try:
                _check(ended, "a step was recorded")
                self.nodes = _count(graph)
                made = library.cuGraphInstantiateWithFlags(ctypes.byref(self._ready), graph, 0)
                _check(made, "a recorded step was made ready")
            finally:
                if graph:
                    library.cuGraphDestroy(graph)
        weakref.finalize(self, _destroy, device, self._ready).atexit = False

    def launch(self) -> None:
        """Puts all of it on the stream."""
        _check(_library().cuGraphLaunch(self._ready, self._device.stream.handle), "a recorded step was launched")


def _count(graph: ctypes.c_void_p) -> int:
    count = ctypes.c_size_t()
    _check(_library().cuGraphGetNodes(graph, None, ctypes.byref(count)), "a recorded step was looked at")
    return count.value


def _destroy(device: CUDADevice, ready: ctypes.c_void_p) -> None:
    if not device.closed:
        with device:
            _library().cuGraphExecDestroy(ready)
