"""Every kernel of the workloads compiles for the GPUs that there are, and none but contractions keeps in memory what it
has no registers for: part of `make test-cuda`, where nvcc is installed."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import irtool
import pytest
from irtool.codegen.cuda.cuda import CudaProgram, Kernel
from irtool.dialects.text import parse_module
from irtool.passes.target import GPUS
from irtool.runtime.c_compiler import ToolchainError
from irtool.runtime.cuda.backend import CUDA
from irtool.runtime.cuda.compiler import ByNVCC, ByNVRTC
from irtool.runtime.cuda.nvrtc import find_nvrtc

from ..golden import workloads

NVCC = pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc, of a CUDA toolkit")
NVRTC = pytest.mark.skipif(find_nvrtc() is None, reason="needs NVRTC: pip install 'nvidia-cuda-nvrtc>=13,<14'")
ARCHITECTURES = ("sm_80", "sm_90", "sm_90a")
LARGE = ("gpt2-124m", "resnet18-f64")
NAMES = [n for n in workloads.WORKLOADS if n not in LARGE or "IRTOOL_LARGE_TESTS" in os.environ]
CONTRACTION = re.compile(r"__shared__ .*\brows\[\d\]")
"""Tiles of the operands, several in turn; the tiles of the sums take all the registers that there are."""


class Usage(NamedTuple):
    """What ptxas says of a kernel for one architecture."""

    kernel: str
    architecture: str
    registers: int
    spilled: int
    """Bytes."""


class Planned(CUDA):
    """As for the newest of the presets."""

    def machine(self) -> Any:
        return GPUS["sm_90a"]


@functools.cache
def kernels(name: str) -> dict[str, Kernel]:
    """Those of a workload's training step."""
    steps: list[Any] = []

    def compiled(step: Any) -> Any:
        steps.append(irtool.compile(step, target="reference"))
        return steps[0]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gradients are read that the step has used up
        next(workloads.train(irtool, name, compiled, steps=1))
    return dict(Planned()._lowered(parse_module(steps[0].ir("traced")))[1].kernels)


def used(source: Path) -> list[Usage]:
    """Compiles a file for all architectures."""
    codes = [f"-gencode=arch={a.replace('sm', 'compute')},code={a}" for a in ARCHITECTURES]
    done = subprocess.run(
        ["nvcc", "-std=c++17", "-fatbin", "--resource-usage", "-t", "2", *codes, "-o", os.devnull, str(source)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.returncode, done.stderr[:3000]
    found: list[Usage] = []
    for part in done.stderr.split("Compiling entry function ")[1:]:
        named = re.match(r"'(\w+)' for '(\w+)'", part)
        spilled, registers = re.search(r"(\d+) bytes spill stores", part), re.search(r"Used (\d+) registers", part)
        assert named and spilled and registers, part
        found.append(Usage(named[1], named[2], int(registers[1]), int(spilled[1])))
    return found


@NVCC
@pytest.mark.parametrize("name", NAMES)
def test_kernels_compile_and_spill_nothing(name: str, tmp_path: Path) -> None:
    functions = kernels(name)
    source = tmp_path / f"{name}.cu"
    source.write_text(CudaProgram(functions).one_file())
    usages = used(source)
    assert {(u.kernel, u.architecture) for u in usages} == {
        (k.name, a) for k in functions.values() for a in ARCHITECTURES
    }
    tiled = {k.name for k in functions.values() if CONTRACTION.search(k.body)}
    assert not [u for u in usages if u.spilled and u.kernel not in tiled]


@NVRTC
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_kernels_compile_with_nvrtc(architecture: str) -> None:
    library = find_nvrtc()
    assert library is not None
    for kernel in kernels("mlp").values():
        assert ByNVRTC(library).compile(kernel, architecture).startswith(b"\x7fELF")


@NVCC
def test_errors_of_the_compiler_name_the_kernel_and_its_line() -> None:
    nvcc = shutil.which("nvcc")
    assert nvcc is not None
    kernel = next(iter(kernels("mlp").values()))
    wrong = replace(kernel, body="    int x = undefined_name;\n")
    for compiler in (ByNVCC(nvcc), *map(ByNVRTC, filter(None, [find_nvrtc()]))):
        told = (
            rf'{compiler.name} cannot compile kernel {kernel.name} \({re.escape(kernel.comment)}\): .*"undefined_name"'
        )
        with pytest.raises(ToolchainError, match=told):
            compiler.compile(wrong, "sm_80")
