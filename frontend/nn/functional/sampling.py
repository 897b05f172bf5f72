"""Activations that draw random numbers."""

from __future__ import annotations

from ...errors import runtime_error
from ...tensor import Tensor
from .activation import in_place, leaky_relu


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """A sample of a relaxed categorical distribution; `hard` makes it one-hot, with the gradient of the soft one."""
    uniform = logits.detach().new_empty(logits.shape).uniform_()
    # -log of an exponential variable; 1 - u is never 0
    noise = -(-(1.0 - uniform).log()).clamp(min=1e-30).log()
    soft = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    index = soft.detach().argmax(dim, keepdim=True)
    return soft.detach().new_zeros(soft.shape).scatter(dim, index, 1.0) - soft.detach() + soft


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """leaky_relu whose slope is drawn for each value while training, and their mean otherwise."""
    if lower > upper:
        raise runtime_error("Lower bound should be less than or equal to the upper bound")
    if inplace:
        return in_place(rrelu, input, lower, upper, training)
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    slope = input.detach().new_empty(input.shape).uniform_(lower, upper)
    return input.where(input > 0, input * slope)


__all__ = ["gumbel_softmax", "rrelu"]
