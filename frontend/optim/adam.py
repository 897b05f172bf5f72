"""Adam and AdamW."""

# The hyperparameters that the tables name have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from ..tensor import Tensor
from .numbers import Number, Numbers
from .optimizer import Group, Optimizer, Params, State, check_range, complete, zero_state

AVERAGES: Mapping[str, Number] = {
    "new_mean": lambda betas: 1.0 - betas[0],
    "keep_square": lambda betas: betas[1],
    "new_square": lambda betas: 1.0 - betas[1],
    "weight_decay": lambda weight_decay: weight_decay,
    "shrink": lambda lr, weight_decay: 1.0 - lr * weight_decay,
}


class Averages(Optimizer):
    """What Adam and its variants share: hyperparameters, and running averages of grad and of grad²."""

    UNUSED: ClassVar[tuple[str, ...]] = ("foreach", "capturable", "differentiable")
    """Options that are taken, and that nothing is done with."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
        options: Mapping[str, Any],
        ignored: Mapping[str, Any],
    ) -> None:
        check_range("learning rate", lr, bool(lr >= 0.0))
        check_range("epsilon value", eps, eps >= 0.0)
        check_range("beta parameter at index 0", betas[0], 0.0 <= betas[0] < 1.0)
        check_range("beta parameter at index 1", betas[1], 0.0 <= betas[1] < 1.0)
        check_range("weight_decay value", weight_decay, weight_decay >= 0.0)
        common = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, complete({**common, **options}, ignored, *self.UNUSED))

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

    UNUSED = (*Averages.UNUSED, "fused")
    NUMBERS: ClassVar[Mapping[str, Number]] = {
        **AVERAGES,
        "rate": lambda lr, betas, step: lr / (1.0 - betas[0] ** step),
        "unbias": lambda betas, step: 1.0 / math.sqrt(1.0 - betas[1] ** step),
    }

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
    ) -> None:
        options = {"amsgrad": amsgrad, "maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, lr, betas, eps, weight_decay, options, ignored)

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
    ) -> None:
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True, **ignored
        )
