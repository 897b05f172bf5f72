"""hl.scan: its meaning, its gradient, and what it compiles to at every length."""

from __future__ import annotations

import numpy as np
import pytest
from irtool.dialects.reference.interpret import interpret
from irtool.dialects.text import make_context, parse_module, print_op
from irtool.dialects.types import spec_of
from irtool.passes.hl.differentiate import Differentiate
from irtool.passes.verify import VerifyError, verify
from irtool.runtime.backend import find_backend
from irtool.runtime.compiler import compile_module
from irtool.runtime.plan import host_of
from xdsl.dialects.builtin import ModuleOp

from .running import execute
from .samples.core import Array
from .test_compiled_ops import run

CELL = """
func.func @f(%h0: tensor<2x3xf64>, %xs: tensor<{steps}x2x4xf64>,
             %w: tensor<3x3xf64>, %u: tensor<3x4xf64>, %b: tensor<3xf64>)
    -> (tensor<f64>, tensor<2x3xf64>, tensor<{steps}x2x4xf64>, tensor<3x3xf64>, tensor<3x4xf64>, tensor<3xf64>) {{
  %h, %ys = hl.scan {steps} {reverse} carry(%h0) over(%xs) with(%w, %u, %b)
      : tensor<2x3xf64>, tensor<{steps}x2x4xf64>, tensor<3x3xf64>, tensor<3x4xf64>, tensor<3xf64>
      -> tensor<2x3xf64>, tensor<{steps}x2x3xf64> {{
  ^bb0(%c: tensor<2x3xf64>, %x: tensor<2x4xf64>, %v: tensor<3x3xf64>, %p: tensor<3x4xf64>, %q: tensor<3xf64>):
    %0 = hl.transpose %v [1, 0] : tensor<3x3xf64>
    %1 = hl.matmul %c, %0 : tensor<2x3xf64>, tensor<3x3xf64> -> tensor<2x3xf64>
    %2 = hl.transpose %p [1, 0] : tensor<3x4xf64> -> tensor<4x3xf64>
    %3 = hl.matmul %x, %2 : tensor<2x4xf64>, tensor<4x3xf64> -> tensor<2x3xf64>
    %4 = hl.add %1, %3 : tensor<2x3xf64>
    %5 = hl.broadcast %q along [1] : tensor<3xf64> -> tensor<2x3xf64>
    %6 = hl.add %4, %5 : tensor<2x3xf64>
    %7 = hl.tanh %6 : tensor<2x3xf64>
    hl.yield %7, %7 : tensor<2x3xf64>, tensor<2x3xf64>
  }}
  %s = hl.mul %ys, %ys : tensor<{steps}x2x3xf64>
  %l = hl.reduce_sum %s over [0, 1, 2] : tensor<{steps}x2x3xf64> -> tensor<f64>
  %k = hl.reduce_sum %h over [0, 1] : tensor<2x3xf64> -> tensor<f64>
  %loss = hl.add %l, %k : tensor<f64>
  %g:5 = hl.gradient %loss wrt %h0, %xs, %w, %u, %b
      : tensor<2x3xf64>, tensor<{steps}x2x4xf64>, tensor<3x3xf64>, tensor<3x4xf64>, tensor<3xf64>
  func.return %loss, %g#0, %g#1, %g#2, %g#3, %g#4
      : tensor<f64>, tensor<2x3xf64>, tensor<{steps}x2x4xf64>, tensor<3x3xf64>, tensor<3x4xf64>, tensor<3xf64>
}}
"""


def cell(steps: int, reverse: bool) -> str:
    return CELL.format(steps=steps, reverse="reverse" if reverse else "")


def arguments(module: ModuleOp) -> list[Array]:
    g = np.random.default_rng(0)
    return [g.normal(size=spec_of(a.type).shape) * 0.5 for a in host_of(module).body.block.args]


