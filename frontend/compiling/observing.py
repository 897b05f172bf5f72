"""The observer of a trace, as those see it that it calls (`observer.py` stands above them)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from .copies import Copies
from .overlay import Overlay
from .symbolic import Symbols


class Observing(Protocol):
    """What sees every value that traced code loads or stores."""

    symbols: Symbols
    overlay: Overlay
    """What traced code has assigned to live objects."""
    copies: Copies
    """What traced code gets instead of lists and dictionaries that it may change."""
    sources: dict[tuple[int, Any], Any]
    """The symbolic numbers of places in lists and dictionaries."""

    def stand_in(self, original: Any, new: Any, written_through: bool = False) -> None:
        """Puts something into the place of an object, wherever traced code finds that."""
        ...

    def load_attribute(
        self, owner: Any, name: str, called: bool = False, get: Callable[[Any, str], Any] = getattr
    ) -> Any:
        """An attribute."""
        ...

    def store_attribute(
        self, owner: Any, name: str, value: Any, put: Callable[[Any, str, Any], None] = setattr
    ) -> None:
        """`owner.name = value`"""
        ...

    def iterate(self, value: Any) -> Any:
        """`for x in value`"""
        ...

    def see_effect(self, name: str) -> NoReturn:
        """What comes next may have an effect: the trace ends here."""
        ...


__all__ = ["Observing"]
