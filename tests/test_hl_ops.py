"""The hl dialect: shape rules, attributes, text, builders and effects."""

from __future__ import annotations

import re
from typing import Any

import pytest
from irtool.dialects.hl import OPS, HLOp, ShapeError
from irtool.dialects.hl import autodiff as a
from irtool.dialects.hl import elementwise as e
from irtool.dialects.hl.builder import IRBuilder
from irtool.dialects.hl.pointwise import UnaryOp
from irtool.dialects.text import parse_module, print_op
from irtool.dialects.types import DYNAMIC, TensorSpec, f32, f64, i1, i64, spec_of, tensor_type, u8
from xdsl.ir import Block
from xdsl.transforms.common_subexpression_elimination import CommonSubexpressionElimination
from xdsl.transforms.dead_code_elimination import DeadCodeElimination

from .hl_helpers import CONTEXT, function_of, parse_body, same
from .samples import SAMPLES


@pytest.mark.parametrize("op", [op for op in OPS if SAMPLES[op]], ids=lambda op: op.name)
def test_samples_verify_and_round_trip(op: type[HLOp]) -> None:
    module = function_of(op, SAMPLES[op])
    module.verify()
    text = print_op(module, locations=False)
    again = parse_module(text, context=CONTEXT)
    again.verify()
    assert print_op(again, locations=False) == text
    ops = [inner for inner in again.walk() if isinstance(inner, HLOp)]
    for sample, parsed in zip(SAMPLES[op], ops, strict=True):
        attributes = parsed.attributes_dict()
        assert attributes.keys() == sample.attributes.keys()
        for name, value in sample.attributes.items():
            assert same(attributes[name], value), (name, value, attributes[name])


@pytest.mark.parametrize("op", [op for op in OPS if SAMPLES[op]], ids=lambda op: op.name)
def test_unknown_extents_verify(op: type[HLOp]) -> None:
    """An op on `?` extents verifies, and its results can be those of the known extents."""
    for sample in SAMPLES[op]:
        unknown = [TensorSpec((DYNAMIC,) * len(x.shape), x.dtype) for x in sample.specs]
        for want, have in zip(op.infer(*sample.specs, **sample.attributes), op.infer(*unknown, **sample.attributes)):
            assert want.dtype is have.dtype and len(want.shape) == len(have.shape)
            assert all(n in (k, DYNAMIC) for k, n in zip(want.shape, have.shape))


def test_generic_text_is_understood() -> None:
    text = """
func.func @main(%x: tensor<2x3xf32>) {
  %0 = "hl.transpose"(%x) <{permutation = array<i64: 1, 0>}> : (tensor<2x3xf32>) -> tensor<3x2xf32>
  func.return
}"""
    module = parse_module(text, context=CONTEXT)
    module.verify()
    assert "hl.transpose %x [1, 0] : tensor<2x3xf32> -> tensor<3x2xf32>" in print_op(module)


def test_other_attributes_and_locations_survive() -> None:
    text = """
func.func @main(%x: tensor<2xf32>) {
  %0 = hl.neg %x {note = "kept", irtool.mark} : tensor<2xf32> loc("train.py":3:0)
  %1 = hl.constant 1.0 {note = 3 : i64} : tensor<2xf32>
  func.return
}"""
    once = print_op(parse_module(text, context=CONTEXT))
    assert 'note = "kept"' in once and "note = 3" in once and "train.py" in once
    assert print_op(parse_module(once, context=CONTEXT)) == once


# Rules and messages

