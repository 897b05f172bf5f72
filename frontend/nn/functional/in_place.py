"""Activations under the names that write into their input: `F.elu_(x)` is `F.elu(x, inplace=True)`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ...tensor import Tensor
from . import activation, sampling


def _written(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @wraps(function)
    def into(input: Tensor, *arguments: Any, **options: Any) -> Tensor:
        return function(input, *arguments, **options, inplace=True)

    into.__name__ = f"{function.__name__}_"
    return into


celu_ = _written(activation.celu)
elu_ = _written(activation.elu)
hardtanh_ = _written(activation.hardtanh)
leaky_relu_ = _written(activation.leaky_relu)
relu_ = _written(activation.relu)
rrelu_ = _written(sampling.rrelu)
selu_ = _written(activation.selu)
threshold_ = _written(activation.threshold)


__all__ = ["celu_", "elu_", "hardtanh_", "leaky_relu_", "relu_", "rrelu_", "selu_", "threshold_"]
