"""The header's primitives, by their emulated bodies, against numpy; the CUDA bodies compile without a warning."""

from __future__ import annotations

import shutil
import subprocess
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
from irtool.codegen.cuda.cuda import print_cuda
from irtool.dialects.text import parse_module

from .launches import kernel, launch, module, one_launch, run

TYPES = {"f32": np.float32, "f64": np.float64, "i64": np.int64, "i32": np.int32, "i8": np.uint8, "i1": np.bool_}
MEANINGS = {
    "add": np.add, "mul": np.multiply, "maximumf": np.maximum, "minimumf": np.minimum, "maxnumf": np.fmax,
    "minnumf": np.fmin, "maxsi": np.maximum, "minsi": np.minimum, "maxui": np.maximum, "minui": np.minimum,
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
}  # fmt: skip
FLOATS = ("add", "mul", "maximumf", "minimumf", "maxnumf", "minnumf")
INTEGERS = ("add", "mul", "maxsi", "minsi", "maxui", "minui", "and", "or", "xor")
KINDS = {
    "f32": FLOATS, "f64": FLOATS, "i64": INTEGERS, "i32": INTEGERS,
    "i8": INTEGERS, "i1": ("add", "mul", "and", "or", "xor"),
}  # fmt: skip
SIGNED = {np.uint8: np.int8}
UNSIGNED = {np.int64: np.uint64, np.int32: np.uint32}


def numbers(dtype: type, count: int) -> np.ndarray:
    random = np.random.default_rng(count)
    if dtype is np.bool_:
        return random.random(count) < 0.9
    if dtype in (np.float32, np.float64):
        return random.uniform(0.5, 1.5, count).astype(dtype)
    info = np.iinfo(dtype)
    return random.integers(info.min, info.max, count, dtype, endpoint=True)


def tree(values: np.ndarray, combine: np.ufunc) -> np.generic:
    """Each warp by halves, then the warps in order."""
    results = []
    for first in range(0, len(values), 32):
        lanes = values[first : first + 32].copy()
        for step in (16, 8, 4, 2, 1):
            for lane in range(len(lanes) - step):
                lanes[lane] = combine(lanes[lane], lanes[lane + step])
        results.append(lanes[0])
    return reduce(combine, results)


def seen_as(values: np.ndarray, kind: str) -> np.ndarray:
    dtype = values.dtype.type
    other = {"s": SIGNED, "u": UNSIGNED}.get(kind[3:4] if kind[3:] in ("si", "ui") else "", {}).get(dtype, dtype)
    return values.view(other)


def test_reductions_of_a_block_have_numpys_bits() -> None:
    cases = [(type_, kind, 256) for type_, kinds in KINDS.items() for kind in kinds]
    cases += [("f32", "add", block) for block in (1, 7, 32, 50, 96, 1024)] + [("f64", "mul", 33)]
    kernels, given, launches, inputs = "", [], [], []
    outputs = []
    for k, (type_, kind, block) in enumerate(cases):
        body = f"""
          %v = memref.load %x[%t] : memref<{block}x{type_}>
          %r = gpux.reduce {kind} %v : {type_}
          memref.store %r, %y[%t] : memref<{block}x{type_}>"""
        memref = f"memref<{block}x{type_}>"
        kernels += kernel(body, f"%x: {memref}, %y: {memref}", block, 1, f"k{k}")
        given.append(f"%x{k}: {memref}")
        outputs.append(f"%y{k}: {memref} {{irtool.out = {k}}}")
        launches.append(launch(f"%x{k}, %y{k}", f"{memref}, {memref}", block, 1, f"k{k}"))
        inputs.append(numbers(TYPES[type_], block))
    text = module("\n".join(launches), ", ".join([*given, *outputs]), kernels, *{block for _, _, block in cases})
    results = run(text, *inputs)
    with np.errstate(over="ignore"):
        for (type_, kind, block), values, found in zip(cases, inputs, results):
            meaning = MEANINGS[kind]
            if type_ == "i1" and kind in ("add", "mul"):
                meaning = np.bitwise_xor if kind == "add" else np.bitwise_and
            expected = tree(seen_as(values, kind), meaning)
            assert (seen_as(found, kind) == expected).all(), (type_, kind, block, found[0], expected)


def test_nan_wins_in_maximum_and_loses_in_maxnum() -> None:
    for kind, wins in (("maximumf", True), ("minimumf", True), ("maxnumf", False), ("minnumf", False)):
        body = f"""
          %v = memref.load %x0[%t] : memref<64xf32>
          %r = gpux.reduce {kind} %v : f32
          memref.store %r, %y[%t] : memref<64xf32>"""
        x = np.ones(64, np.float32)
        x[40] = np.nan
        (y,) = run(one_launch(body, "memref<64xf32>", "memref<64xf32>", 64), x)
        assert np.isnan(y).all() if wins else (y == 1).all()


def test_scans_give_what_comes_before_and_all() -> None:
    for block in (1, 31, 32, 33, 256):
        memref = f"memref<{block}xi64>"
        body = f"""
          %v = memref.load %x0[%t] : {memref}
          %upto, %all = gpux.scan add %v : i64
          %p0, %p1, %a0, %a1 = gpux.scan recurrence %v, %upto : i64, i64
          %most, %where = gpux.reduce first_maxui %v, %upto : i64, i64
          %s0 = arith.muli %p1, %all : i64
          %s1 = arith.xori %s0, %a1 : i64
          %s2 = arith.xori %s1, %where : i64
          memref.store %s2, %y[%t] : {memref}"""
        x = numbers(np.int64, block)
        (found,) = run(one_launch(body, memref, memref, block), x)
        with np.errstate(over="ignore"):
            upto, value, values = np.cumsum(x), np.int64(0), []
            for step, more in zip(x, upto):
                value = step * value + more
                values.append(value)
            np.testing.assert_array_equal(
                found, (np.array(values) * upto[-1]) ^ value ^ upto[x.view(np.uint64).argmax()]
            )


