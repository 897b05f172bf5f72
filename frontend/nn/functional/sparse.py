"""Rows of a table, by their numbers."""

from __future__ import annotations

from ...errors import runtime_error
from ...grad_mode import no_grad
from ...ops.gathering import embedding_rows
from ...tensor import Tensor


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """weight[input]; the row `padding_idx` gets no gradient."""
    if sparse or scale_grad_by_freq:
        raise runtime_error("embedding: sparse=True and scale_grad_by_freq=True are not supported; leave them out")
    if weight.ndim != 2:
        raise runtime_error("'weight' must be 2-D")
    rows = weight.shape[0]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= rows
    if max_norm is not None:
        _renormalize(weight, input, max_norm, norm_type)
    result = embedding_rows(weight, input)
    if padding_idx is None or not weight.requires_grad:
        return result
    return result.detach().where(input.eq(padding_idx).unsqueeze(-1), result)


@no_grad()
def _renormalize(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Rows in use whose norm is above `max_norm` are scaled down to it, in place."""
    used = weight.new_zeros(weight.shape[0]).index_fill(0, input.reshape(-1), 1.0) > 0
    norms = weight.norm(norm_type, 1)
    scale = (max_norm / (norms + 1e-7)).masked_fill(~(used & (norms > max_norm)), 1.0)
    weight.mul_(scale.unsqueeze(1))
