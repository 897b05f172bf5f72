"""The sanitizers see what they are there for: `make sanitize` would say nothing of a fault that they do not see."""

from __future__ import annotations

import re

import numpy as np
import pytest
from irtool.dialects.text import parse_module
from irtool.runtime.plan import host_of

from .sanitize import cases
from .sanitize.harness import ADDRESS, THREADS, Edit, Sanitizer, check

ROW_SUMS = parse_module("""
func.func @step(%x: tensor<64x50xf32>) -> tensor<64x50xf32> {
  %0 = hl.exp %x : tensor<64x50xf32>
  %1 = hl.reduce_sum %0 over [1] : tensor<64x50xf32> -> tensor<64xf32>
  %2 = hl.reverse %1 along [0] : tensor<64xf32>
  %3 = hl.broadcast %2 along [0] : tensor<64xf32> -> tensor<64x50xf32>
  %4 = hl.mul %0, %3 : tensor<64x50xf32>
  func.return %4 : tensor<64x50xf32>
}""")
X = [np.ones((64, 50), np.float32)]


def shared_by_nobody(name: str, source: str) -> str:
    """Every thread runs all of each loop."""
    source = re.sub(r"share_start\((\d+), thread \+ 1, threads\)", r"\1", source)
    return re.sub(r"share_start\(\d+, thread, threads\)", "0", source)


def without_barriers(name: str, source: str) -> str:
    return re.sub(r"^ +barrier\(\w+\);\n", "", source, flags=re.MULTILINE)


def a_row_too_many(name: str, source: str) -> str:
    return source.replace("i < 64", "i < 65")


def a_lane_too_many(name: str, source: str) -> str:
    return source.replace("first_v16i(2)", "first_v16i(3)").replace("first_v8i(2)", "first_v8i(3)")


@pytest.mark.parametrize("sanitizer", [ADDRESS, THREADS], ids=lambda s: s.name)
def test_nothing_is_said_of_good_programs(sanitizer: Sanitizer) -> None:
    check(sanitizer, ROW_SUMS, X, 4)


@pytest.mark.parametrize("plant", [shared_by_nobody, without_barriers])
def test_races_are_found(plant: Edit) -> None:
    report = r"(?s)data race.*#[01] exp_.*/\w+\.c:\d+.*The C is kept in\n  /"
    with pytest.raises(pytest.fail.Exception, match=report):
        check(THREADS, ROW_SUMS, X, 4, plant)


@pytest.mark.parametrize("plant", [a_row_too_many, a_lane_too_many])
def test_accesses_out_of_bounds_are_found(plant: Edit) -> None:
    report = r"(?s)AddressSanitizer.* in exp_.*/\w+\.c:\d+.*The C is kept in\n  /"
    with pytest.raises(pytest.fail.Exception, match=report):
        check(ADDRESS, ROW_SUMS, X, 4, plant)


def test_the_modules_of_programs_are_found() -> None:
    """What their training steps compile, not a name that nobody calls any longer."""
    found = [host_of(module) for module in cases.compiled("objects.boxes")]
    assert found and all(host.body.block.args for host in found)
