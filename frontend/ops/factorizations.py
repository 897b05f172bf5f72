"""Inverses, determinants and factorizations of matrices: computed by numpy, eagerly, one node of the tape each.

In compiled code some of them are eliminations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np

from ...dialects.types import i64
from .. import eager
from ..creation import from_array
from ..errors import TYPE_NAMES, LinAlgError, located, runtime_error, untraceable
from ..modes import modes
from ..promotion import finfo
from ..ranges import eye
from ..tape import CustomNode
from ..tensor import Tensor
from . import elimination
from .operands import broadcast_shape, without_derivative

_numpy: Any = np.linalg


def _computed(name: str, function: Callable[..., Any], *tensors: Tensor, square: bool = True) -> list[Tensor]:
    """The results of a numpy function, without history."""
    if modes.trace is not None:
        raise untraceable(f"linalg.{name}()", "there is no such operation in compiled code; call it outside")
    _check(name, *tensors, square=square)
    try:
        found = function(*eager.mirrored(f"linalg.{name}", *tensors))
    except np.linalg.LinAlgError as error:
        raise located(LinAlgError, f"linalg.{name}: {error}") from None
    results: list[Any] = list(cast(Any, found)) if isinstance(found, tuple) else [found]
    return [from_array(np.asarray(x, tensors[0].dtype.numpy)) for x in results]


def _check(name: str, *tensors: Tensor, square: bool = True) -> None:
    """Raises for what are no matrices."""
    for x in tensors:
        if x.dtype.kind != "float":
            raise runtime_error(f"linalg.{name}: Expected a floating point tensor as input. Got {TYPE_NAMES[x.dtype]}")
    shape = tensors[0].shape
    if len(shape) < 2:
        raise runtime_error(f"linalg.{name}: The input tensor A must have at least 2 dimensions.")
    if square and shape[-1] != shape[-2]:
        raise runtime_error(
            f"linalg.{name}: A must be batches of square matrices, but they are {shape[-2]} by {shape[-1]} matrices"
        )


def _differentiable(
    name: str, inputs: Sequence[Tensor], output: Tensor, backward: Callable[[Tensor], Sequence[Tensor | None]]
) -> Tensor:
    def rule(gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        (gradient,) = gradients
        assert gradient is not None
        return backward(gradient)

    if modes.grad and any(x.requires_grad for x in inputs):
        CustomNode(name, inputs, (output,), rule)
    return output


def _without_gradient(name: str, x: Tensor) -> None:
    if modes.grad and x.requires_grad:
        raise runtime_error(f"linalg.{name} has no gradient in irtool: detach() its argument")


def inv(A: Tensor) -> Tensor:
    """The inverse of matrices."""
    if modes.trace is not None:
        _check("inv", A)
        return elimination.eliminate("inv", A, eye(A.shape[-1], dtype=A.dtype).expand_as(A))[0]
    (found,) = _computed("inv", _numpy.inv, A)
    return _differentiable("LinalgInvExBackward0", (A,), found, lambda g: (-(found.mT @ g @ found.mT),))


def solve(A: Tensor, B: Tensor) -> Tensor:
    """X with A X = B; B may be a vector."""
    if A.ndim < 2:
        raise runtime_error("linalg.solve: The input tensor A must have at least 2 dimensions.")
    if B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1]):
        return solve(A, B.unsqueeze(-1)).squeeze(-1)
    if B.ndim < A.ndim:
        return solve(A, B.expand(*A.shape[:-2], *B.shape[-2:]))
    if A.ndim < B.ndim:
        return solve(A.expand(*B.shape[:-2], *A.shape[-2:]), B)
    if modes.trace is not None:
        _check("solve", A, B)
        batch = broadcast_shape(A.shape[:-2], B.shape[:-2])
        return elimination.eliminate("solve", A.expand(*batch, *A.shape[-2:]), B.expand(*batch, *B.shape[-2:]))[0]
    (found,) = _computed("solve", _numpy.solve, A, B)

    def backward(g: Tensor) -> tuple[Tensor, Tensor]:
        part = solve(A.mT, g)
        return -(part @ found.mT), part

    return _differentiable("LinalgSolveExBackward0", (A, B), found, backward)


def det(A: Tensor) -> Tensor:
    """Determinants."""
    if modes.trace is not None:
        return _pivots("det", A).prod(-1)
    (found,) = _computed("det", _numpy.det, A)
    return _differentiable("LinalgDetBackward0", (A,), found, lambda g: (g[..., None, None] * _cofactors(A, found),))


def _cofactors(A: Tensor, determinant: Tensor) -> Tensor:
    """The derivative of determinants, of singular matrices too, for which it is computed without a history."""
    try:
        return determinant[..., None, None] * inv(A).mT
    except LinAlgError:
        return _computed("det", _cofactors_of_singular, A)[0]


def _cofactors_of_singular(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    u, s, vh = _numpy.svd(array)
    others = np.stack([np.delete(s, k, -1).prod(-1) for k in range(s.shape[-1])], -1)
    return (_numpy.det(u) * _numpy.det(vh))[..., None, None] * ((u * others[..., None, :]) @ vh)


def _inverse_or_nan(A: Tensor) -> Tensor:
    """Inverses; NaN for all, without a history, where one of the matrices has none."""
    try:
        return inv(A)
    except LinAlgError:
        return A.new_full(A.shape, float("nan"))


def _pivots(name: str, A: Tensor) -> Tensor:
    """What the determinants are products of."""
    _check(name, A)
    return elimination.eliminate(name, A, A[..., :0])[1]


class SignAndLogarithm(NamedTuple):
    """What slogdet returns."""

    sign: Tensor
    logabsdet: Tensor


def slogdet(A: Tensor) -> SignAndLogarithm:
    """Signs of determinants and logarithms of their absolute values."""
    if modes.trace is not None:
        pivots = _pivots("slogdet", A)
        return _SLOGDET(without_derivative(pivots.detach().sign().prod(-1), A), pivots.abs().log().sum(-1))
    sign, logarithm = _computed("slogdet", _numpy.slogdet, A)
    _differentiable("LinalgSlogdetBackward0", (A,), logarithm, lambda g: (g[..., None, None] * _inverse_or_nan(A).mT,))
    return _SLOGDET(without_derivative(sign, A), logarithm)


_SLOGDET = type("slogdet", (SignAndLogarithm,), {"__slots__": ()})


def logdet(input: Tensor) -> Tensor:
    """Logarithms of determinants: NaN for negative ones."""
    sign, logarithm = slogdet(input)
    return logarithm.masked_fill(sign.lt(0), float("nan"))


def _cholesky(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if np.isnan(array).any():
        raise np.linalg.LinAlgError("Matrix is not positive definite")
    return _numpy.cholesky(array)


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """Triangular L with L Lᵀ = A."""
    if modes.trace is not None:
        _check("cholesky", A)
        factor = elimination.cholesky(A)
        return factor.mT if upper else factor
    (found,) = _computed("cholesky", _cholesky, A)

    def backward(g: Tensor) -> tuple[Tensor]:
        half = (found.mT @ g).tril()
        half = half - half.diagonal(dim1=-2, dim2=-1).diag_embed() / 2
        inverse = inv(found)
        whole = inverse.mT @ half @ inverse
        return ((whole + whole.mT) / 2,)

    _differentiable("LinalgCholeskyExBackward0", (A,), found, backward)
    return found.mT if upper else found


def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """X with A X = B, or with X A = B, where only one triangle of A is looked at."""
    if not left:
        return solve_triangular(A.mT, B.mT, upper=not upper, unitriangular=unitriangular).mT
    if unitriangular:
        ones = A - A.diagonal(dim1=-2, dim2=-1).diag_embed() + eye(A.shape[-1], dtype=A.dtype)
        return solve_triangular(ones, B, upper=upper)
    _check("solve_triangular", A, B)
    if upper:  # counted from the other end it is a lower one
        return solve_triangular(A.flip(-2, -1), B.flip(-2), upper=False).flip(-2)
    if modes.trace is not None:
        return elimination.substitute(A, B)
    batch = broadcast_shape(A.shape[:-2], B.shape[:-2])
    lower, right = A.expand(*batch, *A.shape[-2:]), B.expand(*batch, *B.shape[-2:])
    (found,) = _computed("solve_triangular", _substituted, lower, right)

    def backward(g: Tensor) -> tuple[Tensor, Tensor]:
        part = solve_triangular(lower.mT, g, upper=True)
        return -(part @ found.mT).tril(), part

    return _differentiable("LinalgSolveTriangularBackward0", (lower, right), found, backward)


def _substituted(lower: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    found = np.zeros(right.shape, right.dtype)
    with np.errstate(all="ignore"):
        for j in range(lower.shape[-1]):
            known = lower[..., j : j + 1, :j] @ found[..., :j, :]
            found[..., j : j + 1, :] = (right[..., j : j + 1, :] - known) / lower[..., j : j + 1, j : j + 1]
    return found


def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """X with A X = B, where L is the Cholesky factor of A."""
    lower = L.mT if upper else L
    return solve_triangular(lower.mT, solve_triangular(lower, B, upper=False), upper=True)


def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """The inverse of what L is the Cholesky factor of."""
    return cholesky_solve(eye(L.shape[-1], dtype=L.dtype).expand_as(L), L, upper)


class QR(NamedTuple):
    """What qr returns."""

    Q: Tensor
    R: Tensor


class SVD(NamedTuple):
    """What svd returns."""

    U: Tensor
    S: Tensor
    Vh: Tensor


class Eigen(NamedTuple):
    """What eigh returns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


