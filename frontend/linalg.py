"""torch.linalg, as far as it is made of tensor operations."""

from __future__ import annotations

from .ops.matmul import matmul
from .ops.reductions import norm, vector_norm
from .unsupported import module_getattr

__all__ = ["matmul", "norm", "vector_norm"]

__getattr__ = module_getattr("irtool.linalg", lambda: __all__)
