"""Options of passes: each says what numbers it takes, refuses others, and works with the least and the greatest."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from click.testing import CliRunner
from irtool.codegen.c import print_c
from irtool.codegen.cuda.cuda import print_cuda
from irtool.dialects.text import make_context, parse_module
from irtool.passes import PASSES, pass_by_name
from irtool.passes.hl.group import Group
from irtool.passes.loops.cpu.profitability import CPUProfitability
from irtool.passes.options import make_pass, options_of
from irtool.passes.pass_base import kernels as module_kernels
from irtool.passes.pipeline import CPU, CUDA, Pipeline
from irtool.passes.target import GPUS, TARGETS
from irtool.passes.verify import verify
from irtool.runtime import lowering
from irtool.runtime.cpu import CPU as CPUBackend
from irtool.runtime.cuda.backend import EmulatedCUDA as CUDABackend
from irtool.tools.cli import main

PROGRAM = """
func.func @f(%x: tensor<37x70xf32>, %w: tensor<70x65xf32>, %b: tensor<37xf32>) -> (tensor<f32>, tensor<37x65xf32>) {
  %0 = hl.matmul %x, %w : tensor<37x70xf32>, tensor<70x65xf32> -> tensor<37x65xf32>
  %1 = hl.softmax %0 along 1 : tensor<37x65xf32>
  %2 = hl.transpose %1 [1, 0] : tensor<37x65xf32> -> tensor<65x37xf32>
  %3 = hl.exp %2 : tensor<65x37xf32>
  %4 = hl.reduce_sum %3 over [0, 1] : tensor<65x37xf32> -> tensor<f32>
  func.return %4, %1 : tensor<f32>, tensor<37x65xf32>
}
"""
OPTIONS = [(name, key) for name in PASSES for key in options_of(pass_by_name(name))]


def test_every_field_of_a_pass_is_an_option() -> None:
    assert ("vectorize", "vector_bits") in OPTIONS and len(OPTIONS) >= 11
    for name in PASSES:
        others = {f.name for f in fields(pass_by_name(name))} - set(options_of(pass_by_name(name)))
        assert others <= {"profitability"}, name
    for target in TARGETS.values():
        for name in ("contract", "vectorize", "parallelize"):
            lowering.make_pass(name, lambda target=target: target)


def test_a_pass_is_given_every_figure_of_the_target_that_it_names() -> None:
    target = replace(TARGETS["avx2"], l1=12345, cores=3)
    contract: Any = lowering.make_pass("contract", lambda: target)
    assert (contract.vector_bits, contract.registers, contract.l1, contract.cores) == (256, 16, 12345, 3)
    shared: Any = lowering.make_pass("fuse-loops", lambda: target)
    assert shared.profitability is target.profitability
    with pytest.raises(ValueError, match="registers: expected a whole number from 8 to 1024, got 3"):
        lowering.make_pass("contract", lambda: replace(target, registers=3))


@pytest.mark.parametrize(("small", "kernels"), [(0, 2), (4096, 1)])
def test_grouping_asks_what_pays(small: int, kernels: int) -> None:
    """Where no kernel is one worker's, what runs over other indices is a kernel of its own."""
    module = parse_module("""
func.func @f(%x: tensor<4x4xf32>) -> tensor<4xf32> {
  %0 = hl.reduce_sum %x over [0] : tensor<4x4xf32> -> tensor<4xf32>
  %1 = hl.reduce_sum %x over [1] : tensor<4x4xf32> -> tensor<4xf32>
  %2 = hl.add %0, %1 : tensor<4xf32>
  func.return %2 : tensor<4xf32>
}
""")
    Group(profitability=CPUProfitability(small=small, row_parallelism=10**9)).apply(make_context(), module)
    assert len(module_kernels(module)) == kernels


@pytest.mark.parametrize(("name", "key"), OPTIONS)
@pytest.mark.parametrize("which", ["low", "high"])
def test_the_ends_of_the_range(name: str, key: str, which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole pipeline goes through, and C can be printed."""
    value = getattr(options_of(pass_by_name(name))[key], which)
    plain = lowering.make_pass

    def with_option(wanted: str, machine: Any) -> Any:
        return make_pass(pass_by_name(name), {key: value}) if wanted == name else plain(wanted, machine)

    monkeypatch.setattr(lowering, "make_pass", with_option)
    module = parse_module(PROGRAM)
    if name in passes_of(CUDA) and name not in passes_of(CPU):
        CUDABackend().lower(module, machine=GPUS["sm_80"])
        verify(module)
        assert "__global__" in print_cuda(module).one_file()
        return
    CPUBackend().lower(module, machine=TARGETS["avx2"])
    if name not in passes_of(CPU):
        make_pass(pass_by_name(name), {key: value}).apply(make_context(), module)
    verify(module)
    assert "void f(" in print_c(module).one_file()


def passes_of(pipeline: Pipeline) -> set[str]:
    return {name for stage in pipeline for name in stage.passes}


@pytest.mark.parametrize(
    ("passes", "message"),
    [
        ("vectorize{vector_bits=0}", "vector_bits: expected a power of two from 64 to 2048, got 0"),
        ("vectorize{vector_bits=96}", "vector_bits: expected a power of two from 64 to 2048, got 96"),
        ("vectorize{vector_bits=-512}", "vector_bits: expected a power of two from 64 to 2048, got -512"),
        ("contract{registers=0}", "registers: expected a whole number from 8 to 1024, got 0"),
        ("contract{registers=abc}", "registers: expected a whole number from 8 to 1024, got 'abc'"),
        ("contract{registers=}", "registers: expected a whole number from 8 to 1024, got ''"),
        ("contract{registers}", "registers: expected a whole number from 8 to 1024, got nothing"),
        ("contract{registers=true}", "registers: expected a whole number from 8 to 1024, got 'true'"),
        ("contract{registers=1e2}", "registers: expected a whole number from 8 to 1024, got '1e2'"),
        ("contract{l2=99999999999999999999999}", "l2: expected a whole number from 1024 to 1099511627776, got 9999"),
        ("contract{l1=4096 l1=8192}", "l1 is given twice"),
        ("split-reductions{min_work=-1}", "min_work: expected a whole number from 0 on, got -1"),
        ("split-reductions{=abc}", "has no option ''; it has: chunk, chunks, many_results, min_work"),
        ("cse{x=1}", "pass 'cse' has no option 'x'; it has: none"),
        ("=abc", "cannot read passes from '=abc': expected name or name{option=value}"),
        ("cse,,dce", "cannot read passes from ',dce'"),
        ("cse{", "cannot read passes from 'cse{'"),
    ],
)
def test_what_is_refused(passes: str, message: str) -> None:
    result = CliRunner().invoke(main, ["opt", "-", "-p", passes], input=PROGRAM)
    assert result.exit_code == 1 and result.stdout == "" and "Traceback" not in result.stderr
    assert "error: " in result.stderr and message in result.stderr
