"""Calls of programs that look at their pointers when they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence


class PointerCall:
    """One set of pointers, for `launch` to run a program on."""

    def __init__(self, launch: Callable[[Mapping[int, int]], None]) -> None:
        self._launch = launch
        self._pointers: dict[int, int] = {}

    def set(self, index: int, address: int) -> None:
        """Changes one pointer."""
        self._pointers[index] = address

    def run(self, changes: Sequence[tuple[int, int]] = ()) -> None:
        """Changes some pointers, then runs."""
        self._pointers.update(changes)
        self._launch(self._pointers)
