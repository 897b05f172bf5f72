"""The scale and the shift that layers of normalization end in."""

from __future__ import annotations

from typing import Any

from . import init
from .module import Module
from .parameter import Parameter, empty_parameter


class Affine(Module):
    """Base of layers with a weight that starts as ones and a bias that starts as zeros, or without either."""

    weight: Parameter | None
    bias: Parameter | None

    def add_affine(self, shape: tuple[int, ...], weight: bool, bias: bool, device: Any, dtype: Any) -> None:
        """Registers both, a bias only beside a weight."""
        for name, wanted in (("weight", weight), ("bias", weight and bias)):
            self.register_parameter(name, empty_parameter(shape, device, dtype) if wanted else None)

    def reset_parameters(self) -> None:
        """Scale 1, shift 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)
