"""The arena: as small as what lives at once, nothing overlaps that lives together, and its report names it all."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import irtool
import irtool.nn.functional as F
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from irtool import nn, optim
from irtool.dialects.text import parse_module, print_op
from irtool.dialects.types import bytes_of
from irtool.passes.memref.plan_memory import ALIGNMENT, PlannedBuffer, peak, place
from irtool.passes.pass_base import PassError
from irtool.passes.verify import verify
from irtool.runtime.cpu import CPU
from irtool.runtime.plan import host_of, memory_report
from xdsl.dialects import memref
from xdsl.dialects.func import CallOp
from xdsl.ir import Operation, SSAValue

from .running import Array, execute

LAYERS = 20


@cache
def deep_step() -> tuple[str, dict[str, Any]]:
    """The trace of a training step of a 20-layer MLP, and its memory."""
    irtool.manual_seed(0)
    widths = [64, *([96, 160] * LAYERS)[: LAYERS - 1], 10]
    layers = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())][:-1]
    model = nn.Sequential(*layers)
    optimizer = optim.SGD(model.parameters(), lr=0.01)

    @irtool.compile
    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step(irtool.randn(32, 64), irtool.randint(0, 10, (32,)))
    return step.ir("traced", locations=True), step.memory()


def root(value: SSAValue) -> SSAValue:
    while isinstance(value.owner, memref.ReinterpretCastOp):
        value = value.owner.operands[0]
    return value


def largest_sum(text: str) -> int:
    """The largest sum of live intermediates, from the calls of the unplanned host function: straight-line code."""
    module = parse_module(text)
    CPU().lower(module, "linalg")
    from irtool.dialects.text import make_context
    from irtool.passes.linalg.bufferize import Bufferize

    Bufferize().apply(make_context(), module)
    block = host_of(module).body.block
    calls = [op for op in block.ops if isinstance(op, CallOp)]
    lives: dict[SSAValue, list[int]] = {}
    for moment, call in enumerate(calls):
        for operand in map(root, call.operands):
            if isinstance(operand.owner, memref.AllocOp):
                lives.setdefault(operand, []).append(moment)
    return max(sum(bytes_of(v.type) for v, at in lives.items() if at[0] <= now <= at[-1]) for now in range(len(calls)))


def test_the_arena_is_no_larger_than_what_lives_at_once() -> None:
    text, memory = deep_step()
    assert 0 < memory["arena"] <= 1.10 * largest_sum(text)


def test_the_report_says_what_is_where_and_when() -> None:
    memory = deep_step()[1]
    buffers = memory["buffers"]
    assert len(buffers) >= 2 * LAYERS
    assert max(b["offset"] + b["bytes"] for b in buffers) <= memory["arena"]
    assert all(b["name"] and "test_memory_plan.py:" in b["line"] for b in buffers)
    assert any("matmul" in b["name"] for b in buffers)
    for i, b in enumerate(buffers):
        for c in buffers[:i]:
            together = b["first"] <= c["last"] and c["first"] <= b["last"]
            apart = b["offset"] + b["bytes"] <= c["offset"] or c["offset"] + c["bytes"] <= b["offset"]
            assert apart or not together


def test_the_report_of_a_program_that_starts_at_loops() -> None:
    """There all calls stand in the team's region, which runs once: each is a moment of its own."""
    module = parse_module(deep_step()[0])
    CPU().lower(module)
    module = parse_module(print_op(module))
    report = memory_report(host_of(module))
    middle = (min(b["first"] for b in report) + max(b["last"] for b in report)) / 2
    assert any(b["last"] < middle for b in report) and any(b["first"] > middle for b in report)


def test_names_of_values_are_names_of_buffers() -> None:
    module = parse_module("""
      func.func @step(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
        %hidden = hl.matmul %x, %w : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
        %y = hl.matmul %hidden, %w : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
        func.return %y : tensor<4x4xf32>
      }""")
    CPU().lower(module, "memref")
    assert [(b["name"], b["bytes"]) for b in memory_report(host_of(module))] == [("hidden", 64)]


Life = tuple[int, int, int]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=25))
def test_random_lifetimes(lives: list[Life]) -> None:
    operation: Any = Operation
    buffers = [PlannedBuffer(operation, size, first, first + length) for size, first, length in lives]
    size = place(buffers)
    for i, b in enumerate(buffers):
        assert b.offset >= 0 and b.offset % ALIGNMENT == 0 and b.offset + b.size <= size
        for c in buffers[:i]:
            if b.meets(c) and b.size and c.size:
                assert b.offset + b.size <= c.offset or c.offset + c.size <= b.offset
    assert peak(buffers) <= size
    assert peak(buffers) == max(sum(s for s, a, n in lives if a <= now <= a + n) for now in range(61))


