"""The two functions of a partition together give what the one gives."""

from __future__ import annotations

import numpy as np
from irtool.dialects.reference.interpret import interpret
from irtool.dialects.text import parse_module, print_op
from irtool.passes.hl.differentiate import Differentiate
from irtool.passes.hl.partition import Partition, Residual, partition
from xdsl.context import Context
from xdsl.dialects.func import FuncOp

MODEL = """
func.func @f(%w: tensor<5x3xf64>, %x: tensor<4x5xf64>, %b: tensor<3xf64>, %unused: tensor<f64>,
             %s: tensor<2xi64> {irtool.result = 1 : i64}) -> (tensor<4x3xf64>, tensor<2xi64>) {
  %a = hl.matmul %x, %w : tensor<4x5xf64>, tensor<5x3xf64> -> tensor<4x3xf64>
  %bb = hl.broadcast %b along [1] : tensor<3xf64> -> tensor<4x3xf64>
  %ab = hl.add %a, %bb : tensor<4x3xf64>
  %h = hl.relu %ab : tensor<4x3xf64>
  %half = hl.constant 0.5 : tensor<f64>
  %mask = hl.bernoulli %s, %half : tensor<2xi64>, tensor<f64> -> tensor<4x3xi1>
  %kept = hl.cast %mask : tensor<4x3xi1> -> tensor<4x3xf64>
  %d = hl.mul %h, %kept : tensor<4x3xf64>
  %y = hl.softmax %d along 1 : tensor<4x3xf64>
  %n = hl.constant dense [0, 12] : tensor<2xi64>
  %s2 = hl.add %s, %n : tensor<2xi64>
  func.return %y, %s2 : tensor<4x3xf64>, tensor<2xi64>
}
"""
LOSS = """
  %p = hl.mul %y, %dy : tensor<4x3xf64>
  %l = hl.reduce_sum %p over [0, 1] : tensor<4x3xf64> -> tensor<f64>
  %dw, %dx, %db = hl.gradient %l wrt %w, %x, %b : tensor<5x3xf64>, tensor<4x5xf64>, tensor<3xf64>
  func.return %dw, %dx, %db : tensor<5x3xf64>, tensor<4x5xf64>, tensor<3xf64>
}
"""


def function_of(text: str) -> FuncOp:
    module = parse_module(text)
    module.verify()
    (function,) = module.ops
    assert isinstance(function, FuncOp)
    return function


def bytes_saved(parts: Partition, results: list[np.ndarray]) -> int:
    outputs = len(parts.cotangents) + 1
    return sum(a.nbytes for a in results[outputs:])


def test_forward_and_backward_are_the_gradient() -> None:
    g = np.random.default_rng(0)
    arguments = [g.normal(size=(5, 3)), g.normal(size=(4, 5)), g.normal(size=3), np.array(1.0), np.array([1, 2])]
    cotangent = g.normal(size=(4, 3))

    text = MODEL.replace(
        "%s: tensor<2xi64> {irtool.result = 1 : i64}) -> (tensor<4x3xf64>, tensor<2xi64>)",
        "%s: tensor<2xi64>, %dy: tensor<4x3xf64>) -> (tensor<5x3xf64>, tensor<4x5xf64>, tensor<3xf64>)",
    )
    whole = function_of(text[: text.index("  func.return")] + LOSS)
    module = whole.parent_op()
    assert module is not None
    Differentiate().apply(Context(), module)  # pyright: ignore[reportArgumentType]
    expected = interpret(whole, [*arguments, cotangent])

    original = function_of(MODEL)
    parts = partition(original, wrt=(0, 1, 2, 3))
    assert parts.gradients == (0, 1, 2), "nothing depends on the unused argument"
    assert parts.cotangents == (0,), "a state's new value has no cotangent"
    parts.forward.verify()
    parts.backward.verify()
    results = interpret(parts.forward, arguments)
    residuals = [(arguments if r.of == "argument" else results)[r.index] for r in parts.residuals]
    found = interpret(parts.backward, [*residuals, cotangent])
    for have, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-12)
    assert print_op(original) == print_op(function_of(MODEL)), "the original is left alone"


def test_residuals_are_few() -> None:
    """y is a result; of relu and dropout, masks are enough."""
    parts = partition(function_of(MODEL), wrt=(0, 1, 2))
    assert Residual("argument", 0) in parts.residuals
    assert Residual("result", 0) in parts.residuals
    saved = [r for r in parts.residuals if r.of == "result" and r.index > 1]
    outputs = parts.forward.function_type.outputs.data
    assert [str(outputs[r.index]) for r in saved] == ["tensor<4x3xi1>"] * 2


def test_a_state_is_saved_before_it_changes() -> None:
    parts = partition(
        function_of("""
        func.func @f(%s: tensor<f64> {irtool.result = 1 : i64}, %x: tensor<f64>) -> (tensor<f64>, tensor<f64>) {
          %y = hl.mul %s, %x : tensor<f64>
          %t = hl.add %s, %x : tensor<f64>
          func.return %y, %t : tensor<f64>, tensor<f64>
        }"""),
        wrt=(1,),
    )
    assert parts.residuals == (Residual("result", 2),)
