"""The smaller commands: trace, translate, doctor."""

# pyright: basic
from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Sequence

import click

from ..dialects.text import parse_module, print_op
from .opt import read
from .output import write


def run_trace(
    place: str, arguments: Sequence[str], stop_after: str | None, debuginfo: bool, output: str | None
) -> None:
    """`irtool trace FILE.py:FUNCTION [f32[64,784]]...`."""
    from ..frontend.compiling.trace_file import trace_function
    from ..passes.pipeline import stages
    from ..runtime.compiler import lower

    output = output and os.path.abspath(output)  # the file may change the folder
    path, _, name = place.rpartition(":")
    if not name or not path:
        raise ValueError(f"expected FILE.py:FUNCTION, got {place!r}")
    if stop_after is not None:
        stages("cpu", until=stop_after)  # before the file runs
    with contextlib.redirect_stdout(sys.stderr):  # what the file prints is not the IR
        module = trace_function(path, name, arguments)
    if stop_after is not None:
        lower(module, stop_after)
    write(print_op(module, debuginfo), output)


def run_translate(file: str, language: str, output: str | None) -> None:
    """`irtool translate --to c FILE`."""
    from ..passes.verify import verify
    from ..runtime.compiler import c_program, lower

    text, name = read(file)
    module = parse_module(text, name)
    verify(module)
    lower(module)
    write(c_program(module).one_file(), output)


def run_doctor() -> int:
    """`irtool doctor`: prints what is there; 1 where compiled code cannot run."""
    import numpy
    import xdsl

    from ..runtime.cache import get_cache
    from ..runtime.threads import available_cores, get_num_threads
    from ..runtime.toolchain import ToolchainError, find_compiler

    click.echo(f"Python     {platform.python_version()} on {platform.system()} {platform.machine()}")
    click.echo(f"xDSL       {xdsl.__version__}, numpy {numpy.__version__}")
    click.echo(f"threads    {get_num_threads()} of {available_cores()} cores")
    status = 0
    try:
        compiler = find_compiler()
        from ..runtime.target import detect_target

        machine = detect_target()
        click.echo(f"compiler   {' '.join(compiler.command)}: {compiler.version}")
        click.echo(f"flags      {' '.join(compiler.flags)}")
        click.echo(
            f"vectors    {machine.vector_bits} bits, {machine.registers} registers; "
            f"L1 {machine.l1 // 1024} KiB, L2 {machine.l2 // 1024} KiB"
        )
    except ToolchainError as error:
        click.echo(f"compiler   none: {error}")
        status = 1
    cache = get_cache()
    click.echo(f"cache      {cache.root}, {cache.size() / 2**20:.1f} MiB")
    click.echo(f"GPU        {_gpu()}")
    return status


def _gpu() -> str:
    try:
        import pycuda.driver as cuda  # pyright: ignore

        cuda.init()
        return ", ".join(cuda.Device(i).name() for i in range(cuda.Device.count())) or "none"
    except ImportError:
        return "not looked for: PyCUDA is not installed (irtool[cuda])"
    except Exception as error:
        return f"none: {error}"
