"""Random programs of hl ops: what their C computes is what the reference says, to the bit, for one thread and for two.

Floats hold small integers, and every value knows its bound, so that no operation rounds and the order of sums is free.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from irtool.dialects.hl.builder import IRBuilder
from irtool.dialects.locations import at_line
from irtool.dialects.text import print_op
from irtool.dialects.types import DType, TensorSpec, f32, f64, i1, i64, spec_of, tensor_type
from irtool.passes.verify import verify
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FunctionType, IntegerAttr, ModuleOp
from xdsl.dialects.builtin import i64 as i64_type
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region, SSAValue

from .running import Array, execute, reference

EXAMPLES = 20
EXACT = 2**23
EXTENTS = (1, 2, 3, 5, 8, 17, 40, 70)
MOST_ELEMENTS = 20_000
Draw = Callable[[st.SearchStrategy[Any]], Any]


class Value(NamedTuple):
    """A value of the program, and how large its elements may be."""

    value: SSAValue
    bound: int


class Graph:
    """A function under construction."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.block = Block()
        self.b = IRBuilder(self.block)
        self.values: list[Value] = []
        self.arrays: list[Array] = []

    def pick(self, choices: Any) -> Any:
        return self.draw(st.sampled_from(list(choices)))

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def spec(self, value: Value) -> TensorSpec:
        return spec_of(value.value.type)

    def argument(self, spec: TensorSpec) -> Value:
        rng = np.random.default_rng(len(self.arrays))
        bound = 1 if spec.dtype is i1 else 3
        array = np.asarray(rng.integers(0 if spec.dtype is i1 else -3, bound + 1, spec.shape)).astype(spec.dtype.numpy)
        self.arrays.append(array)
        self.values.append(Value(self.block.insert_arg(tensor_type(spec), len(self.block.args)), bound))
        return self.values[-1]

    def add(self, value: SSAValue, bound: int) -> Value:
        made = Value(value, bound)
        if bound <= EXACT and math.prod(self.spec(made).shape) <= MOST_ELEMENTS:
            self.values.append(made)
        return made

    def like(self, spec: TensorSpec) -> Value:
        """A value of this type: one there is, if the draw says so, or a new argument."""
        same = [v for v in self.values if self.spec(v) == spec]
        return self.pick(same) if same and self.number(0, 3) else self.argument(spec)

    def any(self, dtypes: tuple[DType, ...] = (f32, f64, i64, i1), ranks: range = range(4)) -> Value | None:
        fitting = [v for v in self.values if self.spec(v).dtype in dtypes and len(self.spec(v).shape) in ranks]
        return self.pick(fitting[-6:]) if fitting else None


Rule = Callable[[Graph], None]
NUMBERS = (f32, f64, i64)


def binary(g: Graph) -> None:
    x = g.any(NUMBERS)
    if x is None:
        return
    y = g.like(g.spec(x))
    name = g.pick(("add", "sub", "mul", "maximum", "minimum"))
    bound = {"mul": x.bound * y.bound, "add": x.bound + y.bound, "sub": x.bound + y.bound}.get(
        name, max(x.bound, y.bound)
    )
    g.add(getattr(g.b, name)(x.value, y.value), bound)


def unary(g: Graph) -> None:
    x = g.any(NUMBERS)
    if x is not None:
        g.add(getattr(g.b, g.pick(("neg", "abs", "relu", "sign")))(x.value), x.bound)


def choose(g: Graph) -> None:
    x = g.any(NUMBERS)
    if x is None:
        return
    y = g.like(g.spec(x))
    condition = g.b.compare(g.pick(("lt", "eq", "ge")), x.value, y.value)
    g.add(condition, 1)
    g.add(g.b.select(condition, x.value, y.value), max(x.bound, y.bound))


def cast(g: Graph) -> None:
    x = g.any()
    if x is not None:
        g.add(g.b.cast(x.value, g.pick(NUMBERS)), x.bound)


