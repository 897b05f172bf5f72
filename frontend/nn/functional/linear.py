"""Linear and bilinear maps."""

from __future__ import annotations

from ...errors import runtime_error
from ...tensor import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ weight.T + bias, over the last dimension."""
    output = input.matmul(weight.t())
    return output if bias is None else output + bias


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x1 @ weight[k] @ x2 for every output feature k."""
    for name, x, expected in (("input1", input1, weight.shape[1]), ("input2", input2, weight.shape[2])):
        if x.shape[-1] != expected:
            raise runtime_error(
                f"bilinear(): {name} size does not match weight size: got {x.shape[-1]} but expected {expected}"
            )
    left = input1.unsqueeze(-2).unsqueeze(-2).matmul(weight).squeeze(-2)
    output = left.matmul(input2.unsqueeze(-1)).squeeze(-1)
    return output if bias is None else output + bias


__all__ = ["bilinear", "linear"]
