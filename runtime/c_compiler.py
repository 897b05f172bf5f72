"""What a C compiler is asked, by kind of compiler, and what one told that was probed.

A compiler is taken only if it builds a small OpenMP library with our flags, and the library loads and runs. Versions
are not compared: flags that change nothing but speed are dropped where a compiler does not know them.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from ..codegen.semantics import SEMANTICS
from .cache import content_key, get_cache

FLAGS = ("-O2", "-fPIC", "-fvisibility=hidden", *SEMANTICS)
"""Without these no code is right. The IR is vectorized: -O3 makes the same code of it, in three times the time."""

MACHINES = (("-march=native",), ("-mcpu=native",), ())
"""How to ask for this machine's instructions; the first that a compiler knows."""
WIDE = "-mprefer-vector-width=512"
"""Compilers prefer half-width vectors on some machines; the IR says how wide they are."""
TIMEOUT = 600


@dataclass(frozen=True)
class OpenMP:
    """Flags that a compiler and a linker need for OpenMP."""

    compile: tuple[str, ...] = ("-fopenmp",)
    link: tuple[str, ...] = ("-fopenmp",)
    folder: str = ""
    """Where the library must be for these to make sense."""


@dataclass(frozen=True)
class Kind:
    """A family of compilers: the macro that tells it from the ones below it, and what it is asked besides FLAGS."""

    name: str
    macro: str
    fast: tuple[str, ...]
    """Flags that versions may lack, most for speed, of the code or of the compiler; what one lacks is left out."""
    openmp: tuple[OpenMP, ...]
    """The first that works."""
    hint: str
    """What to install where none does."""


_LIBOMP = ("/opt/homebrew/opt/libomp/lib", "/usr/local/opt/libomp/lib", "/opt/local/lib/libomp")
"""Where Homebrew (on Arm and on Intel) and MacPorts put it."""

_CLANG = ("-fno-strict-float-cast-overflow", "-Wno-psabi")
"""A float that no integer stands for becomes what the machine makes of it, as with gcc, and is not whatever suits."""

KINDS = (
    # Apple's driver refuses -fopenmp, and its compiler behind the driver does not. A folder named in CC comes first.
    Kind(
        "Apple clang",
        "__apple_build_version__",
        _CLANG,
        (
            OpenMP(("-Xclang", "-fopenmp"), ("-lomp",)),
            *(OpenMP(("-Xclang", "-fopenmp"), (f"-L{f}", f"-Wl,-rpath,{f}", "-lomp"), f) for f in _LIBOMP),
        ),
        "Apple's clang has no OpenMP library of its own. Run `brew install libomp`, which is found in its usual place; "
        "one that is elsewhere goes into CC: CC='clang -L/path/lib -Wl,-rpath,/path/lib'",
    ),
    Kind(
        "clang",
        "__clang__",
        _CLANG,
        (OpenMP(),),
        "clang's OpenMP library is a package of its own: Debian, Ubuntu: `apt install libomp-dev`; Fedora: `dnf "
        "install libomp-devel`; Arch: `pacman -S openmp`; macOS: `brew install libomp`. One that is elsewhere goes "
        "into CC: CC='clang -L/path/lib -Wl,-rpath,/path/lib'",
    ),
    # What is left scalar is worth vectorizing where that pays. With regions, gcc spills vectors of a register tile
    # inside the loop that it lives for. The others look for what our passes have found already: an eighth of the time,
    # for code that on the whole is no faster.
    Kind(
        "gcc",
        "__GNUC__",
        (
            "-ftree-vectorize", "-fvect-cost-model=dynamic", "-fira-region=one", "-fno-tree-pre", "-fno-code-hoisting",
            "-fno-tree-vrp", "-fno-gcse", "-fno-tree-slp-vectorize", "-Wno-psabi",
        ),
        (OpenMP(),),
        "gcc's OpenMP library comes with most packages of gcc; on some systems it is called libgomp",
    ),
    Kind("an unknown compiler", "", (), (OpenMP(),), "it may need flags of its own for OpenMP, which go into CC"),
)  # fmt: skip
"""The first whose macro a compiler defines is what it is: clang defines gcc's too, and Apple's defines clang's."""

FEATURES = (
    "__x86_64__", "__SSE2__", "__AVX__", "__AVX2__", "__FMA__", "__AVX512F__", "__AVX512DQ__", "__AVX512BW__",
    "__AVX512VL__", "__aarch64__", "__ARM_NEON", "__ARM_FEATURE_SVE",
)  # fmt: skip
"""Compiler macros that say what the machine can do."""

_PLAIN = "int probe(void) { return 1; }\n"
_PARALLEL = """\
int omp_get_num_threads(void);

__attribute__((visibility("default"))) int probe(void)
{
    int count = 0;
    #pragma omp parallel
    {
        #pragma omp single
        count = omp_get_num_threads();
    }
    return count;
}
"""
_LOAD = "import ctypes, sys; sys.exit(ctypes.CDLL(sys.argv[1]).probe() < 1)"


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
    kind: str
    """Its name in KINDS."""
    features: tuple[str, ...]
    machine: str
    """A digest of all macros that are defined for this machine: objects do not move between machines."""
    flags: tuple[str, ...]
    link: tuple[str, ...]

    @property
    def identity(self) -> str:
        """All that decides which code comes out, beside the source."""
        return content_key(self.version, self.machine, *self.flags, *self.link)

    def run(self, arguments: Sequence[str], source: Path | None = None, output: Path | None = None) -> None:
        """Runs the compiler for `output`, as `run_checked` does."""
        run_checked([*self.command, *arguments], source, output)


