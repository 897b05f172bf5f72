"""Simplification: what each pattern leaves, that results stay the same (NaN and infinities too), and linear time."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from irtool.dialects.hl.builder import IRBuilder
from irtool.dialects.locations import describe
from irtool.dialects.reference.interpret import interpret
from irtool.dialects.text import parse_module, print_op
from irtool.dialects.types import TensorSpec, dtype_of_numpy, f32, f64, i1, i32, spec_of, tensor_type
from irtool.passes.cse import eliminate_common_subexpressions
from irtool.passes.hl.canonicalize import canonicalize
from irtool.passes.hl.simplify import simplify
from xdsl.dialects.builtin import FunctionType, ModuleOp
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region, SSAValue

B = IRBuilder
Build = Callable[[IRBuilder, SSAValue, SSAValue], SSAValue]


def function(build: Callable[..., SSAValue], *specs: TensorSpec) -> FuncOp:
    """A function that returns what `build(builder, *arguments)` makes."""
    block = Block(arg_types=[tensor_type(spec) for spec in specs])
    b = IRBuilder(block)
    result = build(b, *block.args)
    b.insert(ReturnOp(result))
    return FuncOp("f", FunctionType.from_lists(list(block.arg_types), [result.type]), Region(block))


def names(f: FuncOp) -> list[str]:
    return [op.name.removeprefix("hl.") for op in f.body.block.ops][:-1]


SPECIAL = np.array([[np.nan, np.inf, -np.inf, 0.0], [-0.0, 1.5, -2.0, 1e30], [3.0, -0.5, 1e-30, 7.0]], np.float32)
OTHER = np.array([[1.0, np.nan, np.inf, -np.inf], [2.0, -1.0, 0.0, 5.0], [-3.0, 4.0, 1.0, 2.0]], np.float32)


def ints(x: np.ndarray) -> np.ndarray:
    return np.nan_to_num(x, nan=3, posinf=9, neginf=-9).clip(-99, 99).astype(np.int32)


def c(b: B, x: SSAValue, value: float) -> SSAValue:
    return b.constant_like(x, value)


FLOAT: list[tuple[str, Build, list[str]]] = [
    ("x+0", lambda b, x, y: b.add(x, c(b, x, 0)), []),
    ("0+x", lambda b, x, y: b.add(c(b, x, 0), x), []),
    ("x-0", lambda b, x, y: b.sub(x, c(b, x, 0)), []),
    ("0-x", lambda b, x, y: b.sub(c(b, x, 0), x), ["neg"]),
    ("x*1", lambda b, x, y: b.mul(c(b, x, 1), x), []),
    ("x*-1", lambda b, x, y: b.mul(x, c(b, x, -1)), ["neg"]),
    ("x*0", lambda b, x, y: b.mul(x, c(b, x, 0)), ["constant", "mul"]),
    ("x/1", lambda b, x, y: b.div(x, c(b, x, 1)), []),
    ("x/4", lambda b, x, y: b.div(x, c(b, x, 4)), ["constant", "mul"]),
    ("x/3", lambda b, x, y: b.div(x, c(b, x, 3)), ["constant", "div"]),
    ("x-x", lambda b, x, y: b.sub(x, x), ["sub"]),
    ("x+-y", lambda b, x, y: b.add(x, b.neg(y)), ["sub"]),
    ("x--y", lambda b, x, y: b.sub(x, b.neg(y)), ["add"]),
    ("-x*-y", lambda b, x, y: b.mul(b.neg(x), b.neg(y)), ["mul"]),
    ("--x", lambda b, x, y: b.neg(b.neg(x)), []),
    ("|-x|", lambda b, x, y: b.abs(b.neg(x)), ["abs"]),
    ("relu relu", lambda b, x, y: b.relu(b.relu(x)), ["relu"]),
    ("x**2", lambda b, x, y: b.pow(x, c(b, x, 2)), ["mul"]),
    ("x**3", lambda b, x, y: b.pow(x, c(b, x, 3)), ["mul", "mul"]),
    ("x**0", lambda b, x, y: b.pow(x, c(b, x, 0)), ["constant"]),
    ("x**1", lambda b, x, y: b.pow(x, c(b, x, 1)), []),
    ("x**-1", lambda b, x, y: b.pow(x, c(b, x, -1)), ["constant", "div"]),
    ("x**0.5", lambda b, x, y: b.pow(x, c(b, x, 0.5)), ["constant", "compare", "constant", "sqrt", "select"]),
    ("1/sqrt", lambda b, x, y: b.div(c(b, x, 1), b.sqrt(x)), ["rsqrt"]),
    ("max x x", lambda b, x, y: b.maximum(x, x), []),
    ("max x -inf", lambda b, x, y: b.maximum(c(b, x, -np.inf), x), []),
    ("min x -inf", lambda b, x, y: b.minimum(x, c(b, x, -np.inf)), ["constant", "minimum"]),
    ("f32 f64 f32", lambda b, x, y: b.cast(b.cast(x, f64), f32), []),
    ("i1 f32 i1", lambda b, x, y: b.cast(b.cast(b.is_nan(x), f32), i1), ["is_nan"]),
    (
        "f32 i32 f32",
        lambda b, x, y: b.cast(b.cast(b.floor(b.minimum(c(b, x, 1), y)), i32), f32),
        ["constant", "minimum", "floor", "cast", "cast"],
    ),
    ("select true", lambda b, x, y: b.select(b.constant(True, (3, 4), i1), x, y), []),
    ("select same", lambda b, x, y: b.select(b.is_nan(x), y, y), []),
    ("select not", lambda b, x, y: b.select(b.logical_not(b.is_nan(x)), x, y), ["is_nan", "select"]),
    ("select select", lambda b, x, y: b.select(b.is_nan(x), b.select(b.is_nan(x), y, x), x), ["is_nan", "select"]),
    ("not ==", lambda b, x, y: b.logical_not(b.compare("eq", x, y)), ["compare"]),
    ("not <", lambda b, x, y: b.logical_not(b.compare("lt", x, y)), ["compare", "logical_not"]),
    ("x == x", lambda b, x, y: b.compare("eq", x, x), ["compare"]),
    ("transpose twice", lambda b, x, y: b.transpose(b.transpose(x, (1, 0)), (1, 0)), []),
    ("reshape twice", lambda b, x, y: b.reshape(b.reshape(x, (12,)), (2, 6)), ["reshape"]),
    ("reshape back", lambda b, x, y: b.reshape(b.reshape(x, (12,)), (3, 4)), []),
    ("transpose ones", lambda b, x, y: b.transpose(b.reshape(x, (3, 1, 4)), (1, 0, 2)), ["reshape"]),
    (
        "unsqueeze, broadcast",
        lambda b, x, y: b.broadcast(b.reshape(b.reduce_max(x, (1,)), (3, 1)), (3, 4), (0, 1)),
        ["reduce_max", "broadcast"],
    ),
    (
        "broadcast twice",
        lambda b, x, y: b.broadcast(b.broadcast(x, (2, 3, 4), (1, 2)), (5, 2, 3, 4), (1, 2, 3)),
        ["broadcast"],
    ),
    ("broadcast ones", lambda b, x, y: b.broadcast(x, (3, 1, 4), (0, 2)), ["reshape"]),
    ("broadcast splat", lambda b, x, y: b.mul(x, b.broadcast(b.constant(1.0, (), f32), (3, 4), ())), []),
    ("broadcast iota", lambda b, x, y: b.broadcast(b.iota((4,), f32, 0), (3, 4), (1,)), ["iota"]),
    ("iota of one", lambda b, x, y: b.add(x, b.broadcast(b.iota((1,), f32, 0), (3, 4), (0,))), []),
    ("slice twice", lambda b, x, y: b.slice(b.slice(x, (1, 0), (3, 4), (1, 2)), (0, 1), (2, 2), (1, 1)), ["slice"]),
    (
        "slice broadcast",
        lambda b, x, y: b.slice(b.broadcast(x, (7, 3, 4), (1, 2)), (2, 0, 0), (4, 3, 4), (1, 1, 1)),
        ["broadcast"],
    ),
    ("slice concat", lambda b, x, y: b.slice(b.concat([x, y], 0), (4, 0), (6, 4), (1, 2)), ["slice"]),
    ("slice both", lambda b, x, y: b.slice(b.concat([x, y], 0), (2, 0), (4, 4), (1, 1)), ["concat", "slice"]),
    ("pad crop", lambda b, x, y: b.pad(x, (-1, 0), (0, -2), (0, 0), 0.0), ["slice"]),
    ("pad twice", lambda b, x, y: b.pad(b.pad(x, (1, 0), (0, 2), (0, 0), 1.0), (1, 1), (0, 0), (0, 0), 1.0), ["pad"]),
    (
        "pad differently",
        lambda b, x, y: b.pad(b.pad(x, (1, 0), (0, 2), (0, 0), 1.0), (1, 1), (0, 0), (0, 0), 2.0),
        ["pad", "pad"],
    ),
    ("concat empty", lambda b, x, y: b.concat([b.slice(x, (0, 0), (0, 4), (1, 1)), y], 0), []),
    ("concat twice", lambda b, x, y: b.concat([b.concat([x, y], 0), x], 0), ["concat"]),
    ("reverse twice", lambda b, x, y: b.reverse(b.reverse(x, (0, 1)), (0,)), ["reverse"]),
    ("reverse one", lambda b, x, y: b.reverse(b.reshape(x, (12, 1)), (1,)), ["reshape"]),
    ("sum over one", lambda b, x, y: b.reduce_sum(b.reshape(x, (3, 1, 4)), (1,)), []),
    ("max of broadcast", lambda b, x, y: b.reduce_max(b.broadcast(x, (5, 3, 4), (1, 2)), (0, 2)), ["reduce_max"]),
    ("sum of broadcast", lambda b, x, y: b.reduce_sum(b.broadcast(y, (4, 3, 4), (1, 2)), (0,)), ["constant", "mul"]),
    ("max of constant", lambda b, x, y: b.reduce_max(c(b, x, 2), (0,)), ["constant"]),
    ("sum of constant", lambda b, x, y: b.reduce_sum(c(b, x, 2), (0,)), ["constant"]),
    ("fold splat", lambda b, x, y: b.exp(b.constant(0.5, (2000, 2), f32)), ["constant"]),
    ("fold array", lambda b, x, y: b.exp(b.constant(OTHER, (3, 4), f32)), ["constant"]),
    ("equal ops", lambda b, x, y: b.sub(b.mul(x, y), b.mul(y, x)), ["mul", "sub"]),
    ("merge, then match", lambda b, x, y: b.maximum(b.mul(x, y), b.mul(y, x)), ["mul"]),
    (
        "transpose of matmul",
        lambda b, x, y: b.transpose(b.matmul(b.transpose(b.abs(y), (1, 0)), b.abs(y)), (1, 0)),
        ["abs", "transpose", "matmul"],
    ),
    ("scatter zeros", lambda b, x, y: b.scatter_add(x, b.iota((3,), i32, 0), c(b, x, 0), 0), []),
]

INT: list[tuple[str, Build, list[str]]] = [
    ("x*0", lambda b, x, y: b.mul(x, c(b, x, 0)), ["constant"]),
    ("x-x", lambda b, x, y: b.sub(x, x), ["constant"]),
    ("x/4", lambda b, x, y: b.div(x, c(b, x, 4)), ["constant", "div"]),
    ("x&-1", lambda b, x, y: b.bitwise_and(c(b, x, -1), x), []),
    ("x|0", lambda b, x, y: b.bitwise_or(x, c(b, x, 0)), []),
    ("x^x", lambda b, x, y: b.bitwise_xor(x, x), ["constant"]),
    ("x<<0", lambda b, x, y: b.shift_left(x, c(b, x, 0)), []),
    ("not <", lambda b, x, y: b.logical_not(b.compare("lt", x, y)), ["compare"]),
    ("x <= x", lambda b, x, y: b.compare("le", x, x), ["constant"]),
    ("i32 f64 i32", lambda b, x, y: b.cast(b.cast(x, f64), i32), []),
    ("i32 f32 i32", lambda b, x, y: b.cast(b.cast(x, f32), i32), ["cast", "cast"]),
]


def check(build: Build, left: list[str], x: np.ndarray, y: np.ndarray) -> None:
    spec = TensorSpec(x.shape, dtype_of_numpy(x.dtype))
    f = function(build, spec, spec)
    with np.errstate(all="ignore"):
        (before,) = interpret(f, [x, y])
        simplify(f.body)
        ModuleOp([f]).verify()
        (after,) = interpret(f, [x, y])
    assert names(f) == left
    assert before.dtype == after.dtype
    if before.dtype.kind == "f":
        np.testing.assert_allclose(after, before, rtol=3e-7)
    else:
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(("build", "left"), [row[1:] for row in FLOAT], ids=[row[0] for row in FLOAT])
def test_float_patterns(build: Build, left: list[str]) -> None:
    check(build, left, SPECIAL, OTHER)


@pytest.mark.parametrize(("build", "left"), [row[1:] for row in INT], ids=[row[0] for row in INT])
def test_integer_patterns(build: Build, left: list[str]) -> None:
    check(build, left, ints(SPECIAL), ints(OTHER))


def random_step(b: B, data: st.DataObject, pool: list[SSAValue]) -> SSAValue:
    """One more op on values made before."""
    x = data.draw(st.sampled_from(pool))
    shape = spec_of(x.type).shape
    alike = [v for v in pool if v.type == x.type]
    y = data.draw(st.sampled_from(alike))
    rank = len(shape)
    some = tuple(d for d in range(rank) if data.draw(st.booleans()))
    moves: list[Callable[[], SSAValue]] = [
        lambda: b.neg(x),
        lambda: b.relu(x),
        lambda: b.add(x, y),
        lambda: b.sub(x, y),
        lambda: b.mul(x, y),
        lambda: b.div(x, y),
        lambda: b.maximum(x, y),
        lambda: b.pow(x, c(b, x, data.draw(st.sampled_from([0, 1, 2, 3])))),
        lambda: b.select(b.compare("lt", x, y), x, y),
        lambda: c(b, x, data.draw(st.sampled_from([0.0, 1.0, -1.0, 2.0]))),
        lambda: b.transpose(x, tuple(data.draw(st.permutations(range(rank))))),
        lambda: b.reshape(x, (int(np.prod(shape)),)),
        lambda: b.reshape(x, (*shape, 1)),
        lambda: b.broadcast(x, (2, *shape), tuple(range(1, rank + 1))),
        lambda: b.broadcast(x, tuple(3 if n == 1 else n for n in shape), tuple(range(rank))),
        lambda: b.reverse(x, some),
        lambda: b.reduce_max(x, some),
        lambda: b.reduce_sum(x, some),
        lambda: b.pad(x, (1,) * rank, (0,) * rank, (0,) * rank, 1.0),
        lambda: b.slice(x, tuple(int(n > 1) for n in shape), shape, (1,) * rank),
        lambda: b.concat([x, y], 0) if rank else b.neg(x),
    ]
    return data.draw(st.sampled_from(moves))()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_random_programs(data: st.DataObject) -> None:
    def build(b: B, *arguments: SSAValue) -> SSAValue:
        pool = [*arguments]
        for _ in range(data.draw(st.integers(1, 12))):
            value = random_step(b, data, pool)
            if len(spec_of(value.type).shape) < 5 and np.prod(spec_of(value.type).shape) < 5000:
                pool.append(value)
        return pool[-1]

    specs = [TensorSpec((2, 3), f64), TensorSpec((2, 3), f64), TensorSpec((3, 1), f64)]
    f = function(build, *specs)
    g = np.random.default_rng(0)
    arrays = [np.round(g.uniform(-2, 2, spec.shape) * 4) / 4 for spec in specs]
    with np.errstate(all="ignore"):
        (before,) = interpret(f, arrays)
        text = print_op(f, locations=False)
        simplify(f.body)
        ModuleOp([f]).verify()
        (after,) = interpret(f, arrays)
    np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-12, err_msg=text)


def test_merged_ops_name_all_lines() -> None:
    module = parse_module("""
    func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = hl.exp %x : tensor<4xf32> loc("a.py":1:0)
      %1 = hl.exp %x : tensor<4xf32> loc("a.py":7:0)
      %2 = hl.add %0, %1 : tensor<4xf32> loc("a.py":8:0)
      func.return %2 : tensor<4xf32>
    }""")
    (f,) = module.ops
    assert isinstance(f, FuncOp)
    first = f.body.block.first_op
    assert first is not None
    eliminate_common_subexpressions(f.body)
    assert describe(first.location) == "a.py:1; a.py:7"


def chain(n: int) -> FuncOp:
    """n rewrites, each of which makes the next possible, and n equal ops."""

    def build(b: B, x: SSAValue) -> SSAValue:
        total = x
        for _ in range(n):
            total = b.add(b.neg(b.neg(total)), b.mul(x, c(b, x, 1.5)))
        return total

    return function(build, TensorSpec((4,), f32))


def test_linear_time() -> None:
    def seconds(n: int) -> float:
        f = chain(n)
        gc.collect()
        gc.disable()  # what other tests have left would be walked again and again
        try:
            start = time.process_time()
            canonicalize(f.body)
            eliminate_common_subexpressions(f.body)
            simplify(f.body)
            took = time.process_time() - start
        finally:
            gc.enable()
        assert len(names(f)) == n + 2
        return took

    seconds(50)
    small, large = seconds(300), seconds(2400)
    assert large < 8 * 3 * small, f"{small:.3f} s for 300, {large:.3f} s for 2400"
