"""The C compiler: found, probed once, run in parallel.

A compiler is taken only if it builds a small OpenMP library with our flags; what it told is kept in the cache folder,
so that later processes start without running it.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from queue import PriorityQueue
from typing import Any

from .cache import Cache, Entry, content_key, get_cache
from .threads import available_cores

# Signed overflow wraps, buffers may be seen under several types, multiply-add may be fused. No -ffast-math: NaN and
# infinity mean what they mean, and sums keep their order.
SEMANTICS = ("-fwrapv", "-fno-strict-aliasing", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
# The IR is vectorized already: -O3 makes the same code of it, in three times the time. What is left scalar is worth
# vectorizing where that pays.
OPTIMIZE = ("-O2", "-ftree-vectorize", "-fvect-cost-model=dynamic", "-march=native")
FLAGS = (*OPTIMIZE, "-fopenmp", "-fPIC", "-fvisibility=hidden", *SEMANTICS, "-Wno-psabi")
GCC = (
    "-fira-region=one", "-fno-tree-pre", "-fno-code-hoisting", "-fno-tree-vrp", "-fno-gcse", "-fno-tree-slp-vectorize",
)  # fmt: skip
"""With regions, gcc spills vectors of a register tile inside the loop that it lives for. The others look for what our
passes have found already: an eighth of the time, for code that on the whole is no faster."""
WIDE = "-mprefer-vector-width=512"
"""gcc prefers half-width vectors on some machines; the IR says how wide they are."""
TIMEOUT = 600

FEATURES = (
    "__x86_64__", "__SSE2__", "__AVX__", "__AVX2__", "__FMA__", "__AVX512F__", "__AVX512DQ__", "__AVX512BW__",
    "__AVX512VL__", "__aarch64__", "__ARM_NEON", "__ARM_FEATURE_SVE",
)  # fmt: skip
"""Compiler macros that say what the machine can do."""

_PROBE = """\
int omp_get_num_threads(void);

int probe(void)
{
    int count = 0;
    #pragma omp parallel
    count = omp_get_num_threads();
    return count;
}
"""


class ToolchainError(RuntimeError):
    """No C compiler, or one that failed. The message has the command, what it said, and the source's path."""


class CannotWrite(OSError):
    """The C compiler found no room for what it makes."""


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True)
class Compiler:
    """A C compiler that works."""

    command: tuple[str, ...]
    version: str
    features: tuple[str, ...]
    machine: str
    """A digest of all macros that -march=native defines: objects do not move between machines."""
    flags: tuple[str, ...]

    @property
    def identity(self) -> str:
        """All that decides which code comes out, beside the source."""
        return content_key(self.version, self.machine, *self.flags)

    def run(self, arguments: Sequence[str], source: Path | None = None, output: Path | None = None) -> None:
        """Runs the compiler for `output`, in whose folder it also leaves what it needs meanwhile. Raises ToolchainError
        if it fails, CannotWrite if that is for want of room."""
        command = [*self.command, *arguments]
        result = _run(command, folder=output and output.parent)
        if result.returncode == 0 and (output is None or output.is_file()):
            return
        said = result.stderr.strip()
        for number in NO_ROOM:
            if os.strerror(number) in said:
                raise CannotWrite(number, f"the C compiler: {os.strerror(number)}")
        fault = f"failed with exit code {result.returncode}" if result.returncode else "made no file"
        where = f"\nThe source is kept in {source}" if source else ""
        raise ToolchainError(f"the C compiler {fault}:\n  {shlex.join(command)}\n{said}{where}")


