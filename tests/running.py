"""Programs run on arrays, for tests: compiled at any level, or by the reference meanings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from irtool.dialects.reference.interpret import interpret
from irtool.dialects.text import make_context
from irtool.dialects.types import TensorSpec, dtype_by_name, dtype_of_numpy, spec_of
from irtool.passes.hl.checks import errors_argument
from irtool.passes.hl.differentiate import Differentiate
from irtool.runtime.compiler import compile_module
from irtool.runtime.denormals import as_compiled
from irtool.runtime.plan import host_of
from irtool.runtime.storage import aligned_empty
from irtool.runtime.threads import get_num_threads, set_num_threads
from xdsl.dialects.builtin import ModuleOp

Array = np.ndarray[Any, Any]


def aligned(array: Array) -> Array:
    """A copy of an array as compiled programs expect it."""
    copy = aligned_empty(TensorSpec(array.shape, dtype_of_numpy(array.dtype)))
    copy[...] = array
    return copy


def execute(module: ModuleOp, arrays: Sequence[Array], threads: int = 1, target: str = "cpu") -> list[Array]:
    """All results of a compiled module, those of state arguments included; `arrays` stay as they are."""
    program = compile_module(module, target)
    buffers = [aligned(array) for array in arrays]
    for entry in program.plan["results"]:
        if "buffer" in entry:
            buffer = aligned_empty(TensorSpec(tuple(entry["shape"]), dtype_by_name(entry["dtype"])))
            buffer.reshape(-1).view(np.uint8)[...] = 0xAB
            buffers.append(buffer)
    before = get_num_threads()
    set_num_threads(threads)
    try:
        call = program.bind()
        for index, buffer in enumerate(buffers):
            call.set(index, buffer.__array_interface__["data"][0])
        call.run()
    finally:
        set_num_threads(before)
    return [buffers[entry.get("buffer", entry.get("argument"))] for entry in program.plan["results"]]


def reference(module: ModuleOp, arrays: Sequence[Array]) -> list[Array]:
    """The results by the reference meanings of hl."""
    module = module.clone()
    Differentiate().apply(make_context(), module)
    with as_compiled():
        return interpret(host_of(module), arrays)


def generate(module: ModuleOp, seed: int = 0) -> list[Array]:
    """Arguments for the function of an hl module: normal floats, integers from 0 to 9, no errors so far."""
    rng = np.random.default_rng(seed)
    found: list[Array] = []
    record = errors_argument(host_of(module))
    for argument in host_of(module).body.block.args:
        spec = spec_of(argument.type)
        if argument is record:
            found.append(np.zeros(spec.shape, spec.dtype.numpy))
            continue
        value = rng.standard_normal(spec.shape) if spec.dtype.kind == "float" else rng.integers(0, 10, spec.shape)
        found.append(np.asarray(value).astype(spec.dtype.numpy))
    return found
