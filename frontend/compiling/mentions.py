"""What code refers to by name, and whose code is looked into."""

from __future__ import annotations

import dis
import sys
from functools import lru_cache
from types import CodeType
from typing import NamedTuple

PACKAGE = __name__.partition(".")[0]

LIBRARY = frozenset({PACKAGE, "numpy", "xdsl", *sys.stdlib_module_names} - {"__main__"})
"""Top-level packages whose code is taken as given."""


class Names(NamedTuple):
    """What code refers to by name, that of nested functions included."""

    globals: frozenset[str]
    attributes: frozenset[str]
    stored: frozenset[str]
    """Globals that code assigns."""


@lru_cache(maxsize=4096)
def names_of(code: CodeType) -> Names:
    """The global names and the attribute names that code mentions."""
    globals_: set[str] = set()
    attributes: set[str] = set()
    stored: set[str] = set()
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL"):
            globals_.add(instruction.argval)
            if instruction.opname == "STORE_GLOBAL":
                stored.add(instruction.argval)
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "LOAD_SUPER_ATTR", "IMPORT_FROM"):
            attributes.add(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner = names_of(constant)
            globals_ |= inner.globals
            attributes |= inner.attributes
            stored |= inner.stored
        elif isinstance(constant, str) and constant.isidentifier():
            attributes.add(constant)  # getattr(self, "name")
    return Names(frozenset(globals_), frozenset(attributes), frozenset(stored))


def is_user(module_name: object) -> bool:
    """Whether code of a module is the user's."""
    return not isinstance(module_name, str) or module_name.partition(".")[0] not in LIBRARY


__all__ = ["PACKAGE", "Names", "is_user", "names_of"]
