"""Calls that run uncompiled, since their function reaches what is not known to be free of effects.

    queue.put(x)        the trace is given up before the call is made, all is put back, and the function runs as it is

Whether a function reaches such code may depend on anything, so that it is tried again: after 2 calls, after 4 more, and
so on. Programs of calls that do not reach it are looked for first.
"""

from __future__ import annotations

import os
import warnings

from ...dialects.locations import at_line, blame
from ..errors import located

LONGEST = 1 << 10
"""After how many calls a trace is tried at the latest."""


class Impure(BaseException):
    """Traced code is about to do what may have an effect that no program repeats. It goes through handlers of users."""

    def __init__(self, name: str, filename: str, line: int) -> None:
        super().__init__(name)
        self.name, self.filename, self.line = name, filename, line

    def let_go(self) -> None:
        """Lets go of the frames of the trace, whose observer refers to this."""
        self.__traceback__ = self.__context__ = self.__cause__ = None

    def warn(self, function: str) -> None:
        """Says so at the user's line."""
        warnings.warn_explicit(
            f"{self.name} is not known to be free of effects: calls of {function} that reach it run uncompiled. Move "
            "it out of the compiled function, or pass its result in",
            UserWarning,
            self.filename,
            self.line,
        )

    def error(self, function: str) -> RuntimeError:
        """For who wants a program and nothing else."""
        error = located(
            RuntimeError,
            f"{self.name} is not known to be free of effects, so that {function} has no program. Move it out of the "
            "compiled function, or pass its result in",
            f"{os.path.basename(self.filename)}:{self.line}",
        )
        blame(error, at_line(self.filename, self.line))
        return error


class Uncompiled:
    """What a compiled function knows of its calls that run uncompiled, by their keys."""

    def __init__(self) -> None:
        self._tries: dict[object, int] = {}
        self._left: dict[object, int] = {}
        self._warned: set[tuple[str, str, int]] = set()

    def is_next(self, key: object) -> bool:
        """Whether a call without a program is one of those that are not traced."""
        left = self._left.get(key, 0)
        if left:
            self._left[key] = left - 1
        return left > 0

    def add(self, key: object, found: Impure, function: str) -> None:
        """A trace was given up."""
        if len(self._tries) > LONGEST:
            self._tries.clear()
            self._left.clear()
        self._tries[key] = tries = self._tries.get(key, 0) + 1
        self._left[key] = min(1 << tries, LONGEST)
        place = (found.name, found.filename, found.line)
        if place not in self._warned:
            self._warned.add(place)
            found.warn(function)


__all__ = ["Impure", "Uncompiled"]