def constant(g: Graph) -> None:
    x = g.any(NUMBERS)
    if x is not None:
        g.add(g.b.add(x.value, g.b.constant_like(x.value, g.number(-2, 2))), x.bound + 2)


def broadcast(g: Graph) -> None:
    x = g.any(ranks=range(3))
    if x is None:
        return
    shape = g.spec(x).shape
    new, at = g.pick(EXTENTS), g.number(0, len(shape))
    result = (*shape[:at], new, *shape[at:])
    g.add(g.b.broadcast(x.value, result, tuple(d for d in range(len(result)) if d != at)), x.bound)


def keep_dimension(g: Graph) -> None:
    """x - broadcast(reshape(reduce_max(x))), as a softmax begins."""
    x = g.any(NUMBERS, range(1, 4))
    if x is None:
        return
    shape = g.spec(x).shape
    d = g.number(0, len(shape) - 1)
    if not shape[d]:
        return
    reduced = g.b.reshape(g.b.reduce_max(x.value, (d,)), (*shape[:d], 1, *shape[d + 1 :]))
    g.add(g.b.sub(x.value, g.b.broadcast(reduced, shape, tuple(range(len(shape))))), 2 * x.bound)


def reduce(g: Graph) -> None:
    x = g.any(NUMBERS, range(1, 4))
    if x is None:
        return
    shape = g.spec(x).shape
    dimensions = tuple(sorted(g.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))))
    count = math.prod(shape[d] for d in dimensions)
    name = g.pick(("reduce_sum", "reduce_max", "reduce_min")) if count else "reduce_sum"
    g.add(getattr(g.b, name)(x.value, dimensions), x.bound * (max(count, 1) if name == "reduce_sum" else 1))


def argmax(g: Graph) -> None:
    x = g.any(NUMBERS, range(1, 4))
    if x is None:
        return
    d = g.number(0, len(g.spec(x).shape) - 1)
    if g.spec(x).shape[d]:
        g.add(getattr(g.b, g.pick(("argmax", "argmin")))(x.value, d), g.spec(x).shape[d])


def matmul(g: Graph) -> None:
    x = g.any((f32, f64, i64), range(2, 4))
    if x is None:
        return
    spec = g.spec(x)
    y = g.like(TensorSpec((*spec.shape[:-2], spec.shape[-1], g.pick(EXTENTS)), spec.dtype))
    bound = x.bound * y.bound * max(spec.shape[-1], 1)
    if bound <= EXACT:
        g.add(g.b.matmul(x.value, y.value), bound)


def transpose(g: Graph) -> None:
    x = g.any(ranks=range(2, 4))
    if x is not None:
        rank = len(g.spec(x).shape)
        g.add(g.b.transpose(x.value, tuple(g.draw(st.permutations(range(rank))))), x.bound)


def slice_(g: Graph) -> None:
    x = g.any(ranks=range(1, 4))
    if x is None:
        return
    start = tuple(g.number(0, n) for n in g.spec(x).shape)
    stop = tuple(g.number(s, n) for s, n in zip(start, g.spec(x).shape))
    g.add(g.b.slice(x.value, start, stop, tuple(g.number(1, 3) for _ in start)), x.bound)


def reverse(g: Graph) -> None:
    x = g.any(ranks=range(1, 4))
    if x is not None:
        g.add(g.b.reverse(x.value, (g.number(0, len(g.spec(x).shape) - 1),)), x.bound)


def pad(g: Graph) -> None:
    x = g.any(ranks=range(1, 4))
    if x is None or 0 in g.spec(x).shape:
        return
    low = tuple(g.number(-1, 2) for _ in g.spec(x).shape)
    high = tuple(max(g.number(-1, 2), -low_ - n) for low_, n in zip(low, g.spec(x).shape))
    interior = tuple(g.number(0, 1) for _ in low)
    g.add(g.b.pad(x.value, low, high, interior, g.number(0, 1)), x.bound)


