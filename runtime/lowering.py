"""Runs the stages of a pipeline on a module, whatever the target.

A module says at which level it is: `builtin.module attributes {irtool.level = "linalg"}` is what the stage `linalg` has
left. One without such an attribute was traced, or written by hand: then its ops tell.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from ..dialects.marks import KERNEL_ATTRIBUTE, LEVEL_ATTRIBUTE, WORKSPACE_ATTRIBUTE
from .plan import hosts

if TYPE_CHECKING:
    from xdsl.context import Context
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.dialects.func import FuncOp
    from xdsl.passes import ModulePass

    from ..passes.pipeline import Pipeline
    from ..passes.target import Machine


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


def level_of(module: ModuleOp) -> str | None:
    """The last stage that a module has been through; None for one as traced."""
    from xdsl.dialects.builtin import StringAttr

    said = module.attributes.get(LEVEL_ATTRIBUTE)
    if said is None:
        return _level_by_ops(module)
    return said.data if isinstance(said, StringAttr) else str(said)


def say_level(module: ModuleOp, stage: str | None) -> None:
    """Notes the last stage that a module has been through; None: nobody knows."""
    from xdsl.dialects.builtin import StringAttr

    if stage is None:
        module.attributes.pop(LEVEL_ATTRIBUTE, None)
    else:
        module.attributes[LEVEL_ATTRIBUTE] = StringAttr(stage)


def _level_by_ops(module: ModuleOp) -> str | None:
    """The level of a module that does not say so."""
    from xdsl.dialects.builtin import MemRefType

    from ..passes.pass_base import functions

    hosts = [f for f in functions(module) if KERNEL_ATTRIBUTE not in f.attributes]
    kernels = [f for f in functions(module) if KERNEL_ATTRIBUTE in f.attributes]
    names = {op.name for f in (*hosts, *kernels) for op in f.walk()}
    if any(isinstance(a.type, MemRefType) for f in (*hosts, *kernels) for a in f.body.block.args):
        looped = any(n.startswith("spmd.") for n in names) or not any(
            n.startswith(("linalg.", "linalgx.")) for n in names
        )
        return "loops" if looped and _has_argument(hosts, WORKSPACE_ATTRIBUTE) else "memref"
    if any(n.startswith(("linalg.", "linalgx.")) for n in names):
        return "linalg"
    return "kernels" if kernels else None


def _has_argument(hosts: list[FuncOp], mark: str) -> bool:
    from ..passes.interface import argument_marks

    return any(mark in marks for host in hosts for marks in argument_marks(host))


def lower(
    module: ModuleOp,
    pipeline: Pipeline,
    machine: Callable[[], Machine],
    until: str | None = None,
    observe: Callable[[str, str, ModuleOp], None] | None = None,
    verify_each: bool = False,
    finished: Callable[[FuncOp], None] | None = None,
    goes_on: bool = False,
) -> Lowered:
    """Runs the stages that are left, in place, up to the one named `until`, and verifies at each boundary.

    `machine` is asked for the figures that passes name; `observe(stage, pass, module)` is called after every pass.
    Where nobody looks in between, functions go one by one through the passes that take a function at a time, and
    `finished` is told of each kernel that no later pass will change. A module that `goes_on` is what the stages before
    have left; any other may have been written by hand, and goes through what its level asks on entry.
    """
    from ..dialects.locations import blamed_on
    from ..dialects.text import make_context
    from ..passes.interface import check_tensors
    from ..passes.pass_base import fail
    from ..passes.pipeline import stages
    from ..passes.verify import verify

    level, final = level_of(module), pipeline[-1]
    known = [stage.name for stage in pipeline]
    if level is not None and level not in known:
        fail(module, f"the module is at the level {level!r}, which is none of this pipeline's: {', '.join(known)}")
    pending = stages(pipeline, level, until)
    result = Lowered(module)
    context = make_context()
    if not goes_on:
        if level in (None, "hl"):
            for host in hosts(module):
                check_tensors(host, static=False)
        entry = next((stage.entry for stage in pipeline if stage.name == level), ())
        with blamed_on(module):
            for name in entry:
                make_pass(name, machine).apply(context, module)
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
        say_level(module, stage.name)
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
    from ..passes.pass_base import FunctionPass, HostPass, functions

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


def make_pass(name: str, machine: Callable[[], Machine]) -> ModulePass:
    """A pass by name, with every figure of the machine that it names."""
    from ..passes import pass_by_name
    from ..passes.options import figures_named, make_for_target

    pass_class = pass_by_name(name)
    return make_for_target(pass_class, machine()) if figures_named(pass_class) else pass_class()