VECTORS = """
  %c4 = arith.constant 4 : index
  %j = arith.muli %t, %c4 : index
  %v = vector.load %x0[%j] : memref<256xf32>, vector<4xf32>
  %n = vector.load %x1[%j] : memref<256xi32>, vector<4xi32>
  %two = arith.constant dense<2.0> : vector<4xf32>
  %some = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : vector<4xf32>
  %big = arith.constant dense<2147483647> : vector<4xi32>
  %a = arith.mulf %v, %two : vector<4xf32>
  %b1 = arith.addf %a, %some : vector<4xf32>
  %e = math.exp %v : vector<4xf32>
  %m = vectorx.cmpf ogt, %v, %e : vector<4xf32>
  %less = vectorx.cmpf olt, %v, %two : vector<4xf32>
  %s = vectorx.select %less, %b1, %e : vector<4xf32>
  %w = arith.addi %n, %big : vector<4xi32>
  %f = vectorx.sitofp %w : vector<4xi32> to vector<4xf32>
  %r = arith.addf %s, %f : vector<4xf32>
  %sum = vector.reduction <add>, %r : vector<4xf32> into f32
  %spread = vector.broadcast %sum : f32 to vector<4xf32>
  %out = arith.subf %r, %spread : vector<4xf32>
  vector.store %out, %y[%j] : memref<256xf32>, vector<4xf32>
"""


def test_vectors_compute_lane_by_lane() -> None:
    x, n = numbers(np.float32, 256), numbers(np.int32, 256)
    (y,) = run(one_launch(VECTORS, "memref<256xf32>, memref<256xi32>", "memref<256xf32>", 64), x, n)
    shifted = np.add(n, np.int32(2147483647), dtype=np.int32).astype(np.float32)
    r = np.where(x < 2, x * 2 + np.tile(np.arange(1, 5, dtype=np.float32), 64), np.exp(x)) + shifted
    lanes = r.reshape(-1, 4)
    total = (lanes[:, 0] + lanes[:, 2]) + (lanes[:, 1] + lanes[:, 3])
    np.testing.assert_array_equal(y.reshape(-1, 4), lanes - total[:, None])


def test_integers_wrap() -> None:
    body = """
      %v = memref.load %x0[%t] : memref<32xi64>
      %w = memref.load %x1[%t] : memref<32xi64>
      %low, %high = arith.mului_extended %v, %w : i64
      %p = arith.muli %v, %w : i64
      %s = arith.addi %p, %high : i64
      %r = arith.subi %s, %low : i64
      memref.store %r, %y[%t] : memref<32xi64>"""
    v, w = numbers(np.int64, 32), numbers(np.int64, 33)[:32]
    (y,) = run(one_launch(body, "memref<32xi64>, memref<32xi64>", "memref<32xi64>", 32), v, w)
    high = [(int(a) % 2**64 * (int(b) % 2**64)) >> 64 for a, b in zip(v, w)]
    np.testing.assert_array_equal(y, np.array(high, np.uint64).view(np.int64))


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed")
@pytest.mark.parametrize("machine", ["sm_80", "sm_90a"])
def test_nvcc_takes_the_file_as_it_stands(machine: str, tmp_path: Path) -> None:
    kernels = ""
    for type_, kinds in KINDS.items():
        reduced = "\n".join(f"%r{k} = gpux.reduce {kind} %v : {type_}" for k, kind in enumerate(kinds))
        stored = "\n".join(f"memref.store %r{k}, %y[%t] : memref<100x{type_}>" for k, _ in enumerate(kinds))
        body = f"%v = memref.load %x[%t] : memref<100x{type_}>\n{reduced}\n{stored}"
        kernels += kernel(body, f"%x: memref<100x{type_}>, %y: memref<100x{type_}>", 100, 1, f"reduce_{type_}")
    for type_, kind in (("f32", "maximumf"), ("f64", "minimumf"), ("i8", "maxui"), ("i64", "minsi")):
        body = f"""
          %v = memref.load %x[%t] : memref<100x{type_}>
          %n = arith.index_cast %t : index to i64
          %m, %w = gpux.reduce first_{kind} %v, %n : {type_}, i64
          %p0, %p1, %a0, %a1 = gpux.scan recurrence %m, %v : {type_}, {type_}
          memref.store %p1, %x[%t] : memref<100x{type_}>
          memref.store %w, %y[%t] : memref<100xi64>"""
        kernels += kernel(body, f"%x: memref<100x{type_}>, %y: memref<100xi64>", 100, 1, f"pairs_{type_}")
    vectors = "%x0: memref<256xf32>, %x1: memref<256xi32>, %y: memref<256xf32>"
    kernels += kernel(VECTORS, vectors, 64, 1, "vectors")
    source = tmp_path / "kernels.cu"
    source.write_text(print_cuda(parse_module(module("", "%x: memref<1xf32>", kernels))).one_file())
    command = ["nvcc", f"-arch={machine}", "-cubin", "-o", str(tmp_path / "kernels.cubin"), str(source)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0 and not said.stderr.strip(), said.stderr
