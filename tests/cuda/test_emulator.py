"""The emulator finds what a kernel must not do, whatever order hides it: each test plants one fault."""

from __future__ import annotations

import re

import numpy as np
import pytest
from irtool.dialects.text import parse_module
from irtool.runtime.compiler import compile_module
from irtool.runtime.cuda.emulator.native import EmulationError

from . import text
from .launches import BARRIER, TEAM, one_launch, run

REVERSED = f"""
  %row = memref.alloc() {TEAM} : memref<64xf32>
  %c63 = arith.constant 63 : index
  %a = memref.load %x0[%b, %t] : memref<8x64xf32>
  memref.store %a, %row[%t] : memref<64xf32>
  {BARRIER}
  %other = arith.subi %c63, %t : index
  %c = memref.load %row[%other] : memref<64xf32>
  memref.store %c, %y[%b, %t] : memref<8x64xf32>
"""
"""Each block reverses a row by way of shared memory."""
ROWS = "memref<8x64xf32>"


def fails(text: str, *arrays: object) -> str:
    with pytest.raises(EmulationError) as caught:
        run(text, *arrays)
    return str(caught.value)


def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(8, 64)).astype(np.float32)


@pytest.mark.parametrize("order", ["all", "every", "forward", "reverse", "random:3"])
def test_a_right_kernel_runs_in_every_order(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRTOOL_CUDA_ORDER", order)
    x = rows()
    np.testing.assert_array_equal(run(one_launch(REVERSED, ROWS, ROWS, 64, 8), x)[0], x[:, ::-1])


@pytest.mark.parametrize("order", ["all", "forward", "reverse", "random"])
def test_a_removed_barrier(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRTOOL_CUDA_ORDER", order)
    wrong = fails(one_launch(REVERSED.replace(BARRIER, ""), ROWS, ROWS, 64, 8), rows())
    assert re.match(
        r"kernel k \(train\.mlir:\d+\), block \(\d, 0, 0\), thread \(\d+, 0, 0\): (loads|stores) an element of the "
        r"shared array row that thread \(\d+, 0, 0\) (stored|loaded) since the last barrier$",
        wrong,
    ), wrong


def test_a_race_on_shared_memory() -> None:
    """All threads store to one element, the same number even."""
    body = f"""
      %total = memref.alloc() {TEAM} : memref<1xf32>
      %c0 = arith.constant 0 : index
      %one = arith.constant 1.0 : f32
      memref.store %one, %total[%c0] : memref<1xf32>
      {BARRIER}
      %v = memref.load %total[%c0] : memref<1xf32>
      memref.store %v, %y[%t] : memref<32xf32>"""
    wrong = fails(one_launch(body, "", "memref<32xf32>", 32))
    assert "stores an element of the shared array total that thread (0, 0, 0) stored since the last barrier" in wrong


@pytest.mark.parametrize(
    ("index", "what"),
    [(40, "stores 4 bytes at byte 160 of y, which has 160"), (-1, "stores 4 bytes at byte -4 of y, which has 160"),
     (100_000, "stores 4 bytes at byte 400000 of y, which has 160")],
)  # fmt: skip
def test_an_out_of_bounds_store(index: int, what: str) -> None:
    body = f"""
      %i = arith.constant {index} : index
      %one = arith.constant 1.0 : f32
      memref.store %one, %y[%i] : memref<40xf32>"""
    assert fails(one_launch(body, "", "memref<40xf32>", 1)).endswith(what)


@pytest.mark.parametrize(
    ("size", "index", "what"),
    [(40, 40, "touches byte 160 of y, which has 160"), (40, -60, "stores outside of y, which has 160 bytes"),
     (40, -20_000, "touches byte -80000 of y, which has 160"), (41, 41, "stores outside of y, which has 164 bytes")],
)  # fmt: skip
def test_an_out_of_bounds_store_of_a_later_call(size: int, index: int, what: str) -> None:
    """Only the first call is checked at each access: then buffers are guarded by what lies around them."""
    body = f"""
      %c0 = arith.constant 0 : index
      %n = memref.load %x0[%c0] : memref<1xi64>
      %i = arith.index_cast %n : i64 to index
      %one = arith.constant 1.0 : f32
      memref.store %one, %y[%i] : memref<{size}xf32>"""
    text = one_launch(body, "memref<1xi64>", f"memref<{size}xf32>", 1)
    program = compile_module(parse_module(text, "train.mlir"), "cuda-emulated")
    call = program.bind()
    x, y = np.zeros(1, np.int64), np.zeros(size, np.float32)
    call.run([(0, x.ctypes.data), (1, y.ctypes.data)])
    x[0] = index
    with pytest.raises(EmulationError, match=r"^kernel k \(train\.mlir:\d+\)") as caught:
        call.run()
    assert str(caught.value).endswith(what)
    x[0] = 1
    call.run()
    assert y[1] == 1 and np.isnan(y[0])


def test_an_overflow_into_a_shared_array_beside() -> None:
    body = f"""
      %a = memref.alloc() {TEAM} : memref<32xf32>
      %c = memref.alloc() {TEAM} : memref<32xf32>
      %one = arith.constant 1 : index
      %i = arith.addi %t, %one : index
      %v = memref.load %x0[%t] : memref<32xf32>
      memref.store %v, %c[%t] : memref<32xf32>
      memref.store %v, %a[%i] : memref<32xf32>
      {BARRIER}
      %w = memref.load %c[%t] : memref<32xf32>
      memref.store %w, %y[%t] : memref<32xf32>"""
    wrong = fails(one_launch(body, "memref<32xf32>", "memref<32xf32>", 32), np.ones(32))
    assert re.search(r"has the index 32 outside of an array, in line \d+ of its text$", wrong), wrong


def test_a_dependency_between_blocks_of_one_launch() -> None:
    """Each block reads what the one before it has written: the right numbers in ascending order."""
    body = """
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %one = arith.constant 1.0 : f32
      %first = arith.cmpi eq, %b, %c0 : index
      %before = arith.subi %b, %c1 : index
      %v = scf.if %first -> (f32) {
        scf.yield %one : f32
      } else {
        %a = memref.load %y[%before] : memref<8xf32>
        scf.yield %a : f32
      }
      memref.store %v, %y[%b] : memref<8xf32>"""
    wrong = fails(one_launch(body, "", "memref<8xf32>", 1, 8))
    assert wrong.endswith("loads an element of y that another block stored in the same launch")


def test_a_block_that_reads_what_a_later_one_overwrites() -> None:
    body = """
      %c1 = arith.constant 1 : index
      %c7 = arith.constant 7 : index
      %n = arith.addi %b, %c1 : index
      %next = arith.minsi %n, %c7 : index
      %v = memref.load %y[%next] : memref<8xf32>
      memref.store %v, %y[%b] : memref<8xf32>"""
    wrong = fails(one_launch(body, "", "memref<8xf32>", 1, 8))
    assert wrong.endswith("stores an element of y that another block loaded in the same launch")


def test_a_misaligned_vector_access() -> None:
    body = """
      %c1 = arith.constant 1 : index
      %v = vector.load %x0[%c1] : memref<8xf32>, vector<4xf32>
      %c0 = arith.constant 0 : index
      vector.store %v, %y[%c0] : memref<4xf32>, vector<4xf32>"""
    wrong = fails(one_launch(body, "memref<8xf32>", "memref<4xf32>", 1), np.ones(8))
    assert wrong.endswith("loads 16 bytes at byte 4 of x0, which is no multiple of 16")


FIRST_HALF = f"""
      %c32 = arith.constant 32 : index
      %c31 = arith.constant 31 : index
      %half = arith.cmpi slt, %t, %c32 : index
      scf.if %half {{
        %mine = memref.alloc() {TEAM} : memref<32xf32>
        %v = memref.load %x0[%t] : memref<64xf32>
        %s = gpux.reduce add %v {{threads = 32 : i64}} : f32
        memref.store %v, %mine[%t] : memref<32xf32>
        spmd.barrier {{scope = #spmd<scope block>, threads = 32 : i64}}
        %other = arith.subi %c31, %t : index
        %w = memref.load %mine[%other] : memref<32xf32>
        %r = arith.addf %w, %s : f32
        memref.store %r, %y[%t] : memref<32xf32>
      }}"""


def test_the_first_threads_of_a_block_meet_alone() -> None:
    x = np.arange(64, dtype=np.float32)
    text = one_launch(FIRST_HALF, "memref<64xf32>", "memref<32xf32>", 64)
    np.testing.assert_array_equal(run(text, x)[0], x[:32][::-1] + x[:32].sum())


def test_the_first_threads_lack_a_barrier() -> None:
    text = FIRST_HALF.replace("spmd.barrier {scope = #spmd<scope block>, threads = 32 : i64}", "")
    wrong = fails(one_launch(text, "memref<64xf32>", "memref<32xf32>", 64), np.ones(64))
    assert "an element of the shared array mine" in wrong


def test_a_thread_that_a_barrier_does_not_count() -> None:
    text = FIRST_HALF.replace("arith.cmpi slt, %t, %c32", "arith.cmpi sle, %t, %c32").replace(
        "memref<32xf", "memref<40xf"
    )
    wrong = fails(one_launch(text, "memref<64xf32>", "memref<40xf32>", 64), np.ones(64))
    assert "is not among the first 32 threads" in wrong


def test_a_barrier_that_not_all_threads_come_to() -> None:
    body = f"""
      %c16 = arith.constant 16 : index
      %some = arith.cmpi slt, %t, %c16 : index
      scf.if %some {{
        {BARRIER}
      }}
      %one = arith.constant 1.0 : f32
      memref.store %one, %y[%t] : memref<32xf32>"""
    wrong = fails(one_launch(body, "", "memref<32xf32>", 32))
    assert re.search(r"waits in line \d+ of its text for ever: 16 of 32 threads have left$", wrong) or re.search(
        r"waits for its block in line \d+ of its text, which other threads have left$", wrong
    ), wrong


def test_two_barriers_that_stand_for_one() -> None:
    body = f"""
      %c16 = arith.constant 16 : index
      %some = arith.cmpi slt, %t, %c16 : index
      scf.if %some {{
        {BARRIER}
      }} else {{
        {BARRIER}
      }}
      %one = arith.constant 1.0 : f32
      memref.store %one, %y[%t] : memref<32xf32>"""
    wrong = fails(one_launch(body, "", "memref<32xf32>", 32))
    assert re.search(r"waits for its block in line \d+ of its text, while others wait in line \d+$", wrong), wrong


def test_what_nobody_writes_is_no_number() -> None:
    body = """
      %c16 = arith.constant 16 : index
      %some = arith.cmpi slt, %t, %c16 : index
      scf.if %some {
        %one = arith.constant 1.0 : f32
        memref.store %one, %y[%t] : memref<32xf32>
      }"""
    (y,) = run(one_launch(body, "", "memref<32xf32>", 32))
    assert np.isnan(y[16:]).all() and (y[:16] == 1).all()


def test_an_unknown_order_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRTOOL_CUDA_ORDER", "sideways")
    with pytest.raises(ValueError, match=r"IRTOOL_CUDA_ORDER=sideways: expected all, every, forward"):
        run(one_launch(REVERSED, ROWS, ROWS, 64, 8), rows())


COUNTED = """
static int calls;
calls++;
y[threadIdx.x] = NUMBER;
"""
"""What a thread stores depends on how many have run before it, by way of memory that is not the device's."""


def test_results_that_depend_on_the_order_are_found_by_comparing_them() -> None:
    made = text.kernel("float *__restrict__ y", COUNTED.replace("NUMBER", "(float)(calls % 32)"), 32)
    with pytest.raises(EmulationError) as caught:
        text.run(made, np.zeros(32, np.float32))
    assert str(caught.value) == (
        "kernel k (train.py:7): element 0 of y depends on the order of blocks and threads: forward and reverse differ"
    )


def test_a_nan_is_as_good_as_another() -> None:
    """Which one an operation gives depends on the order that a compiler gives its operands."""
    made = text.kernel("float *__restrict__ y", COUNTED.replace("NUMBER", "calls % 3 ? NAN : -NAN"), 32)
    y = np.zeros(32, np.float32)
    text.run(made, y)
    assert np.isnan(y).all()
