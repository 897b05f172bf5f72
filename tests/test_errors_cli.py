"""The command line: bad input gives `file:line:column: error: ...` and exit code 1, never a traceback; levels agree."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner, Result
from irtool.tools.cli import main

GOOD = """\
func.func @f(%x: tensor<4x3xf32>, %y: tensor<4x3xf32>) -> tensor<4xf32> {
  %0 = hl.add %x, %y : tensor<4x3xf32>
  %1 = hl.exp %0 : tensor<4x3xf32>
  %2 = hl.reduce_sum %1 over [1] : tensor<4x3xf32> -> tensor<4xf32>
  func.return %2 : tensor<4xf32>
}
"""

IDENTITY = "func.func @f(%x: TYPE) -> TYPE {\n  func.return %x : TYPE\n}"


class Bad(NamedTuple):
    """A file, and where and how it is wrong."""

    content: str | bytes
    place: str
    message: str


BAD: dict[str, Bad] = {
    "unknown op": Bad(GOOD.replace("hl.exp", "hl.nope"), "3:", "hl.nope is not registered"),
    "unknown dialect": Bad(GOOD.replace("hl.exp", "tosa.exp"), "3:", "tosa.exp"),
    "shapes": Bad(
        GOOD.replace(
            "%x, %y : tensor<4x3xf32>", "%x, %x : tensor<4x3xf32>, tensor<4x3xf32> -> tensor<3x4xf32>"
        ).replace("%0 : tensor<4x3xf32>", "%0 : tensor<3x4xf32> -> tensor<4x3xf32>"),
        "2:3: ",
        "hl.add",
    ),
    "types": Bad(GOOD.replace("hl.add %x, %y : tensor<4x3xf32>", "hl.add %x, %y : tensor<4x3xi64>"), "2:", "type"),
    "cut": Bad(GOOD[: GOOD.index("%2 = hl")], "4:", ""),
    "cut in a type": Bad(GOOD[: GOOD.index("xf32>)")], "1:", ""),
    "string that never ends": Bad(GOOD.replace("func.return", '"func.return'), "5:", ""),
    "binary": Bad(b"func.func @f()\n \xff\x00\x12", "2:2: ", "expected text in UTF-8, got the byte 0xff"),
    "zeros": Bad(b"\0" * 100, "1:", ""),
    "empty": Bad("", "1:1: ", "empty file"),
    "used before": Bad(
        GOOD.replace("hl.add %x, %y", "hl.add %1, %y"), "2:3: ", "hl.add: a value is used before it is defined"
    ),
    "undefined": Bad(GOOD.replace("hl.exp %0", "hl.exp %7"), "", "%7"),
    "returned type": Bad(GOOD.replace("-> tensor<4xf32> {", "-> tensor<5xf32> {"), "5:3: ", "expected [tensor<5xf32>]"),
    "unknown callee": Bad(
        GOOD.replace("hl.exp %0 :", "func.call @g(%0) : (tensor<4x3xf32>) ->"), "3:3: ", "'@g' could not be found"
    ),
    "state of another type": Bad(
        GOOD.replace("%y: tensor<4x3xf32>", "%y: tensor<4x3xf32> {irtool.result = 0 : i64}"),
        "1:1: ",
        "result 0 should have the argument's type tensor<4x3xf32>, got tensor<4xf32>",
    ),
    "state of no result": Bad(
        GOOD.replace("%y: tensor<4x3xf32>", "%y: tensor<4x3xf32> {irtool.result = 3 : i64}"),
        "1:1: ",
        "expected one of 1 results, got 3",
    ),
    "state of text": Bad(
        GOOD.replace("%y: tensor<4x3xf32>", '%y: tensor<4x3xf32> {irtool.result = "a"}'),
        "1:1: ",
        "the number of a result",
    ),
    "deep": Bad(GOOD.replace("4x3xf32", "tensor<" * 3000), "1:", ""),
}

UNLOWERABLE: dict[str, Bad] = {
    "unknown extent": Bad(
        IDENTITY.replace("TYPE", "tensor<?xf32>"), "1:1: ", "expected a static shape, got tensor<?xf32>"
    ),
    "half floats": Bad(IDENTITY.replace("TYPE", "tensor<2xf16>"), "1:1: ", "expected a ranked tensor of f32"),
    "scalars": Bad(IDENTITY.replace("TYPE", "i32"), "1:1: ", "got i32"),
}


def irtool(*arguments: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], input=stdin)


def write(folder: Path, content: str | bytes, name: str = "bad.mlir") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def check(result: Result, path: Path, bad: Bad) -> None:
    assert result.exit_code == 1, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    first = result.stderr.splitlines()[0]
    assert first.startswith(f"{path}:{bad.place}") and "error: " in first, first
    assert re.match(re.escape(str(path)) + r":\d+:\d+: error: \S", first), first
    assert bad.message in first
    assert "Traceback" not in result.stderr and "a fault of irtool's own" not in result.stderr


@pytest.mark.parametrize(
    "command", [["opt"], ["opt", "-p", "simplify", "--verify-each"], ["translate"], ["run"]], ids=" ".join
)
@pytest.mark.parametrize("name", BAD)
def test_malformed_input(name: str, command: list[str], tmp_path: Path) -> None:
    path = write(tmp_path, BAD[name].content)
    check(irtool(*command, path), path, BAD[name])


@pytest.mark.parametrize(
    "command", [["opt", "--pipeline", "cpu"], ["translate"], ["run"], ["run", "--compiled"]], ids=" ".join
)
@pytest.mark.parametrize("name", UNLOWERABLE)
def test_what_cannot_be_lowered(name: str, command: list[str], tmp_path: Path) -> None:
    path = write(tmp_path, UNLOWERABLE[name].content)
    check(irtool(*command, path), path, UNLOWERABLE[name])


BUFFERS = """\
func.func private @k(%x: memref<4xf32>, %o: memref<4xf32> {irtool.out = 0 : i64}) attributes {irtool.kernel} {
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : memref<4xf32>) outs(%o : memref<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  }
  func.return
}
func.func @f(%x: memref<4xf32>, %o: memref<4xf32> {irtool.out = 0 : i64}) {
  func.call @k(%x, %o) : (memref<4xf32>, memref<4xf32>) -> ()
  func.return
}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("4xf32", "?xf32", "argument 0 of @f: expected a buffer of static shape, got memref<?xf32>"),
        (
            "f32",
            "f16",
            "argument 0 of @f: expected a row-major buffer of f32, f64, i64, i32, i8, i1, got memref<4xf16>",
        ),
        ("memref<4xf32>", "memref<4xf32, strided<[2], offset: 4>>", "expected a row-major buffer of"),
        ("4xf32", "400000000000000xf32", "expected at most 2^47 bytes, got memref<400000000000000xf32>"),
        ("= 0 : i64}) {", '= "a"}) {', 'argument 1 of @f: irtool.out: expected the number of a result, got "a"'),
        ("= 0 : i64}) {", "= 1 : i64}) {", "expected one place for each result from 0 on, got [1]"),
        ("@f(%x: memref<4xf32>", "@f(%x: memref<4xf32> {irtool.arena}", "expected scratch memory as a buffer of bytes"),
    ],
)
def test_buffers_that_pointers_cannot_stand_for(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, BUFFERS.replace(old, new))
    result = irtool("run", path)
    assert result.exit_code == 1 and re.match(re.escape(str(path)) + r":9:1: error: ", result.stderr), result.stderr
    assert message in result.stderr


