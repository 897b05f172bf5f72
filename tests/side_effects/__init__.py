"""What functions do besides returning: each call of a compiled one does what a call of the eager one does.

    statements.txt …   a line is a row: what is there before :: what the function does :: what is looked at afterwards
    foreign.py …       a function is a row: it is given `wrap`, and returns what to call and what looks at the effects

The function of a line has an argument `x`, and gives back `y`, which is `x * 2` before its statements. What is there
before are globals of its module in one run and variables around it in another (`global n` is `nonlocal n` there).
"""

from __future__ import annotations

import contextlib
import io
import re
import textwrap
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import irtool

from ..questions import names
from ..questions.compare import describe
from . import aliases, calls, foreign, lookups, objects, outside, reads, special_methods, steps, watched

HERE = Path(__file__).parent
STATEMENTS = (HERE / "statements.txt", HERE / "library.txt")

SIZES = (3, 3, 3, 2, 3)
"""Of the arguments of the calls, one after the other."""

Made = tuple[Callable[[Any], Any], Callable[[], Any]]


@dataclass(frozen=True)
class Row:
    """One function with effects."""

    name: str
    make: Callable[[Callable[..., Any]], Made]
    where: str


@dataclass
class Outcome:
    """What one call gave and left."""

    result: Any
    error: BaseException | None
    effects: Any
    printed: str
    warned: list[str]


def run(row: Row, wrap: Callable[..., Any]) -> Iterator[Outcome]:
    """The calls, and what each has left."""
    call, observe = row.make(wrap)
    for k, size in enumerate(SIZES):
        x = irtool.arange(float(size)) + k
        out, log = io.StringIO(), warnings.catch_warnings(record=True)
        with log as seen, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            warnings.simplefilter("always")
            result, error = None, None
            try:
                result = call(x)
            except KeyboardInterrupt:
                raise
            except BaseException as e:
                error = e
        warned = [str(w.message) for w in seen if str(w.message).startswith("user")]
        yield Outcome(describe(result), error, _looked_at(observe), out.getvalue(), warned)


def _looked_at(observe: Callable[[], Any]) -> Any:
    try:
        return describe(observe())
    except Exception as e:
        return type(e).__name__


def compare(row: Row, target: str = "reference") -> list[str]:
    """How compiled calls differ from eager ones, in words."""

    def wrap(f: Callable[..., Any]) -> Any:
        return irtool.compile(f, target=target)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # rows leave files and sockets open
        outcomes = [*zip(list(run(row, lambda f: f)), run(row, wrap), strict=True)]
    for k, (eager, compiled) in enumerate(outcomes):
        if type(eager.error) is not type(compiled.error):
            return [f"call {k}: raised {compiled.error!r}, eager {eager.error!r}"]
        found = [
            f"call {k}: {what} {b}, eager {a}"
            for what, a, b in (
                ("gave", eager.result, compiled.result),
                ("left", eager.effects, compiled.effects),
                ("printed", eager.printed, compiled.printed),
                ("warned", eager.warned, compiled.warned),
            )
            if a != b
        ]
        if found:
            return found
    return []


# The rows


def _statements() -> Iterator[Row]:
    for file in STATEMENTS:
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                parts = re.split(r" ?:: ?", line)
                for kind in ("global", "nonlocal"):
                    yield Row(f"{line} ({kind})", _maker(kind, parts, file, number), f"{file.name}:{number}")


def _maker(kind: str, parts: list[str], file: Path, number: int) -> Callable[[Callable[..., Any]], Made]:
    before, does, after = parts
    body = f"def f(x): y = x * 2; {does.replace('global ', kind + ' ')}; return y\nfound = wrap(f), lambda: ({after})"
    text = f"{before}\n{body}"
    if kind == "nonlocal":
        text = f"def make(wrap):\n{textwrap.indent(text, '    ')}\n    return found\nfound = make(wrap)"
    lines = text.count("\n", 0, text.index("def f(x)"))
    code = compile("\n" * max(number - 1 - lines, 0) + text, str(file), "exec")

    def make(wrap: Callable[..., Any]) -> Made:
        scope = {**vars(names), "wrap": wrap}
        exec(code, scope)
        return scope["found"]

    return make


def _functions() -> Iterator[Row]:
    for part in (aliases, foreign, outside, special_methods, objects, calls, reads, lookups, watched, steps):
        for name, f in vars(part).items():
            if isinstance(f, types.FunctionType) and f.__module__ == part.__name__ and not name.startswith("_"):
                yield Row(name, f, Path(f.__code__.co_filename).name)


def known(name: str) -> list[str]:
    """The rows that a file lists."""
    return (HERE / name).read_text().splitlines()


ROWS = {row.name: row for row in (*_statements(), *_functions())}
