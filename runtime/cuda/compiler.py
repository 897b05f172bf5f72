"""From the CUDA C of a kernel to its cubin: by NVRTC where that is installed, else by nvcc.

Cubins are code of one architecture. PTX, which the driver would compile again on each start, is never made.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from ...codegen.cuda.cuda import Kernel
from ..c_compiler import TIMEOUT, ToolchainError
from ..cache import Cache, content_key, write_private
from ..threads import available_cores
from ..toolchain import without_comments
from .nvrtc import NVRTC, NVRTCFailed, find_nvrtc

FLAGS = ("-std=c++17", "-lineinfo")
"""Of both. Multiplications and additions are fused, as the compilers do by themselves; denormals are kept."""

OWN_CODE = {90: "90a", 100: "100a", 120: "120a"}
"""Architectures whose own instructions have a name of their own."""


def architecture(capability: tuple[int, int]) -> str:
    """What compilers call the code of a device: `sm_80`, `sm_90a`."""
    number = capability[0] * 10 + capability[1]
    return f"sm_{OWN_CODE.get(number, number)}"


class CudaCompiler(ABC):
    """Compiles CUDA C."""

    name: str
    version: str

    @property
    def identity(self) -> str:
        """What decides about the code that comes out."""
        return f"{self.name} {self.version} {' '.join(FLAGS)}"

    @abstractmethod
    def compile(self, kernel: Kernel, arch: str) -> bytes:
        """A cubin of one kernel. Raises ToolchainError."""


class ByNVRTC(CudaCompiler):
    """The library."""

    name = "NVRTC"

    def __init__(self, library: NVRTC) -> None:
        self._library, self.version = library, library.version

    def compile(self, kernel: Kernel, arch: str) -> bytes:
        """See above."""
        try:
            return self._library.compile(kernel.source, kernel.name, [f"-arch={arch}", *FLAGS])
        except NVRTCFailed as error:
            raise _failed(kernel, self.name, str(error)) from None


class ByNVCC(CudaCompiler):
    """The program of the toolkit."""

    name = "nvcc"

    def __init__(self, path: str) -> None:
        self.path = path
        told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=TIMEOUT, check=False).stdout
        release = re.search(r"release [\d.]+, V([\d.]+)", told)
        if release is None:
            raise ToolchainError(f"{path} does not work: `nvcc --version` says {told.strip()[:200]!r}")
        self.version = release[1]

    def compile(self, kernel: Kernel, arch: str) -> bytes:
        """See above."""
        from ..cache import get_cache

        return get_cache().in_scratch(lambda folder: self._compile_in(folder, kernel, arch))

    def _compile_in(self, folder: Path, kernel: Kernel, arch: str) -> bytes:
        source, cubin = folder / f"{kernel.name}.cu", folder / f"{kernel.name}.cubin"
        source.write_text(kernel.source, encoding="utf-8")
        command = [self.path, f"-arch={arch}", *FLAGS, "-cubin", "-o", str(cubin), str(source)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _failed(kernel, self.name, str(error)) from error
        if done.returncode:
            raise _failed(kernel, self.name, (done.stderr or done.stdout).replace(f"{folder}{os.sep}", ""))
        return cubin.read_bytes()


def _failed(kernel: Kernel, compiler: str, log: str) -> ToolchainError:
    """What a compiler says of a kernel: whose it is, and the first of its errors."""
    errors = [line for line in log.splitlines() if "error" in line.lower()] or log.splitlines()
    where = f" ({kernel.comment})" if kernel.comment else ""
    return ToolchainError(f"{compiler} cannot compile kernel {kernel.name}{where}: " + "\n  ".join(errors[:5]))


def find_cuda_compiler() -> CudaCompiler:
    """NVRTC or nvcc. Raises ToolchainError where there is neither."""
    return _find(os.environ.get("PATH", ""))


@cache
def _find(_path: str) -> CudaCompiler:
    library = find_nvrtc()
    if library is not None:
        return ByNVRTC(library)
    path = shutil.which("nvcc")
    if path is None:
        raise ToolchainError(
            "programs for a GPU need a compiler of CUDA C, and there is none: install NVRTC, `pip install "
            "'nvidia-cuda-nvrtc>=13,<14' cuda-pathfinder`, or put the nvcc of a CUDA toolkit on the PATH"
        )
    return ByNVCC(path)


def compile_cubins(kernels: Iterable[Kernel], compiler: CudaCompiler, arch: str, cache: Cache) -> dict[str, Path]:
    """The cubins of kernels by name, from the cache or compiled side by side, the longest first."""

    def compiled(kernel: Kernel) -> Path:
        key = content_key(without_comments(kernel.source), compiler.identity, arch)
        return cache.object(key, lambda path: write_private(path, compiler.compile(kernel, arch)))

    by_length = sorted(kernels, key=lambda kernel: -len(kernel.body))
    with ThreadPoolExecutor(available_cores()) as pool:
        return dict(zip([kernel.name for kernel in by_length], pool.map(compiled, by_length)))


# A program's cubins in one file


def bundle(cubins: Mapping[str, Path], path: Path) -> None:
    """Writes them by name."""
    with ZipFile(path, "w") as archive:
        for name in sorted(cubins):
            archive.writestr(ZipInfo(name), cubins[name].read_bytes())


def unbundle(path: Path) -> dict[str, bytes]:
    """Reads them again."""
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
