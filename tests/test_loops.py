"""Random kernels through the loop passes against numpy: what fusion, sharing, masks and barriers do must not be seen.

Each kernel is a chain of linalg operations on temporaries. Loops are shared among threads however short they are, so
that small extents reach all the code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from irtool.dialects.text import make_context, parse_module
from irtool.passes.cleanup import Cleanup
from irtool.passes.loops.collapse_loops import CollapseLoops
from irtool.passes.loops.cpu.barriers import InsertBarriers
from irtool.passes.loops.cpu.expand_math import ExpandMath
from irtool.passes.loops.cpu.parallelize import Parallelize
from irtool.passes.loops.cpu.tile_loops import TileLoops
from irtool.passes.loops.cpu.vectorize import Vectorize
from irtool.passes.loops.fuse_loops import FuseLoops
from irtool.passes.loops.lower_linalg import LowerLinalg
from irtool.passes.loops.unroll import Unroll
from irtool.passes.loops.workspaces import HoistWorkspace, ShareWorkspace
from irtool.passes.verify import verify
from irtool.runtime.compiler import compile_module
from irtool.runtime.threads import get_num_threads, set_num_threads

Array = np.ndarray[Any, Any]

PIPELINES = {
    "all": (
        LowerLinalg(), FuseLoops(), CollapseLoops(), ExpandMath(), Parallelize(min_work=1), Vectorize(),
        HoistWorkspace(), Cleanup(), ShareWorkspace(), InsertBarriers(),
    ),
    "scalar": (LowerLinalg(), Parallelize(min_work=1), HoistWorkspace(), ShareWorkspace(), InsertBarriers()),
    "unrolled": (
        LowerLinalg(), FuseLoops(), CollapseLoops(), TileLoops(tile=4, longest_untiled=4), Unroll(trips=5),
        ExpandMath(), Parallelize(), Vectorize(vector_bits=256), HoistWorkspace(), Cleanup(), ShareWorkspace(),
        InsertBarriers(),
    ),
}  # fmt: skip

TYPES = {"f32": np.float32, "f64": np.float64, "i64": np.int64, "i32": np.int32}


@dataclass
class Chain:
    """A kernel under construction, and what each of its buffers should hold."""

    rng: np.random.Generator
    rows: int
    columns: int
    type: str
    lines: list[str] = field(default_factory=list)
    values: dict[str, Array] = field(default_factory=dict)
    counter: int = 0

    def shape_text(self, array: Array) -> str:
        return f"memref<{''.join(f'{n}x' for n in array.shape)}{self.type}>"

    def add(self, value: Array) -> str:
        self.counter += 1
        name = f"%t{self.counter}"
        self.values[name] = value
        return name

    def pick(self, rank: int) -> str:
        names = [n for n, v in self.values.items() if v.ndim == rank and v.shape in self.shapes(rank)]
        return str(self.rng.choice(names))

    def has(self, rank: int) -> bool:
        return any(v.ndim == rank and v.shape in self.shapes(rank) for v in self.values.values())

    def shapes(self, rank: int) -> tuple[tuple[int, ...], ...]:
        return {2: ((self.rows, self.columns),), 1: ((self.rows,), (self.columns,)), 0: ((),)}[rank]

    def generic(self, inputs: list[tuple[str, str]], result: Array, out_map: str, kinds: str, body: list[str]) -> str:
        """Adds a linalg.generic over (i, j), or over (i); `inputs` are names with their maps."""
        name = self.add(result)
        dims = "(i, j)" if len(kinds) == 2 else "(i)"
        maps = ", ".join(f"affine_map<{dims} -> ({m})>" for m in (*(m for _, m in inputs), out_map))
        iterators = ", ".join(f'"{"parallel" if k == "p" else "reduction"}"' for k in kinds)
        types = ", ".join(self.shape_text(self.values[n]) for n, _ in inputs)
        arguments = ", ".join(f"%a{k}: {self.type}" for k in range(len(inputs)))
        self.lines.append(f"{name} = memref.alloc() : {self.shape_text(result)}")
        if "r" in kinds:
            self.lines.append(f"linalg.fill ins(%zero : {self.type}) outs({name} : {self.shape_text(result)})")
        self.lines.append(
            f"linalg.generic {{indexing_maps = [{maps}], iterator_types = [{iterators}]}} "
            f"ins({', '.join(n for n, _ in inputs)} : {types}) outs({name} : {self.shape_text(result)}) {{"
        )
        self.lines.append(f"^bb0({arguments}, %o: {self.type}):")
        self.lines += body
        self.lines += [f"linalg.yield %r : {self.type}", "}"]
        return name

    def op(self, name: str, a: str, b: str, result: str = "%r") -> str:
        return f"{result} = arith.{name}{'f' if self.type[0] == 'f' else 'i'} {a}, {b} : {self.type}"

    # Steps

    def elementwise(self) -> None:
        a, b = self.pick(2), self.pick(2)
        x, y = self.values[a], self.values[b]
        self.generic([(a, "i, j"), (b, "i, j")], x + y, "i, j", "pp", [self.op("add", "%a0", "%a1")])

    def mirrored(self) -> None:
        a = self.pick(2)
        x = self.values[a]
        maps = {f"{self.rows - 1} - i, j": x[::-1], f"i, {self.columns - 1} - j": x[:, ::-1]}
        text = str(self.rng.choice(list(maps)))
        b = self.pick(2)
        value = maps[text] - self.values[b]
        self.generic([(a, text), (b, "i, j")], value, "i, j", "pp", [self.op("sub", "%a0", "%a1")])

    def transposed(self) -> None:
        """There and back."""
        a, b = self.pick(2), self.pick(2)
        x = self.values[a]
        body = [self.op("add", "%a0", "%a0")]
        there = self.generic([(a, "i, j")], np.ascontiguousarray((x + x).T), "j, i", "pp", body)
        value = x + x + self.values[b]
        self.generic([(there, "j, i"), (b, "i, j")], value, "i, j", "pp", [self.op("add", "%a0", "%a1")])

    def rolled(self) -> None:
        """Writes at an offset: row 0 and the last row change places by two generics into one buffer."""
        a = self.pick(2)
        x = self.values[a]
        if self.rows < 2:
            return
        name = self.add(np.concatenate([x[1:], x[:1]]))
        whole, type_ = self.shape_text(x), self.type
        self.lines.append(f"{name} = memref.alloc() : {whole}")
        for source, target, extent in (("i + 1, j", "i, j", self.rows - 1), ("i, j", f"i + {self.rows - 1}, j", 1)):
            size = self.add(np.zeros(extent, TYPES[type_]))
            sized = f"memref<{extent}x{type_}>"
            self.lines += [
                f"{size} = memref.alloc() : {sized}",
                f"linalg.generic {{indexing_maps = [affine_map<(i, j) -> ({source})>, affine_map<(i, j) -> (i)>, "
                f'affine_map<(i, j) -> ({target})>], iterator_types = ["parallel", "parallel"]}} '
                f"ins({a}, {size} : {whole}, {sized}) outs({name} : {whole}) {{",
                f"^bb0(%a0: {type_}, %a1: {type_}, %o: {type_}):",
                f"linalg.yield %a0 : {type_}",
                "}",
            ]
            del self.values[size]

    def reduce_rows(self) -> None:
        a = self.pick(2)
        total = self.values[a].sum(1, dtype=TYPES[self.type])
        self.generic([(a, "i, j")], total, "i", "pr", [self.op("add", "%o", "%a0")])

    def reduce_columns(self) -> None:
        a = self.pick(2)
        total = self.values[a].sum(0, dtype=TYPES[self.type])
        self.generic([(a, "i, j")], total, "j", "rp", [self.op("add", "%o", "%a0")])

    def reduce_all(self) -> None:
        a = self.pick(2)
        total = np.asarray(self.values[a].sum(dtype=TYPES[self.type]))
        self.generic([(a, "i, j")], total, "", "rr", [self.op("add", "%o", "%a0")])

    def spread(self) -> None:
        """Combines a matrix with a row, a column or a number."""
        a = self.pick(2)
        x = self.values[a]
        smaller = [n for n, v in self.values.items() if v.shape in ((), (self.rows,), (self.columns,))]
        if not smaller:
            return
        b = str(self.rng.choice(smaller))
        y = self.values[b]
        if y.ndim == 0:
            map_, wide = "", y
        elif y.shape == (self.rows,):
            map_, wide = "i", y[:, None]
        else:
            map_, wide = "j", y
        self.generic([(a, "i, j"), (b, map_)], x - wide, "i, j", "pp", [self.op("sub", "%a0", "%a1")])

    def count(self) -> None:
        """Uses its own indices as data."""
        a = self.pick(2)
        x = self.values[a]
        i, j = np.indices(x.shape)
        convert = (
            f"%n = arith.sitofp %m : i64 to {self.type}"
            if self.type[0] == "f"
            else ("%n = arith.addi %m, %z : i64" if self.type == "i64" else "%n = arith.trunci %m : i64 to i32")
        )
        body = [
            "%p = linalg.index 0 : index", "%q = linalg.index 1 : index", "%s = arith.addi %p, %q : index",
            "%z = arith.constant 0 : i64", "%m = arith.index_cast %s : index to i64", convert,
            self.op("add", "%a0", "%n"),
        ]  # fmt: skip
        self.generic([(a, "i, j")], x + (i + j).astype(TYPES[self.type]), "i, j", "pp", body)

    def clipped(self) -> None:
        """Comparison and choice."""
        a, b = self.pick(2), self.pick(2)
        x, y = self.values[a], self.values[b]
        compare = "arith.cmpf olt" if self.type[0] == "f" else "arith.cmpi slt"
        body = [f"%c = {compare}, %a0, %a1 : {self.type}", f"%r = arith.select %c, %a0, %a1 : {self.type}"]
        self.generic([(a, "i, j"), (b, "i, j")], np.minimum(x, y), "i, j", "pp", body)

    def text(self, name: str, inputs: list[str]) -> tuple[str, list[str]]:
        """The kernel; some temporaries become results. Returns it with their names."""
        made = [n for n in self.values if n not in inputs]
        results = [n for n in made if self.rng.random() < 0.4 or n == made[-1]]
        parameters = [f"{n}: {self.shape_text(self.values[n])}" for n in inputs]
        parameters += [
            f"{n}: {self.shape_text(self.values[n])} {{irtool.out = {k} : i64}}" for k, n in enumerate(results)
        ]
        body = [line for line in self.lines if line.split(" = ")[0] not in results or "memref.alloc()" not in line]
        zero = "0.0" if self.type[0] == "f" else "0"
        head = f"func.func private @{name}({', '.join(parameters)}) attributes {{irtool.kernel}} {{"
        return "\n".join([head, f"%zero = arith.constant {zero} : {self.type}", *body, "func.return", "}"]), results


STEPS = (
    Chain.elementwise, Chain.mirrored, Chain.rolled, Chain.reduce_rows, Chain.reduce_columns, Chain.reduce_all,
    Chain.spread, Chain.count, Chain.clipped, Chain.transposed,
)  # fmt: skip
SHAPES = ((5, 7), (1, 40), (64, 1), (33, 16), (20, 50), (3, 200), (0, 4), (4, 0), (1, 1), (40, 3))


def random_module(seed: int) -> tuple[str, list[Array], list[Array]]:
    """A module of several kernels; its input buffers, and what its result buffers should hold."""
    rng = np.random.default_rng(seed)
    kernels: list[str] = []
    calls: list[str] = []
    parameters: list[str] = []
    arrays: list[Array] = []
    wanted: list[Array] = []
    outs: list[str] = []
    for number, (rows, columns) in enumerate(SHAPES):
        type_ = str(rng.choice(list(TYPES)))
        chain = Chain(rng, rows, columns, type_)
        inputs = [chain.add(rng.integers(-8, 9, (rows, columns)).astype(TYPES[type_])) for _ in range(2)]
        for _ in range(int(rng.integers(3, 9))):
            STEPS[int(rng.integers(len(STEPS)))](chain)
        if len(chain.values) == 2:
            chain.elementwise()
        text, results = chain.text(f"k{number}", inputs)
        kernels.append(text)
        names = [f"%k{number}_{n[1:]}" for n in (*inputs, *results)]
        types = [chain.shape_text(chain.values[n]) for n in (*inputs, *results)]
        calls.append(f"func.call @k{number}({', '.join(names)}) : ({', '.join(types)}) -> ()")
        for k, (name, t) in enumerate(zip(names, types, strict=True)):
            (parameters if k < 2 else outs).append(f"{name}: {t}")
        arrays += [chain.values[n] for n in inputs]
        wanted += [chain.values[n] for n in results]
    outs = [f"{o} {{irtool.out = {k} : i64}}" for k, o in enumerate(outs)]
    host = f"func.func @step({', '.join([*parameters, *outs])}) {{\n" + "\n".join([*calls, "func.return", "}"])
    return "\n".join([host, *kernels]), arrays, wanted


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("seed", range(4))
def test_random_kernels(seed: int, pipeline: str) -> None:
    text, arrays, wanted = random_module(seed)
    module = parse_module(text)
    for step in PIPELINES[pipeline]:
        step.apply(make_context(), module)
        verify(module)
    program = compile_module(module)
    before = get_num_threads()
    for threads in (1, 2, 3):
        results = [np.full_like(w, 77) for w in wanted]
        set_num_threads(threads)
        try:
            program.bind([a.ctypes.data for a in (*arrays, *results)]).run()
        finally:
            set_num_threads(before)
        for k, (given, want) in enumerate(zip(results, wanted, strict=True)):
            # Small integers: exact in every type, in whatever order they are added.
            assert np.array_equal(given, want), f"result {k} with {threads} threads"
