"""The stand-in for the driver, loaded into this process, and kernels for it in place of cubins."""

from __future__ import annotations

import ctypes
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from irtool.codegen.cuda.cuda import Kernel
from irtool.runtime.cache import content_key
from irtool.runtime.cuda import backend
from irtool.runtime.cuda.compiler import CudaCompiler
from irtool.runtime.cuda.emulator.build import VARIANTS, compiler, emulated_text

from .build import build


def load() -> Any:
    """The stand-in, by ctypes. PyCUDA finds it, and not the machine's driver, by its name. Raises CannotBuild."""
    library, site = build()
    loaded = ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    if str(site) not in sys.path:
        sys.path.append(str(site))
    return loaded


def use(set_attribute: Callable[[Any, str, Any], None]) -> None:
    """Has the target "cuda" compile kernels for the stand-in, and plan them as those of the emulator are."""
    set_attribute(backend, "find_cuda_compiler", EmulatedCubins)
    set_attribute(backend.CUDA, "machine", backend.OnGPU.machine)


class EmulatedCubins(CudaCompiler):
    """Makes what the stand-in takes for a cubin: a library of one kernel, whose emulator is the driver's."""

    name = "emulated"
    version = content_key(emulated_text([], "plain"))

    def compile(self, kernel: Kernel, arch: str) -> bytes:
        """See above."""
        plain = compiler(*VARIANTS["plain"])
        with tempfile.TemporaryDirectory() as folder:
            source, made, library = (Path(folder) / f"kernel.{ending}" for ending in ("cu", "o", "so"))
            source.write_text(emulated_text([kernel], "plain"))
            plain.run([*plain.flags, "-c", "-o", str(made), str(source)], source, made)
            plain.run(["-shared", "-o", str(library), str(made)], output=library)
            return library.read_bytes()
