"""Programs on buffers that people write: what would leave memory or never end is refused before it is compiled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from irtool.tools.cli import main

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
