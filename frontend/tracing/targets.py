"""Names for values from the user's source: the variable that a line assigns to."""

from __future__ import annotations

import ast
import linecache
import os
from functools import lru_cache

from xdsl.dialects.builtin import LocationAttr

from ...dialects.locations import file_and_line


def target_at(location: LocationAttr) -> str | None:
    """`loss` for a line that says `loss = criterion(out, y)`; None where a line assigns to no single variable."""
    place = file_and_line(location)
    return _targets(place[0], _version(place[0])).get(place[1]) if place else None


def _version(filename: str) -> tuple[int, int] | None:
    """Changes when the file does, so that an edited and reloaded module is read anew; None for what is no file."""
    try:
        found = os.stat(filename)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=256)
def _targets(filename: str, version: tuple[int, int] | None) -> dict[int, str]:
    if version is not None:
        linecache.checkcache(filename)
    try:
        tree = ast.parse("".join(linecache.getlines(filename)))
    except (SyntaxError, ValueError):
        return {}
    found: dict[int, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                    found[line] = name
            case _:
                pass
    return found
