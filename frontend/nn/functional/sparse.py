"""Rows of a table, by their numbers."""

from __future__ import annotations

from ....dialects.types import i32, i64
from ...errors import TYPE_NAMES, located, runtime_error
from ...grad_mode import no_grad
from ...ops.checks import check_range
from ...ops.gathering import check_rows, check_table_index, embedding_rows
from ...ranges import arange
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
    """weight[input]; the row `padding_idx` gets no gradient.

    `scale_grad_by_freq` divides a row's gradient by how often the input names it. Gradients are dense, `sparse` or not.
    """
    if weight.ndim != 2:
        raise runtime_error("'weight' must be 2-D")
    rows = weight.shape[0]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= rows
    if max_norm is not None:
        check_table_index(input)
        check_rows(input, rows)
        _renormalize(weight, input, max_norm, norm_type)
    result = embedding_rows(weight, input)
    if scale_grad_by_freq:
        named = input.reshape(-1)
        counts = weight.new_zeros(rows).index_add(0, named, weight.new_ones(named.shape))
        kept = result.detach()
        result = kept + (result - kept) / counts.index_select(0, named).reshape(*input.shape, 1)
    if padding_idx is None or not weight.requires_grad:
        return result
    return result.detach().where(input.eq(padding_idx).unsqueeze(-1), result)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or largest of weight[bag] for each bag: a row of a 2-D input, or what starts at each offset of a
    1-D one. The row `padding_idx` does not count; an empty bag gives zeros.
    """
    if mode not in ("sum", "mean", "max"):
        raise located(ValueError, "mode has to be one of sum, mean or max")
    if per_sample_weights is not None and mode != "sum":
        raise located(
            NotImplementedError,
            f"embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}'). Please open a feature request on GitHub.",
        )
    if input.ndim == 2:
        if offsets is not None:
            raise located(ValueError, "if input is 2D, then offsets has to be None: each row is a bag")
        bags, numbers = input.shape[0], input.reshape(-1)
        owner = arange(bags).unsqueeze(1).expand(*input.shape).reshape(-1)
    elif input.ndim == 1:
        if offsets is None or offsets.ndim != 1:
            raise located(ValueError, "offsets has to be a 1D Tensor" + (" but got None" if offsets is None else ""))
        starts = offsets[:-1] if include_last_offset else offsets
        bags, numbers = starts.shape[0], input
        owner = arange(input.shape[0]).unsqueeze(1).ge(starts).sum(1) - 1
    else:
        raise located(ValueError, f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise located(
            ValueError,
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the "
            f"same shape as the input ({input.shape})",
        )
    _check_bags(input, weight, offsets)
    rows = embedding(numbers, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
    counted = None if padding_idx is None else numbers.ne(padding_idx % weight.shape[0])
    if include_last_offset and offsets is not None and numbers.shape[0]:  # what is behind the last one is in no bag
        inside = arange(numbers.shape[0]).lt(offsets[-1])
        counted = inside if counted is None else inside.logical_and(counted)
    if mode == "max":
        return _largest(rows, owner, bags, counted)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    if counted is not None:
        rows = rows.masked_fill(~counted.unsqueeze(1), 0.0)
    total = rows.new_zeros(bags, rows.shape[1]).index_add(0, owner, rows)
    if mode == "sum":
        return total
    ones = rows.new_ones(owner.shape) if counted is None else counted.to(rows.dtype)
    return total / rows.new_zeros(bags).index_add(0, owner, ones).clamp(min=1.0).unsqueeze(1)


def _check_bags(input: Tensor, weight: Tensor, offsets: Tensor | None) -> None:
    if weight.ndim != 2:
        raise located(ValueError, f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}")
    if weight.dtype.kind != "float":
        raise runtime_error(
            "Expected tensor for argument #1 'weight' to have one of the following scalar types: Half, BFloat16, "
            f"Float, Double; but got torch.{TYPE_NAMES[weight.dtype]}Tensor instead (while checking arguments for "
            "embedding_bag)"
        )
    if offsets is not None and offsets.dtype not in (i64, i32):
        raise runtime_error(
            "Expected tensor for argument #1 'offsets' to have one of the following scalar types: Long, Int; but got "
            f"torch.{TYPE_NAMES[offsets.dtype]}Tensor instead (while checking arguments for embedding_bag)"
        )
    check_range(
        input,
        0,
        weight.shape[0],
        RuntimeError,
        f"An index of input takes value {{value}} which is not in the valid range [0, {weight.shape[0]})",
    )
    if offsets is not None and offsets.numel():
        start = "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
        check_range(offsets[:1], 0, 1, RuntimeError, start + "However, got {value}")
        n = input.numel()
        end = f"offsets[-1] can not be greater than input's length {n} but got offsets[-1] of {{value}}"
        check_range(offsets[-1:], -(1 << 62), n + 1, RuntimeError, end)


def _largest(rows: Tensor, owner: Tensor, bags: int, counted: Tensor | None) -> Tensor:
    """The largest value of each column among the rows that each bag owns."""
    inside = owner.eq(arange(bags).unsqueeze(1))
    if counted is not None:
        inside = inside.logical_and(counted)
    if not rows.shape[0]:
        return rows.new_zeros(bags, rows.shape[1])
    found = rows.where(inside.unsqueeze(2), float("-inf")).max(1)[0]
    return found.masked_fill(~inside.any(1, True), 0.0)


@no_grad()
def _renormalize(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Rows in use whose norm is above `max_norm` are scaled down to it, in place."""
    used = weight.new_zeros(weight.shape[0]).index_fill(0, input.reshape(-1).to(i64), 1.0) > 0
    norms = weight.norm(norm_type, 1)
    scale = (max_norm / (norms + 1e-7)).masked_fill(~(used & (norms > max_norm)), 1.0)
    weight.mul_(scale.unsqueeze(1))


__all__ = ["embedding", "embedding_bag"]
