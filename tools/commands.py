"""The smaller commands: trace, translate, doctor."""

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
    from ..runtime.backend import find_backend

    output = output and os.path.abspath(output)  # the file may change the folder
    path, _, name = place.rpartition(":")
    if not name or not path:
        raise ValueError(f"expected FILE.py:FUNCTION, got {place!r}")
    if stop_after is not None:
        stages(find_backend("cpu").pipeline, until=stop_after)  # before the file runs
    with contextlib.redirect_stdout(sys.stderr):  # what the file prints is not the IR
        module = trace_function(path, name, arguments)
    if stop_after is not None:
        find_backend("cpu").lower(module, stop_after)
    write(print_op(module, debuginfo), output)


def run_translate(file: str, language: str, output: str | None) -> None:
    """`irtool translate --to c FILE`."""
    from ..passes.verify import verify
    from ..runtime.backend import find_backend, languages

    known = languages()
    if language not in known:
        raise ValueError(f"unknown language {language!r}: expected one of {', '.join(known)}")
    backend = find_backend(known[language])
    text, name = read(file)
    module = parse_module(text, name)
    verify(module)
    write(backend.one_file(module), output)


def run_doctor() -> int:
    """`irtool doctor`: prints what is there; 1 where compiled code cannot run."""
    import numpy
    import xdsl

    from ..runtime.backend import BACKENDS, find_backend
    from ..runtime.c_compiler import ToolchainError
    from ..runtime.cache import get_cache
    from ..runtime.threads import available_cores, get_num_threads

    click.echo(f"Python     {platform.python_version()} on {platform.system()} {platform.machine()}")
    click.echo(f"xDSL       {xdsl.__version__}, numpy {numpy.__version__}")
    click.echo(f"threads    {get_num_threads()} of {available_cores()} cores")
    status = 0
    for target in BACKENDS:
        try:
            for label, text in find_backend(target).doctor():
                click.echo(f"{label:10} {text}")
        except ToolchainError as error:
            click.echo(f"{'compiler':10} none: {error}")
            status = 1
    cache = get_cache()
    click.echo(f"cache      {cache.root}, {cache.size() / 2**20:.1f} MiB")
    return status
