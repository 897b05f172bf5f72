"""Containers and arrays that are so large that guards watch them only where traced code reads them.

    rows                    up to 4,096 entries are watched wherever they are found; longer ones are set aside
    rows[k], sum(rows)      traced code has loaded it: the trace is made again, with all of it watched
    self.log.append(x)      which reads nothing, and leaves it set aside
    a million lists         to compare them takes longer than to run the function: the call runs uncompiled

What is found where no load is seen, such as in lists and in defaults of functions, is looked into at once.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from ..source import is_ours
from ..tree import kind_of
from . import hooks
from .places import PLAIN, VALUES, attributes_of, base_of, elements, is_a, length

LONGEST, LONGEST_PLAIN = 1 << 12, 1 << 16
"""Longer containers are set aside; the second is that of containers of nothing but plain numbers and text."""

MOST, MOST_PLAIN = 1 << 16, 1 << 20
"""Of containers with more in them nothing is compared."""

LARGEST = 1 << 22
"""Of arrays of more bytes neither."""


def is_long(container: Collection[Any]) -> bool:
    """Whether a container is set aside."""
    size = length(container)
    return size > LONGEST and (size > LONGEST_PLAIN or not is_plain(container))


def is_plain(container: Collection[Any]) -> bool:
    """Whether there is nothing in it that other things can be in."""
    parts = chain(elements(container), VALUES(container) if is_a(container, dict) else ())
    return PLAIN.issuperset(map(kind_of, parts))


def is_large(value: Any) -> bool:
    """Whether a value is set aside."""
    if base_of(value) is not None:
        return is_long(value)
    return is_a(value, np.ndarray) and is_too_large(value)


def is_too_large(value: Any) -> bool:
    """Whether a container or an array cannot be watched."""
    if is_a(value, np.ndarray):
        if value.dtype.hasobject:
            return value.dtype != object or value.size > MOST
        return value.nbytes > LARGEST and not _is_constant(value)
    size = length(value)
    return size > MOST and (size > MOST_PLAIN or not is_plain(value))


def _is_constant(array: Any) -> bool:
    """Whether nobody can write to an array, nor to what it is a view of."""
    while is_a(array, np.ndarray):
        if array.flags.writeable or is_a(array, np.memmap):  # whose file others write to
            return False
        array = array.base
    return array is None or is_a(array, bytes)


def describe(value: Any) -> str:
    """What reading it is, for people."""
    if not is_a(value, np.ndarray):
        return f"reading a {type(value).__name__} of {length(value):,} entries"
    if value.dtype.hasobject:
        return f"reading a numpy array of {value.size:,} {value.dtype} entries"
    return f"reading a numpy array of {value.nbytes >> 20} MB"


def set_aside_in(values: Iterable[Any], unread: dict[int, Any]) -> Iterator[Any]:
    """What has been set aside of all that is in values, or in attributes of theirs."""
    pending, seen = [*values], set[int]()
    while pending:
        value = pending.pop()
        if type(value) in PLAIN or id(value) in seen:
            continue
        seen.add(id(value))
        if id(value) in unread:
            yield value
            continue
        if base_of(value) is not None:
            pending += VALUES(value) if is_a(value, dict) else elements(value)
        if not is_a(value, type):
            pending += (attributes_of(value) or {}).values()


def is_for_append() -> bool:
    """Whether what traced code is loading is for `.append` and the like alone."""
    return any(type(arg) is hooks.LoadAppend for _, arg in _next(1))


def is_for_entry() -> bool:
    """Whether what traced code is loading is for one entry of it alone."""
    following = [*_next(3)]
    return (
        len(following) == 3
        and following[0][0] in ("LOAD_CONST", "LOAD_FAST")
        and following[1][0] == "BUILD_TUPLE"
        and (following[2][1] is hooks.LOAD_ITEM or following[2][1] is hooks.STORE_ITEM)
    )


def _next(count: int) -> Iterable[tuple[str, Any]]:
    """The instructions of traced code that come after the load that it is at; none where it is at something else."""
    frame: Any = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None:
        return ()
    code = [*dis.get_instructions(frame.f_code)]
    at = next((k for k, instruction in enumerate(code) if instruction.offset == frame.f_lasti), len(code))
    if at == len(code) or not code[at].opname.startswith("BINARY_"):  # which is how hooks are asked
        return ()
    rest = (i for i in code[at + 1 :] if i.opname not in ("CACHE", "PUSH_NULL", "SWAP"))
    return [(i.opname, i.argval) for i, _ in zip(rest, range(count))]


__all__ = [
    "LARGEST",
    "LONGEST",
    "describe",
    "is_for_append",
    "is_for_entry",
    "is_large",
    "is_long",
    "is_plain",
    "is_too_large",
    "set_aside_in",
]
