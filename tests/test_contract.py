"""The contraction engine: shapes, layouts and epilogues against numpy, with the same bits for any number of threads."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
from irtool.codegen.c import print_c
from irtool.dialects.text import make_context, parse_module
from irtool.passes import PASSES
from irtool.passes.loops.contraction.tiles import Tiles, balanced, uniform
from irtool.passes.loops.cpu.contract import Contract
from irtool.passes.pipeline import CPU
from irtool.runtime.cache import content_key
from irtool.runtime.program import NativeProgram
from irtool.runtime.threads import get_num_threads, set_num_threads
from irtool.runtime.toolchain import build_program

NUMPY = {"f32": np.float32, "f64": np.float64, "i32": np.int32, "i64": np.int64, "i8": np.uint8}
MATMULS = ("mk,kn->mn", "mk,nk->mn", "km,kn->mn", "km,nk->mn")
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Stage:
    """An elementwise operation on the sums `h`: operands as (name, letters, type), and its body."""

    inputs: tuple[tuple[str, str, str], ...]
    outputs: tuple[tuple[str, str, str], ...]
    body: str


@dataclass(frozen=True)
class Case:
    """A contraction in the notation of einsum, `a,w->out`, with what comes before and after it."""

    spec: str
    sizes: Mapping[str, int]
    dtype: str = "f32"
    stages: tuple[Stage, ...] = ()
    meaning: Callable[[np.ndarray, Arrays], Arrays] | None = None
    masked: bool = False
    """Whether the first factor counts only where a third operand, of the same layout, is positive."""
    cleared: bool = True
    """Whether the sums start from zero, not from what is there."""

    def __str__(self) -> str:
        sizes = "x".join(str(size) for size in self.sizes.values())
        marks = [*(["masked"] if self.masked else []), *([] if self.cleared else ["added"])]
        return " ".join([self.spec, sizes, self.dtype, *marks, *(stage.outputs[0][0] for stage in self.stages)])

    @property
    def terms(self) -> tuple[str, ...]:
        """The letters of each operand of the contraction, and of the result."""
        left, out = self.spec.split("->")
        first, second = left.split(",")
        return (first, second, *([first] if self.masked else []), out)

    def shape(self, letters: str) -> tuple[int, ...]:
        return tuple(self.sizes[letter] for letter in letters)

    def arguments(self) -> dict[str, tuple[str, str]]:
        """Letters and type of each argument of the kernel."""
        found = {"a": (self.terms[0], self.dtype), "w": (self.terms[1], self.dtype)}
        if self.masked:
            found["p"] = (self.terms[0], self.dtype)
        if not self.stages:
            found["out"] = (self.terms[-1], self.dtype)
        for stage in self.stages:
            for name, letters, dtype in (*stage.inputs, *stage.outputs):
                if name != "h":
                    found.setdefault(name, (letters, dtype))
        return found

    def outputs(self) -> list[str]:
        return [name for stage in self.stages for name, _, _ in stage.outputs] or ["out"]

    def memref(self, letters: str, dtype: str) -> str:
        return "memref<" + "".join(f"{n}x" for n in self.shape(letters)) + dtype + ">"

    def generic(self, operands: list[tuple[str, str, str]], outs: int, body: str) -> str:
        """A linalg.generic over the letters of its operands."""
        out = operands[-1][1]
        loops = sorted({letter for _, letters, _ in operands for letter in letters})
        maps = [f"affine_map<({', '.join(loops)}) -> ({', '.join(letters)})>" for _, letters, _ in operands]
        kinds = ['"parallel"' if letter in out else '"reduction"' for letter in loops]
        arguments = ", ".join(f"%{i}x: {dtype}" for i, (_, _, dtype) in enumerate(operands)).replace("%", "%i")

        def group(part: list[tuple[str, str, str]]) -> str:
            names = ", ".join(f"%{name}" for name, _, _ in part)
            return f"{names} : {', '.join(self.memref(letters, dtype) for _, letters, dtype in part)}"

        return f"""  linalg.generic {{indexing_maps = [{", ".join(maps)}], iterator_types = [{", ".join(kinds)}]}}
      ins({group(operands[:-outs])}) outs({group(operands[-outs:])}) {{
  ^bb0({arguments}):
{body}
  }}"""

    def kernel(self, name: str) -> str:
        """The kernel as text at the memref level."""
        t, f = self.dtype, self.dtype[0] == "f"
        sums = "h" if self.stages else "out"
        zero = f"%zero = arith.constant {'0.0' if f else '0'} : {t}"
        lines = [f"  {zero}"]
        out = self.memref(self.terms[-1], t)
        if self.stages:
            lines.append(f"  %h = memref.alloc() : {out}")
        if self.cleared:
            lines.append(f"  linalg.fill ins(%zero : {t}) outs(%{sums} : {out})")
        names = ["a", "w", *(["p"] if self.masked else []), sums]
        operands = [(n, letters, t) for n, letters in zip(names, self.terms, strict=True)]
        mask = (f"%on = arith.cmpf ogt, %i2x, %zero : {t}", f"%x = arith.select %on, %i0x, %zero : {t}")
        kind = "f" if f else "i"
        product = f"%xy = arith.mul{kind} {'%x' if self.masked else '%i0x'}, %i1x : {t}"
        total = f"%sum = arith.add{kind} %i{len(names) - 1}x, %xy : {t}"
        work = body(*(mask if self.masked else ()), product, total, f"linalg.yield %sum : {t}")
        lines.append(self.generic(operands, 1, work))
        lines += [self.generic([*s.inputs, *s.outputs], len(s.outputs), s.body) for s in self.stages]
        outputs = self.outputs()
        arguments = ", ".join(
            f"%{n}: {self.memref(*kind)}" + (f" {{irtool.out = {outputs.index(n)} : i64}}" if n in outputs else "")
            for n, kind in self.arguments().items()
        )
        text = "\n".join(lines)
        return f"func.func private @{name}({arguments}) attributes {{irtool.kernel}} {{\n{text}\n  func.return\n}}\n"

    def data(self) -> dict[str, np.ndarray]:
        """Arguments, the same every time."""
        rng = np.random.default_rng(7)
        made: dict[str, np.ndarray] = {}
        for name, (letters, dtype) in self.arguments().items():
            shape = self.shape(letters)
            values = rng.standard_normal(shape) if dtype[0] == "f" else rng.integers(-9, 10, shape)
            made[name] = values.astype(NUMPY[dtype])
        return made

    def expected(self, arrays: Arrays) -> Arrays:
        """What numpy says, in double precision."""
        wide = {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in arrays.items()}
        first = np.where(wide["p"] > 0, wide["a"], 0) if self.masked else wide["a"]
        sums = np.einsum(f"{self.terms[0]},{self.terms[1]}->{self.terms[-1]}", first, wide["w"])
        if not self.cleared:
            sums = sums + wide["out"]
        return self.meaning(sums, wide) if self.meaning else {"out": sums}


@dataclass
class Built:
    """All cases as one program, so that the C compiler starts once per kernel and runs in parallel."""

    program: NativeProgram
    taken: dict[str, bool] = field(default_factory=dict)

    def run(self, buffers: list[np.ndarray], threads: int) -> None:
        before = get_num_threads()
        try:
            set_num_threads(threads)
            self.program.bind([b.ctypes.data for b in buffers]).run()
        finally:
            set_num_threads(before)


def build(cases: list[Case], target: Contract = Contract()) -> Built:  # noqa: B008
    """Through the pass for a machine, then the rest of the pipeline."""
    kernels, arguments, calls = [], [], []
    for number, case in enumerate(cases):
        kernels.append(case.kernel(f"k{number}"))
        names = [f"%x{number}_{name}" for name in case.arguments()]
        types = [case.memref(*kind) for kind in case.arguments().values()]
        arguments += [f"{n}: {t}" for n, t in zip(names, types, strict=True)]
        calls.append(f"  func.call @k{number}({', '.join(names)}) : ({', '.join(types)}) -> ()")
    host = f"func.func @step({', '.join(arguments)}) {{\n" + "\n".join(calls) + "\n  func.return\n}\n"
    return assemble("".join(kernels) + host, len(arguments), target)


def assemble(text: str, buffers: int, target: Contract) -> Built:
    """A module at the memref level as a program."""
    module = parse_module(text)
    context = make_context()
    target.apply(context, module)
    module.verify()
    taken = {
        op.sym_name.data: not any(inner.name.startswith("linalg.") for inner in op.walk())
        for op in module.body.block.ops
        if op.name == "func.func"
    }
    for name in CPU[-1].passes[1:]:
        PASSES[name]()().apply(context, module)
    printed = print_c(module)
    sources = {f"{name}.c": source for name, source in printed.units.items()} | {"step.c": printed.host}
    plan = {"entry": printed.entry, "buffers": buffers, "arena": 64, "workspace": 1 << 26}
    entry = build_program(content_key(*sources.values()), sources, plan)
    return Built(NativeProgram(entry.shared_object, entry.plan), taken)


def body(*lines: str) -> str:
    """Lines of a body, in which `%i0x`, `%i1x` … are its arguments; its own values get names that no argument has."""
    return "\n".join("    " + re.sub(r"%(?!i\d+x\b|zero\b)", "%own_", line) for line in lines)


def bias_relu(out: str) -> dict:
    lines = body("%s = arith.addf %i0x, %i1x : f32", "%r = arith.maximumf %s, %zero : f32", "linalg.yield %r : f32")
    stage = Stage((("h", out, "f32"), ("b", out[-1], "f32")), (("y", out, "f32"),), lines)
    return {"stages": (stage,), "meaning": lambda h, x: {"y": np.maximum(h + x["b"], 0)}}


def sgd(out: str, stored: str) -> dict:
    """`v -= lr * h`, in place, perhaps transposed."""
    stage = Stage((("h", out, "f32"), ("lr", "", "f32")), (("v", stored, "f32"),), body(
        "%g = arith.mulf %i0x, %i1x : f32", "%r = arith.subf %i2x, %g : f32", "linalg.yield %r : f32"))  # fmt: skip
    order = [out.index(letter) for letter in stored]
    return {"stages": (stage,), "meaning": lambda h, x: {"v": x["v"] - x["lr"] * h.transpose(order)}}


def adam(out: str) -> dict:
    """Three tied outputs."""
    stage = Stage((("h", out, "f32"),), tuple((name, out, "f32") for name in ("v", "m", "u")), body(
        "%c = arith.constant 0.25 : f32", "%m = arith.mulf %i2x, %c : f32", "%m1 = arith.addf %m, %i0x : f32",
        "%hh = arith.mulf %i0x, %i0x : f32", "%u0 = arith.mulf %i3x, %c : f32", "%u1 = math.absf %u0 : f32",
        "%u2 = arith.addf %u1, %hh : f32", "%e = arith.addf %u2, %c : f32", "%q = math.sqrt %e : f32",
        "%d = arith.divf %m1, %q : f32", "%r = arith.subf %i1x, %d : f32", "linalg.yield %r, %m1, %u2 : f32, f32, f32",
    ))  # fmt: skip

    def meaning(h: np.ndarray, x: Arrays) -> Arrays:
        m, u = x["m"] * 0.25 + h, abs(x["u"] * 0.25) + h * h
        return {"v": x["v"] - m / np.sqrt(u + 0.25), "m": m, "u": u}

    return {"stages": (stage,), "meaning": meaning}


def chain(out: str) -> dict:
    """Two stages, the first read again by the second, and a mask of another type."""
    first = Stage((("h", out, "f32"), ("b", out[-1], "f32")), (("y", out, "f32"), ("on", out, "i8")), body(
        "%s = arith.addf %i0x, %i1x : f32", "%c = arith.cmpf ogt, %s, %zero : f32",
        "%r = arith.select %c, %s, %zero : f32", "%m = arith.extui %c : i1 to i8",
        "linalg.yield %r, %m : f32, i8"))  # fmt: skip
    second = Stage((("y", out, "f32"), ("h", out, "f32")), (("t", out, "f32"),), body(
        "%e = math.tanh %i1x : f32", "%r = arith.mulf %i0x, %e : f32", "linalg.yield %r : f32"))  # fmt: skip

    def meaning(h: np.ndarray, x: Arrays) -> Arrays:
        y = np.maximum(h + x["b"], 0)
        return {"y": y, "on": y > 0, "t": y * np.tanh(h)}

    return {"stages": (first, second), "meaning": meaning}


def sizes(m: int, n: int, k: int, **more: int) -> dict[str, int]:
    return {"m": m, "n": n, "k": k, **more}


CASES: list[Case] = [
    *(Case(spec, sizes(*mnk)) for spec in MATMULS
      for mnk in [(1, 1, 1), (1, 50, 7), (50, 1, 7), (15, 17, 5), (16, 32, 16), (33, 99, 65)]),
    *(Case(spec, sizes(*mnk), dtype) for spec, mnk, dtype in zip(
        MATMULS * 2, [(5, 33, 9), (40, 24, 70), (1, 9, 33), (17, 8, 3)] * 2, ["f64", "i32", "i64", "f64"] * 2,
        strict=True)),
    *(Case(spec, sizes(20, 41, 10), cleared=False) for spec in MATMULS),
    # K in several blocks; rows and columns that must be packed
    *(Case(spec, sizes(20, 40, 2100)) for spec in MATMULS),
    Case("mk,nk->mn", sizes(21, 33, 2100), "f64", cleared=False),
    *(Case(spec, sizes(200, 130, 256)) for spec in MATMULS),
    Case("mk,kn->mn", sizes(256, 512, 1024)),
    # few tiles over a long K
    *(Case(spec, sizes(10, 20, 3000)) for spec in MATMULS),
    Case("mk,nk->mn", sizes(9, 17, 5000), **bias_relu("mn")),
    # batches, further dimensions, other orders of the result
    *(Case(spec, sizes(17, 20, 9, b=3)) for spec in
      ("bmk,bkn->bmn", "bmk,bnk->bmn", "mbk,nbk->bmn", "bmk,bkn->mbn", "bmk,kn->bmn", "mk,bnk->mnb", "mk,bnk->bmn")),
    *(Case(spec, sizes(30, 40, 7, j=33)) for spec in ("mkj,nkj->mn", "mkj,jnk->mn", "jkm,jnk->mn")),
    Case("mk,kn->nm", sizes(33, 47, 12)),
    Case("mk,nk->nm", sizes(33, 47, 12)),
    # tiles whose rows are several dimensions; blocks of the first of several dimensions of K; split along it
    *(Case(spec, sizes(*mnk, i=3, j=3)) for spec in ("mijk,nk->nmij", "mijk,nk->mnij", "mijk,nk->mijn", "kmij,kn->nmij")
      for mnk in [(5, 40, 33), (1, 20, 3000)]),
    Case("bmik,nk->bnmi", sizes(5, 40, 300, b=7, i=4)),
    *(Case(spec, sizes(20, 70, 300, i=2, j=33)) for spec in ("mkji,nkj->mni", "kjmi,nkj->nmi")),
    Case("mijk,nk->nmij", sizes(9, 20, 30, i=2, j=5), **adam("nmij")),
    Case("mijk,nk->nmij", sizes(9, 20, 30, i=2, j=5), **bias_relu("nmij")),
    Case("mijk,nk->mnij", sizes(9, 20, 30, i=2, j=5), **chain("mnij")),
    # epilogues
    *(Case(spec, sizes(*mnk), **make(spec[-2:])) for spec in ("mk,kn->mn", "mk,nk->mn", "mk,kn->nm")
      for make in (bias_relu, adam, chain) for mnk in [(17, 33, 30), (64, 48, 8)]),
    *(Case(spec, sizes(*mnk), **sgd("mn", stored)) for spec in MATMULS[:2] for stored in ("mn", "nm")
      for mnk in [(10, 64, 7), (40, 30, 2100)]),
    # factors that are computed on the way
    *(Case(spec, sizes(*mnk), masked=True) for spec in MATMULS for mnk in [(17, 33, 30), (64, 40, 33)]),
]  # fmt: skip


MACHINES = [
    Contract(vector_bits=256, registers=16, l1=4096, l2=16384),
    Contract(vector_bits=128, registers=16, cores=5),
]
ELSEWHERE: list[Case] = [
    *(Case(spec, sizes(*mnk), **bias_relu(spec[-2:])) for spec in (*MATMULS, "mk,kn->nm")
      for mnk in [(17, 33, 30), (40, 100, 600)]),
    Case("mk,nk->mn", sizes(17, 9, 21), "f64"),
    Case("bkm,bnk->bmn", sizes(17, 20, 9, b=3), masked=True),
    Case("km,kn->mn", sizes(10, 20, 3000), **sgd("mn", "nm")),
    Case("mijk,nk->nmij", sizes(5, 40, 100, i=2, j=3), **bias_relu("nmij")),
    Case("bmikl,nkl->bnmi", sizes(5, 40, 100, b=3, i=2, l=3)),
]  # fmt: skip


def outcomes(built: Built, cases: list[Case]) -> dict[int, list[dict[str, np.ndarray]]]:
    """For each number of threads, what every case left in its arguments."""
    found: dict[int, list[dict[str, np.ndarray]]] = {}
    for threads in (1, 2, 3):
        found[threads] = [case.data() for case in cases]
        built.run([array for arrays in found[threads] for array in arrays.values()], threads)
    return found


def check(case: Case, number: int, found: dict[int, list[dict[str, np.ndarray]]]) -> None:
    """Against numpy, arguments that are no results untouched, the same bits for all numbers of threads."""
    before = case.data()
    expected = case.expected(before)
    alone = found[1][number]
    depth = np.prod([n for letter, n in case.sizes.items() if letter not in case.terms[-1]])
    tolerance = {"f32": 3e-5 * np.sqrt(depth), "f64": 1e-10}.get(case.dtype, 0)
    for name in case.arguments():
        if name in expected:
            np.testing.assert_allclose(alone[name], expected[name], rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(alone[name], before[name])
        for threads in (2, 3):
            other = found[threads][number][name]
            assert alone[name].tobytes() == other.tobytes(), f"other bits on {threads} threads"


@pytest.fixture(scope="module")
def everything() -> tuple[Built, dict[int, list[dict[str, np.ndarray]]]]:
    made = build(CASES)
    return made, outcomes(made, CASES)


@pytest.mark.parametrize("number", range(len(CASES)), ids=[str(case) for case in CASES])
def test_contraction(number: int, everything: tuple[Built, dict[int, list[dict[str, np.ndarray]]]]):
    built, found = everything
    case = CASES[number]
    tiled = any(case.sizes[letter] > 1 for letter in case.terms[-1])
    assert built.taken[f"k{number}"] == tiled, "a single dot product is left to lower-linalg, nothing else"
    check(case, number, found)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: f"{machine.vector_bits} bits")
def test_other_machines(machine: Contract):
    found = outcomes(build(ELSEWHERE, machine), ELSEWHERE)
    for number, case in enumerate(ELSEWHERE):
        check(case, number, found)


@pytest.mark.parametrize(
    ("stride", "filters", "size", "reverse"), [(1, 5, 19, False), (2, 5, 19, False), (1, 20, 6, True)]
)
def test_convolution_is_just_other_maps(stride: int, filters: int, size: int, reverse: bool):
    images, channels, window = 2, 3, 3
    out = (size - window) // stride + 1
    loops = "(n, f, y, x, c, i, j)"
    maps = [
        f"(n, c, y * {stride} + i, x * {stride} + j)",
        "(f, c, 2 - i, 2 - j)" if reverse else "(f, c, i, j)",
        "(i, j)",
        "(n, f, y, x)",
    ]
    types = [
        f"memref<{images}x{channels}x{size}x{size}xf32>",
        f"memref<{filters}x{channels}x{window}x{window}xf32>",
        f"memref<{window}x{window}xf32>",  # only its extents count
        f"memref<{images}x{filters}x{out}x{out}xf32>",
    ]
    kernel = f"""
