"""Factorizations in compiled code: elimination column by column, unrolled, for small matrices. Gradients are those of
the operations they are made of.
"""

from __future__ import annotations

import numpy as np

from ..creation import tensor
from ..errors import LinAlgError, untraceable
from ..tensor import Tensor
from .arithmetic import where
from .checks import check_holds
from .joining import cat, stack
from .operands import expand_to, flat
from .shape import reshaped

LARGEST = 32
"""Rows: there are some ten operations for each."""


def _check(name: str, A: Tensor) -> int:
    n = A._spec.shape[-1]
    if n > LARGEST:
        raise untraceable(
            f"linalg.{name}() of more than {LARGEST} rows",
            "compiled code has it for smaller matrices only; call it outside",
        )
    return n


def cholesky(A: Tensor) -> Tensor:
    """Lower triangular factors."""
    columns: list[Tensor] = []
    pivots: list[Tensor] = []
    rest = _lower_twice(A)
    for j in range(_check("cholesky", A)):
        pivots.append(rest[..., j, j])
        column = _padded(rest[..., j:, j] / pivots[j].sqrt().unsqueeze(-1), j)
        rest = rest - column.unsqueeze(-1) * column.unsqueeze(-2)
        columns.append(column)
    if not columns:
        return A.clone()
    message = "linalg.cholesky: Matrix is not positive definite"
    check_holds(stack(pivots, -1).detach().gt(0), LinAlgError, message)
    return stack(columns, -1)


def _lower_twice(A: Tensor) -> Tensor:
    """The symmetric matrix of A's lower triangle, whose gradient is symmetric: both triangles have half of it."""
    at, both = A.detach(), (A + A.mT) / 2
    return at.tril() + at.tril(-1).mT + (both - both.detach())


def _padded(column: Tensor, count: int) -> Tensor:
    """A column below `count` zeros."""
    zeros = column.new_zeros((*column._spec.shape[:-1], count))
    return cat([zeros, column], -1) if count else column


def substitute(L: Tensor, B: Tensor) -> Tensor:
    """X with L X = B, for lower triangular L."""
    rows: list[Tensor] = []
    for j in range(_check("solve_triangular", L)):
        row = B[..., j : j + 1, :]
        if rows:
            row = row - L[..., j : j + 1, :j] @ cat(rows, -2)
        rows.append(row / L[..., j : j + 1, j : j + 1])
    return cat(rows, -2) if rows else flat(B.clone(), L.sum())


def eliminate(name: str, A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """(X with A X = B, what the determinant of A is a product of): each step takes the row with the largest element."""
    n = _check(name, A)
    whole = cat([A, B], -1)
    batch = whole._spec.shape[:-2]
    rows = tensor(np.arange(n))
    pivots: list[Tensor] = []
    if not n:
        return flat(B.clone(), A.sum()), reshaped(A, (*batch, 0))
    for j in range(n):
        at = (whole[..., j:, j].detach().abs().argmax(-1) + j).unsqueeze(-1)
        order = where(rows.eq(j), at, where(rows.eq(at), j, rows))
        index = expand_to(reshaped(order, (*batch, n, 1)), whole._spec.shape)
        whole = whole.gather(-2, index)
        pivot = whole[..., j : j + 1, j : j + 1]
        pivots.append(where(at.squeeze(-1).eq(j), 1.0, -1.0).to(A.dtype) * pivot[..., 0, 0])
        # Without a right side only the pivots are asked for: one that is 0 has nothing below it.
        divisor = pivot if B._spec.shape[-1] else pivot.masked_fill(pivot.eq(0), 1)
        row = whole[..., j : j + 1, :] / divisor
        whole = where(reshaped(rows.eq(j), (n, 1)), row, whole - whole[..., j : j + 1] * row)
    factors = stack(pivots, -1)
    if B._spec.shape[-1]:
        check_holds(factors.detach().ne(0), LinAlgError, f"linalg.{name}: Singular matrix")
    return whole[..., n:], factors


__all__ = ["cholesky", "eliminate", "substitute"]
