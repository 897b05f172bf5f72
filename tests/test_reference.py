"""The reference meanings against formulas that know nothing of them, and what numpy alone would get wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from irtool.dialects.hl import OPS, HLOp
from irtool.dialects.hl import composite as c
from irtool.dialects.hl import elementwise as e
from irtool.dialects.hl import indexing as ix
from irtool.dialects.hl import random as r
from irtool.dialects.hl import reduction as red
from irtool.dialects.hl import shape as s
from irtool.dialects.hl.autodiff import GradientOp
from irtool.dialects.reference import NO_REFERENCE, REFERENCE, evaluate
from irtool.dialects.reference.interpret import InterpretError, interpret
from irtool.dialects.reference.random import philox
from irtool.dialects.text import parse_module
from irtool.dialects.types import f32, f64, i1, i64, u8
from xdsl.dialects.func import FuncOp

from .samples import SAMPLES

Array = np.ndarray[Any, np.dtype[Any]]


def run(op: type[HLOp], *arrays: Any, **attributes: Any) -> Array:
    (result,) = evaluate(op, [np.asarray(x) for x in arrays], attributes)
    return result


@pytest.mark.parametrize("op", [op for op in OPS if op in REFERENCE], ids=lambda op: op.name)
def test_results_have_the_inferred_spec(op: type[HLOp]) -> None:
    for sample in SAMPLES[op]:
        given = [x.copy() for x in sample.arrays]
        results = evaluate(op, sample.arrays, sample.attributes)
        expected = op.infer(*sample.specs, **sample.attributes)
        assert [(x.shape, x.dtype) for x in results] == [(spec.shape, spec.dtype.numpy) for spec in expected]
        for before, after in zip(given, sample.arrays, strict=True):
            np.testing.assert_array_equal(before, after, err_msg="an operand was changed")


@pytest.mark.parametrize("op", [op for op in OPS if op in REFERENCE], ids=lambda op: op.name)
def test_f32_agrees_with_f64(op: type[HLOp]) -> None:
    """Every sample in f32 gives what the same op gives in f64, rounded."""
    for sample in SAMPLES[op]:
        wide = [x.astype(np.float64) if x.dtype == np.float32 else x for x in sample.arrays]
        if sample.attributes.get("dtype") is f32 or not any(x.dtype == np.float32 for x in sample.arrays):
            continue
        if op in (r.BernoulliOp, c.CrossEntropyOp) and sample.arrays[0].size == 0:
            continue
        for got, want in zip(evaluate(op, sample.arrays, sample.attributes), evaluate(op, wide, sample.attributes)):
            if got.dtype != np.float32:
                continue
            with np.errstate(all="ignore"):
                rounded = want.astype(np.float32)
            overflow = np.isinf(rounded) | (np.abs(rounded) > 3e38) | (np.abs(rounded) < 1e-37)
            np.testing.assert_allclose(got[~overflow], rounded[~overflow], rtol=2e-6, atol=1e-6 * max(1, sample.scale))


SCALAR: dict[type[HLOp], Callable[[float], float]] = {
    e.ExpOp: math.exp,
    e.Expm1Op: math.expm1,
    e.LogOp: math.log,
    e.Log1POp: math.log1p,
    e.SqrtOp: math.sqrt,
    e.RsqrtOp: lambda x: 1 / math.sqrt(x),
    e.SinOp: math.sin,
    e.CosOp: math.cos,
    e.TanOp: math.tan,
    e.AsinOp: math.asin,
    e.AcosOp: math.acos,
    e.AtanOp: math.atan,
    e.SinhOp: math.sinh,
    e.CoshOp: math.cosh,
    e.TanhOp: math.tanh,
    e.SigmoidOp: lambda x: 1 / (1 + math.exp(-x)),
    e.ErfOp: math.erf,
    e.FloorOp: math.floor,
    e.CeilOp: math.ceil,
    e.RoundOp: round,
    e.TruncOp: math.trunc,
    e.ReluOp: lambda x: max(x, 0.0),
    e.AbsOp: abs,
    e.NegOp: lambda x: -x,
    e.SignOp: lambda x: (x > 0) - (x < 0),
    c.SiluOp: lambda x: x / (1 + math.exp(-x)),
    c.SoftplusOp: lambda x: math.log(1 + math.exp(x)),
}


@pytest.mark.parametrize("op", SCALAR, ids=lambda op: op.name)
def test_unary_against_scalar_formulas(op: type[HLOp]) -> None:
    for sample in SAMPLES[op]:
        if sample.differentiable:
            (x,) = sample.arrays
            expected = np.array([SCALAR[op](v) for v in x.reshape(-1).tolist()]).reshape(x.shape)
            np.testing.assert_allclose(run(op, x), expected, rtol=1e-14, atol=1e-15)


def test_erf_is_within_two_ulp() -> None:
    x = np.concatenate([np.linspace(-7, 7, 20001), [0.0, -0.0, 1e-300, np.inf, -np.inf]])
    want = np.array([math.erf(v) for v in x])
    assert np.max(np.abs(run(e.ErfOp, x) - want) / np.spacing(np.abs(want))) <= 2
    assert np.isnan(run(e.ErfOp, np.array(np.nan)))


def test_integer_arithmetic() -> None:
    x = np.array([7, -7, 7, -7, 5, 0, -(2**63)])
    y = np.array([2, 2, -2, -2, 0, 0, -1])
    assert run(e.DivOp, x, y).tolist() == [3, -3, -3, 3, 0, 0, -(2**63)]
    assert run(e.FloorDivOp, x, y).tolist() == [3, -4, -4, 3, 0, 0, -(2**63)]
    assert run(e.RemainderOp, x, y).tolist() == [1, 1, -1, -1, 0, 0, 0]
    assert run(e.AddOp, np.uint8([250]), np.uint8([10])).tolist() == [4]
    assert run(e.MulOp, np.int32(2**30), np.int32(4)) == 0
    assert run(e.NegOp, np.uint8([1])).tolist() == [255]
    base = np.array([2, 1, -1, -1, 0, 3])
    assert run(e.PowOp, base, np.array([-1, -5, -3, -2, -1, 2])).tolist() == [0, 1, -1, 1, 0, 9]


def test_shifts_beyond_the_width_give_zero() -> None:
    x, y = np.int32([1, 1, -1, -1, -8]), np.int32([31, 32, 1, -1, 29])
    assert run(e.ShiftLeftOp, x, y).tolist() == [-(2**31), 0, -2, 0, 0]
    assert run(e.ShiftRightLogicalOp, x, y).tolist() == [0, 0, 2**31 - 1, 0, 7]


def test_float_division() -> None:
    x, y = np.array([1.0, -1.0, 0.0, 7.5, -7.5]), np.array([0.0, 0.0, 0.0, 2.0, 2.0])
    assert str(run(e.DivOp, x, y).tolist()) == "[inf, -inf, nan, 3.75, -3.75]"
    assert run(e.FloorDivOp, x, y).tolist()[3:] == [3.0, -4.0]
    assert run(e.RemainderOp, x, y).tolist()[3:] == [1.5, 0.5]


def test_nan_propagates() -> None:
    x, y = np.array([np.nan, 1.0, np.inf]), np.array([1.0, np.nan, -np.inf])
    assert str(run(e.MaximumOp, x, y).tolist()) == "[nan, nan, inf]"
    assert str(run(e.MinimumOp, x, y).tolist()) == "[nan, nan, -inf]"
    assert np.isnan(run(e.ReluOp, np.float32(np.nan)))
    assert run(e.SignOp, np.float64(np.nan)) == 0
    assert np.isnan(run(red.ReduceMaxOp, x, dimensions=(0,)))
    assert run(red.ArgmaxOp, np.array([1.0, np.nan, 5.0, np.nan]), dimension=0) == 1
    assert run(red.ArgminOp, np.array([3.0, 1.0, 1.0]), dimension=0) == 1
    assert run(e.CompareOp, x, y, predicate="ne").tolist() == [True, True, True]
    assert run(e.CompareOp, x, x, predicate="eq").tolist() == [False, True, True]


def test_round_is_half_to_even() -> None:
    assert run(e.RoundOp, np.float32([0.5, 1.5, 2.5, -0.5])).tolist() == [0, 2, 2, 0]


def test_casts() -> None:
    assert run(e.CastOp, np.float64([2.9, -2.9]), dtype=i64).tolist() == [2, -2]
    assert run(e.CastOp, np.float32([-1.0, 257.0]), dtype=u8).tolist() == [255, 1]
    assert run(e.CastOp, np.float32([0.5, 0.0, np.nan]), dtype=i1).tolist() == [True, False, True]


def test_reductions_of_nothing() -> None:
    nothing = np.zeros((2, 0))
    assert run(red.ReduceSumOp, nothing, dimensions=(1,)).tolist() == [0, 0]
    assert run(red.ReduceProdOp, nothing, dimensions=(1,)).tolist() == [1, 1]
    assert run(red.ReduceAnyOp, nothing.astype(bool), dimensions=(1,)).tolist() == [False, False]
    assert run(red.ReduceAllOp, nothing.astype(bool), dimensions=(1,)).tolist() == [True, True]


def test_long_f32_sums_do_not_drift() -> None:
    ones = np.full((1_000_000, 1), 0.1, np.float32)
    assert abs(run(red.ReduceSumOp, ones, dimensions=(0,)).item() - 100_000) < 0.1


def pad_slowly(x: Array, low: Any, high: Any, interior: Any, value: Any) -> Array:
    """Pads element by element, then crops."""
    shape = [n + max(n - 1, 0) * k + max(b, 0) + max(a, 0) for n, k, b, a in zip(x.shape, interior, low, high)]
    result = np.full(shape, value, x.dtype)
    for index in np.ndindex(x.shape):
        result[tuple(i * (k + 1) + max(b, 0) for i, k, b in zip(index, interior, low))] = x[index]
    crop = tuple(slice(max(-b, 0), n - max(-a, 0)) for n, b, a in zip(shape, low, high))
    return result[crop]


def test_pad_against_loops() -> None:
    for sample in SAMPLES[s.PadOp]:
        want = pad_slowly(sample.arrays[0], **sample.attributes)
        np.testing.assert_array_equal(run(s.PadOp, *sample.arrays, **sample.attributes), want)


def test_gather_and_scatter_against_loops() -> None:
    for sample in SAMPLES[ix.GatherOp]:
        x, indices = sample.arrays
        axis, batch = sample.attributes["axis"], sample.attributes["batch_dims"]
        got = run(ix.GatherOp, x, indices, **sample.attributes)
        inner = indices.ndim - batch
        for at in np.ndindex(got.shape):
            i = int(indices[at[:batch] + at[axis : axis + inner]])
            assert got[at] == x[(*at[:axis], min(max(i, 0), x.shape[axis] - 1), *at[axis + inner :])]
    for sample in SAMPLES[ix.ScatterAddOp]:
        base, indices, updates = sample.arrays
        axis, batch = sample.attributes["axis"], sample.attributes["batch_dims"]
        want = base.copy()
        inner = indices.ndim - batch
        for at in np.ndindex(updates.shape):
            i = int(indices[at[:batch] + at[axis : axis + inner]])
            if 0 <= i < base.shape[axis]:
                want[(*at[:axis], i, *at[axis + inner :])] += updates[at]
        sample.check(run(ix.ScatterAddOp, *sample.arrays, **sample.attributes), want)


def words(*values: int) -> tuple[Array, Array, Array, Array]:
    a, b, d, f = (np.array([v], np.uint64) for v in values)
    return a, b, d, f


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_known_answers(counter: Any, key: Any, expected: str) -> None:
    """The vectors published with Random123."""
    assert " ".join(f"{int(word[0]):08x}" for word in philox(words(*counter), key)) == expected


def test_random_bits_are_the_words_of_philox_blocks() -> None:
    bits = run(r.RandomBitsOp, np.array([-3, 2**40 + 5]), shape=(3, 4)).reshape(-1)
    for i, got in enumerate(bits):
        block = philox(words(i // 4, 0, 5, 2**8), (0xFFFFFFFD, 0xFFFFFFFF))
        assert int(got) & 0xFFFFFFFF == int(block[i % 4][0])


def test_uniform_and_bernoulli_are_distributed_so() -> None:
    for dtype in (f32, f64):
        u = run(r.UniformOp, np.array([1, 2]), shape=(40_000,), dtype=dtype)
        assert 0 <= u.min() < 1e-3 and 1 - 1e-3 < u.max() < 1
        assert abs(u.mean() - 0.5) < 0.01 and abs(u.var() - 1 / 12) < 0.01
        chosen = run(r.BernoulliOp, np.array([1, 2]), np.array(0.3, dtype.numpy), shape=(40_000,))
        np.testing.assert_array_equal(chosen, u < dtype.numpy.type(0.3))


def test_softmax_and_cross_entropy_by_definition() -> None:
    for sample in SAMPLES[c.SoftmaxOp]:
        if sample.differentiable and sample.arrays[0].size:
            (x,), d = sample.arrays, sample.attributes["dimension"]
            want = np.exp(x) / np.exp(x).sum(d, keepdims=True)
            np.testing.assert_allclose(run(c.SoftmaxOp, x, dimension=d), want)
            np.testing.assert_allclose(run(c.LogSoftmaxOp, x, dimension=d), np.log(want), atol=1e-12)
    for sample in SAMPLES[c.CrossEntropyOp]:
        if sample.differentiable:
            (x, target), a = sample.arrays, sample.attributes
            smooth = a["label_smoothing"]
            losses = {}
            for n in range(len(target)):
                log_p = x[n] - math.log(sum(math.exp(v) for v in x[n]))
                if target[n] != a["ignore_index"]:
                    losses[n] = -(1 - smooth) * log_p[target[n]] - smooth * log_p.mean()
            total = sum(losses.values())
            want = {
                "none": [losses.get(n, 0.0) for n in range(len(target))],
                "sum": total,
                "mean": total / max(len(losses), 1),
            }[a["reduction"]]
            np.testing.assert_allclose(run(c.CrossEntropyOp, x, target, **a), want, atol=1e-12)


def test_interpreter_runs_calls_and_control_flow() -> None:
    module = parse_module("""
