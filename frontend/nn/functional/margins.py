"""Losses with margins between classes, for one label or several, and triplets under any distance."""

from __future__ import annotations

from collections.abc import Callable

from ....dialects.types import i64
from ...errors import TYPE_NAMES, located, runtime_error
from ...ops.checks import check_range
from ...tensor import Tensor
from .activation import logsigmoid
from .distance import pairwise_distance
from .loss import check_triplet, reduce


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean of max(0, margin - x[target] + x[i]) ** p over the other classes i."""
    if p not in (1, 2):
        raise located(ValueError, "only p == 1 and p == 2 supported")
    if input.ndim > 2:
        raise runtime_error(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}"
        )
    x = input if input.ndim == 2 else input.reshape(1, input.numel())
    if target.ndim > 1 or target.numel() != x.shape[0]:
        raise runtime_error(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch "
            f"size). Expected target size [{x.shape[0]}], but got {list(target.shape)}"
        )
    _check_labels(target)
    if weight is not None and tuple(weight.shape) != (x.shape[1],):
        raise runtime_error(f"inconsistent weight size, expected {x.shape[1]} but got {list(weight.shape)}")
    if weight is not None and weight.dtype is not input.dtype:
        names = [TYPE_NAMES[t.dtype] for t in (input, weight)]
        raise runtime_error(f"expected scalar type {names[0]} but found {names[1]}")
    check_range(target, 0, x.shape[1], RuntimeError, "target out of range")
    labels = target.reshape(target.numel(), 1)
    lost = _positive(margin - x.gather(1, labels) + x)
    lost = lost if p == 1 else lost * lost
    if weight is not None:
        lost = lost * weight.index_select(0, labels.reshape(-1)).unsqueeze(1)
    own = x.new_zeros(x.shape).scatter(1, labels, 1.0) > 0
    loss = lost.masked_fill(own, 0.0).sum(1) / float(x.shape[1])
    return reduce(loss.reshape(target.shape), reduction)


def _check_labels(target: Tensor) -> None:
    if target.dtype is not i64:
        raise runtime_error(f"expected scalar type Long but found {TYPE_NAMES[target.dtype]}")


def _positive(x: Tensor) -> Tensor:
    """x where it is more than 0; NaN is not."""
    return x.where(x > 0, 0.0)


def multilabel_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The mean of max(0, 1 - x[label] + x[i]) over the labels of a sample and all other classes i.

    The target has the shape of the input and lists the labels of each sample, ended by -1.
    """
    if input.shape != target.shape or input.ndim > 2:
        raise runtime_error(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    _check_labels(target)
    classes = input.shape[-1] if input.ndim else 1
    check_range(target, -1, classes, RuntimeError, "argument #2 'target' is out of range")
    rows = input.shape[0] if input.ndim == 2 else 1
    x, labels = input.reshape(rows, classes), target.reshape(rows, classes)
    listed = (labels < 0).long().cumsum(1) == 0
    labels = labels.masked_fill(~listed, 0)
    own = x.new_zeros(x.shape).scatter_add(1, labels, listed.to(x.dtype)) > 0
    lost = _positive(1.0 - x.gather(1, labels).unsqueeze(2) + x.unsqueeze(1))
    counted = listed.unsqueeze(2).logical_and(~own.unsqueeze(1))
    return reduce(lost.masked_fill(~counted, 0.0).sum((1, 2)).reshape(input.shape[:-1]) / x.shape[1], reduction)


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor | float, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """The mean over classes of binary cross-entropy with logits."""
    loss = -(target * logsigmoid(input) + (1.0 - target) * logsigmoid(-input))
    return reduce((loss if weight is None else loss * weight).mean(-1), reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) for any distance d."""
    check_triplet(anchor, positive, negative, margin)
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return reduce((near - far + margin).clamp(min=0.0), reduction)


__all__ = [
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "triplet_margin_with_distance_loss",
]