def differentiated(text: str) -> ModuleOp:
    module = parse_module(text)
    Differentiate().apply(make_context(), module)
    verify(module)
    return module


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_gradient_is_that_of_finite_differences(steps: int, reverse: bool) -> None:
    module = differentiated(cell(steps, reverse))
    host, arrays = host_of(module), arguments(module)
    _, *gradients = interpret(host, arrays)
    for i, (array, gradient) in enumerate(zip(arrays, gradients, strict=True)):
        for index in np.ndindex(array.shape):
            moved = [[a.copy() for a in arrays] for _ in range(2)]
            moved[0][i][index] += 1e-5
            moved[1][i][index] -= 1e-5
            up, down = (interpret(host, values)[0] for values in moved)
            assert gradient[index] == pytest.approx((up - down) / 2e-5, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_c_is_reference(steps: int, reverse: bool) -> None:
    text = cell(steps, reverse)
    module = differentiated(text)
    arrays = arguments(module)
    program = compile_module(parse_module(text))
    for one, two, want in zip(run(program, arrays, 1), run(program, arrays, 2), interpret(host_of(module), arrays)):
        assert one.tobytes() == two.tobytes()
        np.testing.assert_allclose(two, want, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("stage", ["hl", "kernels", "linalg", "memref", "loops"])
def test_text_of_every_stage_reads_back(stage: str) -> None:
    module = parse_module(cell(3, False))
    find_backend("cpu").lower(module, stage)
    text = print_op(module)
    again = parse_module(text)
    verify(again)
    assert print_op(again) == text


def test_length_does_not_change_the_ir() -> None:
    counts = []
    for steps in (1000, 2000):
        module = parse_module(cell(steps, False))
        find_backend("cpu").lower(module, "kernels")
        counts.append(sum(1 for _ in module.walk()))
    assert counts[0] == counts[1]


BODY = """
func.func @f(%h: tensor<2xf32>, %xs: tensor<5x2xf32>) -> tensor<2xf32> {{
  %r = hl.scan {steps} carry(%h) over(%xs) : tensor<2xf32>, tensor<5x2xf32> -> tensor<2xf32> {{
  ^bb0(%c: tensor<{argument}xf32>, %x: tensor<2xf32>):
    hl.yield {yields}
  }}
  func.return %r : tensor<2xf32>
}}
"""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 4}, "expected a first dimension of 4, the length, got \\[5, 2\\]"),
        ({"argument": 3}, "arguments of the body: expected tensor<2xf32>, tensor<2xf32>, got tensor<3xf32>"),
        ({"yields": "%x, %x : tensor<2xf32>, tensor<2xf32>"}, "results: expected tensor<2xf32>, tensor<5x2xf32>"),
        ({"yields": ""}, "carried values that the body yields: expected tensor<2xf32>, got none"),
    ],
)
def test_broken_rules(changes: dict[str, object], message: str) -> None:
    text = BODY.format(**{"steps": 5, "argument": 2, "yields": "%x : tensor<2xf32>", **changes})
    with pytest.raises(VerifyError, match=message):
        verify(parse_module(text))


def test_steps_of_extent_one() -> None:
    """A step keeps all of its own dimensions, those of extent 1 too."""
    module = parse_module("""
func.func @f(%h0: tensor<3x1xf32>, %xs: tensor<4x3x1xf32>) -> tensor<4x3x1xf32> {
  %h, %ys = hl.scan 4 carry(%h0) over(%xs) : tensor<3x1xf32>, tensor<4x3x1xf32> -> tensor<3x1xf32>, tensor<4x3x1xf32> {
  ^bb0(%c: tensor<3x1xf32>, %x: tensor<3x1xf32>):
    %0 = hl.add %c, %x : tensor<3x1xf32>
    hl.yield %0, %0 : tensor<3x1xf32>, tensor<3x1xf32>
  }
  func.return %ys : tensor<4x3x1xf32>
}""")
    xs = np.arange(12, dtype=np.float32).reshape(4, 3, 1)
    (sums,) = execute(module, [np.ones((3, 1), np.float32), xs])
    np.testing.assert_array_equal(sums, 1 + xs.cumsum(0))