def test_a_program_on_buffers_runs(tmp_path: Path) -> None:
    assert irtool("run", write(tmp_path, BUFFERS)).stdout.startswith("result0: float32[4]\n")
    without_marks = write(
        tmp_path,
        BUFFERS.replace(
            "@f(%x: memref<4xf32>, %o: memref<4xf32> {irtool.out = 0 : i64})",
            "@f(%x: memref<4xf32>, %o: memref<4xf32>)",
        ),
    )
    assert irtool("run", without_marks).exit_code == 0, "two arguments that are read and written, no result"


HUGE = """\
func.func @f(%x: tensor<Nxf32>) -> tensor<Nxf32> {
  %0 = hl.exp %x : tensor<Nxf32>
  func.return %0 : tensor<Nxf32>
}
"""


def test_absurd_sizes(tmp_path: Path) -> None:
    """More than this machine has: the lowering goes through, running says what is missing. More than any: an error."""
    path = write(tmp_path, HUGE.replace("N", str(1 << 44)))
    assert irtool("translate", path).exit_code == 0
    for options in ([], ["--compiled"]):
        result = irtool("run", path, *options)
        assert result.exit_code == 1 and f"{path}:1:1: error: Unable to allocate" in result.stderr
    for size in (str(1 << 46), "9" * 20 + "x" + "9" * 20, "9" * 400):
        path = write(tmp_path, HUGE.replace("N", size))
        for command in (["opt"], ["translate"], ["run"], ["run", "--compiled"]):
            result = irtool(*command, path)
            assert result.exit_code == 1 and f"{path}:2:3: error: hl.exp: expected at most 2^47 bytes" in result.stderr


