"""Files that commands get beside IR: Python files that fail, arrays that are none, places that cannot be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from irtool.tools.cli import main

IDENTITY = "func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {\n  func.return %x : tensor<2xf32>\n}"


def error_of(*arguments: Any) -> str:
    """What a command that fails says."""
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == 1 and "Traceback" not in result.stderr and result.stdout == ""
    return result.stderr


@pytest.mark.parametrize(
    "source, line, message",
    [
        ("x = 1\ndef f(:\n", 2, "SyntaxError: invalid syntax"),
        ("\nraise ValueError('no')\n", 2, "ValueError: no"),
        ("import nothing_of_that_name\n", 1, "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("def f(x):\n    y = x.foo\n", 2, "'Tensor' object has no attribute 'foo'"),
        ("def g(x):\n    if x.sum(): pass\ndef f(x):\n    g(x)\n", 2, "RuntimeError: a Python branch"),
        (
            "import sys\ndef f(x):\n    sys.exit(3)\n",
            3,
            "sys.exit is not known to be free of effects, so that f has no",
        ),
        ("class E(BaseException): pass\ndef f(x): raise E('no')\n", 2, "error: E: no"),
        ("import part\ndef f(x): pass\n", 3, "KeyError: 'of a part'"),
    ],
)
def test_errors_of_a_traced_file_name_its_line(source: str, line: int, message: str, tmp_path: Path) -> None:
    (tmp_path / "part.py").write_text("\n\nraise KeyError('of a part')\n")
    file = tmp_path / "train.py"
    file.write_text(source)
    said = error_of("trace", f"{file}:f", "f32[2]")
    name = tmp_path / "part.py" if "part" in message else file
    assert said.startswith(f"{name}:{line}:") and message in said and f"(at train.py:{line})" not in said


def test_a_traced_file_that_exits(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import sys\nsys.exit(3)\n")
    assert "the file ends with sys.exit(3) before 'f' is traced" in error_of("trace", f"{tmp_path}/train.py:f")


@pytest.mark.parametrize("content", [b"hello", b"", b"PK\x03\x04 cut", "objects"])
def test_arrays_that_are_none(content: Any, tmp_path: Path) -> None:
    program, inputs = tmp_path / "f.mlir", tmp_path / "x.npz"
    program.write_text(IDENTITY)
    if content == "objects":
        np.savez(inputs, x=np.array([object()], dtype=object))
    else:
        inputs.write_bytes(content)
    said = error_of("run", program, "-i", inputs)
    assert said == f"{inputs}: error: expected arrays of numbers by name, as numpy.savez writes them\n"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "f.mlir").write_text(IDENTITY)
    said = error_of("opt", tmp_path / "f.mlir", "-o", tmp_path / "nowhere" / "out.mlir")
    assert said == f"{tmp_path}/nowhere/out.mlir: error: No such file or directory\n"
