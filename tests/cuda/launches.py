"""Modules at the gpu level for tests: one launch of a kernel, and what it does to arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from irtool.dialects.text import parse_module
from irtool.runtime.compiler import compile_module

IDS = """
      %b = "gpu.block_id"() <{dimension = #gpu<dim x>}> : () -> index
      %t = "gpu.thread_id"() <{dimension = #gpu<dim x>}> : () -> index"""
BARRIER = "spmd.barrier {scope = #spmd<scope block>}"
TEAM = "{spmd.space = #spmd<space team>}"


def kernel(body: str, parameters: str, block: int, grid: int, name: str = "k") -> str:
    """The text of a kernel; `parameters` as in `%x: memref<4xf32>, %y: memref<4xf32>`."""
    types = ", ".join(p.partition(":")[2].strip() for p in parameters.split(", %"))
    return f"""
    "gpu.func"() <{{function_type = ({types}) -> (), kernel}}> ({{
    ^bb0({parameters}):{IDS}
      {body}
      "gpu.return"() : () -> ()
    }}) {{sym_name = "{name}", gpu.known_block_size = array<i32: {block}, 1, 1>,
        gpu.known_grid_size = array<i32: {grid}, 1, 1>}} : () -> ()"""


def launch(arguments: str, types: str, block: int, grid: int, name: str = "k") -> str:
    """The text of a launch, whose grid and block sizes are %c1 and constants named after the numbers."""
    count = len(arguments.split(","))
    segments = f"0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, {count}, 0"
    return (
        f'"gpu.launch_func"(%c{grid}, %c1, %c1, %c{block}, %c1, %c1, {arguments}) '
        f"<{{operandSegmentSizes = array<i32: {segments}>, kernel = @kernels::@{name}}}> : "
        f"(index, index, index, index, index, index, {types}) -> ()"
    )


def module(host: str, parameters: str, kernels: str, *numbers: int, arena: int = 0) -> str:
    """The text of a module; `numbers` are the constants that the host function has."""
    constants = "\n    ".join(f"%c{n} = arith.constant {n} : index" for n in sorted({1, *numbers}))
    return f"""
builtin.module attributes {{gpu.container_module, irtool.level = "gpu"}} {{
  func.func @step({parameters}, %arena: memref<{arena}xi8> {{irtool.arena}},
                  %workspace: memref<0xi8> {{irtool.workspace}}) {{
    {constants}
    {host}
    func.return
  }}
  "gpu.module"() <{{sym_name = "kernels"}}> ({{{kernels}
  }}) : () -> ()
}}
"""


def one_launch(body: str, inputs: str, output: str, block: int, grid: int = 1) -> str:
    """A module of one launch: `inputs` and `output` are types of buffers, %x0, %x1 … and %y in the body."""
    types = [type_ for type_ in inputs.split(", ") if type_]
    names = [f"%x{i}" for i in range(len(types))]
    given = [f"{n}: {t}" for n, t in zip(names, types)]
    arguments = ", ".join([*names, "%y"])
    parameters = ", ".join([*given, f"%y: {output}"])
    host = launch(arguments, ", ".join([*types, output]), block, grid)
    own = kernel(body, parameters, block, grid)
    return module(host, ", ".join([*given, f"%y: {output} {{irtool.out = 0}}"]), own, block, grid)


def run(text: str, *arrays: Any, filename: str = "train.mlir") -> list[np.ndarray]:
    """The results of a program on the emulator."""
    program = compile_module(parse_module(text, filename), "cuda-emulated")
    plan = program.plan
    buffers = [np.array(a, _numpy(plan["arguments"][i]["dtype"]), order="C") for i, a in enumerate(arrays)]
    results: list[np.ndarray] = []
    for found in plan["results"]:
        if "buffer" in found:
            buffers.append(np.zeros(found["shape"], _numpy(found["dtype"])))
        results.append(buffers[found.get("argument", found.get("buffer"))])
    call = program.bind()
    call.run([(i, buffer.ctypes.data) for i, buffer in enumerate(buffers)])
    return results


def _numpy(dtype: str) -> Any:
    from irtool.dialects.types import dtype_by_name

    return dtype_by_name(dtype).numpy
