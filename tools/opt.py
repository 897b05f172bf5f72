"""`irtool opt`: passes on textual IR."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from xdsl.dialects.builtin import FileLineColLoc, IntAttr, ModuleOp, StringAttr
from xdsl.passes import ModulePass

from ..dialects.text import make_context, parse_module, print_op
from .errors import fail, report, report_exception
from .output import write

SEPARATOR = re.compile(r"^// -----[^\n]*\n", re.MULTILINE)
EXPECTED = re.compile(r"//\s*expected-error(?:@(?P<offset>[+-]\d+|above|below))?\s*\{\{(?P<text>.*?)\}\}")
INTEGER = re.compile(r"[-+]?\d{1,40}", re.ASCII)


def read(file: str) -> tuple[str, str]:
    """(text, name for messages) of a file, or of stdin for `-`. Raises NotText where it is not UTF-8."""
    name = "<stdin>" if file == "-" else file
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    try:
        return content.decode(), name
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        message = f"expected text in UTF-8, got the byte {content[error.start]:#04x}"
        raise NotText(message, FileLineColLoc(StringAttr(name), IntAttr(line), IntAttr(column))) from None


class NotText(ValueError):
    """A file that is not text. `location` says from where on."""

    def __init__(self, message: str, location: FileLineColLoc) -> None:
        super().__init__(message)
        self.location = location


def parse_passes(text: str) -> list[ModulePass]:
    """Passes with options from `a,b{limit=3 flag=true}`. Raises ValueError naming what is wrong."""
    from ..passes import PASSES, pass_by_name
    from ..passes.options import make_pass

    passes: list[ModulePass] = []
    rest = text.strip()
    while rest:
        match = re.match(r"([\w.-]+)\s*(?:\{([^}]*)\})?\s*(,|$)", rest)
        if match is None:
            raise ValueError(
                f"cannot read passes from {rest!r}: expected name or name{{option=value}}, joined by commas"
            )
        name, options = match[1], match[2] or ""
        if name not in PASSES:
            raise ValueError(f"unknown pass {name!r}; irtool opt --list-passes names them all{_suggest(name, PASSES)}")
        passes.append(make_pass(pass_by_name(name), _options(name, options)))
        rest = rest[match.end() :].strip()
    return passes


def _suggest(name: str, known: Any) -> str:
    import difflib

    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _options(name: str, text: str) -> dict[str, int | str | None]:
    found: dict[str, int | str | None] = {}
    for part in text.replace(",", " ").split():
        key, equals, value = part.partition("=")
        key = key.replace("-", "_")
        if key in found:
            raise ValueError(f"pass {name!r}: {key} is given twice")
        if not equals:
            found[key] = None
        else:
            found[key] = int(value) if INTEGER.fullmatch(value) else value
    return found


def list_passes() -> str:
    """Names of passes and stages, for people."""
    from ..passes import PASSES
    from ..runtime.backend import BACKENDS, find_backend

    lines = ["passes:", *(f"  {name}" for name in PASSES)]
    for target in BACKENDS:
        lines.append(f"stages of --pipeline {target}:")
        lines.extend(f"  {stage.name}: {', '.join(stage.passes)}" for stage in find_backend(target).pipeline)
    return "\n".join(lines) + "\n"


def run_opt(
    file: str,
    passes: str,
    pipeline: str | None,
    stop_after: str | None,
    machine: str | None,
    print_ir_after_all: bool,
    split_input_file: bool,
    verify_each: bool,
    verify_diagnostics: bool,
    timing: bool,
    list_all: bool,
    debuginfo: bool,
    output: str | None,
) -> None:
    """Runs the command; errors go through `reported`."""
    if list_all:
        click.echo(list_passes(), nl=False)
        return
    if stop_after is not None and pipeline is None:
        pipeline = "cpu"
    transform = make_transform(passes, pipeline, stop_after, machine, print_ir_after_all, verify_each, timing)
    text, name = read(file)
    parts = SEPARATOR.split(text) if split_input_file else [text]
    printed: list[str] = []
    failed = False
    line = 0
    for part in parts:
        padded = "\n" * line + part  # so that errors name the line of the whole file
        line += part.count("\n") + 1
        if verify_diagnostics:
            failed |= not check_diagnostics(padded, name, transform)
            continue
        try:
            module = parse_module(padded, name)
            transform(module)
            printed.append(print_op(module, debuginfo))
        except Exception as error:
            if not split_input_file:
                raise
            report_exception(error, name)
            failed = True
    if not verify_diagnostics:
        write("// -----\n".join(printed), None if failed and output else output)
    if failed:
        sys.exit(1)


def make_transform(
    passes: str,
    pipeline: str | None,
    stop_after: str | None,
    machine_name: str | None,
    print_ir: bool,
    verify_each: bool,
    timing: bool,
) -> Callable[[ModuleOp], None]:
    """What to do to each module."""
    from ..dialects.locations import blamed_on
    from ..passes.verify import verify
    from ..runtime.backend import BACKENDS, find_backend
    from ..runtime.lowering import level_of, say_level

    chosen = parse_passes(passes)
    if pipeline is not None and pipeline not in BACKENDS:
        fail(f"unknown pipeline {pipeline!r}: expected one of {', '.join(BACKENDS)}")
    backend = find_backend(pipeline or "cpu")
    order = [stage.name for stage in backend.pipeline]
    if stop_after is not None and stop_after not in order:
        fail(f"unknown stage {stop_after!r}: expected one of {', '.join(order)}")
    if machine_name is not None and machine_name not in backend.machines:
        fail(f"unknown target {machine_name!r}: expected one of {', '.join(backend.machines)}")
    machine = backend.machines[machine_name] if machine_name else None

    def after(name: str, module: ModuleOp, started: float) -> None:
        if timing:
            click.echo(f"{(time.perf_counter() - started) * 1e3:9.2f} ms  {name}", err=True)
        if print_ir:
            click.echo(f"// IR after {name}", err=True)
            click.echo(print_op(module, False), err=True)

    def transform(module: ModuleOp) -> None:
        context = make_context()
        verify(module)
        for pass_ in chosen:
            started = time.perf_counter()
            with blamed_on(module):
                pass_.apply(context, module)
            if verify_each:
                verify(module)
            after(pass_.name, module, started)
        if chosen:
            say_level(module, None)  # passes of one's own choice may end between two levels
            verify(module)
        if pipeline is not None:
            clock = [time.perf_counter()]

            def observe(stage: str, name: str, module: ModuleOp) -> None:
                after(name, module, clock[0])
                clock[0] = time.perf_counter()

            level = level_of(module)
            if level not in order or stop_after is None or order.index(level) < order.index(stop_after):
                backend.lower(module, stop_after, machine, observe=observe, verify_each=verify_each)

    return transform


def check_diagnostics(text: str, name: str, transform: Callable[[ModuleOp], None]) -> bool:
    """Whether the errors are those that the comments announce, at their lines; says which are not."""
    expected: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        for match in EXPECTED.finditer(line):
            offset = {"above": -1, "below": 1, None: 0}.get(match["offset"])
            expected.append((number + (int(match["offset"]) if offset is None else offset), match["text"]))
    try:
        transform(parse_module(text, name))
    except Exception as error:
        line, message = _line_of(error, name), str(getattr(error, "message", None) or error)
        for index, (wanted, fragment) in enumerate(expected):
            if wanted == line and fragment in message:
                del expected[index]
                break
        else:
            report(f"unexpected error: {message}", name, line)
            return False
    for wanted, fragment in expected:
        report(f"expected error {fragment!r} was not produced", name, wanted)
    return not expected


def _line_of(error: Exception, name: str) -> int:
    from xdsl.utils.exceptions import ParseError

    from .errors import place, span_place

    if isinstance(error, ParseError):
        return span_place(error)[0]
    location = getattr(error, "location", None)
    found = place(location) if location is not None else None
    return found[1] if found and found[0] == name else 0
