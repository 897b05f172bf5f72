"""torch.linalg, as far as it is made of tensor operations."""

from __future__ import annotations

from .argument_names import numpy_names
from .ops import combined, reductions
from .ops.matmul import matmul
from .unsupported import module_getattr

cross = numpy_names(combined.cross)
norm = numpy_names(reductions.norm)
vector_norm = numpy_names(reductions.vector_norm)

__all__ = ["cross", "matmul", "norm", "vector_norm"]

__getattr__ = module_getattr("irtool.linalg", lambda: __all__)
