"""Trees of arguments and results: tuples, lists, dictionaries and named tuples, with anything else as leaves."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, cast

LEAF: Any = None
"""The structure of a leaf."""


def flatten(value: Any, leaves: list[Any]) -> Any:
    """Appends the leaves of a tree to a list; its structure, which can be hashed and compared."""
    kind = cast(Any, type(value))
    if kind is tuple or kind is list:
        return (kind, *[flatten(v, leaves) for v in value])
    if kind is dict or kind is OrderedDict:
        return (kind, tuple(value), *[flatten(v, leaves) for v in value.values()])
    if hasattr(kind, "_fields") and issubclass(kind, tuple):
        return (kind, *[flatten(v, leaves) for v in value])
    leaves.append(value)
    return LEAF


def rebuild(structure: Any, leaves: Iterator[Any]) -> Any:
    """The tree of a structure with other leaves."""
    if structure is LEAF:
        return next(leaves)
    kind, *children = structure
    if kind is dict or kind is OrderedDict:
        keys, *children = children
        made: Any = kind
        return made(zip(keys, [rebuild(child, leaves) for child in children], strict=True))
    values = [rebuild(child, leaves) for child in children]
    if kind is list:
        return values
    return tuple(values) if kind is tuple else kind(*values)
