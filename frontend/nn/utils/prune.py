"""Weights without some of their elements: `weight_orig` is learned, `weight_mask` says what is kept of it.

The weight itself is their product, computed whenever it is read. Pruning again takes away from what was left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...grad_mode import no_grad
from ...ops.joining import cat
from ...surface.unsupported import module_getattr
from ...tensor import Tensor
from ..module import Module
from ..parameter import Parameter
from .computed import compute, computed, forget

Amount = int | float
Scores = Callable[[Tensor], Tensor]


def _magnitudes(x: Tensor) -> Tensor:
    return x.detach().abs()


def _chances(x: Tensor) -> Tensor:
    from ...random import rand_like

    return rand_like(x.detach())


class L1Unstructured:
    """For global_unstructured: the smallest elements go."""

    scores = staticmethod(_magnitudes)


class RandomUnstructured:
    """For global_unstructured: any elements go."""

    scores = staticmethod(_chances)


def _count(amount: Amount, size: int) -> int:
    """How many of `size` go: a share of them, or a number."""
    valid = 0 <= amount <= 1 if isinstance(amount, float) else 0 <= amount <= size
    if not valid:
        raise ValueError(f"amount={amount} should be a share from 0.0 to 1.0, or a number up to {size}")
    return round(amount * size) if isinstance(amount, float) else amount


def _without_smallest(scores: Tensor, kept: Tensor, amount: Amount) -> Tensor:
    """A mask without those of the lowest scores, of what was kept so far."""
    flat, mask = scores.reshape(-1), kept.clone()
    held = kept.reshape(-1).bool()
    count = _count(amount, int(held.sum()))
    order = flat.masked_fill(~held, float("inf")).argsort()
    mask.view(-1)[order[:count]] = 0
    return mask


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Keeps the elements where the mask is not zero."""
    with no_grad():
        if is_computed(module, name):
            getattr(module, f"{name}_mask").mul_(mask)
            return module
        weight = module._parameters.get(name)
        if weight is None:
            raise ValueError(f"'{name}' is not a parameter of {type(module).__name__}")
        delattr(module, name)
        module.register_parameter(f"{name}_orig", Parameter(weight.detach(), requires_grad=weight.requires_grad))
        module.register_buffer(f"{name}_mask", mask.to(weight.dtype).clone())
    compute(module, name, lambda self: getattr(self, f"{name}_orig") * getattr(self, f"{name}_mask"))
    return module


def is_computed(module: Module, name: str) -> bool:
    """Whether this parameter of this module is pruned."""
    return name in computed(module) and f"{name}_mask" in module._buffers


def is_pruned(module: Module) -> bool:
    """Whether any parameter of a module, or of one inside it, is pruned."""
    return any(is_computed(part, name) for part in module.modules() for name in computed(part))


def _state(module: Module, name: str) -> tuple[Tensor, Tensor]:
    """A weight, and the mask of what is kept of it."""
    if is_computed(module, name):
        return getattr(module, f"{name}_orig"), getattr(module, f"{name}_mask")
    weight = getattr(module, name)
    return weight, weight.detach().new_ones(weight.shape)


def _unstructured(module: Module, name: str, amount: Amount, scores: Scores, given: Tensor | None = None) -> Module:
    weight, kept = _state(module, name)
    return custom_from_mask(module, name, _without_smallest(scores(weight) if given is None else given, kept, amount))


def identity(module: Module, name: str) -> Module:
    """Keeps everything, in the form of a pruned parameter."""
    return custom_from_mask(module, name, _state(module, name)[1])


def l1_unstructured(module: Module, name: str, amount: Amount, importance_scores: Tensor | None = None) -> Module:
    """Takes the elements nearest to zero away, or those of the lowest scores."""
    return _unstructured(module, name, amount, _magnitudes, importance_scores)


def random_unstructured(module: Module, name: str, amount: Amount) -> Module:
    """Takes any elements away."""
    return _unstructured(module, name, amount, _chances)


def ln_structured(
    module: Module, name: str, amount: Amount, n: Any, dim: int, importance_scores: Tensor | None = None
) -> Module:
    """Takes the slices along `dim` with the smallest n-norm away."""
    weight, kept = _state(module, name)
    given = weight if importance_scores is None else importance_scores
    return _slices(module, name, amount, dim, lambda rows: rows.norm(n, dim=1), given * kept, kept)


def random_structured(module: Module, name: str, amount: Amount, dim: int) -> Module:
    """Takes any slices along `dim` away."""
    weight, kept = _state(module, name)
    return _slices(module, name, amount, dim, lambda rows: _chances(rows[:, 0]), weight, kept)


def _slices(
    module: Module, name: str, amount: Amount, dim: int, scores: Scores, values: Tensor, kept: Tensor
) -> Module:
    rows = kept.movedim(dim, 0).reshape(kept.shape[dim], -1)
    found = scores(values.detach().movedim(dim, 0).reshape(kept.shape[dim], -1))
    mask = _without_smallest(found, rows.amax(1), amount)
    shape = [1] * kept.ndim
    shape[dim] = -1
    return custom_from_mask(module, name, kept * mask.reshape(shape))


def global_unstructured(
    parameters: Iterable[tuple[Module, str]], pruning_method: Any, importance_scores: Any = None, *, amount: Amount
) -> None:
    """Takes elements of several parameters away, compared with each other."""
    places: Sequence[tuple[Module, str]] = list(parameters)
    states = [_state(module, name) for module, name in places]
    given: Any = importance_scores or {}
    scores = cat([pruning_method.scores(given.get(at, w)).reshape(-1) for at, (w, _) in zip(places, states)])
    mask = _without_smallest(scores, cat([kept.reshape(-1) for _, kept in states]), amount)
    for (module, name), part in zip(places, mask.split([kept.numel() for _, kept in states])):
        custom_from_mask(module, name, part.reshape(_state(module, name)[1].shape))


def remove(module: Module, name: str) -> Module:
    """Makes what is left of a parameter the parameter itself."""
    if not is_computed(module, name):
        raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed")
    original: Tensor = getattr(module, f"{name}_orig")
    value = getattr(module, name).detach()
    forget(module, name)
    delattr(module, f"{name}_orig")
    delattr(module, f"{name}_mask")
    module.register_parameter(name, Parameter(value, requires_grad=original.requires_grad))
    return module


__all__ = [
    "L1Unstructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]

__getattr__ = module_getattr("irtool.nn.utils.prune", lambda: __all__)
