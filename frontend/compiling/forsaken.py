"""Programs for containers, and other objects, that nobody has any more.

Lists, dictionaries, tuples and objects like types.SimpleNamespace have no weak references: guards that compare them
keep them, and what is in them.

    h.pair = [a, b]; step(x)        the program is for this very list
    h.pair = [c, d]; step(x)        another program. Nobody but the first one has the old list: it goes, and so do a, b

Whether that is so is told by counting the references that programs have themselves; any more are somebody else's.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .guard_set import Guards
from .guards import Absent, Contents, Guard, Length, is_by_value
from .places import Entry, Item, Place, Slot, base_of, elements, is_a
from .weak import referent

if TYPE_CHECKING:
    from .specialize import Specialization


def forsaken(programs: Iterable[Specialization], all_programs: Iterable[Specialization]) -> list[Specialization]:
    """Those of the programs that are for an object that has been replaced, and that none but `all_programs` have."""
    replaced = [(program, [*_replaced(program.guards)]) for program in programs]
    replaced = [(program, values) for program, values in replaced if values]
    if not replaced:
        return []
    own = Counter(map(id, _held({id(program): program.guards for program in all_programs}.values())))
    own.update(id(value) for _, values in replaced for value in values)
    return [program for program, values in replaced if any(_is_own(values, k, own) for k in range(len(values)))]


def _replaced(guards: Guards) -> Iterator[Any]:
    for guard in (*guards.always, *guards.slow):
        if isinstance(guard, Place) and not guard.holds():
            value = referent(guard.expected)
            kept = base_of(value) is not None or value is guard.expected
            if kept and not (_is_plain(value) or is_a(value, frozenset)):
                yield value


def _is_own(values: Any, place: Any, own: Counter[int]) -> bool:
    """Whether nobody else has the value in one place of a list or tuple, which itself is counted as a reference."""
    value = values[place]
    count = sys.getrefcount(values[place]) - 2  # `value`, and the argument
    inside = 0 if type(values) is list else 1
    if count > own[id(value)] + inside:
        return False
    if not is_a(value, tuple):
        return True
    parts = [k for k, part in enumerate(elements(value)) if not _is_plain(part)]
    return bool(parts) and all(_is_own(value, k, own) for k in parts)


def _is_plain(value: Any) -> bool:
    """Whether an equal value may come again."""
    if is_a(value, tuple, frozenset):
        return all(map(_is_plain, elements(value)))
    return is_by_value(value)


def _held(every: Iterable[Guards]) -> Iterator[Any]:
    """What guards keep, once for each reference; the lists by which they are compared are made again when needed."""
    seen: dict[int, Guard] = {}
    for guards in every:
        guards.seal()
        for guard in (*guards.always, *guards.slow):
            if id(guard) not in seen:
                seen[id(guard)] = guard
                yield from _held_by(guard)


def _held_by(guard: Guard) -> Iterator[Any]:
    if isinstance(guard, Contents):
        yield guard.container
        yield from guard.expected
    elif isinstance(guard, (Length, Item)):
        yield guard.container
    elif isinstance(guard, Entry):
        yield guard.mapping
    elif isinstance(guard, (Absent, Slot)):
        yield guard.owner
    if isinstance(guard, Place):
        yield guard.expected


__all__ = ["forsaken"]
