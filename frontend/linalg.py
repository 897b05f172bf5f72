"""torch.linalg, as far as it is made of tensor operations."""

from __future__ import annotations

from .argument_names import adapted
from .ops import combined, reductions
from .ops.joining import diagonal as _diagonal
from .ops.matmul import matmul, matrix_power, multi_dot
from .tensor import Tensor
from .unsupported import module_getattr

cross = adapted(combined.cross)
norm = adapted(reductions.norm)
vector_norm = adapted(reductions.vector_norm)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of the last two dimensions, or of others."""
    return _diagonal(A, offset, dim1, dim2)


__all__ = ["cross", "diagonal", "matmul", "matrix_power", "multi_dot", "norm", "vector_norm"]

__getattr__ = module_getattr("irtool.linalg", lambda: __all__)
