"""Plans of launches: what they say of a host function, and what the emulator makes of them."""

from __future__ import annotations

import numpy as np
import pytest
from irtool.codegen.cuda.cuda import print_cuda
from irtool.dialects.text import parse_module
from irtool.passes.pass_base import PassError
from irtool.runtime.cuda.emulator.native import EmulationError
from irtool.runtime.cuda.plan import evaluate, launch_plan

from .launches import kernel, launch, module, run

ADD = """
  %v = memref.load %x[%t] : memref<4xf32>
  %w = memref.load %z[%t] : memref<4xf32>
  %r = arith.addf %v, %w : f32
  memref.store %r, %y[%t] : memref<4xf32>"""
FOUR = "memref<4xf32>"


def running_sums() -> str:
    """Row t of the result is the sum of the rows 0 to t: what a scan is, its state in the two halves of one buffer."""
    host = f"""
    %c0 = arith.constant 0 : index
    %c2 = arith.constant 2 : index
    %pair = memref.view %arena[%c64][] : memref<128xi8> to memref<2x4xf32>
    %f = memref.subview %pair[0, 0] [1, 4] [1, 1] : memref<2x4xf32> to memref<4xf32, strided<[1]>>
    %first = "memref.cast"(%f) : (memref<4xf32, strided<[1]>>) -> {FOUR}
    {launch("%first", FOUR, 4, 1, "zeros")}
    scf.for %i = %c0 to %c5 step %c1 {{
      %half = arith.remui %i, %c2 : index
      %other = arith.subi %c1, %half : index
      %a = memref.subview %pair[%half, 0] [1, 4] [1, 1] : memref<2x4xf32> to memref<4xf32, strided<[1], offset: ?>>
      %b = memref.subview %pair[%other, 0] [1, 4] [1, 1] : memref<2x4xf32> to memref<4xf32, strided<[1], offset: ?>>
      %c = memref.subview %x[%i, 0] [1, 4] [1, 1] : memref<5x4xf32> to memref<4xf32, strided<[1], offset: ?>>
      %d = memref.subview %y[%i, 0] [1, 4] [1, 1] : memref<5x4xf32> to memref<4xf32, strided<[1], offset: ?>>
      %from = "memref.cast"(%a) : (memref<4xf32, strided<[1], offset: ?>>) -> {FOUR}
      %to = "memref.cast"(%b) : (memref<4xf32, strided<[1], offset: ?>>) -> {FOUR}
      %row = "memref.cast"(%c) : (memref<4xf32, strided<[1], offset: ?>>) -> {FOUR}
      %out = "memref.cast"(%d) : (memref<4xf32, strided<[1], offset: ?>>) -> {FOUR}
      {launch("%from, %row, %to", f"{FOUR}, {FOUR}, {FOUR}", 4, 1, "add")}
      {launch("%to, %out", f"{FOUR}, {FOUR}", 4, 1, "copy")}
    }}"""
    zeros = f"%zero = arith.constant 0.0 : f32\nmemref.store %zero, %y[%t] : {FOUR}"
    copy = f"%v = memref.load %x[%t] : {FOUR}\nmemref.store %v, %y[%t] : {FOUR}"
    kernels = kernel(zeros, f"%y: {FOUR}", 4, 1, "zeros") + kernel(copy, f"%x: {FOUR}, %y: {FOUR}", 4, 1, "copy")
    kernels += kernel(ADD, f"%x: {FOUR}, %z: {FOUR}, %y: {FOUR}", 4, 1, "add")
    parameters = "%x: memref<5x4xf32>, %y: memref<5x4xf32> {irtool.out = 0}"
    return module(host, parameters, kernels, 4, 5, 64, arena=128)


def plan_of(text: str) -> dict:
    made = parse_module(text, "train.mlir")
    return launch_plan(made, print_cuda(made))


def test_offsets_are_sums_of_loop_counters() -> None:
    plan = plan_of(running_sums())
    first, loop = plan["launches"]
    assert first["arguments"] == [[["arena"], [64, []]]] and first["grid"] == [1, 1, 1] and first["block"] == [4, 1, 1]
    assert loop["range"] == [0, 5, 1]
    (half, row, other), (_, out) = (launch["arguments"] for launch in loop["body"])
    for t in range(5):
        at = {loop["loop"]: t}
        assert evaluate(half[1], at) == 64 + 16 * (t % 2)
        assert evaluate(other[1], at) == 64 + 16 * (1 - t % 2)
        assert evaluate(row[1], at) == evaluate(out[1], at) == 16 * t
    assert (half[0], row[0], out[0]) == (["arena"], ["buffer", 0], ["buffer", 1])
    assert [entry[:3] for entry in plan["arena_buffers"]] == [[64, 32, "pair"]]
    assert plan["functions"]["add"] == {
        "parameters": ["x", "z", "y"], "written": [False, False, True], "types": ["float"] * 3, "collective": False,
    }  # fmt: skip


