"""Finding the C compiler, and what happens without one or with one that fails."""

from __future__ import annotations

import gc
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from irtool.dialects.text import parse_module
from irtool.passes.target import TARGETS, Target
from irtool.runtime import c_compiler, toolchain
from irtool.runtime.cache import Cache
from irtool.runtime.compiler import compile_module
from irtool.runtime.target import cache_sizes, detect_target
from irtool.runtime.toolchain import (
    Ahead,
    ToolchainError,
    compile_object,
    compile_objects,
    find_compiler,
    without_comments,
)

SOURCE = "// train.py:3\nint answer(void)\n{\n    return 42;\n}\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("IRTOOL_CACHE_DIR", str(tmp_path / "cache"))
    toolchain.forget_compilers()
    return Cache(tmp_path / "cache")


def script(folder: Path, name: str, text: str) -> Path:
    """An executable in a folder."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_compiler_is_found_and_remembered(cache: Cache, monkeypatch: pytest.MonkeyPatch):
    compiler = find_compiler()
    assert compiler.version and compiler.machine
    assert list((cache.root / "compilers").iterdir())
    toolchain.forget_compilers()
    monkeypatch.setattr(c_compiler, "run_command", lambda *_: pytest.fail("a known compiler is not run again"))
    assert find_compiler() == compiler


def test_no_compiler_says_what_to_install(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError, match=r"(?s)Install gcc.*Eager mode.*gcc: not found.*clang: not found"):
        find_compiler()


def test_cc_is_obeyed(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = find_compiler().command[0]
    wrapper = script(tmp_path / "bin", "mycc", f'exec {real} "$@"\n')
    monkeypatch.setenv("CC", f"{wrapper} -DEXTRA")
    assert find_compiler().command == (str(wrapper), "-DEXTRA")
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(ToolchainError, match="CC=no-such-compiler is set"):
        find_compiler()
    monkeypatch.setenv("CC", 'gcc "-O1')
    with pytest.raises(ToolchainError, match="cannot be read as a command: No closing quotation"):
        find_compiler()


@pytest.mark.parametrize(
    ("cc", "reason"),
    [
        ("true", "true: asked for its macros, it says nothing"),
        ("false --version", "false: asked for its macros, it says exit code 1"),
        ("echo", "echo: asked for its macros, it says nothing"),
        ("/", "/: not found"),
        ("gcc --nonsense", "--nonsense'"),
    ],
)
def test_a_cc_that_is_no_compiler_is_told_in_one_sentence(
    cc: str, reason: str, cache: Cache, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CC", cc)
    with pytest.raises(ToolchainError) as failure:
        find_compiler()
    said = str(failure.value)
    assert said.startswith(f"CC={cc} is set, but does not work as a C compiler with OpenMP (") and reason in said
    assert said.endswith("): unset it or name one that does; eager mode, without irtool.compile, needs none")
    assert "\n" not in said


def test_a_compiler_that_makes_nothing(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """But answers all questions."""
    real = find_compiler().command[0]
    lazy = script(tmp_path / "bin", "lazy", f'case "$*" in *" -o "*) exit 0;; esac\nexec {real} "$@"\n')
    monkeypatch.setenv("CC", str(lazy))
    with pytest.raises(ToolchainError, match="the C compiler made no file"):
        find_compiler()


def test_a_compiler_without_openmp_is_not_chosen(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = find_compiler().command[0]
    refuse = 'case "$*" in *-fopenmp*) echo "unsupported option -fopenmp" >&2; exit 1;; esac\n'
    script(tmp_path / "bin", "gcc", f'{refuse}exec {real} "$@"\n')
    script(tmp_path / "bin", "clang", f'exec {real} "$@"\n')
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin") + os.pathsep + os.environ["PATH"])
    assert find_compiler().command == (str(tmp_path / "bin" / "clang"),)


def test_flags_that_a_compiler_does_not_know_are_left_out(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One that refuses some, as gcc does, and warns of another, as clang may."""
    real = find_compiler().command[0]
    unknown = "-Wno-psabi", "-fira-region=one", "-mprefer-vector-width=512"
    refuse = "".join(f'case "$*" in *{f}*) echo "unknown argument {f}" >&2; exit 1;; esac\n' for f in unknown)
    refuse += 'case "$*" in *-Werror*-fno-gcse*) echo "-fno-gcse is not supported" >&2; exit 1;; esac\n'
    monkeypatch.setenv("CC", str(script(tmp_path / "bin", "old", f'{refuse}exec {real} "$@"\n')))
    compiler = find_compiler()
    assert not {*unknown, "-fno-gcse"} & {*compiler.flags}
    assert {*c_compiler.FLAGS, "-march=native"} < {*compiler.flags}
    assert ("-fvect-cost-model=dynamic" in compiler.flags) == (compiler.kind == "gcc")
    assert compile_object(SOURCE, "answer.c", compiler, cache).is_file()


