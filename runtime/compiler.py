"""From a module at any level to a loaded program: runs the stages that are left, prints C, builds, loads.

Two caches make a second time cheap: a program is found by the hash of its traced ops, so that no pass runs at all; and
where only part of a step changed, each kernel's object is found by its C.
"""

# pyright: basic
from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from .cache import content_key, get_cache
from .plan import (
    buffer_interface,
    bytes_marked,
    errors_interface,
    host_of,
    hosts,
    kernel_report,
    memory_report,
    tensor_interface,
)
from .program import Program
from .threads import available_cores

if TYPE_CHECKING:
    from xdsl.context import Context
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.dialects.func import FuncOp
    from xdsl.passes import ModulePass

    from ..codegen import CProgram, Unit
    from ..passes.target import Target

PACKAGE = Path(__file__).resolve().parent.parent
COMPILING = ("dialects", "passes", "codegen", "runtime")
"""The parts of the package whose change makes cached programs stale."""


@dataclass
class StageReport:
    """What running a stage took, and what it left."""

    name: str
    seconds: float
    ops: int


@dataclass
class Lowered:
    """A module at the level that was asked for, and how it got there."""

    module: ModuleOp
    reports: list[StageReport] = field(default_factory=lambda: list[StageReport]())


class UnsupportedTarget(ValueError):
    """A target that this machine or this version cannot compile for."""


def check_target(target: str) -> None:
    """Raises UnsupportedTarget for what `irtool.compile(target=...)` does not know."""
    from ..passes.pipeline import PIPELINES

    if target not in PIPELINES:
        raise UnsupportedTarget(f"unknown target {target!r}: expected one of {', '.join(sorted(PIPELINES))}")


@lru_cache(maxsize=1)
def pipeline_version() -> str:
    """Changes whenever the code of the compiler does."""
    stamps: list[str] = []
    for folder in COMPILING:
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            status = path.stat()
            stamps.append(f"{path.relative_to(PACKAGE)} {status.st_size} {status.st_mtime_ns}")
    return content_key(*stamps)


def level_of(module: ModuleOp) -> str | None:
    """The last stage that a module has been through; None for one as traced."""
    from xdsl.dialects.builtin import MemRefType

    from ..passes.pass_base import functions

    hosts = [f for f in functions(module) if "irtool.kernel" not in f.attributes]
    kernels = [f for f in functions(module) if "irtool.kernel" in f.attributes]
    names = {op.name for f in (*hosts, *kernels) for op in f.walk()}
    if any(isinstance(a.type, MemRefType) for f in (*hosts, *kernels) for a in f.body.block.args):
        looped = any(n.startswith("spmd.") for n in names) or not any(
            n.startswith(("linalg.", "linalgx.")) for n in names
        )
        return "loops" if looped and _has_argument(hosts, "irtool.workspace") else "memref"
    if any(n.startswith(("linalg.", "linalgx.")) for n in names):
        return "linalg"
    return "kernels" if kernels else None


def _has_argument(hosts: list[FuncOp], mark: str) -> bool:
    from ..passes.interface import argument_marks

    return any(mark in marks for host in hosts for marks in argument_marks(host))


def lower(
    module: ModuleOp,
    until: str = "loops",
    target: str = "cpu",
    machine: Target | None = None,
    observe: Callable[[str, str, ModuleOp], None] | None = None,
    verify_each: bool = False,
    finished: Callable[[FuncOp], None] | None = None,
) -> Lowered:
    """Runs the stages that are left, in place, and verifies at each boundary.

    `machine` defaults to the one this runs on; `observe(stage, pass, module)` is called after every pass. Where nobody
    looks in between, functions go one by one through the passes that take a function at a time, and `finished` is told
    of each kernel that no later pass will change.
    """
    from ..dialects.locations import blamed_on
    from ..dialects.text import make_context
    from ..passes.interface import check_tensors
    from ..passes.pipeline import PIPELINES, stages
    from ..passes.verify import verify

    check_target(target)
    pending = stages(target, level_of(module), until)
    result = Lowered(module)
    context = make_context()
    level, final = level_of(module), PIPELINES[target][-1]
    if level is None:
        for host in hosts(module):
            check_tensors(host, static=False)
    with blamed_on(module):
        if level is not None:  # written by hand, perhaps
            make_pass("verify-bounds").apply(context, module)
        if level == "memref":  # written by hand, perhaps, with buffers that have no place yet
            make_pass("plan-memory").apply(context, module)
        if level == final.name:  # written by hand, perhaps
            make_pass("verify-spmd").apply(context, module)
    for stage in pending:
        started = time.perf_counter()
        passes = [make_pass(name, machine) for name in stage.passes]
        if verify_each or observe is not None:
            for name, pass_ in zip(stage.passes, passes, strict=True):
                with blamed_on(module):
                    pass_.apply(context, module)
                if verify_each:
                    verify(module)
                if observe is not None:
                    observe(stage.name, name, module)
        else:
            _run(passes, module, context, finished if stage is final else None)
        verify(module)
        result.reports.append(StageReport(stage.name, time.perf_counter() - started, sum(1 for _ in module.walk())))
    return result


