"""torch.cuda: there is no GPU in eager mode."""

from __future__ import annotations

from . import amp
from .random import manual_seed
from .surface.unsupported import module_getattr


def is_available() -> bool:
    """Whether tensors can be moved to a GPU."""
    return False


def device_count() -> int:
    """The number of GPUs that tensors can be moved to."""
    return 0


def synchronize(device: object = None) -> None:
    """Waits for the GPU: nothing to wait for."""


def empty_cache() -> None:
    """Releases unused GPU memory: there is none."""


manual_seed_all = manual_seed

__all__ = ["amp", "device_count", "empty_cache", "is_available", "manual_seed", "manual_seed_all", "synchronize"]

__getattr__ = module_getattr("irtool.cuda", lambda: __all__)
