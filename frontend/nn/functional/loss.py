"""Loss functions on predictions and targets of one shape, and between embeddings."""

from __future__ import annotations

import math
import warnings

from ....dialects.types import i1
from ...errors import located
from ...ops.checks import check_holds, within_one
from ...ops.operands import common_shape
from ...ops.signs import flat_but_steep, xlogy
from ...surface.element_types import no_kernel
from ...tensor import Tensor
from .activation import logsigmoid
from .distance import pairwise_distance

REDUCTIONS = ("none", "mean", "sum")


def reduce(loss: Tensor, reduction: str) -> Tensor:
    """All losses, their mean, or their sum."""
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise located(ValueError, f"{reduction} is not a valid value for reduction")


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """(x - y) squared."""
    difference = _difference(input, target)
    _check_float("mse", difference)
    return _weighted(difference * difference, weight, reduction)


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """|x - y|."""
    return _weighted(_difference(input, target).abs(), weight, reduction)


def smooth_l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """(x - y)² / (2 beta) where |x - y| < beta, |x - y| - beta / 2 elsewhere."""
    if beta < 0:
        raise located(RuntimeError, f"smooth_l1_loss does not support negative values for beta, got {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction)
    return huber_loss(input, target, reduction, beta) / beta


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """(x - y)² / 2 where |x - y| < delta, delta * (|x - y| - delta / 2) elsewhere."""
    if delta <= 0:
        raise located(RuntimeError, f"huber_loss does not support non-positive values for delta, got {delta}")
    difference = _difference(input, target)
    _check_float("huber", difference)
    size = difference.abs()
    near = (size >= delta).logical_not()  # where it is NaN too, which is its gradient then
    inside = difference.where(near, 0.0)
    loss = (inside * inside * 0.5).where(near, (size - 0.5 * delta) * delta)
    return _weighted(loss, weight, reduction)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """-(y log x + (1 - y) log(1 - x)) for probabilities x; each logarithm is kept above -100."""
    if input.shape != target.shape:
        raise located(
            ValueError,
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size.",
        )
    for name, x in (("input", input), ("target", target)):
        check_holds(within_one(x), RuntimeError, f"all elements of {name} should be between 0 and 1")
    loss = _cross_entropy(input, target)
    return reduce(loss if weight is None else loss * weight, reduction)


STEEP = 1e-12
"""Where x (1 - x) is less, the gradient (x - y) / (x (1 - x)) is that by this: saturated sigmoids, whose gradient is
0, give no NaN."""


def _cross_entropy(x: Tensor, y: Tensor) -> Tensor:
    at = x.detach()
    steep = at * (1.0 - at) < STEEP
    inside = x.masked_fill(steep, 0.5)
    loss = (y - 1.0) * inside.neg().log1p() - y * inside.log()
    edge = (y - 1.0) * at.neg().log1p().clamp(min=-100.0) - y * at.log().clamp(min=-100.0)
    if y.requires_grad:  # The gradient to y is that of the logarithms themselves, infinite ones too.
        at_0, at_1 = at.eq(0), at.eq(1)
        steepest = flat_but_steep(y, at_0 | at_1)
        edge = edge + steepest.where(at_0, steepest.neg().where(at_1, 0.0))
    return (edge + (x - at) * ((at - y.detach()) / STEEP)).where(steep, loss)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy of sigmoid(x), computed stably from x."""
    if input.shape != target.shape:
        raise located(ValueError, f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    positive = logsigmoid(input)
    if pos_weight is not None:
        positive = positive * ((pos_weight - 1.0) * target + 1.0)
    loss = (1.0 - target) * input - positive
    return reduce(loss if weight is None else loss * weight, reduction)


def kl_div(input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """y * (log y - x) for log-probabilities x; "batchmean" divides the sum by the batch size."""
    if input.dtype.kind != "float" or target.dtype.kind != "float":
        raise located(RuntimeError, "kl_div: Integral inputs not supported.")
    if log_target:
        loss = target.exp() * (target - input)
    else:
        loss = xlogy(target, target) - target * input
    if reduction == "batchmean":
        return loss.sum() / (input.shape[0] if input.ndim else 1)
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
            "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
            stacklevel=2,
        )
    return reduce(loss, reduction)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of counts; x is the log of the rate, or the rate."""
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + (target * (2 * math.pi)).log() * 0.5
        loss = loss + stirling.masked_fill(target <= 1, 0.0)
    return reduce(loss, reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor | float,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of a normal distribution with mean x and a given variance, kept above eps."""
    variance = var if isinstance(var, Tensor) else input.new_full((), var)
    if isinstance(var, Tensor) and var.shape != input.shape:
        if input.ndim and var.shape == input.shape[:-1]:
            variance = var.unsqueeze(-1)
        elif not var.ndim or var.shape[-1] != 1 or var.shape[:-1] != input.shape[:-1]:
            raise located(ValueError, "var is of incorrect size")
    check_holds(variance.detach().lt(0).logical_not(), ValueError, "var has negative entry/entries")
    # The gradient passes as if the variance had not been clamped, as in PyTorch.
    variance = variance + (variance.clamp(min=eps) - variance).detach()
    difference = input - target
    loss = (variance.log() + difference * difference / variance) * 0.5
    return reduce(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def soft_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """log(1 + exp(-y x)) for y of 1 or -1."""
    return reduce((-(target.to(input.dtype) if target.dtype is i1 else target) * input).exp().log1p(), reduction)


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """x where y = 1, max(0, margin - x) where y = -1; the sum of both for any other y."""
    near, far = input.masked_fill(target.eq(-1), 0.0), (margin - input).clamp(min=0.0).masked_fill(target.eq(1), 0.0)
    return reduce(near + far, reduction)


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """max(0, -y (x1 - x2) + margin)."""
    if not input1.ndim == input2.ndim == target.ndim:
        raise located(
            RuntimeError,
            f"margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: "
            f"{input1.shape}, input2: {input2.shape}, target: {target.shape} ",
        )
    return reduce((-target * (input1 - input2) + margin).clamp(min=0.0), reduction)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """1 - cos(x1, x2) where y = 1, max(0, cos(x1, x2) - margin) where y = -1."""
    if target.ndim > 1:
        raise located(RuntimeError, "0D or 1D target tensor expected, multi-target not supported")
    if input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        raise located(
            RuntimeError,
            f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}.",
        )
    dot = (input1 * input2).sum(-1)
    squares = ((input1 * input1).sum(-1) + 1e-12) * ((input2 * input2).sum(-1) + 1e-12)
    cosine = dot / squares.sqrt()
    loss = (1.0 - cosine).where(target.eq(1), 0.0) + (cosine - margin).clamp(min=0.0).where(target.eq(-1), 0.0)
    return reduce(loss, reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin)."""
    check_triplet(anchor, positive, negative, margin)
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = far.minimum(pairwise_distance(positive, negative, p, eps))
    return reduce((near - far + margin).clamp(min=0.0), reduction)


def check_triplet(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float) -> None:
    """Raises for a margin that is none, and for tensors of different ranks."""
    if margin <= 0:
        raise located(ValueError, f"margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise located(
            RuntimeError,
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs",
        )


def _difference(input: Tensor, target: Tensor) -> Tensor:
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). "
            "This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=3,
        )
        shape = common_shape(input, target)  # before their element types are brought together, as in PyTorch
        input, target = input.expand(shape), target.expand(shape)
    return input - (target.to(input.dtype) if target.dtype is i1 else target)


def _check_float(name: str, x: Tensor) -> None:
    if x.dtype.kind != "float":
        raise no_kernel(name, x)


def _weighted(loss: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    if weight is None:
        return reduce(loss, reduction)
    loss = loss * weight
    return loss.sum() / weight.sum() if reduction == "mean" else reduce(loss, reduction)


__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "margin_ranking_loss",
    "mse_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
]
