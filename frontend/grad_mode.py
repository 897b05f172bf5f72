"""Whether operations are recorded for gradients: no_grad and its kin, as context managers and as decorators.

The mode is each thread's own, as in PyTorch."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from .modes import modes

F = TypeVar("F", bound=Callable[..., Any])


def is_grad_enabled() -> bool:
    """Whether operations are being recorded."""
    return modes.grad


def switch(mode: bool) -> bool:
    """Sets the mode and returns the one before."""
    before = modes.grad
    modes.grad = mode
    return before


class _GradMode:
    """A grad mode for the duration of a `with` block or of a function's calls."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self._before: list[bool] = []

    def __enter__(self) -> Self:
        self._before.append(switch(self.mode))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        switch(self._before.pop())

    def __call__(self, function: F) -> F:
        mode = self.mode
        if inspect.isgeneratorfunction(function):
            return _wrap_generator(function, mode)

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            before = switch(mode)
            try:
                return function(*args, **kwargs)
            finally:
                switch(before)

        return wrapped  # pyright: ignore[reportReturnType]


def _wrap_generator(function: Any, mode: bool) -> Any:
    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        while True:
            before = switch(mode)
            try:
                value = next(generator)
            except StopIteration as stop:
                return stop.value
            finally:
                switch(before)
            yield value

    return wrapped


class _FixedMode(_GradMode):
    """A mode whose class says which; usable with and without parentheses as a decorator."""

    MODE = False

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        if function is None:
            return super().__new__(cls)
        return cls()(function)

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        super().__init__(self.MODE)


class no_grad(_FixedMode):
    """Nothing is recorded inside."""

    MODE = False


class enable_grad(_FixedMode):
    """Operations are recorded inside, even within no_grad."""

    MODE = True


class set_grad_enabled(_GradMode):
    """Sets the mode at once; as a context manager, restores the one before at its end."""

    def __init__(self, mode: bool) -> None:
        super().__init__(bool(mode))
        self._outside = switch(self.mode)

    def __enter__(self) -> Self:
        self._before.append(self._outside)
        switch(self.mode)
        return self

    def __call__(self, function: F) -> F:
        switch(self._outside)
        return super().__call__(function)


class inference_mode(_GradMode):
    """As no_grad; results may be used in recorded code later."""

    def __new__(cls, mode: Any = True) -> Any:
        if callable(mode):
            return cls()(mode)
        return super().__new__(cls)

    def __init__(self, mode: Any = True) -> None:
        super().__init__(not mode)


def is_inference_mode_enabled() -> bool:
    """Whether nothing is being recorded; there is no separate inference mode."""
    return not modes.grad


__all__ = [
    "enable_grad",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_grad_enabled",
]
