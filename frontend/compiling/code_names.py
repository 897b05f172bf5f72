"""What code refers to by name, and whose code is looked into."""

from __future__ import annotations

import dis
import sys
from functools import lru_cache
from types import CodeType, FunctionType
from typing import NamedTuple, cast

PACKAGE = __name__.partition(".")[0]

LIBRARY = frozenset({PACKAGE, "numpy", "xdsl", *sys.stdlib_module_names} - {"__main__"})
"""Top-level packages whose code is taken as given."""

ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "LOAD_SUPER_ATTR", "IMPORT_FROM", "DELETE_ATTR")
"""Instructions with the name of an attribute."""


class CodeNames(NamedTuple):
    """What code refers to by name, that of nested functions included."""

    globals: frozenset[str]
    attributes: frozenset[str]
    stored: frozenset[str]
    """Globals that code assigns."""
    assigned: frozenset[str]
    """Attributes and variables of enclosing functions that it assigns, and keys of dictionaries that it may assign."""
    mutates: bool
    """Whether it may change a list or a dictionary."""


MUTATORS = frozenset(
    ("append", "appendleft", "extend", "extendleft", "insert", "pop", "popleft", "popitem", "remove", "clear", "update")
) | frozenset(("setdefault", "rotate", "reverse", "sort", "move_to_end", "__setitem__", "__delitem__", "setitem"))
"""Names of what changes a list or a dictionary."""


class Original:
    """The last constant of code that was instrumented: the code as it was."""

    def __init__(self, code: CodeType) -> None:
        self.code = code


def original(code: CodeType) -> CodeType:
    """The code that was instrumented; code that was not, as it is."""
    last = code.co_consts[-1] if code.co_consts else None
    return last.code if isinstance(last, Original) else code


@lru_cache(maxsize=4096)
def names_of(code: CodeType) -> CodeNames:
    """The global names and the attribute names that code mentions."""
    code = original(code)
    globals_: set[str] = set()
    attributes: set[str] = set()
    stored: set[str] = set()
    assigned: set[str] = set()
    mutates = False
    strings = {c for c in code.co_consts if isinstance(c, str)}
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"):
            globals_.add(instruction.argval)
            if instruction.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                stored.add(instruction.argval)
        elif instruction.opname in ATTRIBUTES:
            attributes.add(instruction.argval)
        elif instruction.opname == "MATCH_CLASS":  # the names stand in a constant
            tuples = [cast("tuple[object, ...]", c) for c in code.co_consts if isinstance(c, tuple)]
            attributes |= {name for names in tuples for name in names if isinstance(name, str)}
        if instruction.opname in ("STORE_ATTR", "STORE_DEREF", "STORE_GLOBAL"):
            assigned.add(instruction.argval)
        elif instruction.opname == "STORE_SUBSCR":
            assigned |= strings
        mutates = mutates or (
            instruction.opname in ("STORE_SUBSCR", "DELETE_SUBSCR")
            or (instruction.opname == "BINARY_OP" and instruction.argrepr.endswith("="))
            or (isinstance(instruction.argval, str) and instruction.argval in MUTATORS)
        )
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner = names_of(constant)
            globals_ |= inner.globals
            attributes |= inner.attributes
            stored |= inner.stored
            assigned |= inner.assigned
            mutates = mutates or inner.mutates
        elif isinstance(constant, str) and constant.isidentifier():
            attributes.add(constant)  # getattr(self, "name")
            if "setattr" in globals_:
                assigned.add(constant)
    return CodeNames(frozenset(globals_), frozenset(attributes), frozenset(stored), frozenset(assigned), mutates)


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


def is_of_user(function: FunctionType) -> bool:
    """Whether a function is written by the user, or says that it is."""
    return is_user(function.__module__) or is_user(function.__globals__.get("__name__"))


def is_user(module_name: object) -> bool:
    """Whether code of a module is the user's."""
    return not isinstance(module_name, str) or module_name.partition(".")[0] not in LIBRARY


__all__ = ["PACKAGE", "CodeNames", "Original", "is_of_user", "is_user", "names_of", "original", "used_by_library"]
