"""Locations: the user's Python line on every op, from the frontend down to the comments in the generated C."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from typing import cast

from xdsl.dialects.builtin import (
    UNKNOWN_LOC,
    ArrayAttr,
    CallSiteLoc,
    FileLineColLoc,
    FusedLoc,
    IntAttr,
    LocationAttr,
    NameLoc,
    NoneAttr,
    StringAttr,
    UnknownLoc,
)
from xdsl.ir import Attribute

GRADIENT = "gradient"


@cache
def at_line(filename: str, line: int) -> FileLineColLoc:
    """The location of a line of a Python file."""
    return FileLineColLoc(file_name(filename), IntAttr(line), IntAttr(0))


def file_name(filename: str) -> StringAttr:
    """A file's name as text: bytes in it that are none become `?`."""
    return StringAttr(filename.encode(errors="replace").decode())


@cache
def gradient_of(location: LocationAttr) -> LocationAttr:
    """The location of an op that computes a gradient of what stands at `location`."""
    if isinstance(location, UnknownLoc) or (isinstance(location, NameLoc) and location.desc.data == GRADIENT):
        return location
    return NameLoc(StringAttr(GRADIENT), location)


def leaves(location: Attribute) -> list[LocationAttr]:
    """What a fused location consists of, without repetition, in order; unknown ones left out."""
    if isinstance(location, FusedLoc):
        found: dict[LocationAttr, None] = {}
        for part in cast(ArrayAttr[Attribute], location.locations):
            found.update(dict.fromkeys(leaves(part)))
        return list(found)
    if isinstance(location, UnknownLoc | NoneAttr):
        return []
    return [cast(LocationAttr, location)]


def fuse(locations: Iterable[LocationAttr]) -> LocationAttr:
    """One location that names all the given lines, each once."""
    found: dict[LocationAttr, None] = {}
    for location in locations:
        found.update(dict.fromkeys(leaves(location)))
    if not found:
        return UNKNOWN_LOC
    if len(found) == 1:
        return next(iter(found))
    return FusedLoc(tuple(found), NoneAttr())


def file_and_line(location: Attribute) -> tuple[str, int] | None:
    """The first (file, line) that a location names, or None."""
    match location:
        case FileLineColLoc():
            return location.filename.data, location.line.data
        case NameLoc():
            return file_and_line(location.location)
        case CallSiteLoc():
            return file_and_line(location.callee)
        case FusedLoc():
            for part in cast(ArrayAttr[Attribute], location.locations):
                found = file_and_line(part)
                if found:
                    return found
            return None
        case _:
            return None


def describe(location: Attribute) -> str:
    """For people: `train.py:11`, `gradient of train.py:11`, several joined by `; `. Empty for an unknown location."""
    match location:
        case FileLineColLoc():
            return f"{os.path.basename(location.filename.data)}:{location.line.data}"
        case NameLoc():
            inner = describe(location.location)
            if location.desc.data == GRADIENT:
                return f"gradient of {inner}" if inner else ""
            return inner or location.desc.data
        case CallSiteLoc():
            return describe(location.callee)
        case FusedLoc():
            return "; ".join(text for text in map(describe, leaves(location)) if text)
        case _:
            return ""
