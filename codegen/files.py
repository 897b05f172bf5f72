"""Which kernels share a file.

    add.c   pad.c   relu.c   matmul.c        ->        add.c (add, pad, relu)   matmul.c

To start the C compiler takes as long as to compile some 2 KB of C. On few cores small kernels therefore wait for each
other and go to it together; large ones, and all on a machine with cores enough, have files of their own.
"""

from __future__ import annotations

from collections.abc import Callable

from .c import Unit, file_source

SHARED = 16_000
"""Characters of C that are worth as many processes as there are cores."""


class Files:
    """The files of a program by name, filled unit by unit; `finished(name, C)` is told of each when it is full."""

    def __init__(self, cores: int = 1, finished: Callable[[str, str], None] | None = None) -> None:
        self.sources: dict[str, str] = {}
        self._enough = SHARED // cores
        self._finished = finished
        self._small: list[Unit] = []

    def add(self, unit: Unit) -> None:
        """A kernel, into the file it shares or one of its own."""
        if len(unit.body) >= self._enough:
            self._keep(f"{unit.name}.c", unit.source)
            return
        self._small.append(unit)
        if sum(len(small.body) for small in self._small) >= self._enough:
            self._write_small()

    def finish(self, host: str) -> None:
        """All that waits, and the host function's file."""
        self._write_small()
        self._keep("step.c", host)

    def _write_small(self) -> None:
        if self._small:
            self._keep(f"{self._small[0].name}.c", file_source(self._small))
            self._small = []

    def _keep(self, name: str, source: str) -> None:
        self.sources[name] = source
        if self._finished is not None:
            self._finished(name, source)
