"""Variants of Adam that correct its first steps otherwise: NAdam and RAdam."""

# The hyperparameters that the tables name have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

from ..tensor import Tensor
from .numbers import Number, Numbers
from .optimizer import Group, Optimizer, Params, State, check_range, complete


def _momentum(beta: float, decay: float, step: int) -> float:
    return beta * (1.0 - 0.5 * 0.96 ** (step * decay))


@lru_cache(maxsize=64)
def _product(beta: float, decay: float, step: int) -> float:
    """The momenta of all steps so far, multiplied."""
    return math.prod(_momentum(beta, decay, k) for k in range(1, step + 1))


class _Averages(Optimizer):
    """Running averages of grad and of grad², as Adam has them."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
        options: dict[str, Any],
        ignored: Mapping[str, Any],
    ) -> None:
        check_range("learning rate", lr, bool(lr >= 0.0))
        check_range("epsilon value", eps, eps >= 0.0)
        check_range("beta parameter at index 0", betas[0], 0.0 <= betas[0] < 1.0)
        check_range("beta parameter at index 1", betas[1], 0.0 <= betas[1] < 1.0)
        check_range("weight_decay value", weight_decay, weight_decay >= 0.0)
        common = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, complete(common | options, ignored, "foreach", "capturable", "differentiable"))

    def init_state(self, p: Tensor, group: Group) -> State:
        return {name: p.detach().clone().zero_() for name in ("exp_avg", "exp_avg_sq")}

    def averaged(
        self, p: Tensor, grad: Tensor, state: State, group: Group, n: Numbers
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The parameter and the gradient after weight decay, and the two averages."""
        decayed = p
        if group["weight_decay"]:
            if group["decoupled_weight_decay"]:
                decayed = p * n["shrink"]
            else:
                grad = grad + p * n["weight_decay"]
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.copy_(mean + (grad - mean) * n["new_mean"])
        square.copy_(square * n["keep_square"] + grad * grad * n["new_square"])
        return decayed, grad, mean, square


AVERAGES: Mapping[str, Number] = {
    "new_mean": lambda betas: 1.0 - betas[0],
    "keep_square": lambda betas: betas[1],
    "new_square": lambda betas: 1.0 - betas[1],
    "weight_decay": lambda weight_decay: weight_decay,
    "shrink": lambda lr, weight_decay: 1.0 - lr * weight_decay,
}


class NAdam(_Averages):
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
    ) -> None:
        check_range("momentum_decay value", momentum_decay, momentum_decay >= 0.0)
        options = {"momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, lr, betas, eps, weight_decay, options | {"maximize": maximize}, ignored)

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


class RAdam(_Averages):
    """Adam that starts without dividing by sqrt(square), and then does so with a growing factor."""

    NUMBERS: ClassVar[Mapping[str, Number]] = {
        **AVERAGES,
        "plain": lambda lr, betas, step: 0.0 if _rectified(betas[1], step) else lr / (1.0 - betas[0] ** step),
        "adaptive": lambda lr, betas, step: (
            lr / (1.0 - betas[0] ** step) * _rectified(betas[1], step) * math.sqrt(1.0 - betas[1] ** step)
        ),
    }

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
    ) -> None:
        options = {"decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize}
        super().__init__(params, lr, betas, eps, weight_decay, options, ignored)

    def update(self, p: Tensor, grad: Tensor, state: State, group: Group, n: Numbers) -> None:
        decayed, _, mean, square = self.averaged(p, grad, state, group, n)
        p.copy_(decayed - mean * (n["adaptive"] / (square.sqrt() + group["eps"]) + n["plain"]))
