"""Every op that has a C form, scalar and vector, against numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from irtool.codegen.c import print_c
from irtool.dialects import vectorx
from irtool.dialects.text import parse_module
from irtool.runtime.cache import content_key
from irtool.runtime.program import NativeProgram
from irtool.runtime.toolchain import build_program

N, LANES = 64, 16
NUMPY = {"f32": np.float32, "f64": np.float64, "i64": np.int64, "i32": np.int32, "i8": np.uint8, "i1": np.bool_}


LANEWISE = {"arith.cmpi", "arith.cmpf"} | {op.name.replace("vectorx.", "arith.") for op in vectorx.CONVERSIONS}
"""Ops whose vector form is our own."""


@dataclass(frozen=True)
class Row:
    """An op, the types of its operands and of its result, and what it means."""

    op: str
    operands: tuple[str, ...]
    result: str
    meaning: Callable[..., Any]
    properties: str = ""
    forms: tuple[str, ...] = ("scalar", "vector")

    def kernel(self, name: str, form: str) -> str:
        """A kernel that applies the op to each element, or to each 16."""
        vector = form == "vector"
        types = [f"vector<{LANES}x{t}>" if vector else t for t in (*self.operands, self.result)]
        names = [f"%x{i}" for i in range(len(self.operands))]
        arguments = [f"{n}: memref<{N}x{t}>" for n, t in zip((*names, "%out"), (*self.operands, self.result))]
        access = "vector" if vector else "memref"
        lines = [
            f"%a{i} = {access}.load {n}[%i] : memref<{N}x{t}>{', ' + v if vector else ''}"
            for i, (n, t, v) in enumerate(zip(names, self.operands, types))
        ]
        used = ", ".join(f"%a{i}" for i in range(len(names)))
        op = self.op.replace("arith.", "vectorx.") if vector and self.op in LANEWISE else self.op
        lines.append(f'%r = "{op}"({used}) {self.properties} : ({", ".join(types[:-1])}) -> {types[-1]}')
        end = f"memref<{N}x{self.result}>{', ' + types[-1] if vector else ''}"
        lines.append(f"{access}.store %r, %out[%i] : {end}")
        body = "\n    ".join(lines)
        return f"""