def test_locations_show_lines_of_sources_only(tmp_path: Path) -> None:
    """A location is part of the input: an error at one must not print any file that it names."""
    (tmp_path / "secret.txt").write_text("the password\n")
    (tmp_path / "model.py").write_text("y = x.exp()\n")
    for name, shown in (("secret.txt", "the password"), ("model.py", "y = x.exp()")):
        bad = f'  %bad = hl.exp %0 : tensor<4x3xf32> -> tensor<3x4xf32> loc("{tmp_path / name}":1:1)\n'
        text = GOOD.replace("  func.return", bad + "  func.return")
        result = irtool("opt", write(tmp_path, text))
        assert result.exit_code == 1 and f"{tmp_path / name}:1:1: error: hl.exp" in result.stderr
        assert (shown in result.stderr) == name.endswith(".py")


def test_any_cut_of_a_good_file_is_an_error(tmp_path: Path) -> None:
    for length in range(0, len(GOOD) - 2, 23):
        path = write(tmp_path, GOOD[:length])
        check(irtool("opt", path), path, Bad("", "", ""))


@pytest.mark.parametrize("command", ["opt", "translate", "run"])
def test_no_file(command: str, tmp_path: Path) -> None:
    missing = irtool(command, tmp_path / "missing.mlir")
    assert missing.exit_code == 1 and f"{tmp_path / 'missing.mlir'}: error: No such file" in missing.stderr
    folder = irtool(command, tmp_path)
    assert folder.exit_code == 1 and f"{tmp_path}: error: Is a directory" in folder.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "nope"], "unknown pass 'nope'"),
        (["-p", "simplfy"], "did you mean 'simplify'?"),
        (
            ["-p", "split-reductions{part=3}"],
            "pass 'split-reductions' has no option 'part'; it has: chunk, chunks, many_results, min_work",
        ),
        (["-p", "split-reductions{chunks"], "cannot read passes from"),
        (["--pipeline", "tpu"], "unknown pipeline 'tpu': expected one of cpu"),
        (["--stop-after", "nowhere"], "unknown stage 'nowhere': expected one of hl, kernels, linalg, memref, loops"),
        (["--target", "z80"], "unknown target 'z80'"),
    ],
)
def test_bad_options(arguments: list[str], message: str, tmp_path: Path) -> None:
    result = irtool("opt", write(tmp_path, GOOD), *arguments)
    assert result.exit_code == 1 and message in result.stderr and "error: " in result.stderr and result.stdout == ""


