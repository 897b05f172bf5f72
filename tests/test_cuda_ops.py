"""Every op through the CUDA target, run by the emulator: what it computes is what the reference says, in any order of
blocks and threads."""

from __future__ import annotations

import pytest
from irtool.dialects.hl import HLOp
from irtool.dialects.reference import evaluate
from irtool.runtime.compiler import compile_module

from .samples import SAMPLES
from .test_compiled_ops import COMPILED, module_of, run


@pytest.mark.parametrize("op", COMPILED, ids=lambda op: op.name.removeprefix("hl."))
def test_cuda_is_reference(op: type[HLOp]) -> None:
    samples = SAMPLES[op]
    program = compile_module(module_of(op, samples), "cuda-emulated")
    arrays = [array for sample in samples for array in sample.arrays]
    remaining = iter(run(program, arrays, 1))
    for sample in samples:
        for want in evaluate(op, sample.arrays, sample.attributes):
            sample.check(next(remaining), want)
