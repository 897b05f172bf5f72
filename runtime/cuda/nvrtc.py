"""NVRTC, NVIDIA's compiler of CUDA C as a library, by ctypes: no process to start, no file to write."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import import_module
from typing import Any

_SUCCESS, _COMPILATION_FAILED = 0, 6


class NVRTCFailed(RuntimeError):
    """The library does not compile a text; the message is its log."""


class NVRTC:
    """A loaded NVRTC."""

    def __init__(self, library: Any) -> None:
        self._library = library
        library.nvrtcGetErrorString.restype = ctypes.c_char_p
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._check(library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
        self.version = f"{major.value}.{minor.value}"

    def compile(self, text: str, name: str, options: list[str]) -> bytes:
        """The cubin of a text. Raises NVRTCFailed."""
        library, program = self._library, ctypes.c_void_p()
        self._check(
            library.nvrtcCreateProgram(ctypes.byref(program), text.encode(), f"{name}.cu".encode(), 0, None, None)
        )
        try:
            given = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
            code = library.nvrtcCompileProgram(program, len(options), given)
            if code:
                log = self._text(program, library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog)
                raise NVRTCFailed(log.decode(errors="replace").rstrip("\0") or self._says(code))
            return self._text(program, library.nvrtcGetCUBINSize, library.nvrtcGetCUBIN)
        finally:
            library.nvrtcDestroyProgram(ctypes.byref(program))

    def _text(self, program: ctypes.c_void_p, size_of: Any, get: Any) -> bytes:
        size = ctypes.c_size_t()
        self._check(size_of(program, ctypes.byref(size)))
        text = ctypes.create_string_buffer(size.value)
        self._check(get(program, text))
        return text.raw

    def _says(self, code: int) -> str:
        return str(self._library.nvrtcGetErrorString(code).decode())

    def _check(self, code: int) -> None:
        if code:
            raise NVRTCFailed(self._says(code))


@cache
def find_nvrtc() -> NVRTC | None:
    """The library, from a package or the toolkit, if there is one that loads."""
    try:
        pathfinder: Any = import_module("cuda.pathfinder")
        found = pathfinder.load_nvidia_dynamic_lib("nvrtc")
        return NVRTC(ctypes.CDLL(str(found.abs_path)))
    except (ImportError, OSError, RuntimeError):
        return None
