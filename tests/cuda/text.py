"""Kernels for tests that are written as CUDA C, run by the emulator on arrays."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from irtool.codegen.cuda.cuda import Kernel
from irtool.runtime.cache import content_key
from irtool.runtime.cuda.emulator.build import PARTS, build_emulated, emulated_text, part
from irtool.runtime.cuda.emulator.program import EmulatedProgram
from irtool.runtime.toolchain import find_compiler

DTYPES = {"float32": "f32", "int64": "i64", "int32": "i32"}
LINE = "train.py:7"


def kernel(parameters: str, body: str, block: int, grid: int = 1, name: str = "k") -> Kernel:
    """A kernel whose parameters are pointers, `const float *x, float *y`; it writes to those that are not const."""
    listed = [p.strip() for p in parameters.split(",")]
    return Kernel(
        name,
        "",
        f'extern "C" __global__ void __launch_bounds__({block}) {name}({parameters})',
        "".join(f"    {line}\n" for line in body.strip().splitlines()),
        (grid, 1, 1),
        (block, 1, 1),
        0,
        tuple(p.rpartition(" ")[2].lstrip("*") for p in listed),
        tuple(not p.startswith("const") for p in listed),
        tuple(re.sub(r"const |\*.*", "", p).strip() for p in listed),
    )


def run(made: Kernel, *arrays: np.ndarray, checked: bool = True) -> None:
    """One launch, which changes the arrays that the kernel may write to; in a checked run or a plain one."""
    program = program_of(made, *arrays)
    call = program.bind()
    for _ in range(1 if checked else 2):
        call.run([(i, array.ctypes.data) for i, array in enumerate(arrays)])


def program_of(made: Kernel, *arrays: np.ndarray) -> EmulatedProgram:
    """A program of one launch."""
    described = [{"shape": list(a.shape), "dtype": DTYPES[a.dtype.name]} for a in arrays]
    facts = {
        "parameters": list(made.parameters), "written": list(made.written), "types": list(made.types),
        "collective": made.collective,
    }  # fmt: skip
    plan: dict[str, Any] = {
        "arguments": described, "results": [], "buffers": len(arrays), "arena_buffers": [], "workspace_buffers": [],
        "written": [k for k, written in enumerate(made.written) if written], "functions": {made.name: facts},
        "launches": [
            {
                "kernel": made.name, "grid": made.grid, "block": made.block, "shared": 0, "line": LINE,
                "arguments": [[["buffer", k], [0, []]] for k in range(len(arrays))],
                "places": [[None, a.nbytes] for a in arrays],
            }
        ],
    }  # fmt: skip
    sources = [emulated_text([made], "checked"), *(part(f"{name}.cpp") for name in PARTS), find_compiler().identity]
    entry = build_emulated(content_key(*sources, str(plan)), [made], plan)
    return EmulatedProgram(entry.shared_object, entry.plan)
