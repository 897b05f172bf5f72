"""Locations: the user's Python line on every op, from the frontend down to the comments in the generated C."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
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
from xdsl.ir import Attribute, Operation

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


def location_of(op: Operation) -> LocationAttr:
    """Where an op comes from; if that is not known, where what is around it does."""
    place: Operation | None = op
    while place is not None and not leaves(place.location):
        place = place.parent_op()
    return UNKNOWN_LOC if place is None else place.location


def blame(error: Exception, place: Operation | LocationAttr) -> None:
    """Gives an error that knows of no place one, or the op's: as `location`, for whoever reports it."""
    known = getattr(error, "location", None)
    if not isinstance(known, Attribute) or not leaves(known):
        error.location = location_of(place) if isinstance(place, Operation) else place  # type: ignore[attr-defined]


@contextmanager
def blamed_on(op: Operation) -> Generator[None]:
    """Blames what is raised inside on an op, unless it knows better."""
    try:
        yield
    except Exception as error:
        blame(error, op)
        raise


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
