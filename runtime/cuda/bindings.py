"""PyCUDA and the driver's own library, imported when first asked for: all that is untyped about them is named here.

PyCUDA 2026.1 knows nothing of CUDA graphs: those entry points are called by ctypes, on PyCUDA's own streams.
"""

from __future__ import annotations

import ctypes
import os
from importlib import import_module
from typing import Any

INSTALL = "pip install 'irtool[cuda]'"


class CUDAUnavailable(RuntimeError):
    """There is no device to use; the message is one sentence that says what is missing, and what to do about it."""


class ForkedProcess(RuntimeError):
    """CUDA has been in use before this process was forked."""

    def __init__(self) -> None:
        super().__init__(
            "Cannot re-initialize CUDA in forked subprocess. To use CUDA with multiprocessing, you must use the "
            "'spawn' start method"
        )


class _Opened:
    """What this process has initialized."""

    cuda: Any = None
    process = 0


def pycuda_driver() -> Any:
    """The module `pycuda.driver`, initialized. Raises CUDAUnavailable, and ForkedProcess in a child of a process that
    initialized it."""
    if _Opened.cuda is None:
        _Opened.cuda = _initialized(_imported())
        _Opened.process = os.getpid()
    check_process()
    return _Opened.cuda


def check_process() -> None:
    """Raises ForkedProcess in a child of the process that initialized CUDA, in which nothing of it works."""
    if _Opened.process != os.getpid() and _Opened.cuda is not None:
        raise ForkedProcess


def _imported() -> Any:
    try:
        return import_module("pycuda.driver")
    except ModuleNotFoundError as error:
        raise CUDAUnavailable(
            f"CUDA needs PyCUDA, which is not installed (no module named {error.name!r}): `{INSTALL}` builds it, where "
            "there is a CUDA toolkit"
        ) from error
    except ImportError as error:
        if "libcuda" in str(error):
            raise CUDAUnavailable(
                f"CUDA needs NVIDIA's driver, which is not installed ({error}): install one that knows CUDA 13"
            ) from error
        raise CUDAUnavailable(
            f"PyCUDA is installed but does not load ({error}): build it again on this machine, "
            "`pip install --force-reinstall --no-cache-dir pycuda`"
        ) from error


def _initialized(cuda: Any) -> Any:
    try:
        cuda.init()
        count = cuda.Device.count()
    except cuda.Error as error:
        raise CUDAUnavailable(f"CUDA needs a GPU, and the driver finds none ({plain(error)})") from error
    if not count:
        raise CUDAUnavailable(
            "CUDA needs a GPU, and the driver finds none; look at CUDA_VISIBLE_DEVICES and nvidia-smi"
        )
    return cuda


def plain(error: Exception) -> str:
    """What an error of the driver says, without the name of the function that happened to notice it."""
    text = str(error)
    _, found, reason = text.partition(" failed: ")
    return reason.split(" - ")[0] if found else text


# Entry points that PyCUDA lacks

_GRAPHS: dict[str, list[Any]] = {
    "cuStreamBeginCapture_v2": [ctypes.c_void_p, ctypes.c_int],
    "cuStreamEndCapture": [ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)],
    "cuGraphInstantiateWithFlags": [ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p, ctypes.c_ulonglong],
    "cuGraphLaunch": [ctypes.c_void_p, ctypes.c_void_p],
    "cuGraphGetNodes": [ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)],
    "cuGraphDestroy": [ctypes.c_void_p],
    "cuGraphExecDestroy": [ctypes.c_void_p],
}


def driver_library() -> Any:
    """The library that PyCUDA is linked with, by ctypes."""
    library = ctypes.CDLL("libcuda.so.1")
    for name, types in _GRAPHS.items():
        function = library[name]
        function.argtypes, function.restype = types, ctypes.c_int
        setattr(library, name, function)
    library.cuGetErrorString.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
    return library