func.func private @double(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = hl.add %x, %x : tensor<2xf32>
  func.return %0 : tensor<2xf32>
}
func.func @main(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %low = arith.constant 0 : index
  %high = arith.constant 3 : index
  %step = arith.constant 1 : index
  %no = arith.constant false
  %r = scf.for %i = %low to %high step %step iter_args(%c = %x) -> (tensor<2xf32>) {
    %1 = func.call @double(%c) : (tensor<2xf32>) -> tensor<2xf32>
    scf.yield %1 : tensor<2xf32>
  }
  %s = scf.if %no -> (tensor<2xf32>) {
    scf.yield %r : tensor<2xf32>
  } else {
    scf.yield %x : tensor<2xf32>
  }
  func.return %r, %s : tensor<2xf32>, tensor<2xf32>
}""")
    (_, main) = (op for op in module.ops if isinstance(op, FuncOp))
    doubled, same = interpret(main, [np.float32([1, 2])])
    assert doubled.tolist() == [8, 16] and same.tolist() == [1, 2]
    with pytest.raises(InterpretError, match="expected 1 arguments, got 0"):
        interpret(main, [])
    with pytest.raises(InterpretError, match=r"argument 0: expected tensor<2xf32>, got tensor<3xf32>"):
        interpret(main, [np.zeros(3, np.float32)])


def test_interpreter_says_why_not() -> None:
    module = parse_module("""
func.func @main(%x: tensor<f32>) -> tensor<f32> {
  %dx = hl.gradient %x wrt %x : tensor<f32>
  func.return %dx : tensor<f32>
}""")
    (main,) = (op for op in module.ops if isinstance(op, FuncOp))
    with pytest.raises(InterpretError, match=f"hl.gradient: {NO_REFERENCE[GradientOp]}"):
        interpret(main, [np.array(1, np.float32)])