T23 = TensorSpec((2, 3), f32)
T34 = TensorSpec((3, 4), f32)
WRONG: list[tuple[str, tuple[TensorSpec, ...], dict[str, Any], str]] = [
    ("hl.add", (T23, T34), {}, "shapes must be equal: expected [2, 3], got [3, 4]"),
    ("hl.add", (T23, TensorSpec((2, 3), f64)), {}, "element types must be equal: expected f32, got f64"),
    ("hl.exp", (TensorSpec((2,), i64),), {}, "element type: expected float elements, got i64"),
    ("hl.compare", (T23, T23), {"predicate": "less"}, "predicate: expected eq, ne, lt, le, gt, ge, got less"),
    ("hl.select", (T23, T23, T23), {}, "element type of the condition: expected i1, got f32"),
    ("hl.select", (TensorSpec((3,), i1), T23, T23), {}, "shape of the condition: expected [2, 3], got [3]"),
    ("hl.matmul", (T23, T23), {}, "expected [..., m, k] and [..., k, n] with equal k, got [2, 3] and [2, 3]"),
    ("hl.matmul", (T23, TensorSpec((3,), f32)), {}, "matmul: expected rank 2 or more, got [2, 3] and [3]"),
    (
        "hl.broadcast",
        (T23,),
        {"shape": (2, 4), "dimensions": (0, 1)},
        "expected 4 or 1 in dimension 1 of [2, 4], got [2, 3]",
    ),
    (
        "hl.broadcast",
        (T23,),
        {"shape": (3, 2), "dimensions": (1, 0)},
        "dimensions: expected increasing order, got [1, 0]",
    ),
    ("hl.broadcast", (T23,), {"shape": (2, 3), "dimensions": (1,)}, "expected 2 values, one per dimension, got 1: [1]"),
    ("hl.reshape", (T23,), {"shape": (4, 2)}, "reshape: expected 6 elements as in [2, 3], got 8 in [4, 2]"),
    ("hl.reshape", (T23,), {"shape": (-1, 2)}, "shape: expected extents of at least 0, got [-1, 2]"),
    (
        "hl.transpose",
        (T23,),
        {"permutation": (0, 0)},
        "permutation: expected each of the 2 dimensions once, got [0, 0]",
    ),
    (
        "hl.slice",
        (T23,),
        {"start": (0, 0), "stop": (2, 4), "step": (1, 1)},
        "bounds of dimension 1: expected 0 <= start <= stop <= 3, got start 0, stop 4",
    ),
    (
        "hl.slice",
        (T23,),
        {"start": (0, 0), "stop": (2, 3), "step": (1, 0)},
        "step of dimension 1: expected at least 1, got 0",
    ),
    (
        "hl.pad",
        (T23,),
        {"low": (-3, 0), "high": (0, 0), "interior": (0, 0), "value": 0.0},
        "padded extent of dimension 0: expected at least 0, got -1",
    ),
    (
        "hl.pad",
        (TensorSpec((2,), i64),),
        {"low": (0,), "high": (0,), "interior": (0,), "value": 0.5},
        "padding value: expected an integer, for i64, got 0.5",
    ),
    ("hl.concat", (T23, T34), {"dimension": 0}, "equal but in dimension 0: expected [2, 3], got [3, 4]"),
    ("hl.concat", (), {"dimension": 0}, "operands of concat: expected at least one, got none"),
    ("hl.reverse", (T23,), {"dimensions": (1, 1)}, "dimensions: expected each at most once, got [1, 1]"),
    ("hl.iota", (), {"shape": (2,), "dtype": i64, "dimension": 1}, "dimension: expected from 0 to 0, got 1"),
    ("hl.constant", (), {"value": 256, "shape": (2,), "dtype": u8}, "constant: expected u8, from 0 to 255, got 256"),
    ("hl.constant", (), {"value": "a", "shape": (2,), "dtype": f32}, "constant: expected a number of f32, got a"),
    ("hl.reduce_sum", (T23,), {"dimensions": (2,)}, "dimensions: expected from 0 to 1, got 2"),
    ("hl.reduce_sum", (TensorSpec((), f32),), {"dimensions": (0,)}, "expected a tensor of rank 1 or more, got 0"),
    ("hl.reduce_any", (T23,), {"dimensions": (0,)}, "element type: expected bool elements, got f32"),
    (
        "hl.reduce_max",
        (TensorSpec((2, 0), f32),),
        {"dimensions": (1,)},
        "nothing is undefined: expected at least one element in dimension 1, got shape [2, 0]",
    ),
    ("hl.argmax", (TensorSpec((0,), f32),), {"dimension": 0}, "at least one element in dimension 0, got shape [0]"),
    ("hl.gather", (T23, T23), {"axis": 0, "batch_dims": 0}, "element type of indices: expected i64 or i32, got f32"),
    (
        "hl.gather",
        (T23, TensorSpec((2,), i64)),
        {"axis": 0, "batch_dims": 1},
        "batch_dims: expected from 0 to 0 (axis and rank of indices), got 1",
    ),
    (
        "hl.scatter_add",
        (T23, TensorSpec((4,), i64), T23),
        {"axis": 0, "batch_dims": 0},
        "shape of updates: expected [4, 3], got [2, 3]",
    ),
    (
        "hl.uniform",
        (TensorSpec((3,), i64),),
        {"shape": (), "dtype": f32},
        "expected tensor<2xi64>: (seed, offset), got",
    ),
    ("hl.softmax", (T23,), {"dimension": -1}, "dimension: expected from 0 to 1, got -1"),
    (
        "hl.cross_entropy",
        (T23, TensorSpec((3,), i64)),
        {"reduction": "mean", "ignore_index": 0, "label_smoothing": 0.0},
        "expected logits [n, classes] and target [n], got [2, 3] and [3]",
    ),
    ("hl.gradient", (T23, T23), {}, "what a gradient is taken of: expected one element, got [2, 3]"),
    ("hl.gradient", (TensorSpec((), f32), TensorSpec((), i64)), {}, "element type: expected float elements, got i64"),
]
BY_NAME = {op.name: op for op in OPS}