def qr(A: Tensor, mode: str = "reduced") -> QR:
    """Orthogonal Q and triangular R with Q R = A."""
    _without_gradient("qr", A)
    return QR(*_computed("qr", partial(_numpy.qr, mode=mode), A, square=False))


def svd(A: Tensor, full_matrices: bool = True) -> SVD:
    """U, S and Vh with U diag(S) Vh = A."""
    _without_gradient("svd", A)
    return SVD(*_computed("svd", partial(_numpy.svd, full_matrices=full_matrices), A, square=False))


def svdvals(A: Tensor) -> Tensor:
    """Singular values."""
    return svd(A, False).S


def eigh(A: Tensor, UPLO: str = "L") -> Eigen:
    """Eigenvalues, and eigenvectors as columns, of symmetric matrices."""
    _without_gradient("eigh", A)
    return Eigen(*_computed("eigh", partial(_numpy.eigh, UPLO=UPLO), A))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """Eigenvalues of symmetric matrices."""
    return eigh(A, UPLO).eigenvalues


def pinv(A: Tensor, rcond: float = 1e-15) -> Tensor:
    """The pseudo-inverse."""
    _check("pinv", A, square=False)
    _without_gradient("pinv", A)
    return _computed("pinv", partial(_numpy.pinv, rcond=max(rcond, finfo(A.dtype).eps)), A, square=False)[0]


def matrix_rank(A: Tensor) -> Tensor:
    """How many singular values are not about zero."""
    values = svdvals(A.detach())
    if not values.shape[-1]:
        return values.sum(-1).to(i64)
    limit = values.amax(-1, True) * max(A.shape[-2:]) * finfo(A.dtype).eps
    return values.gt(limit).sum(-1)


_TORCH = (cholesky_inverse, cholesky_solve, det, logdet, slogdet)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{f.__name__: f for f in _TORCH},
    "inverse": inv,
    "cholesky": cholesky,
    "pinverse": pinv,
}
METHODS: dict[str, Callable[..., Any]] = {
    name: FUNCTIONS[name] for name in ("cholesky", "cholesky_solve", "det", "inverse", "logdet", "slogdet")
}

__all__ = [
    "FUNCTIONS",
    "METHODS",
    "cholesky",
    "det",
    "eigh",
    "eigvalsh",
    "inv",
    "matrix_rank",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
]
