"""Affine maps, and the functions that mask at random."""

from __future__ import annotations

from ...tensor import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ weight.T + bias, over the last dimension."""
    output = input.matmul(weight.t())
    return output if bias is None else output + bias


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x1 @ weight[k] @ x2 for every output feature k."""
    left = input1.unsqueeze(-2).unsqueeze(-2).matmul(weight).squeeze(-2)
    output = left.matmul(input2.unsqueeze(-1)).squeeze(-1)
    return output if bias is None else output + bias
