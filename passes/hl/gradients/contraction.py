"""Gradients of contractions: contractions again."""

from __future__ import annotations

from typing import Any

from ....dialects.hl import contraction as c
from ....dialects.hl.builder import OpBuilder
from .call import GradientTable, ReasonTable, partials


def _swap(b: OpBuilder[Any], x: Any) -> Any:
    """The last two dimensions exchanged."""
    rank = len(b.shape(x))
    return b.transpose(x, (*range(rank - 2), rank - 1, rank - 2))


GRADIENTS: GradientTable = {
    # c = a @ b   ->   da = dc @ b^T, db = a^T @ dc
    c.MatmulOp: partials(
        lambda b, call: b.matmul(call.ct, _swap(b, call.operands[1])),
        lambda b, call: b.matmul(_swap(b, call.x), call.ct),
    ),
}

NO_GRADIENT: ReasonTable = {}
