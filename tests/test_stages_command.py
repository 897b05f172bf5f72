"""`irtool stages`: the program after every pass, as text and as a page."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from irtool.tools.cli import main

PROGRAM = """
func.func @f(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0 = hl.add %x, %y : tensor<4xf32>
  %1 = hl.transpose %0 [0] : tensor<4xf32>
  func.return %1 : tensor<4xf32>
}
"""


def test_every_pass_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "f.mlir"
    file.write_text(PROGRAM)
    result = CliRunner().invoke(main, ["stages", str(file)])
    assert result.exit_code == 0
    headings = [line for line in result.output.splitlines() if line.startswith("// ----- ")]
    assert headings[0] == "// ----- traced: input"
    assert "// ----- hl: differentiate changes nothing" in headings
    assert "// ----- kernels: group" in headings
    assert headings[-1] == "// ----- c: print"
    assert "void f(void **buffers" in result.output


def test_page_marks_changes_and_escapes(tmp_path: Path) -> None:
    file, page = tmp_path / "f&.mlir", tmp_path / "page.html"
    file.write_text(PROGRAM)
    result = CliRunner().invoke(main, ["stages", str(file), "--html", "--stop-after", "linalg", "-o", str(page)])
    assert result.exit_code == 0
    text = page.read_text()
    assert "f&amp;.mlir" in text
    assert "<del>    %1 = hl.transpose" in text
    assert "tensor&lt;4xf32&gt;" in text


def test_unknown_stage(tmp_path: Path) -> None:
    file = tmp_path / "f.mlir"
    file.write_text(PROGRAM)
    result = CliRunner().invoke(main, ["stages", str(file), "--stop-after", "nowhere"])
    assert result.exit_code == 1
    assert "unknown stage 'nowhere'" in result.output