def _run(
    passes: list[ModulePass], module: ModuleOp, context: Context, finished: Callable[[FuncOp], None] | None
) -> None:
    """Runs passes in order; neighbours that take a function at a time, function by function.

    `finished` is called with each kernel after the last pass that may change one.
    """
    from ..dialects.locations import blamed_on
    from ..passes.pass_base import KERNEL_ATTRIBUTE, FunctionPass, HostPass, functions

    runs = [(key, list(run)) for key, run in groupby(passes, key=lambda pass_: isinstance(pass_, FunctionPass))]
    for number, (by_function, run) in enumerate(runs):
        if not by_function:
            for pass_ in run:
                with blamed_on(module):
                    pass_.apply(context, module)
            continue
        last = all(isinstance(later, HostPass) for _, others in runs[number + 1 :] for later in others)
        for function in functions(module):
            for pass_ in run:
                assert isinstance(pass_, FunctionPass)
                if pass_.takes(function):
                    with blamed_on(function):
                        pass_.apply_to_function(function)
            if finished is not None and last and KERNEL_ATTRIBUTE in function.attributes:
                finished(function)


def make_pass(name: str, machine: Target | None = None) -> ModulePass:
    """A pass by name, with the machine's figures for the options of that name."""
    from ..passes import pass_by_name
    from ..passes.options import make_pass as checked
    from ..passes.options import options_of
    from ..passes.target import Target

    pass_class = pass_by_name(name)
    known, figures = options_of(pass_class), {f.name for f in fields(Target)}
    if known.keys().isdisjoint(figures):
        return pass_class()
    machine = machine or _machine()
    return checked(pass_class, {key: value for key, value in machine.options().items() if key in known})


def _machine() -> Target:
    from .target import detect_target

    return detect_target()


def program_key(module: ModuleOp, target: str = "cpu") -> str:
    """What decides the program: the ops without names and locations, the compiler's own code, the machine."""
    from ..passes.pass_base import functions
    from ..passes.structure import structure
    from .toolchain import find_compiler

    shapes = [f"{f.sym_name.data} {structure(f)}" for f in functions(module)]
    machine = _machine()
    return content_key(
        target, pipeline_version(), find_compiler().identity, str(sorted(machine.options().items())), *shapes
    )


_loaded: WeakValueDictionary[str, Program] = WeakValueDictionary()
"""Programs in use, so that functions with equal ops share one."""


def compile_module(module: ModuleOp, target: str = "cpu") -> Program:
    """The loaded program of a module at any level; the module is left as it is.

    The plan has `arguments` (shape and dtype of the buffers that the caller passes first, in order), then
    comes one buffer for each result that is no state; `results[k]` says where result k is:
    {"argument": i} for state, updated in place, or {"buffer": j}, with its shape and dtype.
    """
    from .toolchain import Ahead, build_program, find_compiler

    check_target(target)
    key = program_key(module, target)
    loaded = _loaded.get(key)
    if loaded is not None:
        return loaded
    cache = get_cache()
    entry = cache.program(key)
    if entry is None:
        with _fewer_collections, Ahead(find_compiler(), cache) as ahead:
            plan, sources = translate(module, target, printed=ahead.compile)
            if gc.isenabled():
                gc.collect(0)  # the IR, while the C compiler is at work
        entry = build_program(key, sources, plan, cache)
    program = _loaded[key] = Program(entry.shared_object, entry.plan)
    return program


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


def translate(
    module: ModuleOp, target: str, rules: Any = None, printed: Callable[[str, str], None] | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The plan of a program and its C by file name.

    `rules` print other C than usual, as for profiling; `printed(name, C)` is called with each file as soon as it is
    known, while other kernels are still being lowered.
    """
    from ..codegen import C, Files, callee_names, print_kernel

    clone = module.clone()
    interface = tensor_interface(host_of(clone), level_of(clone))
    reports = lower(clone, "memref", target).reports
    if interface is None:
        interface = buffer_interface(host_of(clone))
    memory = memory_report(host_of(clone))  # here buffers have names, and each call is a moment of its own
    names = callee_names(clone)
    units: dict[str, Unit] = {}
    files = Files(available_cores(), printed)

    def finished(kernel: FuncOp) -> None:
        symbol = kernel.sym_name.data
        unit = units[symbol] = print_kernel(kernel, names[symbol], rules or C)
        files.add(unit)

    reports += lower(clone, target=target, finished=finished).reports
    host = host_of(clone)
    started = time.perf_counter()
    c = c_program(clone, rules, units)
    for unit in () if units else c.kernels:  # of a module that came in at this level
        files.add(unit)
    files.finish(c.host)
    report = StageReport(
        "c", time.perf_counter() - started, sum(text.count("\n") for text in (*c.units.values(), c.host))
    )
    plan = {
        **interface,
        "errors": errors_interface(host),
        "entry": c.entry,
        "arena": bytes_marked(host, "irtool.arena"),
        "workspace": bytes_marked(host, "irtool.workspace"),
        "stages": [asdict(r) for r in (*reports, report)],
        "memory": memory,
        "kernels": kernel_report(clone),
    }
    return plan, files.sources


def c_program(module: ModuleOp, rules: Any = None, units: Mapping[str, Unit] | None = None) -> CProgram:
    """The C of a module at the loops level; `units` are kernels that have been printed, by symbol."""
    from ..codegen import C, print_c

    return print_c(module, rules or C, units)