@pytest.mark.parametrize(
    ("name", "operands", "attributes", "message"), WRONG, ids=lambda v: v if isinstance(v, str) else ""
)
def test_rules_say_what_they_expect(name: str, operands: Any, attributes: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        BY_NAME[name].infer(*operands, **attributes)


# Builders, effects


def test_builders_leave_out_what_changes_nothing() -> None:
    block = Block(arg_types=[tensor_type(TensorSpec((2, 3), f32)), tensor_type(TensorSpec((DYNAMIC,), f32))])
    b = IRBuilder(block)
    x, unknown = block.args
    assert b.reshape(x, (2, 3)) is b.transpose(x, (0, 1)) is b.broadcast(x, (2, 3), (0, 1)) is x
    assert b.cast(x, f32) is b.pad(x, (0, 0), (0, 0), (0, 0), 0) is b.concat([x], 0) is b.reverse(x, ()) is x
    assert b.slice(x, (0, 0), (2, 3), (1, 1)) is b.reduce_sum(x, ()) is x
    assert not list(block.ops)
    assert b.reshape(unknown, (DYNAMIC,)) is not unknown
    assert spec_of(b.constant_like(x, 1).type) == TensorSpec((2, 3), f32)


def test_effects_let_passes_remove_and_merge_the_right_ops() -> None:
    types = ", ".join(["tensor<2x3xf32>"] * 6)
    module = parse_body(f"""
  %0 = hl.neg %x : tensor<2x3xf32>
  %1 = hl.variable %x : tensor<2x3xf32>
  %2 = hl.variable %x : tensor<2x3xf32>
  %3, %4 = hl.barrier %x, %s : tensor<2x3xf32>, tensor<f32> -> tensor<2x3xf32>, tensor<f32>
  %5, %6 = hl.barrier %x, %s : tensor<2x3xf32>, tensor<f32> -> tensor<2x3xf32>, tensor<f32>
  %7 = hl.exp %x : tensor<2x3xf32>
  %8 = hl.exp %x : tensor<2x3xf32>
  func.call @use(%1, %2, %3, %5, %7, %8) : ({types}) -> ()""")
    CommonSubexpressionElimination().apply(CONTEXT, module)
    DeadCodeElimination().apply(CONTEXT, module)
    names = [op.name for op in module.walk() if isinstance(op, HLOp)]
    assert names == ["hl.variable", "hl.variable", "hl.barrier", "hl.barrier", "hl.exp"]
    unused = parse_body("%1 = hl.variable %x : tensor<2x3xf32>\n%2 = hl.barrier %x : tensor<2x3xf32>")
    DeadCodeElimination().apply(CONTEXT, unused)
    assert not [op for op in unused.walk() if isinstance(op, HLOp)]


def test_gradient_reads_as_documented() -> None:
    module = parse_body(
        "%w = hl.variable %x : tensor<2x3xf32>\n%dw, %ds = hl.gradient %s wrt %w, %s : tensor<2x3xf32>, tensor<f32>"
    )
    module.verify()
    assert "%dw, %ds = hl.gradient %s wrt %w, %s : tensor<2x3xf32>, tensor<f32>" in print_op(module)
    assert [type(op) for op in module.walk() if isinstance(op, HLOp)] == [a.VariableOp, a.GradientOp]


def test_every_op_is_registered_once() -> None:
    assert len({op.name for op in OPS}) == len(OPS)
    assert e.AddOp in OPS and UnaryOp not in OPS
    assert all(op.__doc__ for op in OPS)