def _run(command: Sequence[str], text: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C"}
    if folder is not None:
        environment["TMPDIR"] = str(folder)
    try:
        return subprocess.run(
            command, input=text, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, env=environment,
            check=False,
        )  # fmt: skip
    except OSError as error:
        raise ToolchainError(f"cannot run the C compiler:\n  {shlex.join(command)}\n{error}") from error
    except subprocess.TimeoutExpired as error:
        raise ToolchainError(f"the C compiler ran for more than {TIMEOUT} s:\n  {shlex.join(command)}") from error


def find_compiler() -> Compiler:
    """The C compiler: $CC if set, else gcc, clang or cc, the first that works."""
    return _find(os.environ.get("CC", "").strip(), os.environ.get("PATH", ""))


@lru_cache(maxsize=16)
def _find(cc: str, _path: str) -> Compiler:
    try:
        candidates = [shlex.split(cc)] if cc else [["gcc"], ["clang"], ["cc"]]
    except ValueError as error:
        raise ToolchainError(f"CC={cc} cannot be read as a command: {error}") from error
    reasons: list[str] = []
    for candidate in candidates:
        path = shutil.which(candidate[0])
        if path is None:
            reasons.append(f"{candidate[0]}: not found")
            continue
        try:
            return probe((path, *candidate[1:]))
        except ToolchainError as error:
            reasons.append(f"{candidate[0]}: {error}")
    if cc:
        raise ToolchainError(
            f"CC={cc} is set, but does not work as a C compiler with OpenMP ({reasons[0]}): unset it or name one "
            "that does; eager mode, without irtool.compile, needs none"
        )
    raise ToolchainError(
        "compiled functions need a C compiler with OpenMP, and none works. Install gcc (Debian, Ubuntu: `apt install "
        "gcc`; Fedora: `dnf install gcc`; macOS: `brew install gcc` and CC=gcc-14) or clang with libomp. "
        "\nEager mode (without irtool.compile) works all the same.\n  " + "\n  ".join(reasons)
    )


def forget_compilers() -> None:
    """Looks for a compiler again at the next use."""
    _find.cache_clear()


def probe(command: tuple[str, ...]) -> Compiler:
    """Asks a compiler for its version and the machine's features, and whether it can build a library with OpenMP."""
    cache = get_cache()
    key = content_key(*command, _stamp(command[0]), _processor(), *FLAGS, *GCC)
    if (fact := cache.fact(key)) is not None:
        return Compiler(
            tuple(fact["command"]), fact["version"], tuple(fact["features"]), fact["machine"], tuple(fact["flags"])
        )
    version = _run([*command, "--version"])
    macros = _run([*command, "-march=native", "-dM", "-E", "-x", "c", "-"])
    defined = set(re.findall(r"^#define (\w+)", macros.stdout, re.MULTILINE))
    if version.returncode or macros.returncode or "__STDC__" not in defined:
        code = f"exit code {version.returncode or macros.returncode}" if version.returncode or macros.returncode else ""
        said = (macros.stderr.strip() or version.stderr.strip()).partition("\n")[0]
        raise ToolchainError(f"asked for its macros, it says {said or code or 'nothing'}")
    compiler = Compiler(
        command,
        version.stdout.strip().splitlines()[0] if version.stdout.strip() else "unknown",
        tuple(f for f in FEATURES if f in defined),
        content_key("\n".join(sorted(macros.stdout.splitlines()))),
        (*FLAGS, *(GCC if "__clang__" not in defined else ()), *((WIDE,) if "__AVX512F__" in defined else ())),
    )

    def build(folder: Path) -> None:
        source = folder / "probe.c"
        source.write_text(_PROBE)
        output = folder / "probe.so"
        compiler.run([*compiler.flags, "-shared", "-o", str(output), str(source), "-lm"], output=output)

    cache.in_scratch(build)
    cache.add_fact(key, asdict(compiler))
    return compiler


def _stamp(path: str) -> str:
    """Changes when the compiler is replaced."""
    status = os.stat(path)
    return f"{os.path.realpath(path)} {status.st_size} {status.st_mtime_ns}"


@lru_cache(maxsize=1)
def _processor() -> str:
    """What tells this machine's processor from another that shares the cache folder."""
    try:
        with open("/proc/cpuinfo") as file:
            lines = {line for line in file if line.startswith(("model name", "flags", "Features", "CPU part"))}
    except OSError:
        import platform

        lines = {platform.machine(), platform.processor()}
    return content_key(*sorted(lines))


def without_comments(source: str) -> str:
    """The source without its comment lines: a shifted Python line recompiles nothing."""
    return "\n".join(line for line in source.splitlines() if not line.lstrip().startswith("//"))


def compile_object(source: str, name: str, compiler: Compiler, cache: Cache) -> Path:
    """The object of a source, from the cache if it is there."""
    key = content_key(without_comments(source), compiler.identity)

    def compile_to(path: Path) -> None:
        from .cache import write_atomically

        kept = cache.objects / f"{key}.c"
        write_atomically(kept, f"// {name}\n{source}".encode())
        compiler.run([*compiler.flags, "-c", "-o", str(path), str(kept)], kept, path)

    return cache.object(key, compile_to)


class Ahead:
    """Compiles units in the background while later ones are still being generated, into the cache, where
    `build_program` finds them. Leaving it waits for all, and raises the ToolchainError of the first that failed.

        with Ahead(find_compiler(), cache) as ahead:
            plan, sources = translate(module, target, printed=ahead.compile)
    """

    def __init__(self, compiler: Compiler, cache: Cache) -> None:
        self._compiler, self._cache = compiler, cache
        self._pool = ThreadPoolExecutor(available_cores())
        self._waiting: PriorityQueue[tuple[int, str, str]] = PriorityQueue()
        """The longest first, so that the last one to finish is a short one."""
        self._started: list[Future[None]] = []
        self.objects: dict[str, Path] = {}
        """By name of the unit."""

    def compile(self, name: str, source: str) -> None:
        """Starts on one unit, or queues it."""
        self._waiting.put((-len(source), name, source))
        self._started.append(self._pool.submit(self._compile_next))

    def _compile_next(self) -> None:
        _, name, source = self._waiting.get()
        self.objects[name] = compile_object(source, name, self._compiler, self._cache)

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            for compiled in self._started if kind is None else ():
                compiled.result()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)


def compile_objects(sources: Mapping[str, str], compiler: Compiler, cache: Cache) -> list[Path]:
    """The objects of all sources, compiled in parallel."""
    with Ahead(compiler, cache) as ahead:
        for name, source in sources.items():
            ahead.compile(name, source)
    return [ahead.objects[name] for name in sources]


def build_program(key: str, sources: Mapping[str, str], plan: dict[str, Any], cache: Cache | None = None) -> Entry:
    """Compiles and links sources (file name -> C) as the program with this key, unless somebody else just has."""
    cache = cache or get_cache()
    compiler = find_compiler()
    with cache.lock(key):
        if (found := cache.program(key)) is not None:
            return found
        objects = compile_objects(sources, compiler, cache)

        def link_to(path: Path) -> None:
            compiler.run(["-shared", "-fopenmp", "-o", str(path), *map(str, objects), "-lm"], output=path)

        return cache.add_program(key, plan, dict(sources), link_to)
