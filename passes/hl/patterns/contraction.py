"""Contractions that meet movements."""

from __future__ import annotations

from xdsl.ir import SSAValue

from ....dialects.hl.contraction import MatmulOp
from ....dialects.hl.shape import TransposeOp
from ...pass_base import RecordingBuilder as B
from .match import PatternTable, made_by, spec
from .movement import ints


def _swap(rank: int) -> tuple[int, ...]:
    """The permutation that exchanges the last two dimensions."""
    return (*range(rank - 2), rank - 1, rank - 2)


def transpose_of_matmul(b: B, op: TransposeOp) -> SSAValue | None:
    """transpose(x @ y) -> transpose(y) @ transpose(x), where nobody else wants the product

    As in the gradient of a layer that transposes its weight: what updates the weight then follows the product directly,
    and transposed operands cost a contraction nothing."""
    product = made_by(op.x, MatmulOp)
    swap = _swap(len(spec(op.x).shape))
    if product is None or ints(op.permutation) != swap or not op.x.has_one_use():
        return None
    return b.matmul(b.transpose(product.y, swap), b.transpose(product.x, swap))


PATTERNS: PatternTable = {TransposeOp: (transpose_of_matmul,)}