def test_errors_of_a_part_name_the_line_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + "// -----\n" + BAD["unknown op"].content + "// -----\n" + GOOD)  # type: ignore[operator]
    result = irtool("opt", path, "--split-input-file")
    assert result.exit_code == 1
    assert f"{path}:{GOOD.count(chr(10)) + 4}:" in result.stderr
    assert result.stdout.count("func.func @f") == 2


def test_a_failed_command_leaves_the_output_alone(tmp_path: Path) -> None:
    good, bad, output = write(tmp_path, GOOD, "good.mlir"), write(tmp_path, GOOD[:80]), tmp_path / "out.mlir"
    assert irtool("opt", good, "-o", output).exit_code == 0
    kept = output.read_text()
    assert irtool("opt", bad, "-o", output).exit_code == 1
    assert irtool("opt", bad, "--split-input-file", "-o", output).exit_code == 1
    assert output.read_text() == kept and "hl.exp" in kept


def test_stdin() -> None:
    assert "hl.exp" in irtool("opt", "-", stdin=GOOD).stdout
    assert irtool("opt", "-", stdin=GOOD[:50]).stderr.startswith("<stdin>:1:")


def test_ir_after_every_pass_goes_to_stderr(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    result = irtool("opt", path, "--stop-after", "kernels", "--print-ir-after-all", "--timing")
    assert "// IR after group" in result.stderr and " ms  merge-kernels" in result.stderr
    assert "// IR after" not in result.stdout and "func.call" in result.stdout
    assert result.stderr.count("func.func @f") == result.stderr.count("// IR after") > 3


# Running


def outputs(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_level_gives_the_same_numbers(tmp_path: Path) -> None:
    path, saved = write(tmp_path, GOOD, "good.mlir"), tmp_path / "out.npz"
    outputs(irtool("run", path, "-o", saved))
    wanted = np.load(saved)["result0"]
    assert wanted.shape == (4,)
    for stage in ("hl", "kernels", "linalg", "memref", "loops"):
        lowered = tmp_path / f"{stage}.mlir"
        outputs(irtool("opt", path, "--stop-after", stage, "-o", lowered))
        for threads in (1, 2):
            outputs(irtool("run", lowered, "--compiled", "--threads", threads, "-o", saved))
            np.testing.assert_allclose(np.load(saved)["result0"], wanted, rtol=1e-6)


def test_arguments_from_a_file(tmp_path: Path) -> None:
    path, inputs, saved = write(tmp_path, GOOD), tmp_path / "in.npz", tmp_path / "out.npz"
    x, y = np.zeros((4, 3), np.float32), np.ones((4, 3), np.float32)
    np.savez(inputs, x=x, arg1=y)
    outputs(irtool("run", path, "-i", inputs, "-o", saved))
    np.testing.assert_allclose(np.load(saved)["result0"], np.exp(x + y).sum(1), rtol=1e-6)
    for given, message in (
        ({"x": x}, "no array for argument 1, %y"),
        ({"x": x, "y": y[:2]}, "for %y, got float32[2, 3]"),
        ({"x": x, "y": y.astype(np.float64)}, "for %y, got float64[4, 3]"),
        ({"x": x, "y": y, "z": y}, "z match no argument; the arguments are x, y"),
    ):
        np.savez(inputs, **given)  # type: ignore[arg-type]
        result = irtool("run", path, "-i", inputs)
        assert result.exit_code == 1 and message in result.stderr
    inputs.write_bytes(b"no archive")
    result = irtool("run", path, "-i", inputs)
    assert result.exit_code == 1 and "error: " in result.stderr


def test_translated_c_compiles_and_runs_alone(tmp_path: Path) -> None:
    source = tmp_path / "all.c"
    outputs(irtool("translate", "--to", "c", write(tmp_path, GOOD), "-o", source))
    driver = """
#include <stdio.h>
#include <stdlib.h>
void {entry}(void **buffers, char *arena, char *workspace, int threads, int flush);
int main(void)
{{
    float *x = aligned_alloc(64, 64), *y = aligned_alloc(64, 64), *out = aligned_alloc(64, 64);
    void *buffers[] = {{x, y, out}};
    for (int i = 0; i < 12; i++) {{ x[i] = (float)i; y[i] = (float)-i; }}
    {entry}(buffers, aligned_alloc(64, 65536), aligned_alloc(64, 65536), 2, 1);
    printf("%g %g %g %g", out[0], out[1], out[2], out[3]);
}}
"""
    entry = re.findall(r"^(?:__attribute__.*\n)?void (\w+)\(void \*\*buffers", source.read_text(), re.MULTILINE)[-1]
    (tmp_path / "main.c").write_text(driver.format(entry=entry))
    compiler = [*os.environ.get("CC", "cc").split(), "-O1", "-march=native", "-fopenmp", "-std=gnu11"]
    program = tmp_path / "program"
    subprocess.run([*compiler, source, tmp_path / "main.c", "-o", program, "-lm"], check=True)
    assert subprocess.run([program], check=True, capture_output=True, text=True).stdout == "3 3 3 3"


def test_doctor_without_a_gpu() -> None:
    """What only some targets need is no error: `make test-clang` asks by the exit status whether C can be compiled."""
    command = [sys.executable, "-c", "from irtool.tools.cli import main; main()", "doctor"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0 and result.stderr == "" and "\ncompiler   " in result.stdout


def test_doctor_without_a_compiler(tmp_path: Path) -> None:
    environment = {**os.environ, "CC": str(tmp_path / "nonexistent"), "IRTOOL_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", "from irtool.tools.cli import main; main()", "doctor"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 1 and "compiler   none: " in result.stdout and "nonexistent" in result.stdout
    assert result.stderr == "" and "cache      " in result.stdout


def test_doctor_with_apples_compiler(tmp_path: Path) -> None:
    """It says what to install, and so does whatever is to be compiled."""
    compiler = tmp_path / "clang"
    compiler.write_text(
        '#!/bin/sh\ncase "$*" in *fopenmp*) echo "unsupported option \'-fopenmp\'" >&2; exit 1;; esac\n'
        "case \"$*\" in *' -dM '*) echo '#define __STDC__ 1'; echo '#define __apple_build_version__ 1';; esac\n"
        'case "$*" in *-shared*) while [ "$1" != -o ]; do shift; done; : > "$2";; esac\n'
    )
    compiler.chmod(0o755)
    environment = {**os.environ, "CC": str(compiler), "IRTOOL_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", "from irtool.tools.cli import main; main()"]
    result = subprocess.run([*command, "doctor"], env=environment, capture_output=True, text=True)
    assert result.returncode == 1 and "`brew install libomp`" in result.stdout and result.stderr == ""
    run = [*command, "run", str(write(tmp_path, GOOD)), "--compiled"]
    result = subprocess.run(run, env=environment, capture_output=True, text=True)
    assert result.returncode == 1 and "error: " in result.stderr and "`brew install libomp`" in result.stderr


def test_a_cache_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    environment = {**os.environ, "IRTOOL_CACHE_DIR": "~nobody-of-this-name/x"}
    command = [sys.executable, "-c", "from irtool.tools.cli import main; main()", "doctor"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stderr
    assert said.startswith(
        "warning: the cache folder cannot be used (IRTOOL_CACHE_DIR=~nobody-of-this-name/x names a user"
    )
    assert said.count("\n") == 1


def test_running_without_a_compiler(tmp_path: Path) -> None:
    environment = {**os.environ, "CC": str(tmp_path / "nonexistent"), "IRTOOL_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", "from irtool.tools.cli import main; main()", "run", str(write(tmp_path, GOOD))]
    assert subprocess.run(command, env=environment, capture_output=True).returncode == 0, "hl needs none"
    result = subprocess.run([*command, "--compiled"], env=environment, capture_output=True, text=True)
    assert result.returncode == 1 and "error: " in result.stderr and "nonexistent" in result.stderr
    assert "Traceback" not in result.stderr
