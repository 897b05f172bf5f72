"""Loss layers: the functions of their names."""

from __future__ import annotations

from dataclasses import InitVar
from typing import Any

from ..tensor import Tensor
from . import functional as F
from .functional.older_arguments import reduction_of
from .layer import buffer, layer
from .module import Module


class _Loss(Module):
    """Keeps how losses are reduced: "mean", "sum" or "none". The older `size_average` and `reduce` say the same."""

    reduction: str

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction_of(size_average, reduce, reduction)

    def __post_init__(self, size_average: bool | None = None, reduce: bool | None = None) -> None:
        self.reduction = reduction_of(size_average, reduce, self.reduction)

    def extra_repr(self) -> str:
        return ""


class _WeightedLoss(_Loss):
    """A loss with a weight that is a buffer."""

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


@layer(F.cross_entropy)
class CrossEntropyLoss(_WeightedLoss):
    """-log softmax(x)[target], of scores in dimension 1."""

    weight: Tensor | None = buffer(default=None)
    size_average: InitVar[bool | None] = None
    ignore_index: int = -100
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"
    label_smoothing: float = 0.0


@layer(F.nll_loss)
class NLLLoss(_WeightedLoss):
    """-x[target] of log-probabilities in dimension 1."""

    weight: Tensor | None = buffer(default=None)
    size_average: InitVar[bool | None] = None
    ignore_index: int = -100
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


class NLLLoss2d(NLLLoss):
    """The older name of NLLLoss for images."""


@layer(F.mse_loss)
class MSELoss(_Loss):
    """(x - y) squared."""


@layer(F.l1_loss)
class L1Loss(_Loss):
    """|x - y|."""


@layer(F.smooth_l1_loss)
class SmoothL1Loss(_Loss):
    """Squared below beta, linear beyond."""

    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"
    beta: float = 1.0


@layer(F.huber_loss)
class HuberLoss(_Loss):
    """Squared below delta, linear beyond."""

    reduction: str = "mean"
    delta: float = 1.0


@layer(F.binary_cross_entropy)
class BCELoss(_WeightedLoss):
    """Binary cross-entropy of probabilities."""


@layer(F.binary_cross_entropy_with_logits)
class BCEWithLogitsLoss(_WeightedLoss):
    """Binary cross-entropy of sigmoid(x)."""

    weight: Tensor | None = buffer(default=None)
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"
    pos_weight: Tensor | None = buffer(default=None)


@layer(F.kl_div)
class KLDivLoss(_Loss):
    """y * (log y - x) of log-probabilities x."""

    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"
    log_target: bool = False


@layer()
class PoissonNLLLoss(_Loss):
    """Negative log-likelihood of counts."""

    log_input: bool = True
    full: bool = False
    size_average: InitVar[bool | None] = None
    eps: float = 1e-8
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return F.poisson_nll_loss(log_input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction)


@layer(F.gaussian_nll_loss, kw_only=True)
class GaussianNLLLoss(_Loss):
    """Negative log-likelihood of a normal distribution."""

    full: bool = False
    eps: float = 1e-6
    reduction: str = "mean"


@layer(F.soft_margin_loss)
class SoftMarginLoss(_Loss):
    """log(1 + exp(-y x)) for y of 1 or -1."""


@layer(F.hinge_embedding_loss)
class HingeEmbeddingLoss(_Loss):
    """x where y = 1, max(0, margin - x) where y = -1."""

    margin: float = 1.0
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


@layer(F.margin_ranking_loss)
class MarginRankingLoss(_Loss):
    """max(0, -y (x1 - x2) + margin)."""

    margin: float = 0.0
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


@layer(F.cosine_embedding_loss)
class CosineEmbeddingLoss(_Loss):
    """1 - cos(x1, x2) where y = 1, max(0, cos(x1, x2) - margin) where y = -1."""

    margin: float = 0.0
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


class _Triplets(_Loss):
    margin: float

    def __post_init__(self, size_average: bool | None = None, reduce: bool | None = None) -> None:
        super().__post_init__(size_average, reduce)
        if self.margin <= 0:
            name = type(self).__name__
            raise ValueError(f"{name}: expected margin to be greater than 0, got {self.margin} instead")


@layer(F.triplet_margin_loss)
class TripletMarginLoss(_Triplets):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin)."""

    margin: float = 1.0
    p: float = 2.0
    eps: float = 1e-6
    swap: bool = False
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"


@layer(F.multi_margin_loss)
class MultiMarginLoss(_WeightedLoss):
    """The mean of max(0, margin - x[target] + x[i]) ** p over the other classes i."""

    p: int = 1
    margin: float = 1.0
    weight: Tensor | None = buffer(default=None)
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: str = "mean"

    def __post_init__(self, size_average: bool | None = None, reduce: bool | None = None) -> None:
        super().__post_init__(size_average, reduce)
        if self.p not in (1, 2):
            raise ValueError("only p == 1 and p == 2 supported")


@layer(F.multilabel_margin_loss)
class MultiLabelMarginLoss(_Loss):
    """The mean of max(0, 1 - x[label] + x[i]) over the labels of a sample and all other classes."""


@layer(F.multilabel_soft_margin_loss)
class MultiLabelSoftMarginLoss(_WeightedLoss):
    """The mean over classes of binary cross-entropy with logits."""


@layer(F.triplet_margin_with_distance_loss, kw_only=True)
class TripletMarginWithDistanceLoss(_Triplets):
    """TripletMarginLoss under any distance."""

    distance_function: Any = None
    margin: float = 1.0
    swap: bool = False
    reduction: str = "mean"

    def __post_init__(self, size_average: bool | None = None, reduce: bool | None = None) -> None:
        super().__post_init__(size_average, reduce)
        if self.distance_function is None:
            self.distance_function = PairwiseDistance()


@layer(F.cosine_similarity, prints="")
class CosineSimilarity(Module):
    """The cosine of the angle between two tensors along `dim`."""

    dim: int = 1
    eps: float = 1e-8


class PairwiseDistance(Module):
    """The p-norm of x1 - x2 over the last dimension."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


@layer(F.ctc_loss)
class CTCLoss(_Loss):
    """-log of the probability of label sequences, over all alignments with their inputs."""

    blank: int = 0
    reduction: str = "mean"
    zero_infinity: bool = False


__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CTCLoss",
    "CosineEmbeddingLoss",
    "CosineSimilarity",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "NLLLoss2d",
    "PairwiseDistance",
    "PoissonNLLLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]