def concat(g: Graph) -> None:
    x = g.any(ranks=range(1, 4))
    if x is None:
        return
    spec = g.spec(x)
    d = g.number(0, len(spec.shape) - 1)
    other = g.like(TensorSpec((*spec.shape[:d], g.pick((0, *EXTENTS)), *spec.shape[d + 1 :]), spec.dtype))
    parts = g.pick(([x, other], [other, x], [x, other, x]))
    g.add(g.b.concat([p.value for p in parts], d), max(p.bound for p in parts))


def reshape(g: Graph) -> None:
    x = g.any()
    if x is None:
        return
    shape = g.spec(x).shape
    units = (*shape, 1), (1, *shape), tuple(n for n in shape if n != 1)
    flat = (math.prod(shape),), (1, math.prod(shape))
    merged = [(shape[0] * shape[1], *shape[2:])] if len(shape) > 1 else []
    g.add(g.b.reshape(x.value, g.pick([s for s in (*units, *flat, *merged) if len(s) < 4])), x.bound)


def gather(g: Graph) -> None:
    x = g.any(ranks=range(1, 3))
    if x is None or 0 in g.spec(x).shape:
        return
    found = g.any((i64,), range(2)) if g.number(0, 1) else None
    indices = found or g.argument(TensorSpec((g.pick(EXTENTS),), i64))
    g.add(g.b.gather(x.value, indices.value, g.number(0, len(g.spec(x).shape) - 1)), x.bound)


def scatter(g: Graph) -> None:
    base = g.any(NUMBERS, range(1, 3))
    if base is None:
        return
    spec, count = g.spec(base), g.pick(EXTENTS)
    indices = g.argument(TensorSpec((count,), i64))
    updates = g.like(TensorSpec((count, *spec.shape[1:]), spec.dtype))
    g.add(g.b.scatter_add(base.value, indices.value, updates.value, 0), base.bound + count * updates.bound)


RULES: tuple[Rule, ...] = (
    binary, binary, unary, choose, cast, constant, broadcast, keep_dimension, reduce, reduce, argmax, matmul, transpose,
    slice_, reverse, pad, concat, reshape, gather, scatter,
)  # fmt: skip


@st.composite
def programs(draw: Draw) -> tuple[ModuleOp, list[Array]]:
    """A module of one function and its arguments; some results are new values of state arguments."""
    g = Graph(draw)
    for _ in range(g.number(1, 3)):
        rank = g.number(0, 3)
        shape = tuple(g.pick(EXTENTS if k < 2 else EXTENTS[:4]) for k in range(rank))
        g.argument(TensorSpec(shape, g.pick(NUMBERS)))
    for line in range(g.number(3, 14)):
        g.b.location = at_line("random.py", line + 1)
        g.pick(RULES)(g)
    count = g.number(1, 4)
    results = [g.pick(g.values[-8:]).value for _ in range(count)]
    states: dict[int, int] = {}
    for k, value in enumerate(results):
        free = [i for i, a in enumerate(g.block.args) if a.type == value.type and i not in states]
        if free and g.number(0, 1):
            states[g.pick(free)] = k
    g.b.insert(ReturnOp(*results))
    function = FuncOp(
        "step",
        FunctionType.from_lists([a.type for a in g.block.args], [v.type for v in results]),
        Region(g.block),
        arg_attrs=ArrayAttr(
            DictionaryAttr({"irtool.result": IntegerAttr(states[i], i64_type)} if i in states else {})
            for i in range(len(g.arrays))
        ),
    )
    return ModuleOp([function]), g.arrays


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(programs())
def test_c_is_reference(program: tuple[ModuleOp, list[Array]]) -> None:
    module, arrays = program
    note(print_op(module, False))
    verify(module)
    wanted = reference(module, arrays)
    for threads in (1, 2, 3, 4, 8):
        for k, (got, want) in enumerate(zip(execute(module, arrays, threads), wanted)):
            np.testing.assert_array_equal(got, want, f"result {k} on {threads} threads")
