"""Mixed precision: torch.amp and torch.cuda.amp, for programs that ask for it.

There is no half precision here: everything is computed in float32 or float64, as under `autocast(enabled=False)`. A
program that asks for less precision gets more of it, as PyTorch gives where an operation is on no list of autocast's.
Gradients of float32 do not vanish, so that a `GradScaler` has nothing to scale: it passes on what it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import Any, Self, TypeVar

from .optim.optimizer import Optimizer
from .surface.unsupported import module_getattr

F = TypeVar("F", bound=Callable[..., Any])


class autocast:
    """A context manager, and a decorator, that changes nothing. Dtypes that tensors may have are taken as they are."""

    def __init__(
        self, device_type: str = "cpu", dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        self.device = device_type
        self.fast_dtype = dtype

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, function: F) -> F:
        @wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return wrapped  # pyright: ignore[reportReturnType]


def is_autocast_enabled(device_type: str = "cpu") -> bool:
    """Whether operations run in less precision than their operands have: never."""
    return False


def is_autocast_available(device_type: str) -> bool:
    """Whether operations can run in less precision than their operands have: they cannot."""
    return False


class GradScaler:
    """Scales no gradients: `scale(loss)` is the loss, `step(optimizer)` is `optimizer.step()`."""

    def __init__(
        self,
        device: Any = "cpu",
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        pass

    def scale(self, outputs: Any) -> Any:
        """The outputs themselves."""
        return outputs

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divides the gradients by the scale, which is 1."""

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """`optimizer.step(...)`."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        """Chooses the scale of the next step, which is 1 again."""

    def get_scale(self) -> float:
        """1.0."""
        return 1.0

    def is_enabled(self) -> bool:
        """False."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what a scaler has saved, and has no use for it."""


def custom_fwd(fwd: Any = None, **options: Any) -> Any:
    """Marks the forward of an autograd.Function, which runs as it is."""
    return fwd if fwd is not None else _same


def custom_bwd(bwd: Any = None, **options: Any) -> Any:
    """Marks the backward of an autograd.Function, which runs as it is."""
    return bwd if bwd is not None else _same


def _same(function: F) -> F:
    return function


__all__ = [
    "GradScaler",
    "autocast",
    "custom_bwd",
    "custom_fwd",
    "is_autocast_available",
    "is_autocast_enabled",
]

__getattr__ = module_getattr("irtool.amp", lambda: __all__)
