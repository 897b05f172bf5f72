"""Starting a trace over, knowing more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Again(BaseException):
    """The function is to be traced once more; `learn` is called with the hints for that."""

    def __init__(self, learn: Callable[[Any], None]) -> None:
        super().__init__()
        self.learn = learn


__all__ = ["Again"]
