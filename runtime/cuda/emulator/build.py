"""From CUDA C to a library that runs it on the CPU: kernels and the emulator's parts, each compiled once and kept."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ....codegen.cuda.cuda import Kernel
from ....codegen.cuda.header import with_header
from ...c_compiler import Compiler, ToolchainError
from ...cache import Cache, CacheEntry, get_cache
from ...threads import available_cores
from ...toolchain import Ahead, find_compiler

FOLDER = Path(__file__).resolve().parent
PARTS = ("memory", "checks", "copies", "fibers", "launch")

FLAGS = (
    "-x", "c++", "-std=c++17", "-nostdinc++", "-fPIC", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti", "-fwrapv",
    "-fno-strict-aliasing", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off",
)  # fmt: skip
"""Of both. Multiplications and additions are not fused, so that results are the same on every machine."""
VARIANTS = {"checked": ("-O1", "-fsanitize=thread,bounds"), "plain": ("-O1",)}
"""Of kernels: with a call before each access to memory, and where an index leaves an array in C; and without."""
LARGEST_FILE = 40_000
"""Characters of kernels that share a file."""

_SHARED = re.compile(r"^( *(?:__shared__ .*?(\w+)(?:\[\d+\])*|[\w ]+\(&(\w+)\).*\(team_memory.*\));)$", re.MULTILINE)


def emulated_text(kernels: Iterable[Kernel], variant: str) -> str:
    """A file of kernels for the emulator, which is told of each shared array, its bounds and its name."""
    text = ""
    for kernel in kernels:
        body = kernel.function.replace('extern "C" ', "", 1).replace(
            "extern __shared__ __align__(16) char team_memory[];", "char *const team_memory = emulated_team_memory;"
        )
        text += f'#line 1 "{kernel.name}"\n{_SHARED.sub(_announce, body)}EMULATED_KERNEL({variant}, {kernel.name})\n'
    return part("kernels.h") + with_header(text, emulated=True)


def _announce(found: re.Match[str]) -> str:
    return f"{found[1]} SHARED_ARRAY({found[2] or found[3]});"


@cache
def part(name: str) -> str:
    """The text of one of the emulator's own files."""
    text = (FOLDER / name).read_text().replace("#pragma once\n", "")
    return text.replace('#include "emulator.h"\n', part("emulator.h")) if name.endswith(".cpp") else text


def files_of(kernels: Iterable[Kernel], variant: str) -> dict[str, str]:
    """The files of a program: as few as keep all cores at work."""
    kernels = list(kernels)
    total = sum(len(kernel.body) for kernel in kernels)
    enough = min(LARGEST_FILE, total // available_cores() + 1)
    files: dict[str, str] = {}
    group: list[Kernel] = []
    for kernel in kernels:
        group.append(kernel)
        if sum(len(k.body) for k in group) >= enough or kernel is kernels[-1]:
            files[f"{group[0].name}.{variant}.cu"] = emulated_text(group, variant)
            group = []
    return files


def compiler(*flags: str) -> Compiler:
    """The C compiler, told to read C++."""
    return replace(find_compiler(), flags=(*FLAGS, *flags), link=())


def compile_all(groups: list[tuple[dict[str, str], Compiler]], cache: Cache) -> list[Path]:
    """The objects of all files, each compiled by the compiler of its group, at the same time."""
    with ExitStack() as stack:
        started = [(stack.enter_context(Ahead(found, cache)), files) for files, found in groups]
        for ahead, files in started:
            for name, text in files.items():
                ahead.compile(name, text)
    return [ahead.objects[name] for ahead, files in started for name in files]


def build_emulated(key: str, kernels: Iterable[Kernel], plan: dict[str, Any], cache: Cache | None = None) -> CacheEntry:
    """Compiles and links kernels with the emulator as the program with this key, unless somebody else just has."""
    cache = cache or get_cache()
    kernels = list(kernels)
    sources = {variant: files_of(kernels, variant) for variant in VARIANTS}
    own = {f"{name}.cpp": part(f"{name}.cpp") for name in PARTS}
    with cache.lock(key):
        if (found := cache.program(key)) is not None:
            return found
        try:
            objects = compile_all(
                [(own, compiler("-O2")), *((sources[v], compiler(*flags)) for v, flags in VARIANTS.items())], cache
            )
        except ToolchainError as error:
            if "cc1plus" in str(error) or "math.h" in str(error):
                raise ToolchainError(f"the emulator of CUDA needs a C++ compiler (g++ or clang++).\n{error}") from error
            raise

        def link_to(path: Path) -> None:
            compiler().run(["-shared", "-o", str(path), *map(str, objects), "-lm"], output=path)

        return cache.add_program(
            key, plan, {k: text for files in sources.values() for k, text in files.items()}, link_to
        )