def test_a_compiler_that_always_warns_keeps_its_flags(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = find_compiler()
    warn = 'case "$*" in *-Werror*) exit 1;; esac\n'
    monkeypatch.setenv("CC", str(script(tmp_path / "bin", "warns", f'{warn}exec {real.command[0]} "$@"\n')))
    assert find_compiler().flags == real.flags


def test_a_semantic_flag_is_never_left_out(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = find_compiler().command[0]
    refuse = 'case "$*" in *-fwrapv*) echo "unknown argument -fwrapv" >&2; exit 1;; esac\n'
    monkeypatch.setenv("CC", str(script(tmp_path / "bin", "other", f'{refuse}exec {real} "$@"\n')))
    with pytest.raises(ToolchainError, match="unknown argument -fwrapv"):
        find_compiler()


def test_a_library_that_does_not_load(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = find_compiler().command[0]
    broken = 'case "$*" in *-fopenmp*) while [ "$1" != -o ]; do shift; done; echo no library > "$2"; exit 0;; esac\n'
    monkeypatch.setenv("CC", str(script(tmp_path / "bin", "broken", f'{broken}exec {real} "$@"\n')))
    with pytest.raises(ToolchainError, match=r"(?s)not with OpenMP.*probe\.so"):
        find_compiler()


APPLE = """\
for argument in "$@"; do
  case "$before $argument" in
    "-Xclang -fopenmp") openmp=-fopenmp;;
    *" -fopenmp") echo "clang: error: unsupported option '-fopenmp'" >&2; exit 1;;
    *" -lomp") [ -n "$library" ] || { echo "ld: library 'omp' not found" >&2; exit 1; }; openmp=-fopenmp;;
    *" -L"*) library=yes;;
  esac
  before=$argument
done
case "$*" in *" -dM "*) echo '#define __apple_build_version__ 15000309'; echo '#define __clang__ 1';; esac
for argument in "$@"; do
  shift
  case $argument in -Xclang|-fopenmp|-lomp|-Wl,-rpath,*) ;; *) set -- "$@" "$argument";; esac
done
exec REAL "$@" $openmp
"""
"""What Apple's driver takes and refuses, by another compiler."""


def test_apple_clang(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It has no OpenMP of its own: what to install is said, and then found, or named in CC."""
    real = find_compiler()
    apple = script(tmp_path / "bin", "apple", APPLE.replace("REAL", real.command[0]))
    monkeypatch.setenv("CC", str(apple))
    with pytest.raises(
        ToolchainError, match=r"(?s)not with OpenMP.*`brew install libomp`.*CC='clang -L/.*'omp' not found"
    ):
        find_compiler()
    monkeypatch.setenv("CC", f"{apple} -L{tmp_path}")
    assert find_compiler().link == ("-lomp",)
    kind = c_compiler.KINDS[0]
    installed = c_compiler.OpenMP(kind.openmp[1].compile, (f"-L{tmp_path}", "-lomp"), str(tmp_path))
    monkeypatch.setattr(c_compiler, "KINDS", (replace(kind, openmp=(kind.openmp[0], installed)),))
    monkeypatch.setenv("CC", str(apple))
    compiler = find_compiler()
    assert compiler.kind == "Apple clang" and compiler.flags[-2:] == ("-Xclang", "-fopenmp")
    assert compiler.link == (f"-L{tmp_path}", "-lomp")
    entry = toolchain.build_program("0" * 32, {"answer.c": SOURCE}, {"entry": "answer", "buffers": 0}, cache)
    assert entry.shared_object.is_file()


def test_clang_without_its_openmp_library(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = find_compiler().command[0]
    refuse = 'case "$*" in *-fopenmp*) echo "cannot find -lomp" >&2; exit 1;; esac\n'
    macros = "case \"$*\" in *' -dM '*) echo '#define __clang__ 1';; esac\n"
    monkeypatch.setenv("CC", str(script(tmp_path / "bin", "clang", f'{refuse}{macros}exec {real} "$@"\n')))
    with pytest.raises(ToolchainError, match=r"(?s)`apt install libomp-dev`.*cannot find -lomp"):
        find_compiler()


def test_a_failing_compiler_is_quoted(cache: Cache):
    with pytest.raises(ToolchainError) as failure:
        compile_object("int broken(void) { return missing; }\n", "broken.c", find_compiler(), cache)
    message = str(failure.value)
    assert "missing" in message and " -c -o " in message
    kept = Path(message.rsplit("The source is kept in ", 1)[1])
    assert "return missing" in kept.read_text()
    assert not [p for p in cache.objects.iterdir() if p.suffix != ".c"]


def test_a_compiler_that_crashes_or_vanishes(cache: Cache, tmp_path: Path):
    compiler = find_compiler()
    crash = script(tmp_path / "bin", "crash", "kill -9 $$\n")
    with pytest.raises(ToolchainError, match="exit code -9"):
        replace(compiler, command=(str(crash),)).run(["-c"])
    crash.unlink()
    with pytest.raises(ToolchainError, match="cannot run the C compiler"):
        replace(compiler, command=(str(crash),)).run(["-c"])


def test_objects_are_compiled_once_and_comments_do_not_count(cache: Cache, monkeypatch: pytest.MonkeyPatch):
    compiler = find_compiler()
    path = compile_object(SOURCE, "answer.c", compiler, cache)
    monkeypatch.setattr(c_compiler, "run_command", lambda *_: pytest.fail("compiled again"))
    assert compile_object(SOURCE.replace("train.py:3", "train.py:4"), "answer.c", compiler, cache) == path
    assert without_comments(SOURCE).startswith("int answer")


def test_many_objects_at_once(cache: Cache):
    sources = {f"f{i}.c": f"int f{i}(void) {{ return {i}; }}\n" for i in range(6)}
    objects = compile_objects(sources, find_compiler(), cache)
    assert len(set(objects)) == 6 and all(o.is_file() for o in objects)


def test_a_broken_unit_among_good_ones(cache: Cache):
    sources = {f"f{i}.c": f"int f{i}(void) {{ return {i}; }}\n" for i in range(4)} | {"bad.c": "int bad(\n"}
    with pytest.raises(ToolchainError, match="exit code 1"):
        compile_objects(sources, find_compiler(), cache)
    assert not [p for p in cache.objects.iterdir() if p.name.startswith(".tmp")]


def test_units_made_ahead_are_found(cache: Cache, monkeypatch: pytest.MonkeyPatch):
    with Ahead(find_compiler(), cache) as ahead:
        ahead.compile("answer.c", SOURCE)
    with pytest.raises(ToolchainError, match="exit code 1"), Ahead(find_compiler(), cache) as ahead:
        ahead.compile("bad.c", "int bad(\n")
    monkeypatch.setattr(c_compiler, "run_command", lambda *_: pytest.fail("compiled again"))
    assert compile_objects({"answer.c": SOURCE}, find_compiler(), cache)[0].is_file()


def test_nothing_is_made_ahead_after_an_error(cache: Cache, monkeypatch: pytest.MonkeyPatch):
    started: list[str] = []
    hold = threading.Event()

    def compile_slowly(source: str, name: str, *_: object) -> None:
        started.append(name)
        hold.wait(10)

    monkeypatch.setattr(toolchain, "compile_object", compile_slowly)
    monkeypatch.setattr(toolchain, "available_cores", lambda: 1)
    with pytest.raises(ValueError, match="lowering"), Ahead(find_compiler(), cache) as ahead:
        for name in ("first.c", "second.c"):
            ahead.compile(name, "")
        threading.Timer(0.05, hold.set).start()
        raise ValueError("lowering failed")
    assert started == ["first.c"]


def test_the_collector_is_as_it_was_once_the_last_thread_has_compiled(cache: Cache, monkeypatch: pytest.MonkeyPatch):
    seen: list[tuple[int, int, int]] = []
    all_inside = threading.Barrier(2)

    def translate(*_: object, **__: object) -> None:
        all_inside.wait(timeout=10)
        if threading.current_thread() is later:
            earlier.join(timeout=10)
        seen.append(gc.get_threshold())
        raise ValueError("lowering failed")

    def run() -> None:
        with pytest.raises(ValueError, match="lowering"):
            compile_module(module)

    monkeypatch.setattr("irtool.runtime.cpu.CPU.translate", translate)
    module = parse_module("func.func @f(%x: tensor<f32>) -> tensor<f32> { func.return %x : tensor<f32> }")
    before = gc.get_threshold()
    earlier, later = threading.Thread(target=run), threading.Thread(target=run)
    for thread in (earlier, later):
        thread.start()
    for thread in (earlier, later):
        thread.join(timeout=20)
    assert gc.get_threshold() == before
    assert len(seen) == 2 and all(first > before[0] for first, *_ in seen)


def test_targets():
    assert TARGETS["avx512"].lanes == 16
    assert Target().options() == {"vector_bits": 128, "registers": 16, "l1": 32768, "l2": 262144, "cores": 2}
    assert detect_target().vector_bits in (128, 256, 512)


def test_cache_sizes(tmp_path: Path):
    for index, (level, kind, size) in enumerate(((1, "Data", "48K"), (1, "Instruction", "32K"), (2, "Unified", "1M"))):
        folder = tmp_path / f"index{index}"
        folder.mkdir()
        for name, value in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(f"{value}\n")
    assert cache_sizes(tmp_path) == {1: 48 * 1024, 2: 1024 * 1024}
    assert cache_sizes(tmp_path / "none") == {}
    (tmp_path / "index0" / "size").write_text("many\n")
    assert cache_sizes(tmp_path) == {}
