"""Errors on the command line: `file:line:column: error: what`, the line and a caret, exit code 1; never a traceback."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NoReturn

import click
from xdsl.dialects.builtin import FileLineColLoc, FusedLoc, NameLoc
from xdsl.ir import Attribute
from xdsl.utils.exceptions import DiagnosticException, ParseError

from ..frontend.source import is_ours
from .output import flush

EXPECTED = (
    DiagnosticException,
    ParseError,
    OSError,
    ValueError,
    RuntimeError,
    TypeError,
    KeyError,
    IndexError,
    MemoryError,
)
"""What bad input may raise; anything else is a fault of irtool's own."""

SOURCES = (".mlir", ".py")
"""Files whose lines errors show. Locations are part of the input, and may name any file."""


def place(location: Attribute) -> tuple[str, int, int] | None:
    """The first (file, line, column) that a location names; column 0 where it is not known."""
    match location:
        case FileLineColLoc():
            return location.filename.data, location.line.data, location.column.data
        case NameLoc():
            return place(location.location)
        case FusedLoc():
            found = (place(part) for part in location.locations)  # pyright: ignore
            return next((p for p in found if p is not None), None)
        case _:
            return None


@lru_cache(maxsize=8)
def _lines(filename: str) -> list[str]:
    try:
        with open(filename, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def report(message: str, filename: str = "", line: int = 0, column: int = 0, text: str | None = None) -> None:
    """Writes one error to stderr."""
    where = ":".join(str(part) for part in (filename, line, column) if part)
    click.echo(f"{where + ': ' if where else ''}error: {message}", err=True)
    if text is None and line and filename.endswith(SOURCES) and os.path.isfile(filename):
        lines = _lines(filename)
        text = lines[line - 1] if line <= len(lines) else None
    if text is not None and len(text) < 400 and text.replace("\t", " ").isprintable():
        click.echo("  " + text, err=True)
        if column:
            click.echo("  " + " " * (column - 1) + "^", err=True)


def user_place(error: BaseException, filename: str) -> tuple[str, int, int] | None:
    """Where a Python file that is run, or one that it imports, has raised; None where the fault is not in those."""
    if not filename.endswith(".py"):
        return None
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return error.filename, error.lineno, error.offset or 0
    folder = os.path.dirname(os.path.realpath(filename)) + os.sep
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [(name, line, 0) for name, line in frames if os.path.realpath(name).startswith(folder) and not is_ours(name)]
    return own[-1] if own else None


def report_exception(error: BaseException, filename: str) -> None:
    """Writes what an exception says, at the place it knows of."""
    if isinstance(error, ParseError):
        line, column, text = span_place(error)
        missing = error.msg.startswith(" ")  # what was expected: upstream left it out
        message = "expected something else" + error.msg if missing else error.msg
        report(message, getattr(error.span.input, "name", filename), line, column, text)
        return
    location = getattr(error, "location", None)
    found = place(location) if isinstance(location, Attribute) else None
    message = getattr(error, "message", None) or str(error)
    if found:
        report(_without_place(message, found), *found)
    else:
        report(message, filename)


def _without_place(message: str, found: tuple[str, int, int]) -> str:
    place = f"{os.path.basename(found[0])}:{found[1]}"
    return message.removeprefix(f"{place}: ").removesuffix(f" (at {place})")


def span_place(error: ParseError) -> tuple[int, int, str]:
    """The line and column that parsing failed at, and the text of that line."""
    span, content = error.span, str(error.span.input.content)
    before = content[: span.start]
    line = before.count("\n") + 1
    begin = before.rfind("\n") + 1
    end = content.find("\n", begin)
    return line, span.start - begin + 1, content[begin : end if end >= 0 else len(content)]


@contextmanager
def reported(filename: str = "") -> Generator[None]:
    """Turns what goes wrong inside into an error message and exit code 1."""
    show = warnings.showwarning
    warnings.showwarning = _plainly
    try:
        yield
        flush()  # a full disk is an error of the command, not of the interpreter's end
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except BrokenPipeError:
        sys.exit(1)
    except (SystemExit, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # a traced file may have any of its own
        if os.environ.get("IRTOOL_TRACEBACK"):
            traceback.print_exc()
        found = user_place(error, filename)
        if found:
            message = f"{type(error).__name__}: {error}".removesuffix(": ")
            report(_without_place(message, found), *found)
        elif not isinstance(error, EXPECTED):
            fault = "a fault of irtool's own; IRTOOL_TRACEBACK=1 shows where"
            location = getattr(error, "location", None)
            known = place(location) if isinstance(location, Attribute) else None
            report(f"{type(error).__name__}: {error} ({fault})", *(known or (filename, 0, 0)))
        elif isinstance(error, OSError) and error.strerror:
            report(error.strerror, str(error.filename or filename))
        else:
            report_exception(error, filename)
        sys.exit(1)
    finally:
        warnings.showwarning = show


def _plainly(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
    """A warning of ours as a sentence, one about the user's file with its line."""
    place = "" if is_ours(filename) else f"{filename}:{lineno}: "
    click.echo(f"{place}warning: {message}", err=True)


class CommandLine(click.Group):
    """A command with commands of which each mistake in how they are called is one line, too."""

    def main(self, *args: Any, standalone_mode: bool = True, **options: Any) -> Any:
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **options)
        status: Any = 0
        with reported():
            try:
                status = super().main(*args, standalone_mode=False, **options)
            except click.exceptions.NoArgsIsHelpError as error:
                error.show()
                status = error.exit_code
            except click.ClickException as error:
                message = error.format_message()
                report(message[:1].lower() + message[1:])
                status = error.exit_code
            except click.Abort:
                status = 1
        sys.exit(status if isinstance(status, int) else 0)


def fail(message: str) -> NoReturn:
    """Ends the command with an error about how it was called."""
    report(message)
    sys.exit(1)
