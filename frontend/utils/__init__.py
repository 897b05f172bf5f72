"""Helpers around training: torch.utils."""

from ..surface.unsupported import module_getattr
from . import checkpoint, data

__all__ = ["checkpoint", "data"]

__getattr__ = module_getattr("irtool.utils", lambda: __all__)
