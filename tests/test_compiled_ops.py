"""Every op through every level: the generated C computes what the reference says, with any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from irtool.dialects.hl import OPS, HLOp
from irtool.dialects.hl.builder import IRBuilder
from irtool.dialects.reference import NO_REFERENCE, evaluate
from irtool.dialects.types import TensorSpec, dtype_by_name, dtype_of_numpy, tensor_type
from irtool.runtime.compiler import compile_module
from irtool.runtime.storage import aligned_empty
from irtool.runtime.threads import get_num_threads, set_num_threads
from xdsl.dialects.builtin import FunctionType, ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region, SSAValue

from .samples import SAMPLES
from .samples.core import Array, Sample


def module_of(op: type[HLOp], samples: list[Sample]) -> ModuleOp:
    """A function that applies the op to the operands of every sample."""
    block = Block(arg_types=[tensor_type(spec) for sample in samples for spec in sample.specs])
    builder = IRBuilder(block)
    operands = iter(block.args)
    results: list[SSAValue] = []
    for sample in samples:
        results.extend(builder.emit(op, [next(operands) for _ in sample.arrays], sample.attributes))
    builder.insert(ReturnOp(*results))
    types = [v.type for v in results]
    return ModuleOp([FuncOp("f", FunctionType.from_lists(list(block.arg_types), types), Region(block))])


def aligned(array: Array) -> Array:
    """A copy of an array as compiled programs expect it."""
    copy = aligned_empty(TensorSpec(array.shape, dtype_of_numpy(array.dtype)))
    copy[...] = array
    return copy


def run(program: Any, arrays: list[Array], threads: int) -> list[Array]:
    """The results of a program."""
    plan = program.plan
    buffers: list[Array] = [aligned(a) for a in arrays]
    for entry in plan["results"]:
        buffer = aligned_empty(TensorSpec(tuple(entry["shape"]), dtype_by_name(entry["dtype"])))
        buffer.reshape(-1).view(np.uint8)[...] = 0xAB
        buffers.append(buffer)
    before = get_num_threads()
    set_num_threads(threads)
    try:
        call = program.bind()
        for k, buffer in enumerate(buffers):
            call.set(k, buffer.__array_interface__["data"][0])
        call.run()
    finally:
        set_num_threads(before)
    return buffers[len(arrays) :]


COMPILED = [op for op in OPS if op not in NO_REFERENCE and SAMPLES[op]]


@pytest.mark.parametrize("op", COMPILED, ids=lambda op: op.name.removeprefix("hl."))
def test_c_is_reference(op: type[HLOp]) -> None:
    samples = SAMPLES[op]
    program = compile_module(module_of(op, samples))
    arrays = [array for sample in samples for array in sample.arrays]
    results = run(program, arrays, 1)
    for threads in (2, 3, 4, 8):
        for one, several in zip(results, run(program, arrays, threads)):
            assert one.tobytes() == several.tobytes(), f"the result is another on {threads} threads"
    remaining = iter(results)
    for sample in samples:
        for want in evaluate(op, sample.arrays, sample.attributes):
            sample.check(next(remaining), want)
