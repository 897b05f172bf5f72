"""Variants of Adam that correct its first steps otherwise: NAdam and RAdam."""

# The hyperparameters that the tables name have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

from ..tensor import Tensor
from .adam import AVERAGES, CHECKED, IGNORED, Averages
from .numbers import Number, Numbers
from .optimizer import Group, Params, State
from .options import options


def _momentum(beta: float, decay: float, step: int) -> float:
    return beta * (1.0 - 0.5 * 0.96 ** (step * decay))


@lru_cache(maxsize=64)
def _product(beta: float, decay: float, step: int) -> float:
    """The momenta of all steps so far, multiplied."""
    return math.prod(_momentum(beta, decay, k) for k in range(1, step + 1))


class NAdam(Averages):
    """Adam that looks ahead: p -= (new * grad + next * mean) / (sqrt(square) + eps), with a momentum that grows."""

    NUMBERS: ClassVar[Mapping[str, Number]] = {
        **AVERAGES,
        "unbias": lambda betas, step: 1.0 / math.sqrt(1.0 - betas[1] ** step),
        "new": lambda lr, betas, momentum_decay, step: (
            lr * (1.0 - _momentum(betas[0], momentum_decay, step)) / (1.0 - _product(betas[0], momentum_decay, step))
        ),
        "next": lambda lr, betas, momentum_decay, step: (
            lr * _momentum(betas[0], momentum_decay, step + 1) / (1.0 - _product(betas[0], momentum_decay, step + 1))
        ),
    }

    @options(f"momentum_decay {CHECKED}", ignored=IGNORED)
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **ignored: Any,
    ) -> None: ...

    def update(self, p: Tensor, grad: Tensor, state: State, group: Group, n: Numbers) -> None:
        decayed, grad, mean, square = self.averaged(p, grad, state, group, n)
        p.copy_(decayed - (grad * n["new"] + mean * n["next"]) / (square.sqrt() * n["unbias"] + group["eps"]))


def _rectified(beta: float, step: int) -> float:
    """What the adaptive step is scaled by; 0 while the average of grad² is of too few gradients."""
    limit = 2.0 / (1.0 - beta) - 1.0
    length = limit - 2.0 * step * beta**step / (1.0 - beta**step)
    if length <= 5.0:
        return 0.0
    return math.sqrt((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length))


class RAdam(Averages):
    """Adam that starts without dividing by sqrt(square), and then does so with a growing factor."""

    NUMBERS: ClassVar[Mapping[str, Number]] = {
        **AVERAGES,
        "plain": lambda lr, betas, step: 0.0 if _rectified(betas[1], step) else lr / (1.0 - betas[0] ** step),
        "adaptive": lambda lr, betas, step: (
            lr / (1.0 - betas[0] ** step) * _rectified(betas[1], step) * math.sqrt(1.0 - betas[1] ** step)
        ),
    }

    @options(CHECKED, ignored=IGNORED)
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **ignored: Any,
    ) -> None: ...

    def update(self, p: Tensor, grad: Tensor, state: State, group: Group, n: Numbers) -> None:
        decayed, _, mean, square = self.averaged(p, grad, state, group, n)
        p.copy_(decayed - mean * (n["adaptive"] / (square.sqrt() + group["eps"]) + n["plain"]))


__all__ = ["NAdam", "RAdam"]
