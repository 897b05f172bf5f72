"""`logging` while a function is traced: records are made by each call, with the values of tensors.

logger.info("loss %s", loss)      the name `logger` stands for a `_Logger`
logging.info("step")              the name `logging` for a copy of the module
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, wraps
from types import ModuleType
from typing import Any, cast

from ..modes import modes
from ..tracing.later import put_off
from .guards import Guards
from .places import Place
from .settle import Substitutes

LEVELS = ("debug", "info", "warning", "error", "critical", "log")


def _later(function: Callable[..., None]) -> Callable[..., None]:
    @wraps(function)
    def logged(*args: Any, **options: Any) -> None:
        if modes.trace is None:
            function(*args, **options)
        else:
            put_off(modes.trace, function, args, options)

    return logged


class _Logger:
    """Stands for a logger."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    __class__: Any = property(lambda self: cast(Any, type(self._logger)))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._logger, name)
        return _later(found) if name in LEVELS else found


@cache
def _module(logging: ModuleType) -> ModuleType:
    copy = ModuleType(logging.__name__, logging.__doc__)
    vars(copy).update({**vars(logging), **{name: _later(getattr(logging, name)) for name in LEVELS}})
    return copy


def put_logs(guards: Guards, substitutes: Substitutes) -> None:
    """Puts stand-ins where the function finds loggers, or names `logging`."""
    logging: Any = sys.modules.get("logging")
    if logging is None:
        return
    for guard in (*guards.always, *guards.slow):
        if isinstance(guard, Place):
            if guard.expected is logging:
                substitutes.put(guard, _module(logging))
            elif isinstance(guard.expected, logging.Logger | logging.LoggerAdapter):
                substitutes.put(guard, _Logger(guard.expected))


__all__ = ["put_logs"]
