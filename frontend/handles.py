"""What registering a hook returns: it takes the hook out again."""

from __future__ import annotations

from itertools import count
from types import TracebackType
from typing import Any, Self

from . import mutations

_ids = count()


class RemovableHandle:
    """Adds a hook to others, under a number of its own; `remove()` takes it out again. Also a context manager."""

    def __init__(self, hooks: dict[int, Any], hook: Any, *, prepend: bool = False) -> None:
        self.id = next(_ids)
        self._hooks = hooks
        others = dict(hooks) if prepend else {}
        if prepend:
            hooks.clear()
        hooks[self.id] = hook
        hooks.update(others)
        mutations.bump()

    def remove(self) -> None:
        """Takes the hook out; a second time does nothing."""
        self._hooks.pop(self.id, None)
        mutations.bump()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


__all__ = ["RemovableHandle"]
