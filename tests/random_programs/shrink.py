"""The fewest statements of a program that still show a difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .generate import INDENT, Program


def shrink(program: Program, fails: Callable[[Program], bool]) -> Program:
    """Leaves out statements, lines of blocks and calls, as long as the program still fails."""
    again = True
    while again:
        again = False
        for smaller in _smaller(program):
            if fails(smaller):
                program, again = smaller, True
                break
    return program


def _smaller(program: Program) -> list[Program]:
    body = list(program.body)
    found = [replace(program, calls=1)] if program.calls > 1 else []
    found += [replace(program, calls=2)] if program.calls > 2 else []
    size = len(body) // 2
    while size:
        found += [program.with_body(body[:i] + body[i + size :]) for i in range(0, len(body), size)]
        size //= 2
    for i, statement in enumerate(body):
        rows = statement.split("\n")
        if len(rows) > 1:
            inner = [row.removeprefix(INDENT) for row in rows[1:] if row.startswith(INDENT)]
            found.append(program.with_body([*body[:i], *inner, *body[i + 1 :]]))
            for k in range(1, len(rows)):
                found.append(program.with_body([*body[:i], "\n".join(rows[:k] + rows[k + 1 :]), *body[i + 1 :]]))
    parts = program.result.split(", ")
    if len(parts) > 1 and program.result[0] not in "[{":
        found += [replace(program, result=", ".join(parts[:i] + parts[i + 1 :])) for i in range(len(parts))]
    return found
