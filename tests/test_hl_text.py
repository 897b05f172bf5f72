"""Bad text or bad IR gives an error with a reason, never a traceback; values survive text and storage bit by bit."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from irtool.dialects.hl import OPS, HLOp
from irtool.dialects.hl.builder import as_number
from irtool.dialects.hl.codec import decode, encode
from irtool.dialects.hl.shape import ConstantOp
from irtool.dialects.text import parse_module, print_op
from irtool.dialects.types import f32, i1, i64
from xdsl.dialects import arith, builtin
from xdsl.utils.exceptions import ParseError, VerifyException

from .hl_helpers import CONTEXT, function_of, parse_body, same
from .samples import SAMPLES, Sample

GENERIC = "(tensor<2x3xf32>) -> tensor<3x2xf32>"
MALFORMED = {
    "unknown op": "%0 = hl.frobnicate %x : tensor<2x3xf32>",
    "cut off": "%0 = hl.add %x, ",
    "cut in type": "%0 = hl.add %x, %x : tensor<2x",
    "no type": "%0 = hl.neg %x",
    "too few types": "%0 = hl.matmul %x, %x : tensor<2x3xf32> -> tensor<2x3xf32>",
    "no result type": "%0 = hl.matmul %x, %x : tensor<2x3xf32>, tensor<2x3xf32>",
    "string for integers": '%0 = hl.transpose %x "ab" : tensor<2x3xf32> -> tensor<3x2xf32>',
    "number for integers": "%0 = hl.transpose %x 1 : tensor<2x3xf32> -> tensor<3x2xf32>",
    "float in integers": "%0 = hl.transpose %x [1.5, 0] : tensor<2x3xf32> -> tensor<3x2xf32>",
    "integers for string": "%0 = hl.compare %x, %x is [0] : tensor<2x3xf32>, tensor<2x3xf32> -> tensor<2x3xi1>",
    "string for a number": '%0 = hl.softmax %x along "x" : tensor<2x3xf32>',
    "float for an integer": "%0 = hl.softmax %x along 1.0 : tensor<2x3xf32>",
    "true for an integer": "%0 = hl.softmax %x along true : tensor<2x3xf32>",
    "missing attribute": "%0 = hl.softmax %x : tensor<2x3xf32>",
    "missing from braces": "%0 = hl.cross_entropy %x, %i : tensor<2x3xf32>, tensor<2xi64> -> tensor<f32>",
    "huge integer": f"%0 = hl.softmax %x along {10**30} : tensor<2x3xf32>",
    "huge integers": f"%0 = hl.transpose %x [{10**30}, 0] : tensor<2x3xf32> -> tensor<3x2xf32>",
    "negative dimension": "%0 = hl.softmax %x along -1 : tensor<2x3xf32>",
    "negative shape": "%0 = hl.reshape %x : tensor<2x3xf32> -> tensor<-6xf32>",
    "unranked": "%0 = hl.neg %x : tensor<*xf32>",
    "not a tensor": "%0 = hl.neg %n : i64",
    "unsupported element": "%0 = hl.iota along 0 : tensor<2xf16>",
    "wrong result": "%0 = hl.exp %x : tensor<2x3xf32> -> tensor<3x2xf32>",
    "wrong result count": "%0, %1 = hl.neg %x : tensor<2x3xf32> -> tensor<2x3xf32>, tensor<2x3xf32>",
    "too many operands": "%0 = hl.neg %x, %x : tensor<2x3xf32>",
    "too few operands": "%0 = hl.add %x : tensor<2x3xf32>",
    "no operands": "%0 = hl.neg : tensor<2x3xf32>",
    "undefined operand": "%0 = hl.neg %nowhere : tensor<2x3xf32>",
    "wrong operand type": "%0 = hl.neg %x : tensor<2x4xf32>",
    "constant out of range": "%0 = hl.constant 256 : tensor<2xui8>",
    "fraction for integers": "%0 = hl.constant 0.5 : tensor<2xi64>",
    "text constant": '%0 = hl.constant "a" : tensor<2xf32>',
    "list constant": "%0 = hl.constant [1, 2] : tensor<2xf32>",
    "nothing constant": "%0 = hl.constant : tensor<2xf32>",
    "ragged": "%0 = hl.constant dense [[1.0], [2.0, 3.0]] : tensor<2x2xf32>",
    "too few values": "%0 = hl.constant dense [1.0] : tensor<2xf32>",
    "dense of bad type": "%0 = hl.constant dense [1.0] : tensor<1xf16>",
    "dense of no tensor": "%0 = hl.constant dense [1.0] : f32",
    "dense with unknown extent": "%0 = hl.constant dense [1.0] : tensor<?xf32>",
    "dense out of range": "%0 = hl.constant dense [256, -1] : tensor<2xui8>",
    "dense fraction": "%0 = hl.constant dense [0.5] : tensor<1xi64>",
    "dense nan of integers": "%0 = hl.constant dense [nan] : tensor<1xi64>",
    "dense for a list": "%0 = hl.transpose %x dense [1, 0] : tensor<2xi64> : tensor<2x3xf32> -> tensor<3x2xf32>",
    "gradient of nothing above": "%0 = hl.gradient %nowhere wrt %x : tensor<2x3xf32>",
    "gradient without wrt": "%0 = hl.gradient %s by %x : tensor<2x3xf32>",
    "gradient by an inner value": "%y = hl.neg %x : tensor<2x3xf32>\n%0 = hl.gradient %s wrt %y : tensor<2x3xf32>",
    "gradient with other types": "%0 = hl.gradient %s wrt %x : tensor<2x3xf32>, tensor<2xf32>",
    "gradient of many": "%0 = hl.gradient %x wrt %x : tensor<2x3xf32>",
    "unclosed braces": "%0 = hl.gelu %x {approximate = : tensor<2x3xf32>",
    "unknown approximation": '%0 = hl.gelu %x {approximate = "often"} : tensor<2x3xf32>',
    "generic with a wrong property": '%0 = "hl.softmax"(%x) <{dimension = "a"}> : (tensor<2x3xf32>) -> tensor<2x3xf32>',
    "generic without properties": '%0 = "hl.softmax"(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>',
    "generic with f32 list": f'%0 = "hl.transpose"(%x) <{{permutation = array<f32: 1.0, 0.0>}}> : {GENERIC}',
    "generic with i8 list": f'%0 = "hl.transpose"(%x) <{{permutation = array<i8: 1, 0>}}> : {GENERIC}',
    "generic with index": '%0 = "hl.softmax"(%x) <{dimension = 7 : index}> : (tensor<2x3xf32>) -> tensor<2x3xf32>',
    "generic constant of i16": '%0 = "hl.constant"() <{value = dense<1> : tensor<2xi16>}> : () -> tensor<2xi64>',
    "generic constant of a vector": '%0 = "hl.constant"() <{value = dense<1> : vector<2xi64>}> : () -> tensor<2xi64>',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_text_is_an_error_with_a_reason(body: str) -> None:
    with pytest.raises((ParseError, VerifyException)) as caught:
        parse_body(body).verify()
    if isinstance(caught.value, ParseError):
        assert "bad.mlir:" in str(caught.value)


def test_extents_that_no_memory_holds() -> None:
    parse_body("%0 = hl.iota along 0 : tensor<17179869184x2048xf32>").verify()
    with pytest.raises(VerifyException, match="expected at most 2\\^47 bytes, got tensor<9223372036854775807x2xf32>"):
        parse_body("%0 = hl.iota along 0 : tensor<9223372036854775807x2xf32>").verify()


WORDS = st.sampled_from(
    [
        "%x",
        "%i",
        "%s",
        "%0",
        "hl.add",
        "hl.transpose",
        "hl.pad",
        "hl.constant",
        "hl.gradient",
        "dense",
        "wrt",
        "along",
        "low",
        "with",
        "over",
        "[",
        "]",
        "[1,0]",
        "[[1.0],2]",
        "{",
        "}",
        "=",
        ":",
        ",",
        "->",
        "tensor<2x3xf32>",
        "tensor<?xi1>",
        "tensor<2xi64>",
        "f32",
        "1",
        "-1",
        "1.5",
        "inf",
        "nan",
        "-inf",
        "true",
        '"mean"',
        "99999999999999999999",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(OPS), st.lists(WORDS, max_size=12))
def test_random_text_never_gives_a_traceback(op: type[HLOp], words: list[str]) -> None:
    with contextlib.suppress(ParseError, VerifyException):
        parse_body(f"%y = {op.name} {' '.join(words)}").verify()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutated_text_never_gives_a_traceback(data: st.DataObject) -> None:
    """A valid program with a piece cut out, doubled or replaced."""
    op = data.draw(st.sampled_from([op for op in OPS if SAMPLES[op]]))
    sample = data.draw(st.sampled_from(SAMPLES[op]))
    text = print_op(function_of(op, [sample]), locations=False)
    low = data.draw(st.integers(0, len(text)))
    high = data.draw(st.integers(low, min(len(text), low + 12)))
    middle = data.draw(st.sampled_from(["", text[low:high] * 2, "-", "9" * 20, '"', "nan", "?", "x"]))
    with contextlib.suppress(ParseError, VerifyException):
        parse_module(text[:low] + middle + text[high:], "bad.mlir", CONTEXT).verify()


# The codec


@pytest.mark.parametrize("value", [True, False, 0, -5, 2**63 - 1, 0.5, -0.0, np.inf, -np.inf, 'a"b', (), (1, -2)])
def test_codec_keeps_values(value: Any) -> None:
    assert same(decode(encode(value)), value)


def test_codec_keeps_arrays_bit_by_bit() -> None:
    values = [0.1, np.inf, -np.inf, np.nan, -0.0, 1e-45, 3.4e38]
    for dtype in (np.float32, np.float64):
        assert same(decode(encode(np.array(values, dtype))), np.array(values, dtype))
    for array in (
        np.array([200, 0], np.uint8),
        np.array([True, False]),
        np.array([-(2**63)]),
        np.zeros((2, 0), np.int32),
    ):
        assert same(decode(encode(array)), array)


@given(st.lists(st.floats(width=32), max_size=6))
@settings(deadline=None, max_examples=100)
def test_f32_constants_survive_text_bit_by_bit(values: list[float]) -> None:
    array = np.array(values, np.float32)
    sample = Sample((), {"value": array, "shape": array.shape, "dtype": f32})
    module = parse_module(print_op(function_of(ConstantOp, [sample])), context=CONTEXT)
    (op,) = (op for op in module.walk() if isinstance(op, HLOp))
    got = op.attributes_dict()["value"]
    np.testing.assert_array_equal(got, array)
    np.testing.assert_array_equal(np.signbit(got[got == 0]), np.signbit(array[array == 0]))


@given(st.lists(st.floats(width=32), min_size=1, max_size=6))
@example([8388608.0])
@settings(deadline=None, max_examples=100)
def test_constants_of_upstream_survive_text_bit_by_bit(values: list[float]) -> None:
    for type_ in (builtin.f32, builtin.f64):
        dense = builtin.DenseIntOrFPElementsAttr.from_list(builtin.VectorType(type_, [len(values)]), values)
        module = builtin.ModuleOp([arith.ConstantOp(dense)])
        (op,) = parse_module(print_op(module), context=CONTEXT).body.block.ops
        assert str(op.properties["value"]) == str(dense)


@pytest.mark.parametrize("value", [None, object(), 2**63, (2**70,), {"a": 1}, 1j])
def test_codec_refuses_what_it_cannot_store(value: Any) -> None:
    with pytest.raises(ValueError, match="attribute: expected"):
        encode(value)


def test_numbers_are_written_in_the_type_of_their_elements() -> None:
    assert same(as_number(1, f32), 1.0)
    assert same(as_number(True, i64), 1)
    assert same(as_number(2.0, i64), 2)
    assert same(as_number(1, i1), True)
    assert same(as_number(2.5, i64), 2.5)