func.func private @{name}({", ".join(arguments)}) attributes {{irtool.kernel}} {{
  %c0 = arith.constant 0 : index
  %step = arith.constant {LANES if vector else 1} : index
  %n = arith.constant {N} : index
  scf.for %i = %c0 to %n step %step {{
    {body}
  }}
  func.return
}}"""


def rounding(function: Callable[..., Any]) -> Callable[..., Any]:
    def silent(*arrays: np.ndarray) -> Any:
        with np.errstate(all="ignore"):
            return function(*arrays)

    return silent


def signed(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arrays: function(*(a.view(np.int8) if a.dtype == np.uint8 else a for a in arrays))


def unsigned(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arrays: function(*(a.view(f"u{a.dtype.itemsize}") for a in arrays))


def ordered(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, y: function(x, y) & ~np.isnan(x) & ~np.isnan(y)


def unordered(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, y: function(x, y) | np.isnan(x) | np.isnan(y)


def never(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.zeros_like(x, bool)


def always(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.ones_like(x, bool)


PREDICATES = {0: never, 15: always, 7: ordered(always), 14: unordered(never)}
COMPARISONS = (np.equal, np.greater, np.greater_equal, np.less, np.less_equal, np.not_equal)
for _number, _compare in enumerate(COMPARISONS):
    PREDICATES[1 + _number] = ordered(_compare)
    PREDICATES[8 + _number] = unordered(_compare)
INTEGER_COMPARISONS = (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)


def float_rows(t: str) -> Iterator[Row]:
    two = (t, t)
    for op, meaning in {
        "arith.addf": np.add, "arith.subf": np.subtract, "arith.mulf": np.multiply, "arith.divf": np.divide,
        "arith.maximumf": np.maximum, "arith.minimumf": np.minimum, "arith.maxnumf": np.fmax, "arith.minnumf": np.fmin,
        "math.copysign": np.copysign,
    }.items():  # fmt: skip
        yield Row(op, two, t, meaning)
    for op, meaning in {
        "arith.negf": np.negative, "math.sqrt": np.sqrt, "math.absf": np.abs, "math.floor": np.floor,
        "math.ceil": np.ceil, "math.trunc": np.trunc, "math.roundeven": np.rint,
    }.items():  # fmt: skip
        yield Row(op, (t,), t, meaning)
    for number, meaning in PREDICATES.items():
        yield Row("arith.cmpf", two, "i1", meaning, f"<{{predicate = {number} : i64}}>")
    for integer in ("i32", "i64"):
        yield Row("arith.sitofp", (integer,), t, lambda x, t=t: x.astype(NUMPY[t]))
        yield Row("arith.uitofp", (integer,), t, unsigned(lambda x, t=t: x.astype(NUMPY[t])))
    yield Row("arith.sitofp", ("i8",), t, signed(lambda x, t=t: x.astype(NUMPY[t])))
    yield Row("arith.uitofp", ("i8",), t, lambda x, t=t: x.astype(NUMPY[t]))
    yield Row("arith.uitofp", ("i1",), t, lambda x, t=t: x.astype(NUMPY[t]))
    bits = {"f32": "i32", "f64": "i64"}[t]
    yield Row("arith.bitcast", (t,), bits, lambda x: x.view(NUMPY[bits]))
    yield Row("arith.bitcast", (bits,), t, lambda x: x.view(NUMPY[t]))


def integer_rows(t: str) -> Iterator[Row]:
    two, width = (t, t), NUMPY[t]().itemsize * 8
    for op, meaning in {
        "arith.addi": np.add, "arith.subi": np.subtract, "arith.muli": np.multiply, "arith.andi": np.bitwise_and,
        "arith.ori": np.bitwise_or, "arith.xori": np.bitwise_xor, "arith.maxsi": signed(np.maximum),
        "arith.minsi": signed(np.minimum), "arith.maxui": unsigned(np.maximum), "arith.minui": unsigned(np.minimum),
    }.items():  # fmt: skip
        yield Row(op, two, t, meaning)
    yield Row("math.absi", (t,), t, signed(np.abs))
    mask = NUMPY[t](width - 1)
    yield Row("arith.shli", two, t, lambda x, n: x << (n & mask))
    yield Row("arith.shrsi", two, t, signed(lambda x, n: x >> (n & mask.astype(n.dtype))))
    yield Row("arith.shrui", two, t, unsigned(lambda x, n: x >> (n & mask.astype(n.dtype))))
    for number, meaning in enumerate(INTEGER_COMPARISONS):
        yield Row("arith.cmpi", two, "i1", signed(meaning), f"<{{predicate = {number} : i64}}>")
        if number >= 2:
            yield Row("arith.cmpi", two, "i1", unsigned(meaning), f"<{{predicate = {number + 4} : i64}}>")
    yield Row("arith.extui", ("i1",), t, lambda x: x.astype(NUMPY[t]))
    yield Row("arith.extsi", ("i1",), t, lambda x: -x.astype(NUMPY[t]))
    yield Row("arith.trunci", (t,), "i1", lambda x: (x & 1).astype(bool))


def mask_rows() -> Iterator[Row]:
    two = ("i1", "i1")
    for number, meaning in enumerate(INTEGER_COMPARISONS):
        signed_meaning = lambda x, y, meaning=meaning: meaning(-x.astype(int), -y.astype(int))  # noqa: E731
        yield Row("arith.cmpi", two, "i1", signed_meaning, f"<{{predicate = {number} : i64}}>")
        if number >= 2:
            yield Row("arith.cmpi", two, "i1", meaning, f"<{{predicate = {number + 4} : i64}}>")
    for op, meaning in {
        "arith.andi": np.logical_and, "arith.ori": np.logical_or, "arith.xori": np.logical_xor,
        "arith.maxui": np.logical_or, "arith.minui": np.logical_and,
    }.items():  # fmt: skip
        yield Row(op, two, "i1", meaning)


OTHER = [
    Row("arith.extf", ("f32",), "f64", lambda x: x.astype(np.float64)),
    Row("arith.truncf", ("f64",), "f32", lambda x: x.astype(np.float32)),
    Row("arith.extsi", ("i32",), "i64", lambda x: x.astype(np.int64)),
    Row("arith.extui", ("i32",), "i64", unsigned(lambda x: x.astype(np.int64))),
    Row("arith.extui", ("i8",), "i32", lambda x: x.astype(np.int32)),
    Row("arith.extsi", ("i8",), "i32", signed(lambda x: x.astype(np.int32))),
    Row("arith.trunci", ("i64",), "i32", lambda x: x.astype(np.int32)),
    Row("arith.trunci", ("i32",), "i8", lambda x: x.astype(np.uint8)),
    *(Row(f"arith.{op}i", ("i1", "i1"), "i1", getattr(np, f"logical_{op}")) for op in ("and", "or", "xor")),
    *(Row("arith.select", ("i1", t, t), t, np.where, forms=("scalar",)) for t in NUMPY),
    *(Row("vectorx.select", ("i1", t, t), t, np.where, forms=("vector",)) for t in ("f32", "f64", "i32", "i64", "i8")),
    *(Row("math.fma", (t, t, t), t, lambda x, y, z: x * y + z) for t in ("f32", "f64")),
]  # fmt: skip
ROWS = [row for t in ("f32", "f64") for row in float_rows(t)]
ROWS += [row for t in ("i32", "i64", "i8") for row in integer_rows(t)] + [*mask_rows()] + OTHER


def samples(t: str, seed: int) -> np.ndarray:
    """Values of a type, awkward ones among them."""
    random = np.random.default_rng(seed)
    if t == "i1":
        return random.random(N) < 0.5
    if t.startswith("i"):
        information = np.iinfo(NUMPY[t])
        values = random.integers(information.min, information.max, N, NUMPY[t], endpoint=True)
        edges = [information.min, information.max, 0, 1, information.max // 2]
        values[:: N // 16] = np.resize(edges[seed:] + edges[:seed], 16)
        return values
    values = (random.standard_normal(N) * 10).astype(NUMPY[t])
    edges = [np.nan, np.inf, -np.inf, 0.0, -0.0, 0.5, 1.5, -2.5, 1e-40, 1e30, 3.0]
    values[::4] = np.resize(edges[seed:] + edges[:seed], N // 4)
    return values


@pytest.mark.usefixtures("denormals_kept")
def test_each_op_means_what_numpy_says():
    modules, buffers, calls, checks, arguments = [], [], [], [], []
    for row in ROWS:
        operands = [samples(t, seed) for seed, t in enumerate(row.operands)]
        expected = np.asarray(rounding(row.meaning)(*operands)).astype(NUMPY[row.result], copy=False)
        if row.op == "math.fma":  # without the awkward ones, rounding differs
            operands = [np.nan_to_num(o, posinf=1, neginf=1).round(1) for o in operands]
            expected = (operands[0] * operands[1] + operands[2]).astype(NUMPY[row.result])
        for form in row.forms:
            name = f"op{len(calls)}"
            out = np.zeros(N, NUMPY[row.result])
            modules.append(row.kernel(name, form))
            mine = []
            for array, t in (*zip(operands, row.operands), (out, row.result)):
                mine.append((f"%b{len(buffers)}", f"memref<{N}x{t}>"))
                buffers.append(np.ascontiguousarray(array))
            arguments += mine
            types = ", ".join(t for _, t in mine)
            calls.append(f"  func.call @{name}({', '.join(n for n, _ in mine)}) : ({types}) -> ()")
            checks.append((row, form, expected, buffers[-1]))
    parameters = ", ".join(f"{n}: {t}" for n, t in arguments)
    host = "func.func @step({}) {{\n{}\n  func.return\n}}".format(parameters, "\n".join(calls))
    text = "\n".join([*modules, host])
    module = parse_module(text)
    module.verify()
    program = print_c(module)
    plan = {"entry": "step", "buffers": len(buffers), "arena": 0, "workspace": 0}
    sources = {"step.c": program.one_file()}
    entry = build_program(content_key(*sources.values()), sources, plan)
    NativeProgram(entry.shared_object, plan).bind([b.ctypes.data for b in buffers]).run()
    wrong = []
    for row, form, expected, actual in checks:
        close = np.allclose if row.op == "math.fma" else np.array_equal
        equal = close(actual, expected, equal_nan=actual.dtype.kind == "f")
        if row.op == "arith.bitcast":
            equal = actual.tobytes() == expected.tobytes()
        if not equal:
            bad = np.flatnonzero(actual != expected)[:3]
            wrong.append(f"{row.op} {row.properties} {row.operands} {form}: at {bad} {actual[bad]} not {expected[bad]}")
    assert not wrong, "\n".join(wrong)
    assert len(checks) > 200
