"""From a module at any level to a loaded program: runs the stages that are left, prints C, builds, loads.

Two caches make a second time cheap: a program is found by the hash of its traced ops, so that no pass runs at all; and
where only part of a step changed, each kernel's object is found by its C.
"""

# pyright: basic
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from .cache import content_key, get_cache
from .program import Program

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.dialects.func import FuncOp
    from xdsl.ir import Operation, SSAValue

    from ..codegen import CProgram
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
) -> Lowered:
    """Runs the stages that are left, in place, and verifies at each boundary.

    `machine` defaults to the one this runs on; `observe(stage, pass, module)` is called after every pass.
    """
    from ..dialects.text import make_context
    from ..passes.interface import check_tensors
    from ..passes.pipeline import stages
    from ..passes.verify import verify

    check_target(target)
    result = Lowered(module)
    context = make_context()
    level = level_of(module)
    if level is None:
        for host in hosts(module):
            check_tensors(host, static=False)
    if level == "memref":  # written by hand, perhaps, with buffers that have no place yet
        run_pass("plan-memory", module, context, machine)
    for stage in stages(target, level, until):
        started = time.perf_counter()
        for name in stage.passes:
            run_pass(name, module, context, machine)
            if verify_each:
                verify(module)
            if observe is not None:
                observe(stage.name, name, module)
        verify(module)
        result.reports.append(StageReport(stage.name, time.perf_counter() - started, sum(1 for _ in module.walk())))
    return result


def run_pass(name: str, module: ModuleOp, context: Any, machine: Target | None = None) -> None:
    """Runs one pass by name, with the machine's figures for the options of that name."""
    from ..passes import pass_by_name

    pass_class = pass_by_name(name)
    wanted = {f.name for f in fields(pass_class)} & {"vector_bits", "registers", "l1", "l2", "cores"}
    options: dict[str, int] = {}
    if wanted:
        machine = machine or _machine()
        options = {key: value for key, value in machine.options().items() if key in wanted}
    pass_class(**options).apply(context, module)


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
    from .toolchain import build_program

    check_target(target)
    key = program_key(module, target)
    loaded = _loaded.get(key)
    if loaded is not None:
        return loaded
    cache = get_cache()
    entry = cache.program(key)
    if entry is None:
        plan, sources = translate(module, target)
        entry = build_program(key, sources, plan, cache)
    program = _loaded[key] = Program(entry.library, entry.plan)
    return program


def translate(module: ModuleOp, target: str, rules: Any = None) -> tuple[dict[str, Any], dict[str, str]]:
    """The plan of a program and its C by file name. `rules` print other C than usual, as for profiling."""
    clone = module.clone()
    signature = host_of(clone)
    interface = _interface(signature, level_of(clone))
    memory: list[dict[str, Any]] = []

    def observe(stage: str, name: str, module: ModuleOp) -> None:
        if name == "plan-memory":  # here buffers have names, and each call is a moment of its own
            memory.extend(memory_report(host_of(module)))

    lowered = lower(clone, target=target, observe=observe)
    host = host_of(clone)
    if interface is None:
        interface = _buffer_interface(host)
    started = time.perf_counter()
    c = c_program(clone, rules)
    report = StageReport(
        "c", time.perf_counter() - started, sum(text.count("\n") for text in (*c.units.values(), c.host))
    )
    plan = {
        **interface,
        "entry": c.entry,
        "arena": _bytes_marked(host, "irtool.arena"),
        "workspace": _bytes_marked(host, "irtool.workspace"),
        "stages": [asdict(r) for r in (*lowered.reports, report)],
        "memory": memory or memory_report(host),
        "kernels": kernel_report(clone),
    }
    sources = {**{f"{name}.c": text for name, text in c.units.items()}, "step.c": c.host}
    return plan, sources


def c_program(module: ModuleOp, rules: Any = None) -> CProgram:
    """The C of a module at the loops level."""
    from ..codegen import print_c

    return print_c(module) if rules is None else print_c(module, rules)


def host_of(module: ModuleOp) -> FuncOp:
    """The one function that is no kernel. Raises ValueError where there is none or several."""
    found = hosts(module)
    if len(found) != 1:
        names = ", ".join("@" + f.sym_name.data for f in found) or "none"
        raise ValueError(f"expected one function that is no kernel, found {names}")
    return found[0]