LOOP = """
func.func @step(%x: memref<8xf32>, %out: memref<8xf32> {irtool.out = 0 : i64}) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %four = arith.constant 4 : index
  %state = memref.alloc() {alignment = 64 : i64} : memref<8xf32>
  func.call @double(%x, %state) : (memref<8xf32>, memref<8xf32>) -> ()
  %spare = memref.alloc() {alignment = 64 : i64} : memref<8xf32>
  %last, %other = scf.for %i = %zero to %four step %one iter_args(%a = %state, %b = %spare)
      -> (memref<8xf32>, memref<8xf32>) {
    %inner = memref.alloc() {alignment = 64 : i64} : memref<8xf32>
    func.call @double(%a, %inner) : (memref<8xf32>, memref<8xf32>) -> ()
    func.call @double(%inner, %b) : (memref<8xf32>, memref<8xf32>) -> ()
    scf.yield %b, %a : memref<8xf32>, memref<8xf32>
  }
  %after = memref.alloc() {alignment = 64 : i64} : memref<8xf32>
  func.call @double(%last, %after) : (memref<8xf32>, memref<8xf32>) -> ()
  func.call @double(%after, %out) : (memref<8xf32>, memref<8xf32>) -> ()
  func.return
}
func.func private @double(%x: memref<8xf32>, %out: memref<8xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : memref<8xf32>) outs(%out : memref<8xf32>) {
  ^bb0(%v: f32, %old: f32):
    %sum = arith.addf %v, %v : f32
    linalg.yield %sum : f32
  }
  func.return
}
"""


def test_buffers_that_a_loop_carries_live_through_all_of_it() -> None:
    module = parse_module(LOOP)
    CPU().lower(module, "memref")
    places = {b["name"]: b["offset"] for b in memory_report(host_of(module))}
    assert len({places["state"], places["spare"], places["inner"]}) == 3
    assert places["after"] == places["inner"], "each round's is free after the loop; the carried ones may be the result"


BRANCH = """
func.func @step(%x: memref<8xf32>, %out: memref<8xf32> {irtool.out = 0 : i64}) {
  %true = arith.constant true
  %h = memref.alloc() {alignment = 64 : i64} : memref<8xf32>
  func.call @double(%x, %h) : (memref<8xf32>, memref<8xf32>) -> ()
  %chosen = scf.if %true -> (memref<8xf32>) {
    %made = memref.alloc() {alignment = 64 : i64} : memref<8xf32>
    func.call @double(%h, %made) : (memref<8xf32>, memref<8xf32>) -> ()
    scf.yield %made : memref<8xf32>
  } else {
    scf.yield %h : memref<8xf32>
  }
  %next = memref.alloc() {alignment = 64 : i64} : memref<8xf32>
  func.call @double(%chosen, %next) : (memref<8xf32>, memref<8xf32>) -> ()
  func.call @double(%next, %out) : (memref<8xf32>, memref<8xf32>) -> ()
  func.return
}
"""


def test_what_a_branch_hands_out_lives_on() -> None:
    module = parse_module(BRANCH + LOOP[LOOP.index("func.func private") :])
    CPU().lower(module, "memref")
    places = {b["name"]: b["offset"] for b in memory_report(host_of(module))}
    assert len(set(places.values())) == 3


def test_a_loop_around_kernels_runs() -> None:
    text = LOOP.replace("iter_args(%a = %state, %b = %spare)\n      -> (memref<8xf32>, memref<8xf32>) {", "{")
    text = text.replace("%last, %other = scf.for", "scf.for").replace("%last,", "%state,")
    text = text.replace("scf.yield %b, %a : memref<8xf32>, memref<8xf32>", "scf.yield")
    text = text.replace("%a, %inner", "%state, %inner").replace("%inner, %b", "%inner, %state")
    module = parse_module(text)
    verify(module)
    x: Array = np.arange(8, dtype=np.float32)
    for threads in (1, 2):
        (out,) = execute(module, [x], threads)
        np.testing.assert_array_equal(out, x * 2 ** (1 + 2 * 4 + 2))


def test_buffers_for_results_come_last() -> None:
    text = LOOP.replace("func.func @step(%x: memref<8xf32>, ", "func.func @step(").replace(
        "0 : i64}) {", "0 : i64}, %x: memref<8xf32>) {", 1
    )
    with pytest.raises(ValueError, match="come last"):
        execute(parse_module(text), [np.zeros(8, np.float32)])


def test_a_buffer_made_in_a_round_for_the_next_is_refused() -> None:
    text = LOOP.replace("scf.yield %b, %a", "scf.yield %inner, %b")
    with pytest.raises(PassError, match="carried to the next round"):
        CPU().lower(parse_module(text))
