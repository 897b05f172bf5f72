"""Losses on class scores: cross-entropy and negative log-likelihood."""

from __future__ import annotations

from typing import cast

from ....dialects.hl.composite import CrossEntropyOp
from ....dialects.types import i64, u8
from ... import dispatch
from ...errors import TYPE_NAMES, located
from ...ops.checks import check_range
from ...tensor import Tensor
from .loss import reduce


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(x)[target], where classes are dimension 1 (or 0, without a batch).

    The target holds class indices, or probabilities in the shape of the input.
    """
    if not 0.0 <= label_smoothing <= 1.0:
        raise located(RuntimeError, f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if target.is_floating_point():
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    _check(input, target)
    rows, labels = _rows(input), _labels(target)
    _check_bounds(labels, rows.shape[1], ignore_index)
    _check_weight(weight, rows.shape[1])
    if weight is None:
        attributes = {"reduction": reduction, "ignore_index": ignore_index, "label_smoothing": label_smoothing}
        if reduction not in ("none", "mean", "sum"):
            raise located(ValueError, f"{reduction} is not a valid value for reduction")
        loss = dispatch.apply(CrossEntropyOp, (rows, labels), attributes)[0]
        return loss.reshape(target.shape) if reduction == "none" else loss
    scores = rows.log_softmax(1)
    loss = _pick(scores, labels, weight, ignore_index, reduction)
    if label_smoothing:
        valid = labels.ne(ignore_index)
        spread = -(scores * weight).sum(1).where(valid, 0.0)
        if reduction == "mean":
            spread = spread.sum() / _label_weights(labels, weight, ignore_index).sum()
        elif reduction == "sum":
            spread = spread.sum()
        loss = loss * (1.0 - label_smoothing) + spread * (label_smoothing / rows.shape[1])
    return loss.reshape(target.shape) if reduction == "none" else loss


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-x[target] for log-probabilities x, where classes are dimension 1 (or 0, without a batch)."""
    _check(input, target)
    rows, labels = _rows(input), _labels(target)
    _check_bounds(labels, rows.shape[1], ignore_index)
    _check_weight(weight, rows.shape[1])
    loss = _pick(rows, labels, weight, ignore_index, reduction)
    return loss.reshape(target.shape) if reduction == "none" else loss


def _soft_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float
) -> Tensor:
    """Against class probabilities."""
    if input.shape != target.shape:
        if target.ndim == input.ndim - 1:
            found = TYPE_NAMES[target.dtype]
            raise located(RuntimeError, f"expected target dtype to be Long or Byte, but got {found}")
        raise located(
            RuntimeError,
            f"Expected floating point type for target with class probabilities to have the shape of the input "
            f"{tuple(input.shape)}, got {tuple(target.shape)}",
        )
    axis = min(1, input.ndim - 1)
    classes = input.shape[axis]
    _check_weight(weight, classes)
    scores = input.log_softmax(axis)
    if label_smoothing:
        target = target * (1.0 - label_smoothing) + label_smoothing / classes
    if weight is not None:
        scores = scores * weight.reshape(classes, *(1,) * (input.ndim - axis - 1))
    loss = -(scores * target).sum(axis)
    return loss.sum() / (input.numel() // classes) if reduction == "mean" else reduce(loss, reduction)


def _pick(scores: Tensor, labels: Tensor, weight: Tensor | None, ignore_index: int, reduction: str) -> Tensor:
    """-scores[i, labels[i]], weighted by the label's weight, 0 where ignored; reduced."""
    weights = _label_weights(labels, weight, ignore_index, like=scores)
    safe = labels.masked_fill(labels.eq(ignore_index), 0)
    picked = scores.gather(1, safe.unsqueeze(1)).squeeze(1)
    loss = -(picked * weights).where(labels.ne(ignore_index), 0.0)
    return loss.sum() / weights.sum() if reduction == "mean" else reduce(loss, reduction)


def _label_weights(labels: Tensor, weight: Tensor | None, ignore_index: int, like: Tensor | None = None) -> Tensor:
    valid = labels.ne(ignore_index)
    if weight is None:
        return valid.to(cast(Tensor, like).dtype)
    return weight.index_select(0, labels.masked_fill(~valid, 0)).masked_fill(~valid, 0.0)


def _check_weight(weight: Tensor | None, classes: int) -> None:
    if weight is not None and weight.shape != (classes,):
        raise located(
            RuntimeError,
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {list(weight.shape)}",
        )


def _labels(target: Tensor) -> Tensor:
    if target.dtype not in (i64, u8):
        raise located(RuntimeError, f"expected target dtype to be Long or Byte, but got {TYPE_NAMES[target.dtype]}")
    return target.reshape(target.numel()).to(i64)


def _rows(input: Tensor) -> Tensor:
    """(N, C, d1, ...) as (N * d1 * ..., C); (C,) as (1, C)."""
    if input.ndim == 1:
        return input.unsqueeze(0)
    if input.ndim == 2:
        return input
    return input.movedim(1, -1).reshape(-1, input.shape[1])


def _check(input: Tensor, target: Tensor) -> None:
    if input.ndim == 1 and tuple(target.shape) == (1,):
        return
    if input.ndim == 0 or target.ndim != max(input.ndim - 1, 0):
        raise located(
            RuntimeError,
            f"Expected target size {list(input.shape[:1] + input.shape[2:]) if input.ndim > 1 else []}, "
            f"got {list(target.shape)}",
        )
    if input.ndim > 1 and input.shape[0] != target.shape[0]:
        raise located(
            ValueError, f"Expected input batch_size ({input.shape[0]}) to match target batch_size ({target.shape[0]})."
        )
    if input.shape[2:] != target.shape[1:]:
        expected = [input.shape[0], *input.shape[2:]]
        raise located(RuntimeError, f"Expected target size {expected}, got {list(target.shape)}")


def _check_bounds(labels: Tensor, classes: int, ignore_index: int) -> None:
    check_range(labels, 0, classes, IndexError, "Target {value} is out of bounds.", allowed=ignore_index)


__all__ = ["cross_entropy", "nll_loss"]
