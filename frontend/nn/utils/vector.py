"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from ...grad_mode import no_grad
from ...tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The parameters, flattened and joined."""
    from ...ops.joining import cat

    return cat([parameter.reshape(-1) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Writes consecutive parts of a vector into the parameters."""
    start = 0
    with no_grad():
        for parameter in parameters:
            stop = start + parameter.numel()
            parameter.copy_(vec[start:stop].reshape(parameter.shape))
            start = stop


__all__ = ["parameters_to_vector", "vector_to_parameters"]
