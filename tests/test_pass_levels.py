"""Any pass at any level: it does its work, has nothing to do, or says at a line what it expects. It never breaks."""

from __future__ import annotations

import pytest
from irtool.dialects.text import make_context, parse_module, print_op
from irtool.passes import PASSES, pass_by_name
from irtool.passes.pass_base import PassError
from irtool.passes.pipeline import CPU, CUDA, SHARED
from irtool.passes.target import TARGETS
from irtool.passes.verify import VerifyError, verify
from irtool.runtime.cpu import CPU as Backend
from irtool.runtime.cuda.backend import EmulatedCUDA

PROGRAM = """
func.func @f(%x: tensor<6x4xf32>, %w: tensor<4x5xf32>, %i: tensor<6xi64>) -> (tensor<f32>, tensor<6x5xf32>) {
  %0 = hl.matmul %x, %w : tensor<6x4xf32>, tensor<4x5xf32> -> tensor<6x5xf32>
  %1 = hl.softmax %0 along 1 : tensor<6x5xf32>
  %2 = hl.cross_entropy %0, %i {reduction = "mean"} : tensor<6x5xf32>, tensor<6xi64> -> tensor<f32>
  %3 = hl.gradient %2 wrt %0 : tensor<6x5xf32>
  func.return %2, %3 : tensor<f32>, tensor<6x5xf32>
}
"""


OF_GPUS = CUDA[len(SHARED) :]


@pytest.fixture(scope="module")
def levels() -> dict[str, str]:
    """The program's text at every level."""
    texts = {"traced": print_op(parse_module(PROGRAM, "program.mlir"))}
    for stage in CPU:
        module = parse_module(PROGRAM, "program.mlir")
        Backend().lower(module, stage.name, TARGETS["avx2"])
        texts[stage.name] = print_op(module)
    for stage in OF_GPUS:
        module = parse_module(PROGRAM, "program.mlir")
        EmulatedCUDA().lower(module, stage.name)
        texts[f"cuda {stage.name}"] = print_op(module)
    return texts


@pytest.mark.parametrize("level", ["traced", *(stage.name for stage in CPU), *(f"cuda {s.name}" for s in OF_GPUS)])
@pytest.mark.parametrize("name", PASSES)
def test_a_pass(name: str, level: str, levels: dict[str, str]) -> None:
    module = parse_module(levels[level])
    try:
        pass_by_name(name)().apply(make_context(), module)
        verify(module)
    except (PassError, VerifyError) as error:
        assert str(error).startswith(("program.mlir:", "gradient of program.mlir:")), error
