"""Adam and AdamW."""

# The hyperparameters that the tables name have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from ..tensor import Tensor
from .numbers import Number, Numbers
from .optimizer import Group, Optimizer, Params, State, zero_state
from .options import options

AVERAGES: Mapping[str, Number] = {
    "new_mean": lambda betas: 1.0 - betas[0],
    "keep_square": lambda betas: betas[1],
    "new_square": lambda betas: 1.0 - betas[1],
    "shrink": lambda lr, weight_decay: 1.0 - lr * weight_decay,
}

CHECKED = "lr eps betas weight_decay"
IGNORED = "foreach capturable differentiable"


class Averages(Optimizer):
    """What Adam and its variants share: running averages of grad and of grad²."""

    def init_state(self, p: Tensor, group: Group) -> State:
        return zero_state(p, "exp_avg", "exp_avg_sq")

    def averaged(
        self, p: Tensor, grad: Tensor, state: State, group: Group, n: Numbers
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The parameter and the gradient after weight decay, and the two averages."""
        decayed: Tensor = p
        if group["weight_decay"]:
            if group["decoupled_weight_decay"]:
                decayed = p * n["shrink"]
            else:
                grad = grad + p * n["weight_decay"]
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.copy_(mean + (grad - mean) * n["new_mean"])
        square.copy_(square * n["keep_square"] + grad * grad * n["new_square"])
        return decayed, grad, mean, square


class Adam(Averages):
    """p -= lr * mean / (sqrt(square) + eps), where mean and square are running averages of grad and of grad².

    Both averages start at 0 and are corrected for that by 1 - beta ** step. `weight_decay` adds to the gradient, or
    with `decoupled_weight_decay` scales p by 1 - lr * weight_decay. `amsgrad` takes the largest square so far.
    """

    NUMBERS: ClassVar[Mapping[str, Number]] = {
        **AVERAGES,
        "rate": lambda lr, betas, step: lr / (1.0 - betas[0] ** step),
        "unbias": lambda betas, step: 1.0 / math.sqrt(1.0 - betas[1] ** step),
    }

    @options(CHECKED, ignored=f"{IGNORED} fused")
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
        **ignored: Any,
    ) -> None: ...

    def init_state(self, p: Tensor, group: Group) -> State:
        names = ("exp_avg", "exp_avg_sq") + (("max_exp_avg_sq",) if group["amsgrad"] else ())
        return zero_state(p, *names)

    def update(self, p: Tensor, grad: Tensor, state: State, group: Group, n: Numbers) -> None:
        decayed, _, mean, square = self.averaged(p, grad, state, group, n)
        if group["amsgrad"]:
            largest = state["max_exp_avg_sq"]
            square = largest.copy_(largest.maximum(square))
        p.copy_(decayed - mean * n["rate"] / (square.sqrt() * n["unbias"] + group["eps"]))


class AdamW(Adam):
    """Adam whose weight decay scales the parameters, apart from the gradient."""

    @options(CHECKED, ignored=f"{IGNORED} fused", decoupled_weight_decay=True)
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        **ignored: Any,
    ) -> None: ...


__all__ = ["Adam", "AdamW"]
