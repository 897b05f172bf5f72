"""torch.linalg, as far as it is made of tensor operations."""

from __future__ import annotations

from .ops.matmul import matmul
from .ops.reductions import norm, vector_norm

__all__ = ["matmul", "norm", "vector_norm"]
