"""The C CPU: loops, vectors and threads, printed as C, compiled by the system's C compiler, loaded into the process.

Two caches make a second time cheap: a program is found by the hash of its traced ops, so that no pass runs at all; and
where only part of a step changed, each kernel's object is found by its C.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..passes.pipeline import CPU as STAGES
from ..passes.target import TARGETS, Target
from .backend import Backend, TimedProgram, Translation
from .cache import CacheEntry, get_cache
from .lowering import StageReport
from .plan import (
    buffer_interface,
    buffer_plan,
    host_of,
    kernel_report,
    memory_report,
    tensor_interface,
)
from .program import NativeProgram
from .target import detect_target
from .threads import available_cores
from .toolchain import Ahead, build_program, find_compiler

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.dialects.func import FuncOp

    from ..codegen.c import Unit


class CPU(Backend):
    """C for the machine at hand."""

    name = "cpu"
    pipeline = STAGES
    language = "c"
    machines = TARGETS

    def machine(self) -> Target:
        return detect_target()

    def identity(self) -> str:
        return f"{find_compiler().identity} {sorted(self.machine().options().items())}"

    def translate(
        self, module: ModuleOp, rules: Any = None, printed: Callable[[str, str], None] | None = None
    ) -> Translation:
        """The plan of a program and its C.

        `rules` print other C than usual, as for profiling; `printed(name, C)` is called with each file as soon as it is
        known, while other kernels are still being lowered.
        """
        from ..codegen.c import C, callee_names, print_c, print_kernel
        from ..codegen.files import Files

        clone, rules = module.clone(), rules or C
        interface = tensor_interface(host_of(clone))
        reports = self.lower(clone, "memref").reports
        if interface is None:
            interface = buffer_interface(host_of(clone))
        memory = memory_report(host_of(clone))  # here buffers have names, and each call is a moment of its own
        names = callee_names(clone)
        units: dict[str, Unit] = {}
        files = Files(available_cores(), printed)

        def finished(kernel: FuncOp) -> None:
            symbol = kernel.sym_name.data
            unit = units[symbol] = print_kernel(kernel, names[symbol], rules)
            files.add(unit)

        reports += self.lower(clone, finished=finished, goes_on=True).reports
        host = host_of(clone)
        started = time.perf_counter()
        c = print_c(clone, rules, units)
        for unit in () if units else c.kernels:  # of a module that came in at this level
            files.add(unit)
        files.finish(c.host)
        lines = sum(text.count("\n") for text in (*c.units.values(), c.host))
        report = StageReport("c", time.perf_counter() - started, lines)
        plan = {
            **buffer_plan(host, interface),
            "entry": c.entry,
            "stages": [asdict(r) for r in (*reports, report)],
            "memory": memory,
            "kernels": kernel_report(clone),
        }
        return Translation(plan, files.sources)

    def one_file(self, module: ModuleOp) -> str:
        from ..codegen.c import print_c

        clone = module.clone()
        self.lower(clone)
        return print_c(clone).one_file()

    def build(self, key: str, module: ModuleOp) -> CacheEntry:
        cache = get_cache()
        entry = cache.program(key)
        if entry is None:
            with _fewer_collections, Ahead(find_compiler(), cache) as ahead:
                made = self.translate(module, printed=ahead.compile)
                if gc.isenabled():
                    gc.collect(0)  # the IR, while the C compiler is at work
            entry = build_program(key, made.sources, made.plan, cache)
        return entry

    def load(self, built: CacheEntry) -> NativeProgram:
        return NativeProgram(built.shared_object, built.plan)

    def profiled(self, module: ModuleOp) -> TimedProgram:
        from .compiler import program_key
        from .profiling import ProfiledProgram, TimedC

        timed = TimedC()
        made = self.translate(module, timed.rules)
        return ProfiledProgram(f"{program_key(module, self)}-profile", made, timed.calls)

    def doctor(self) -> Iterator[tuple[str, str]]:
        compiler, machine = find_compiler(), self.machine()
        yield "compiler", f"{' '.join(compiler.command)}: {compiler.version}"
        yield "flags", " ".join(compiler.flags)
        yield (
            "vectors",
            f"{machine.vector_bits} bits, {machine.registers} registers; "
            f"L1 {machine.l1 // 1024} KiB, L2 {machine.l2 // 1024} KiB",
        )


class _FewerCollections:
    """While any thread compiles. IR is many small objects that all live: looking for garbage among them takes a sixth
    of the time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = gc.get_threshold()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = first, *others = gc.get_threshold()
                gc.set_threshold(max(first, 200_000) if first else 0, *others)
            self._inside += 1

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                gc.set_threshold(*self._before)


_fewer_collections = _FewerCollections()
