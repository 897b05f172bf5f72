"""A loaded program: its code, its scratch memory, and calls that cost little beside the C.

    program = NativeProgram(entry.shared_object, entry.plan)
    call = program.bind(addresses)        # once: one pointer for each buffer of the step
    call.set(3, address)                  # only what changed since
    call.run()

The plan says `entry` (the C function), `buffers` (how many), `arena` and `workspace` (bytes).
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import denormals, threads

ALIGNMENT = 64
HUGE = 4 * 1024 * 1024
"""From this size on, scratch memory asks for huge pages."""


OPENMP = {"GOMP_SPINCOUNT": "2000", "KMP_BLOCKTIME": "1", "KMP_DUPLICATE_LIB_OK": "TRUE"}
"""What the OpenMP libraries of gcc (GOMP) and of clang (KMP) are told where the user's environment does not.

How long an idle thread looks for work before it sleeps: long enough for the next step in a row, 2000 looks (some 50 µs)
or 1 ms, the least that all versions know. Their own choices, some 10 and 200 ms, on a busy machine keep the thread that
all wait for from its core. And that another copy of clang's library in the process, which packages such as MKL or
scikit-learn bring along, is no reason to abort: programs share nothing with it."""
POLICY = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}
"""Who sets one of these wants to say it all."""


def _load(shared_object: Path) -> ctypes.CDLL:
    """Loads a program. The first one brings OpenMP along, which reads its settings from the environment right then, or
    when it is first asked something."""
    ours = {name: value for name, value in OPENMP.items() if name not in os.environ}
    if POLICY & os.environ.keys():
        ours = {name: value for name, value in ours.items() if name not in POLICY}
    os.environ.update(ours)
    try:
        library = ctypes.CDLL(os.fspath(shared_object))
        with contextlib.suppress(AttributeError):  # one without a parallel region, perhaps
            library.omp_get_max_threads()
        return library
    finally:
        for name in ours:
            del os.environ[name]


class Scratch:
    """Zeroed memory of the process's own, at an aligned address."""

    def __init__(self, size: int):
        self.size = size
        private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_ANONYMOUS") else {}
        # A private mapping: after a fork, parent and child do not write into each other's memory.
        self._memory = mmap.mmap(-1, max(size, 1) + (2 << 20 if size >= HUGE else 0), **private)
        if size >= HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):  # a kernel without huge pages
                self._memory.madvise(mmap.MADV_HUGEPAGE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        step = 2 << 20 if size >= HUGE else ALIGNMENT
        self.address = -(-start // step) * step


class NativeProgram:
    """A compiled step in memory. Its scratch memory is allocated at the first call and goes with the program."""

    def __init__(self, shared_object: Path, plan: Mapping[str, Any]):
        self.shared_object = shared_object
        self.plan = plan
        self.buffers = int(plan["buffers"])
        self._loaded = _load(shared_object)
        self.function = self._loaded[str(plan.get("entry", "step"))]
        self.function.restype = None
        self.function.argtypes = [*[ctypes.c_void_p] * 3, *[ctypes.c_int] * 2]
        self.lock = threading.Lock()
        """Scratch memory is shared by all calls: one at a time."""
        self._scratch: tuple[Scratch, Scratch] | None = None
        _programs.add(self)

    def bind(self, addresses: Sequence[int] | None = None) -> NativeCall:
        """A call with one pointer for each buffer."""
        return NativeCall(self, addresses)

    def scratch(self) -> tuple[Scratch, Scratch]:
        """Arena and workspace, allocated when first asked for."""
        if self._scratch is None:
            self._scratch = Scratch(int(self.plan.get("arena", 0))), Scratch(int(self.plan.get("workspace", 0)))
        return self._scratch


class NativeCall:
    """The arguments of a program, filled once and changed one by one."""

    __slots__ = ("_arguments", "_pointers", "program")

    def __init__(self, program: NativeProgram, addresses: Sequence[int] | None = None):
        self.program = program
        self._pointers = (ctypes.c_void_p * max(program.buffers, 1))()
        self._arguments: tuple[Any, ...] | None = None
        if addresses is not None:
            if len(addresses) != program.buffers:
                raise ValueError(f"expected {program.buffers} buffers, given {len(addresses)}")
            self.set_all(addresses)

    def set(self, index: int, address: int) -> None:
        """Changes one pointer."""
        self._pointers[index] = address

    def set_all(self, addresses: Iterable[int], start: int = 0) -> None:
        """Changes consecutive pointers."""
        values = list(addresses)
        self._pointers[start : start + len(values)] = values

    def run(self, changes: Iterable[tuple[int, int]] = ()) -> None:
        """Changes some pointers, then calls the program."""
        program = self.program
        with program.lock:
            pointers = self._pointers
            for index, address in changes:
                pointers[index] = address
            if self._arguments is None:
                arena, workspace = program.scratch()
                self._arguments = (ctypes.addressof(pointers), arena.address, workspace.address)
            program.function(*self._arguments, threads.get_num_threads(), denormals.flush)


_programs: weakref.WeakSet[NativeProgram] = weakref.WeakSet()


def _after_fork() -> None:
    """A lock that another thread held while forking would never be released in the child."""
    for program in _programs:
        program.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
