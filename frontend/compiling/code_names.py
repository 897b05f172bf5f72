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
    assigned: frozenset[str]
    """Attributes and variables of enclosing functions that it assigns, and keys of dictionaries that it may assign."""


class Original:
    """The last constant of code that was instrumented: the code as it was."""

    def __init__(self, code: CodeType) -> None:
        self.code = code


def original(code: CodeType) -> CodeType:
    """The code that was instrumented; code that was not, as it is."""
    last = code.co_consts[-1] if code.co_consts else None
    return last.code if isinstance(last, Original) else code


@lru_cache(maxsize=4096)
def names_of(code: CodeType) -> Names:
    """The global names and the attribute names that code mentions."""
    code = original(code)
    globals_: set[str] = set()
    attributes: set[str] = set()
    stored: set[str] = set()
    assigned: set[str] = set()
    strings = {c for c in code.co_consts if isinstance(c, str)}
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL"):
            globals_.add(instruction.argval)
            if instruction.opname == "STORE_GLOBAL":
                stored.add(instruction.argval)
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "LOAD_SUPER_ATTR", "IMPORT_FROM"):
            attributes.add(instruction.argval)
        if instruction.opname in ("STORE_ATTR", "STORE_DEREF", "STORE_GLOBAL"):
            assigned.add(instruction.argval)
        elif instruction.opname == "STORE_SUBSCR":
            assigned |= strings
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner = names_of(constant)
            globals_ |= inner.globals
            attributes |= inner.attributes
            stored |= inner.stored
            assigned |= inner.assigned
        elif isinstance(constant, str) and constant.isidentifier():
            attributes.add(constant)  # getattr(self, "name")
            if "setattr" in globals_:
                assigned.add(constant)
    return Names(frozenset(globals_), frozenset(attributes), frozenset(stored), frozenset(assigned))


@lru_cache(maxsize=1024)
def used_by_library(cls: type) -> frozenset[str]:
    """The attributes of a class's objects that code reads which is not the user's."""
    found: set[str] = set()
    for base in cls.__mro__:
        if base is not object and not is_user(base.__module__):
            for member in vars(base).values():
                code = getattr(getattr(member, "fget", getattr(member, "__func__", member)), "__code__", None)
                if isinstance(code, CodeType):
                    found |= names_of(code).attributes
    return frozenset(found)


def is_user(module_name: object) -> bool:
    """Whether code of a module is the user's."""
    return not isinstance(module_name, str) or module_name.partition(".")[0] not in LIBRARY


__all__ = ["PACKAGE", "Names", "Original", "is_user", "names_of", "original", "used_by_library"]
