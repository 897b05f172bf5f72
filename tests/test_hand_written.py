"""Programs on buffers that people write: what would leave memory or never end is refused before it is compiled."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from irtool.dialects.text import make_context, parse_module, print_op
from irtool.passes.loops.insert_bounds_checks import InsertBoundsChecks
from irtool.tools.cli import main

from . import mutation

PROGRAM = """\
func.func @f(%x: memref<4xf32>, %n: memref<1xi64>, %o: memref<4xf32> {irtool.out = 0 : i64},
             %w: memref<64xi8> {irtool.workspace}) {
  %c0 = arith.constant 0 : index
  %first = arith.constant 1 : index
  %step = arith.constant 1 : index
  %last = arith.constant 4 : index
  scf.for %i = %c0 to %last step %step {
    %a = memref.load %x[%i] : memref<4xf32>
    memref.store %a, %o[%i] : memref<4xf32>
  }
  %b = memref.load %x[%first] : memref<4xf32>
  memref.store %b, %o[%c0] : memref<4xf32>
  %v = memref.view %w[%c0][] : memref<64xi8> to memref<16xf32>
  memref.store %b, %v[%first] : memref<16xf32>
  func.return
}
"""


def run(folder: Path, text: str, *options: object) -> Result:
    (folder / "f.mlir").write_text(text)
    return CliRunner().invoke(main, ["run", str(folder / "f.mlir"), *map(str, options)])


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("%first = arith.constant 1", "%first = arith.constant 900000000", 11, "reaches 900000000 in dimension 0"),
        ("%first = arith.constant 1", "%first = arith.constant -1", 11, "reaches -1 in dimension 0"),
        ("%last = arith.constant 4", "%last = arith.constant 5", 8, "reaches 4 in dimension 0"),
        ("%step = arith.constant 1", "%step = arith.constant 0", 7, "scf.for: expected a step of at least 1, got 0"),
        ("%step = arith.constant 1", "%step = arith.constant -3", 7, "scf.for: expected a step of at least 1, got -3"),
        ("memref<16xf32>", "memref<17xf32>", 13, "memref<17xf32> reaches byte 67 of 64"),
        ("%w[%c0][]", "%w[%last][]", 13, "memref<16xf32> reaches byte 67 of 64"),
    ],
)
@pytest.mark.parametrize("options", [[], ["--compiled"]])
def test_what_is_refused(
    old: str, new: str, line: int, message: str, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irtool.runtime.toolchain.compile_object", lambda *_: pytest.fail("compiled"))
    result = run(tmp_path, PROGRAM.replace(old, new), *options)
    assert result.exit_code == 1 and result.stderr.startswith(f"{tmp_path}/f.mlir:{line}:"), result.output
    assert message in result.stderr


def test_good_ones_run(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=np.arange(4, dtype=np.float32), n=np.array([1]))
    result = run(tmp_path, PROGRAM, "-i", tmp_path / "in.npz")
    assert result.exit_code == 0 and result.stdout == "result0: float32[4]\n[1. 1. 2. 3.]\n", result.output


@pytest.mark.parametrize(("step", "written"), [(1, [0, 1, 2, 3]), (3, [0, 3]), (0, [0]), (-1, [0])])
def test_a_step_that_is_known_when_it_runs(step: int, written: list[int], tmp_path: Path) -> None:
    """A loop whose step is none does not run: it would never end, or leave its buffers."""
    dynamic = "%m = memref.load %n[%c0] : memref<1xi64>\n  %step = arith.index_cast %m : i64 to index"
    text = PROGRAM.replace("%step = arith.constant 1 : index", dynamic)
    np.savez(tmp_path / "in.npz", x=np.arange(4, dtype=np.float32), n=np.array([step]))
    result = run(tmp_path, text, "-i", tmp_path / "in.npz", "-o", tmp_path / "out.npz")
    assert result.exit_code == 0, result.output
    found = np.load(tmp_path / "out.npz")["result0"]
    np.testing.assert_array_equal(found[written], np.array([1, 1, 2, 3], np.float32)[written])


INDEXED = """\
func.func @f(%i: memref<1xi64>, %x: memref<8xf32> {irtool.out = 0 : i64}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %v = memref.load %i[%c0] : memref<1xi64>
  %k = arith.index_cast %v : i64 to index
  %one = arith.constant 1.0 : f32
  memref.store %one, %x[%k] : memref<8xf32>
  func.return
}
"""
LOOP = """\
  scf.for %j = %c0 to %k step %c1 {
    memref.store %one, %x[%j] : memref<8xf32>
  }
"""
STORE = "  memref.store %one, %x[%k] : memref<8xf32>\n"


def run_apart(folder: Path, text: str, index: int) -> subprocess.CompletedProcess[str]:
    """What leaves its buffers ends the process."""
    (folder / "f.mlir").write_text(text)
    np.savez(folder / "in.npz", i=np.array([index]))
    tool = str(Path(sys.executable).parent / "irtool")
    command = [tool, "run", str(folder / "f.mlir"), "-i", str(folder / "in.npz")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("body", "index", "line", "given"),
    [
        (STORE, 10**12, 7, 10**12),
        (STORE, -(10**9), 7, -(10**9)),
        (STORE, 8, 7, 8),
        (LOOP, 10**12, 8, 8),
    ],
)
def test_an_index_known_when_it_runs(body: str, index: int, line: int, given: int, tmp_path: Path) -> None:
    result = run_apart(tmp_path, INDEXED.replace(STORE, body), index)
    what = "memref.store: dimension 0 of memref<8xf32>: expected an index from 0 to 7"
    assert (result.returncode, result.stderr) == (1, f"{tmp_path}/f.mlir:{line}: error: {what}, given {given}\n")


@pytest.mark.parametrize(("body", "index"), [(STORE, 7), (LOOP, 8), (LOOP, 0)])
def test_a_good_index_known_when_it_runs(body: str, index: int, tmp_path: Path) -> None:
    result = run_apart(tmp_path, INDEXED.replace(STORE, body), index)
    assert result.returncode == 0 and "result0: float32[8]" in result.stdout, result.stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (STORE, "  %b = memref.alloc(%k) : memref<?xf32>\n  memref.store %one, %b[%c0] : memref<?xf32>\n",
         ":8:3: error: memref.store: expected a buffer of known extents, got memref<?xf32>"),
        (STORE, "  %b = memref.alloc() : memref<9223372036854775807xf32>\n",
         ":7:3: error: memref.alloc: expected at most 2^47 bytes"),
        ("%x: memref<8xf32>", "%x: memref<8xf32, strided<[1000]>>", "expected a row-major buffer of f32"),
    ],
)  # fmt: skip
def test_what_has_no_known_extent(old: str, new: str, message: str, tmp_path: Path) -> None:
    text = INDEXED.replace(STORE, "") if old != STORE else INDEXED
    result = run(tmp_path, text.replace(old, new))
    assert result.exit_code == 1 and message in result.stderr, result.output


def test_programs_of_the_pipeline_are_proved() -> None:
    """They get no check, at either level, unless they sort: where a merge stands follows from what it has compared."""
    for step in mutation.programs():
        if "hl.sort" in step.ir("traced"):  # type: ignore[attr-defined]
            continue
        for stage in ("memref", "loops"):
            for text in re.split(r"^(?=builtin\.module)", step.ir(stage), flags=re.MULTILINE):  # type: ignore[attr-defined]
                if text.strip():
                    module = parse_module(text)
                    InsertBoundsChecks().apply(make_context(), module)
                    assert "bounds.check" not in print_op(module)
