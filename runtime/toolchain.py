"""The C compiler: found, and run in parallel; what it compiled is kept in the cache folder."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from queue import PriorityQueue
from typing import Any

from .c_compiler import Compiler, ToolchainError, probe
from .cache import Cache, CacheEntry, content_key, get_cache
from .threads import available_cores


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


def without_comments(source: str) -> str:
    """The source without its comment lines: a shifted Python line recompiles nothing."""
    return "\n".join(line for line in source.splitlines() if not line.lstrip().startswith("//"))


def compile_object(source: str, name: str, compiler: Compiler, cache: Cache) -> Path:
    """The object of a source, from the cache if it is there."""
    key = content_key(without_comments(source), compiler.identity)

    def compile_to(path: Path) -> None:
        from .cache import write_private

        kept = cache.objects / f"{key}.c"
        write_private(kept, f"// {name}\n{source}".encode())
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


def build_program(key: str, sources: Mapping[str, str], plan: dict[str, Any], cache: Cache | None = None) -> CacheEntry:
    """Compiles and links sources (file name -> C) as the program with this key, unless somebody else just has."""
    cache = cache or get_cache()
    compiler = find_compiler()
    with cache.lock(key):
        if (found := cache.program(key)) is not None:
            return found
        objects = compile_objects(sources, compiler, cache)

        def link_to(path: Path) -> None:
            compiler.run(["-shared", "-o", str(path), *map(str, objects), *compiler.link, "-lm"], output=path)

        return cache.add_program(key, plan, dict(sources), link_to)
