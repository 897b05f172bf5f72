"""torch.linalg: norms and products made of tensor operations; some factorizations in eager code only."""

from __future__ import annotations

import math
from typing import Any

from ..dialects.types import DType
from .errors import TYPE_NAMES, LinAlgError, runtime_error
from .ops import combined
from .ops.factorizations import (
    cholesky,
    det,
    eigh,
    eigvalsh,
    inv,
    matrix_rank,
    pinv,
    qr,
    slogdet,
    solve,
    solve_triangular,
    svd,
    svdvals,
)
from .ops.joining import diagonal as _diagonal
from .ops.matmul import matmul, matrix_power, multi_dot
from .ops.reductions import vector_norm
from .surface.argument_names import adapted
from .surface.argument_types import checked
from .surface.unsupported import module_getattr
from .tensor import Tensor


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The vector product of vectors of three."""
    return combined.cross(input, other, dim)


def _check_float(name: str, x: Tensor) -> None:
    if x.dtype.kind != "float":
        raise runtime_error(
            f"linalg.{name}: Expected a floating point or complex tensor as input. Got {TYPE_NAMES[x.dtype]}"
        )


def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: tuple[int, int] = (-2, -1), keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """Norms of matrices: 'fro', 'nuc', inf, -inf, 1, -1, 2 or -2."""
    x = A if dtype is None else A.to(dtype)
    _check_float("matrix_norm", x)
    if x.ndim < 2:
        raise runtime_error(f"linalg.matrix_norm: The input tensor A must have at least 2 dimensions, got {x.ndim}")
    rows, columns = (d % x.ndim for d in dim)
    if ord == "fro":
        return vector_norm(x, 2, (rows, columns), keepdim)
    if ord in ("nuc", 2, -2):
        values = svdvals(x.movedim((rows, columns), (-2, -1)))
        found = values.sum(-1) if ord == "nuc" else values.amax(-1) if ord == 2 else values.amin(-1)
        return found.reshape([1 if d in (rows, columns) else n for d, n in enumerate(x.shape)]) if keepdim else found
    if ord not in (1, -1, math.inf, -math.inf):
        raise runtime_error(f"linalg.matrix_norm: Order {ord} not supported.")
    sums = x.abs().sum(rows if abs(ord) == 1 else columns, keepdim=True)
    if ord > 0:
        return (sums.amax if x.numel() else sums.sum)((rows, columns), keepdim)
    return sums.amin((rows, columns), keepdim)


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """The norm of vectors along one dimension, of matrices along two; of all elements where nothing is said."""
    if dim is None and ord is None:
        found = vector_norm(A.reshape(-1), 2, dtype=dtype)
        return found.reshape([1] * A.ndim) if keepdim else found
    if isinstance(ord, str) or (dim is None and A.ndim == 2) or (ord is not None and not isinstance(dim, int | None)):
        if dim is None and A.ndim != 2:
            raise runtime_error(f"linalg.norm: If dim is not specified but ord is '{ord}', the input must be 2D.")
        if dim is None or len(dim) == 2:
            return matrix_norm(A, ord, (-2, -1) if dim is None else tuple(dim), keepdim, dtype=dtype)
    if dim is None and A.ndim != 1:
        raise runtime_error(
            f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.ndim}D."
        )
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of the last two dimensions, or of others."""
    return _diagonal(A, offset, dim1, dim2)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Sums of products along a dimension."""
    _check_float("vecdot", x)
    return (x * y).sum(dim)


__all__ = [
    "LinAlgError",
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "vecdot",
    "vector_norm",
]

for _name in __all__:
    if _name != "LinAlgError":
        globals()[_name] = checked(_name, adapted(globals()[_name], out=True))

__getattr__ = module_getattr("irtool.linalg", lambda: __all__)