def hosts(module: ModuleOp) -> list[FuncOp]:
    """The functions that are no kernels."""
    from ..passes.pass_base import functions

    return [f for f in functions(module) if "irtool.kernel" not in f.attributes]


def _interface(host: FuncOp, level: str | None) -> dict[str, Any] | None:
    """Arguments and results of a host function on tensors; None for one on buffers."""
    from ..dialects.types import spec_of
    from ..passes.hl.group.schedule import state_arguments
    from ..passes.interface import check_tensors

    if level in ("memref", "loops"):
        return None
    check_tensors(host, static=True)
    arguments = [_spec(spec_of(a.type)) for a in host.body.block.args]
    position: dict[SSAValue, int] = {argument: i for i, argument in enumerate(host.body.block.args)}
    states = {index: position[argument] for index, argument in state_arguments(host).items()}
    results: list[dict[str, Any]] = []
    buffers = len(arguments)
    for index, type_ in enumerate(host.function_type.outputs):
        if index in states:
            results.append({"argument": states[index], **_spec(spec_of(type_))})
        else:
            results.append({"buffer": buffers, **_spec(spec_of(type_))})
            buffers += 1
    return {"arguments": arguments, "results": results, "buffers": buffers}


def _buffer_interface(host: FuncOp) -> dict[str, Any]:
    """The same, read off the marks that arguments carry on buffers. Integers of 8 bits count as u8."""
    from ..passes.interface import argument_marks, check_buffers

    check_buffers(host)
    arguments: list[dict[str, Any]] = []
    results: dict[int, dict[str, Any]] = {}
    buffers = 0
    for argument, marks in zip(host.body.block.args, argument_marks(host)):
        if "irtool.arena" in marks or "irtool.workspace" in marks:
            continue
        spec = _buffer_spec(argument.type)
        if "irtool.out" in marks:
            results[_number(marks["irtool.out"])] = {"buffer": buffers, **spec}
        elif buffers > len(arguments):
            raise ValueError(f"@{host.sym_name.data}: the buffers for results come last among the arguments")
        else:
            if "irtool.result" in marks:
                results[_number(marks["irtool.result"])] = {"argument": buffers, **spec}
            arguments.append(spec)
        buffers += 1
    return {"arguments": arguments, "results": [results[k] for k in sorted(results)], "buffers": buffers}


def _spec(spec: Any) -> dict[str, Any]:
    return {"shape": list(spec.shape), "dtype": spec.dtype.name}


def _number(mark: Any) -> int:
    return mark.value.data


def _buffer_spec(type_: Any) -> dict[str, Any]:
    from ..dialects.types import DTYPES

    dtype = next(d for d in DTYPES if d.lowered == type_.element_type)
    return {"shape": list(type_.get_shape()), "dtype": dtype.name}


def _bytes_marked(host: FuncOp, mark: str) -> int:
    from ..dialects.types import bytes_of
    from ..passes.interface import argument_marks

    marked = (a.type for a, marks in zip(host.body.block.args, argument_marks(host)) if mark in marks)
    return next((bytes_of(type_) for type_ in marked), 0)


def memory_report(host: FuncOp) -> list[dict[str, Any]]:
    """Every intermediate: its name or that of the kernel that makes it, its bytes, its place in the arena, the moments
    it lives at, and the line it comes from."""
    from xdsl.dialects.func import CallOp

    from ..dialects.locations import describe
    from ..passes.memref.plan_memory import aliases, buffers_of

    calls = [op for op in host.walk() if isinstance(op, CallOp)]
    position: dict[Operation, int] = {call: i for i, call in enumerate(calls)}

    def name(buffer: SSAValue) -> str:
        uses = [position[use.operation] for alias in aliases(buffer) for use in alias.uses if use.operation in position]
        return buffer.name_hint or (calls[min(uses)].callee.string_value() if uses else "")

    return [
        {
            "name": name(buffer.alloc.results[0]),
            "bytes": buffer.size,
            "offset": buffer.offset,
            "first": buffer.first,
            "last": buffer.last,
            "line": describe(buffer.alloc.location),
        }
        for buffer in buffers_of(host)
    ]


def kernel_report(module: ModuleOp) -> list[dict[str, Any]]:
    """Every kernel call in order: the kernel's name and the lines it comes from."""
    from xdsl.dialects.func import CallOp

    from ..dialects.locations import describe

    return [
        {"name": op.callee.string_value(), "line": describe(op.location)}
        for op in host_of(module).walk()
        if isinstance(op, CallOp)
    ]
