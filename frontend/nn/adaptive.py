"""A softmax over many classes whose rare ones, in clusters, have smaller layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..ops.joining import cat
from ..tensor import Tensor
from . import functional as F
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module


class _ASMoutput(NamedTuple):
    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities of classes sorted by how frequent they are.

    The first cutoffs[0] classes and the clusters have a layer in common; each cluster has two more, whose inner width
    shrinks by `div_value` from one to the next.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        chosen = list(cutoffs)
        if not chosen:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if chosen != sorted(set(chosen)) or min(chosen) <= 0 or max(chosen) > n_classes - 1:
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
                "value is between 1 and n_classes-1"
            )
        self.in_features, self.n_classes = in_features, n_classes
        self.cutoffs = [*chosen, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for k, (start, end) in enumerate(zip(self.cutoffs, self.cutoffs[1:])):
            width = int(in_features // div_value ** (k + 1))
            inner = Linear(in_features, width, False, device, dtype)
            self.tail.append(Sequential(inner, Linear(width, end - start, False, device, dtype)))

    def reset_parameters(self) -> None:
        """Draws all weights anew."""
        for module in self.modules():
            if isinstance(module, Linear):
                module.reset_parameters()

    def forward(self, input: Tensor, target: Tensor) -> _ASMoutput:
        """The log-probability of each target, and the mean of minus that."""
        if input.shape[:-1] != target.shape:
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        output = self.log_prob(input).gather(-1, target.unsqueeze(-1)).squeeze(-1)
        return _ASMoutput(output, -output.mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes."""
        head = F.log_softmax(self.head(input), -1)
        parts = [head[..., : self.shortlist_size]]
        for k, cluster in enumerate(self.tail):
            column = self.shortlist_size + k
            parts.append(F.log_softmax(cluster(input), -1) + head[..., column : column + 1])
        return cat(parts, -1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class."""
        return self.log_prob(input).argmax(-1)


__all__ = ["AdaptiveLogSoftmaxWithLoss"]
