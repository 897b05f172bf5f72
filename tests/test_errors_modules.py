"""Modules whose functions, calls or marks make no sense: every command says so at their line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import irtool as package
import pytest
from click.testing import CliRunner, Result
from irtool.tools.cli import main

GOOD = """\
func.func @f(%x: tensor<4x3xf32>) -> tensor<4xf32> {
  %0 = hl.reduce_sum %x over [1] : tensor<4x3xf32> -> tensor<4xf32>
  func.return %0 : tensor<4xf32>
}
"""


class Bad(NamedTuple):
    """A file, and where and how it is wrong."""

    content: str
    place: str
    message: str


def irtool(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def write(folder: Path, content: str, name: str = "bad.mlir") -> Path:
    path = folder / name
    path.write_text(content)
    return path


def check(result: Result, path: Path, bad: Bad) -> None:
    assert result.exit_code == 1 and result.stdout == "", result.output
    first = result.stderr.splitlines()[0]
    assert re.match(re.escape(f"{path}:{bad.place}") + r"[\d:]*\s*error: \S", first) and bad.message in first, first
    assert "Traceback" not in result.stderr and "a fault of irtool's own" not in result.stderr


CALL = """\
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = func.call @g(%x) : (tensor<4xf32>) -> tensor<4xf32>
  func.return %0 : tensor<4xf32>
}
func.func private @g(%x: tensor<4xf32>) -> tensor<4xf32> attributes {irtool.kernel} {
  %0 = hl.exp %x : tensor<4xf32>
  func.return %0 : tensor<4xf32>
}
"""
HOST, KERNEL = "@f(%x: tensor<4xf32>", "@g(%x: tensor<4xf32>"

MODULES: dict[str, Bad] = {
    "recursion": Bad(
        CALL.replace("hl.exp %x :", "func.call @g(%x) : (tensor<4xf32>) ->"), "6:3: ", "without recursion, got @g -> @g"
    ),
    "mutual recursion": Bad(
        CALL.replace("hl.exp %x :", "func.call @f(%x) : (tensor<4xf32>) ->"), "6:3: ", "got @f -> @g -> @f"
    ),
    "defined twice": Bad(
        CALL.replace("@g", "@f"), "5:1: ", "one function of each name, but @f is defined at bad.mlir:1"
    ),
    "unknown function": Bad(
        CALL.replace("call @g", "call @h"), "2:3: ", "'@h' could not be found: expected one of @f, @g"
    ),
    "no end": Bad("func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {}\n", "1:1: ", "expected func.return at the end"),
    "tied without result": Bad(
        CALL.replace(KERNEL, KERNEL + " {irtool.tied = 64}"), "5:1: ", "irtool.tied: expected one of 1 results, got 64"
    ),
    "tied in a host": Bad(CALL.replace(HOST, HOST + " {irtool.tied = 0}"), "1:1: ", "irtool.tied: expected a kernel"),
    "result of text": Bad(
        CALL.replace(HOST, HOST + " {irtool.result = []}"), "1:1: ", "expected the number of a result, got []"
    ),
    "negative": Bad(CALL.replace(HOST, HOST + " {irtool.result = -1}"), "1:1: ", "expected one of 1 results, got -1"),
    "out of text": Bad(CALL.replace(HOST, HOST + ' {irtool.out = "x"}'), "1:1: ", 'the number of a result, got "x"'),
    "arena": Bad(CALL.replace(HOST, HOST + " {irtool.arena}"), "1:1: ", "expected scratch memory as a buffer of bytes"),
    "unknown mark": Bad(
        CALL.replace(HOST, HOST + " {irtool.nope}"), "1:1: ", "expected one of irtool.result, irtool.out"
    ),
}


@pytest.mark.parametrize(
    "command",
    [["opt"], ["opt", "--stop-after", "loops"], ["translate"], ["stages"], ["run"], ["run", "--compiled"]],
    ids=" ".join,
)
@pytest.mark.parametrize("name", MODULES)
def test_modules_that_make_no_sense(name: str, command: list[str], tmp_path: Path) -> None:
    path = write(tmp_path, MODULES[name].content)
    check(irtool(*command, path), path, MODULES[name])


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("builtin.module {}", "found none"),
        (CALL.replace(" attributes {irtool.kernel}", ""), "found @f, @g"),
        ("func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32>", "found none"),
        ("%0 = arith.constant 1 : i32", "found none"),
    ],
)
def test_no_function_to_run(content: str, found: str, tmp_path: Path) -> None:
    path = write(tmp_path, content)
    for options in ([], ["--compiled"]):
        check(irtool("run", path, *options), path, Bad("", "", f"expected one function that is no kernel, {found}"))


def test_stages_and_languages_that_there_are_not(tmp_path: Path) -> None:
    path, python = write(tmp_path, GOOD, "step.mlir"), write(tmp_path, "def f(x: 'f32[2]'): return x\n", "f.py")
    known = "unknown stage 'bogus': expected one of hl, kernels, linalg, memref, loops"
    for command in (["opt", path], ["opt", path, "--pipeline", "cpu"], ["stages", path], ["trace", f"{python}:f"]):
        result = irtool(*command, "--stop-after", "bogus")
        assert result.exit_code == 1 and known in result.stderr and result.stdout == ""
    said = irtool("trace", f"{path}:f").stderr
    assert said.startswith(f"{path}:1: error: expected Python, as in FILE.py:FUNCTION: invalid"), said
    for place in ("f.py", ":f", "f.py:"):
        assert f"error: expected FILE.py:FUNCTION, got {place!r}\n" in irtool("trace", place).stderr
    step = package.compile(lambda x: x + 1)
    step(package.ones(2))
    with pytest.raises(ValueError, match="unknown stage 'nope': expected one of traced, hl, kernels, linalg, memref"):
        step.ir("nope")
