"""What the sanitizers watch: ops with ordinary and with hostile operands, their gradients, random graphs, programs."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import irtool
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from irtool.dialects.hl import HLOp
from irtool.dialects.hl.builder import IRBuilder
from irtool.dialects.types import spec_of, tensor_type
from irtool.frontend.compiling import specialize
from irtool.passes.hl.gradients import GRADIENTS
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FunctionType, ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region, SSAValue

from ..programs.runner import run as run_program
from ..samples import SAMPLES
from ..samples.core import Array
from ..samples.hostile import HOSTILE
from ..test_compiled_ops import COMPILED, module_of
from ..test_programs import traced
from ..test_random_graphs import programs

GRAPHS = 100
Case = tuple[ModuleOp, list[Array]]
OPS = COMPILED
DIFFERENTIABLE = [op for op in COMPILED if op in GRADIENTS and any(s.differentiable for s in SAMPLES[op])]


def samples(op: type[HLOp]) -> Case:
    """An op on the operands of all of its samples."""
    return module_of(op, SAMPLES[op]), [array for sample in SAMPLES[op] for array in sample.arrays]


def gradients(op: type[HLOp]) -> Case:
    """The gradients of an op at all of its samples."""
    chosen = [s for s in SAMPLES[op] if s.differentiable]
    block = Block(arg_types=[tensor_type(spec) for sample in chosen for spec in sample.specs])
    b = IRBuilder(block)
    arguments = iter(block.args)
    found: list[SSAValue] = []
    for sample in chosen:
        operands = [next(arguments) for _ in sample.arrays]
        results = [r for r in b.emit(op, operands, sample.attributes) if spec_of(r.type).dtype.kind == "float"]
        sums = [b.reduce_sum(r, tuple(range(len(spec_of(r.type).shape)))) for r in results]
        total = sums[0]
        for more in sums[1:]:
            total = b.add(total, more)
        found += b.gradient(total, [x for x in operands if spec_of(x.type).dtype is spec_of(total.type).dtype])
    b.insert(ReturnOp(*found))
    types = FunctionType.from_lists(list(block.arg_types), [v.type for v in found])
    return ModuleOp([FuncOp("f", types, Region(block))]), [array for s in chosen for array in s.arrays]


def refused(name: str) -> Iterator[Case]:
    """A function of indices or divisors with each of the values that it refuses. Nothing stops at a failed check: what
    it would have kept from running has to stay inside of its buffers too."""
    case = HOSTILE[name]
    w, v = np.ones((5, 6), np.float32), np.arange(7, dtype=np.float32)
    module = irtool.compile(case.function).trace(*map(irtool.tensor, (w, v, case.good())))
    (host,) = (op for op in module.ops if isinstance(op, FuncOp))
    marks = [dict(entry.data) for entry in host.arg_attrs or ()]
    for entry in marks:
        entry.pop("irtool.errors", None)
    host.arg_attrs = ArrayAttr(DictionaryAttr(entry) for entry in marks)
    for _, bad in case.bad():
        values = {"w": w, "v": v, "i": bad, "errors": np.zeros(3, np.int64)}
        yield module, [values[str(argument.name_hint)] for argument in host.args]


def hostile(array: Array, seed: int) -> Array:
    """Numbers that no user means: indices far outside, extremes, NaN."""
    rng = np.random.default_rng(seed)
    if array.dtype.kind == "f":
        choices: Sequence[float] = (np.nan, np.inf, -np.inf, -0.0, 1e-40, 3e38, -3e38, -1.5)
    elif array.dtype.kind == "b":
        return rng.integers(0, 2, array.shape).astype(bool)
    else:
        info = np.iinfo(array.dtype)
        extremes = (info.min, info.min + 1, -(2**31), -64, -1, 0, 1, 64, 2**31, info.max)
        choices = [n for n in extremes if info.min <= n <= info.max]
    return rng.choice(np.array(choices, array.dtype), array.shape)


def hostile_samples(op: type[HLOp]) -> Case:
    """An op on hostile operands."""
    module, arrays = samples(op)
    return module, [hostile(array, k) for k, array in enumerate(arrays)]


@functools.cache
def random_graphs() -> list[Case]:
    """The first random programs."""
    found: list[Case] = []

    @settings(
        max_examples=GRAPHS, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(programs())
    def collect(program: Case) -> None:
        found.append(program)

    collect()
    return found[:GRAPHS]


def compiled(name: str) -> Iterator[ModuleOp]:
    """The modules that a training program compiles."""
    found: list[ModuleOp] = []
    make = specialize.compile_module

    def record(module: ModuleOp, target: str) -> Any:
        found.append(module.clone())
        return make(module, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(specialize, "compile_module", record)
        run_program(irtool, name, traced)
    yield from found
