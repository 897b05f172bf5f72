"""Builds programs with a sanitizer and runs them outside of Python, in a process of their own.

The C is what irtool.compile makes, file by file. Buffers have the very size that the plan says, and
what they are padded to elsewhere is out of bounds here; so are the bytes between the intermediates in the arena.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from irtool.codegen import vector_primitives
from irtool.dialects.types import dtype_by_name
from irtool.passes.memref import plan_memory
from irtool.passes.target import TARGETS
from irtool.runtime.c_compiler import FLAGS, Compiler, ToolchainError, probe
from irtool.runtime.cache import get_cache
from irtool.runtime.cpu import CPU
from irtool.runtime.toolchain import compile_objects
from xdsl.dialects.builtin import ModuleOp

from ..sharing import share_all

Array = np.ndarray[Any, Any]
Edit = Callable[[str, str], str]
"""The C of a file, changed."""
DRIVER = Path(__file__).parent / "driver.c"
TIMEOUT = 120
REDZONE = 64


@dataclass(frozen=True, eq=False)
class Sanitizer:
    """One of clang's sanitizers, and how programs are made for it."""

    name: str
    flags: tuple[str, ...]
    environment: Mapping[str, str]
    patches: Callable[[pytest.MonkeyPatch], None]


def for_address(patch: pytest.MonkeyPatch) -> None:
    """No two intermediates share bytes, and there is room between them that none may touch."""

    def apart(buffers: Sequence[plan_memory.PlannedBuffer]) -> int:
        end = 0
        for buffer in buffers:
            buffer.offset = end
            end += -(-(buffer.size + REDZONE) // plan_memory.ALIGNMENT) * plan_memory.ALIGNMENT
        return end

    patch.setattr(plan_memory, "place", apart)


def for_threads(patch: pytest.MonkeyPatch) -> None:
    """Small work is shared too; and as ThreadSanitizer looks at accesses of at most 16 bytes, vectors are moved lane by
    lane: no flag of the machine's, so masked moves are loops as well."""
    share_all(patch)
    patch.setattr(CPU, "machine", lambda self: TARGETS["generic"])

    def load(v: vector_primitives.Vector) -> str:
        return v.lanewise(f"load_{v.name}", f"const {v.type} *p", "p[i]")

    def store(v: vector_primitives.Vector) -> str:
        head = f"static inline void store_{v.name}({v.type} *p, {v.name} x)"
        return f"{head}\n{{\n    {vector_primitives.each_lane(v)}\n        p[i] = x[i];\n}}"

    patch.setitem(vector_primitives.VECTORS, "load", load)
    patch.setitem(vector_primitives.VECTORS, "store", store)


ADDRESS = Sanitizer(
    "address",
    # A float that no integer stands for becomes what the machine makes of it, as in PyTorch.
    ("-march=native", "-fsanitize=address,undefined", "-fno-sanitize=float-cast-overflow", "-fno-sanitize-recover=all"),
    {"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"},
    for_address,
)
THREADS = Sanitizer(
    "threads",
    ("-fsanitize=thread",),
    {"TSAN_OPTIONS": "ignore_noninstrumented_modules=1 halt_on_error=1", "KMP_BLOCKTIME": "1"},
    for_threads,
)


@contextmanager
def patched(sanitizer: Sanitizer) -> Iterator[None]:
    """Programs are made for the sanitizer, not for speed. C that another sanitizer needs must not be taken for it."""
    from irtool.codegen import primitives

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(primitives, "_cache", {})
        sanitizer.patches(patch)
        yield


@functools.cache
def clang() -> Compiler:
    """The compiler; skips the test where there is none."""
    path = shutil.which("clang")
    try:
        if path is not None:
            return probe((path,))
    except ToolchainError as error:
        pytest.skip(f"the sanitizers need clang with OpenMP: {error}")
    pytest.skip("the sanitizers need clang, which is not installed")


@functools.cache
def sanitizing(sanitizer: Sanitizer) -> Compiler:
    """clang, with the sanitizer's flags."""
    compiler = clang()
    flags = tuple(flag for flag in FLAGS if flag != "-O2")
    return replace(compiler, flags=("-O1", "-g", *flags, "-fopenmp", "-Wno-psabi", *sanitizer.flags))


@functools.cache
def driver(sanitizer: Sanitizer) -> Path:
    """The program that runs all others."""
    compiler = sanitizing(sanitizer)
    folder = tempfile.mkdtemp(prefix="irtool-sanitize-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder, "driver")
    compiler.run([*compiler.flags, "-o", str(path), str(DRIVER), "-ldl", *compiler.link], output=path)
    return path


@functools.cache
def _archer() -> str:
    """libomp's companion, without which ThreadSanitizer does not see who waits for whom."""
    said = subprocess.run([*clang().command, "-print-resource-dir"], capture_output=True, text=True).stdout.strip()
    folders = [Path(said).parents[1], *(Path(said).parents[2] / name for name in ("lib", "lib64"))]
    found = next((folder / "libarcher.so" for folder in folders if (folder / "libarcher.so").is_file()), None)
    if found is None:
        pytest.skip("ThreadSanitizer needs libarcher.so, which comes with clang's OpenMP library")
    return str(found)


def check(
    sanitizer: Sanitizer,
    module: ModuleOp,
    arrays: Sequence[Array],
    threads: int,
    edit: Edit = lambda name, source: source,
) -> None:
    """Compiles and runs a module; fails with the report if there is one. `edit(name, C)` changes files first."""
    with patched(sanitizer):
        translation = CPU().translate(module)
    sources = {name: edit(name, source) for name, source in translation.sources.items()}
    compiler = sanitizing(sanitizer)
    objects = compile_objects(sources, compiler, get_cache())
    with tempfile.TemporaryDirectory(prefix="irtool-sanitize-") as folder:
        program = Path(folder, "program.so")
        compiler.run([*sanitizer.flags, "-shared", "-o", str(program), *map(str, objects), *compiler.link, "-lm"])
        report = run(sanitizer, program, translation.plan, arrays, threads, Path(folder, "case"))
    if report is not None:
        kept = "\n".join(f"  {path.with_suffix('.c')}" for path in objects)
        pytest.fail(f"{report}\n\nThe C is kept in\n{kept}", pytrace=False)


def run(
    sanitizer: Sanitizer, program: Path, made: Mapping[str, Any], arrays: Sequence[Array], threads: int, case: Path
) -> str | None:
    """What the sanitizer has to say of a program, if anything. Buffers for results hold no sensible numbers first."""
    results = [r for r in made["results"] if "buffer" in r]
    contents = [array.tobytes() for array in arrays]
    contents += [b"\xab" * (int(np.prod(r["shape"])) * dtype_by_name(r["dtype"]).itemsize) for r in results]
    arena = made["memory"]
    lines = [
        f"{program} {made['entry']} {threads}",
        f"{made['arena']} {made['workspace']}",
        f"{len(arena)} " + " ".join(f"{b['offset']} {b['bytes']}" for b in arena),
        f"{len(contents)} " + " ".join(str(len(c)) for c in contents),
    ]
    case.write_text("\n".join(lines) + "\n")
    Path(f"{case}.data").write_bytes(b"".join(contents))
    environment = {**os.environ, **sanitizer.environment}
    if sanitizer is THREADS:
        environment["OMP_TOOL_LIBRARIES"] = _archer()
    done = subprocess.run(
        [driver(sanitizer), case], env=environment, capture_output=True, text=True, errors="replace", timeout=TIMEOUT
    )
    return done.stderr if done.returncode != 0 or done.stderr else None