def run_checked(command: Sequence[str], source: Path | None = None, output: Path | None = None) -> None:
    """Runs a compiler for `output`, in whose folder it also leaves what it needs meanwhile. Raises ToolchainError if it
    fails, CannotWrite if that is for want of room."""
    result = run_command(command, folder=output and output.parent)
    if result.returncode == 0 and (output is None or output.is_file()):
        return
    said = result.stderr.strip()
    for number in NO_ROOM:
        if os.strerror(number) in said:
            raise CannotWrite(number, f"the C compiler: {os.strerror(number)}")
    fault = f"failed with exit code {result.returncode}" if result.returncode else "made no file"
    where = f"\nThe source is kept in {source}" if source else ""
    raise ToolchainError(f"the C compiler {fault}:\n  {shlex.join(command)}\n{said}{where}")


def run_command(command: Sequence[str], text: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command with `text` as its input, whatever its exit code; raises ToolchainError if it cannot be run."""
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


def probe(command: tuple[str, ...]) -> Compiler:
    """Asks a compiler what it is, which flags it knows and what the machine has, and tries it; once, then from the
    cache."""
    cache = get_cache()
    key = content_key(*command, _stamp(command[0]), _processor(), *FLAGS, repr(KINDS))
    if (fact := cache.fact(key)) is not None:
        return Compiler(
            tuple(fact["command"]), fact["version"], fact["kind"], tuple(fact["features"]), fact["machine"],
            tuple(fact["flags"]), tuple(fact["link"]),
        )  # fmt: skip
    machine, macros = _machine(command)
    version = run_command([*command, "--version"]).stdout.strip()
    defined = set(re.findall(r"^#define (\w+)", macros, re.MULTILINE))
    kind = next(k for k in KINDS if k.macro in defined or not k.macro)
    fast = (*kind.fast, *((WIDE,) if "__AVX512F__" in defined else ()))
    flags, openmp = cache.in_scratch(lambda folder: _flags(command, kind, (*FLAGS, *machine), fast, folder))
    compiler = Compiler(
        command,
        version.splitlines()[0] if version else "unknown",
        kind.name,
        tuple(f for f in FEATURES if f in defined),
        content_key("\n".join(sorted(macros.splitlines()))),
        (*flags, *openmp.compile),
        openmp.link,
    )
    cache.add_fact(key, asdict(compiler))
    return compiler


def _machine(command: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The flags for this machine, and the macros that are defined with them."""
    said = ""
    for flags in MACHINES:
        macros = run_command([*command, *flags, "-dM", "-E", "-x", "c", "-"])
        if macros.returncode == 0 and "#define __STDC__ " in macros.stdout:
            return flags, macros.stdout
        code = f"exit code {macros.returncode}" if macros.returncode else "nothing"
        said = said or macros.stderr.strip().partition("\n")[0] or code
    raise ToolchainError(f"asked for its macros, it says {said}")


def _known(command: Sequence[str], flags: tuple[str, ...]) -> tuple[str, ...]:
    """The flags that a compiler knows. clang only warns of some that it does not know, so warnings count."""

    def accepts(*asked: str) -> bool:
        return run_command([*command, *strict, *asked, "-fsyntax-only", "-x", "c", "-"]).returncode == 0

    strict: tuple[str, ...] = ("-Werror",)
    if accepts(*flags):
        return flags
    if not accepts():  # it warns in any case
        strict = ()
    return tuple(flag for flag in flags if accepts(flag))


def _flags(
    command: Sequence[str], kind: Kind, needed: tuple[str, ...], fast: tuple[str, ...], folder: Path
) -> tuple[tuple[str, ...], OpenMP]:
    """The flags that this compiler is given, and how it does OpenMP; all at once where that works without a warning,
    and otherwise one by one."""
    try:
        return (*needed, *fast), _openmp(command, kind, ("-Werror", *needed, *fast), folder)
    except ToolchainError:
        flags = (*needed, *_known(command, fast))
        _build(command, flags, _PLAIN, OpenMP((), ()), folder)
        return flags, _openmp(command, kind, flags, folder)


def _openmp(command: Sequence[str], kind: Kind, flags: Sequence[str], folder: Path) -> OpenMP:
    """How this compiler does OpenMP, tried on a small library, which is then loaded into a process of its own."""
    said = ""
    for openmp in kind.openmp:
        if openmp.folder and not os.path.isdir(openmp.folder):
            continue
        try:
            library = _build(command, flags, _PARALLEL, openmp, folder)
            if sys.executable:
                run_checked([sys.executable, "-I", "-S", "-c", _LOAD, str(library)])
            return openmp
        except ToolchainError as error:
            said = said or str(error)
    raise ToolchainError(f"it works, but not with OpenMP. {kind.hint}.\n{said}")


def _build(command: Sequence[str], flags: Sequence[str], text: str, openmp: OpenMP, folder: Path) -> Path:
    """A small library."""
    source, library = folder / "probe.c", folder / "probe.so"
    library.unlink(missing_ok=True)
    source.write_text(text)
    files = ["-shared", "-o", str(library), str(source)]
    run_checked([*command, *flags, *openmp.compile, *files, *openmp.link, "-lm"], output=library)
    return library


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