def test_loops_of_launches_run() -> None:
    x = np.arange(20, dtype=np.float32).reshape(5, 4)
    np.testing.assert_array_equal(run(running_sums(), x)[0], x.cumsum(0))


def test_a_host_function_that_computes_is_refused() -> None:
    text = running_sums().replace("%half = arith.remui", "%half = arith.xori")
    with pytest.raises(PassError, match=r"counters of loops and constants, and not arith\.xori"):
        plan_of(text)


def two_buffers(second: int, index: int = 0) -> str:
    """h = x + x and g = h + x in the arena, y = h + g; the store of g is off by `index` elements."""
    host = f"""
    %c0 = arith.constant 0 : index
    %h = memref.view %arena[%c0][] : memref<64xi8> to {FOUR}
    %g = memref.view %arena[%c{second}][] : memref<64xi8> to {FOUR}
    {launch("%x, %x, %h", f"{FOUR}, {FOUR}, {FOUR}", 4, 1, "add")}
    {launch("%h, %x, %g", f"{FOUR}, {FOUR}, {FOUR}", 4, 1, "shifted")}
    {launch("%h, %g, %y", f"{FOUR}, {FOUR}, {FOUR}", 4, 1, "add")}"""
    shift = f"%d = arith.constant {index} : index\n%to = arith.addi %t, %d : index"
    shifted = shift + ADD.replace("%y[%t]", "%y[%to]")
    parameters = f"%x: {FOUR}, %z: {FOUR}, %y: {FOUR}"
    kernels = kernel(ADD, parameters, 4, 1, "add") + kernel(shifted, parameters, 4, 1, "shifted")
    return module(host, f"%x: {FOUR}, %y: {FOUR} {{irtool.out = 0}}", kernels, 4, second, arena=64)


def test_buffers_of_the_arena_are_apart() -> None:
    np.testing.assert_array_equal(run(two_buffers(16), np.ones(4))[0], np.full(4, 5))


def test_an_overflow_into_a_neighbouring_buffer() -> None:
    """In the arena `g` is followed by nothing, and what lies before it is `h`."""
    with pytest.raises(
        EmulationError,
        match=r"kernel shifted \(train\.mlir:\d+\), .*: stores 4 bytes at byte -4 of y \(made in train\.mlir:\d+\)",
    ):
        run(two_buffers(16, -1), np.ones(4))
    with pytest.raises(
        EmulationError, match=r"stores 4 bytes at byte 16 of y \(made in train\.mlir:\d+\), which has 16"
    ):
        run(two_buffers(16, 1), np.ones(4))


def test_a_launch_that_reads_and_writes_the_same_bytes_under_two_names() -> None:
    with pytest.raises(
        EmulationError, match=r"shifted .* is given g to write to, and h at the same bytes of the arena"
    ):
        run(two_buffers(8), np.ones(4))


def test_what_a_buffer_overwrites_is_gone() -> None:
    """The plan has `h` and `late` at the same bytes, as for buffers that do not live at once: here they do."""
    host = f"""
    %c0 = arith.constant 0 : index
    %h = memref.view %arena[%c0][] : memref<64xi8> to {FOUR}
    %late = memref.view %arena[%c0][] : memref<64xi8> to memref<2x4xf32>
    {launch("%x, %x, %h", f"{FOUR}, {FOUR}, {FOUR}", 4, 1, "add")}
    {launch("%late", "memref<2x4xf32>", 4, 1, "fill")}
    {launch("%h, %x, %y", f"{FOUR}, {FOUR}, {FOUR}", 4, 1, "add")}"""
    fill = """
      %c1 = arith.constant 1 : index
      %one = arith.constant 1.0 : f32
      memref.store %one, %late[%c1, %t] : memref<2x4xf32>"""
    kernels = kernel(ADD, f"%x: {FOUR}, %z: {FOUR}, %y: {FOUR}", 4, 1, "add")
    kernels += kernel(fill, "%late: memref<2x4xf32>", 4, 1, "fill")
    text = module(host, f"%x: {FOUR}, %y: {FOUR} {{irtool.out = 0}}", kernels, 4, arena=64)
    assert np.isnan(run(text, np.ones(4))[0]).all()