func.func private @k(%a: {types[0]}, %w: {types[1]}, %e: {types[2]}, %out: {types[3]} {{irtool.out = 0 : i64}})
    attributes {{irtool.kernel}} {{
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%out : {types[3]})
  linalg.generic {{indexing_maps = [{", ".join(f"affine_map<{loops} -> {map_}>" for map_ in maps)}],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}}
      ins(%a, %w, %e : {types[0]}, {types[1]}, {types[2]}) outs(%out : {types[3]}) {{
  ^bb0(%i0x: f32, %i1x: f32, %i2x: f32, %i3x: f32):
    %xy = arith.mulf %i0x, %i1x : f32
    %sum = arith.addf %i3x, %xy : f32
    linalg.yield %sum : f32
  }}
  func.return
}}
func.func @step(%a: {types[0]}, %w: {types[1]}, %e: {types[2]}, %out: {types[3]}) {{
  func.call @k(%a, %w, %e, %out) : ({", ".join(types)}) -> ()
  func.return
}}"""
    built = assemble(kernel, 4, Contract())
    assert built.taken["k"]
    rng = np.random.default_rng(3)
    image = rng.standard_normal((images, channels, size, size)).astype(np.float32)
    weights = rng.standard_normal((filters, channels, window, window)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(image, (window, window), (2, 3))[:, :, ::stride, ::stride]
    expected = np.einsum("ncyxij,fcij->nfyx", windows, weights[:, :, ::-1, ::-1] if reverse else weights)
    for threads in (1, 2):
        result = np.zeros_like(expected)
        built.run([image, weights, np.zeros((window, window), np.float32), result], threads)
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [1, 7, 13, 14, 15, 64, 100, 128, 1000])
@pytest.mark.parametrize("widest", [1, 4, 6, 14])
def test_tiles_cover_their_range_once(size: int, widest: int):
    def starts(tiles: Tiles) -> list[int]:
        return [t * tiles.step + min(t, tiles.large) for t in range(tiles.count)]

    for tiles in (balanced(size, widest), uniform(size, widest)):
        covered = []
        for first, end, rows in tiles.kinds():
            assert 0 < rows <= widest
            for tile in range(first, end):
                covered += range(starts(tiles)[tile], starts(tiles)[tile] + rows)
        assert covered == list(range(size))
