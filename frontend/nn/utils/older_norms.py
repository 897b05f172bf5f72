"""weight_norm and spectral_norm under the names that they had before parametrizations, in modules and state_dicts."""

from __future__ import annotations

from typing import Any

from ...grad_mode import no_grad
from ...tensor import Tensor
from ..module import Module
from ..parameter import Parameter
from .computed import compute, computed, forget
from .normed import as_matrix, by_largest, left, norm_except, random_direction, right, spectral_dim, with_norm


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Learns length `weight_g` (for each index of `dim`) and direction `weight_v` of a weight apart."""
    weight = _taken(module, name)
    with no_grad():
        length = norm_except(weight, dim)
    module.register_parameter(f"{name}_g", Parameter(length))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    compute(module, name, lambda self: with_norm(getattr(self, f"{name}_v"), getattr(self, f"{name}_g"), dim))
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Makes the weight a parameter again."""
    return _restored(module, name, f"{name}_g", (f"{name}_g", f"{name}_v"))


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divides a weight `weight_orig` by its largest singular value, by vectors `weight_u` and `weight_v`, which each
    forward in training mode improves."""
    if n_power_iterations <= 0:
        raise ValueError(f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}")
    along = spectral_dim(module, dim)
    weight = _taken(module, name)
    matrix = as_matrix(weight.detach(), along)
    module.register_parameter(f"{name}_orig", Parameter(weight.detach(), requires_grad=weight.requires_grad))
    module.register_buffer(f"{name}_u", random_direction(matrix, matrix.shape[0], eps))
    module.register_buffer(f"{name}_v", random_direction(matrix, matrix.shape[1], eps))

    def getter(self: Any) -> Tensor:
        original, u, v = (getattr(self, f"{name}_{part}") for part in ("orig", "u", "v"))
        rows = as_matrix(original, along)
        if self.training:
            for _ in range(n_power_iterations):
                right(rows, u, v, eps)
                left(rows, u, v, eps)
        return by_largest(original, rows, u, v)

    compute(module, name, getter)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Makes the weight a parameter again."""
    return _restored(module, name, f"{name}_orig", (f"{name}_orig", f"{name}_u", f"{name}_v"))


def _taken(module: Module, name: str) -> Tensor:
    weight = module._parameters.get(name)
    if weight is None:
        raise ValueError(f"'{name}' is not a parameter of {type(module).__name__}")
    delattr(module, name)
    return weight


def _restored(module: Module, name: str, marker: str, parts: tuple[str, ...]) -> Module:
    if name not in computed(module) or marker not in module._parameters:
        raise ValueError(f"weight_norm or spectral_norm of '{name}' not found in {module}")
    training = module.training
    with no_grad():
        value = getattr(module.eval(), name).detach().clone()
    module.train(training)
    forget(module, name)
    for part in parts:
        delattr(module, part)
    module.register_parameter(name, Parameter(value))
    return module


__all__ = ["remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]
