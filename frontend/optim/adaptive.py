"""Optimizers that scale each element by the gradients it has seen: RMSprop, Adagrad, Adadelta, Adamax."""

# The hyperparameters that the tables name have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..tensor import Tensor
from .adam import CHECKED, IGNORED, Averages
from .numbers import Number, Numbers
from .optimizer import Group, Optimizer, Params, State, zero_state
from .options import options


class RMSprop(Optimizer):
    """p -= lr * grad / (sqrt(average of grad²) + eps), with momentum; `centered` takes the variance instead."""

    NUMBERS: ClassVar[Mapping[str, Number]] = {
        "keep": lambda alpha: alpha,
        "new": lambda alpha: 1.0 - alpha,
    }

    @options("lr eps momentum weight_decay alpha", ignored="capturable foreach differentiable")
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
        **ignored: Any,
    ) -> None: ...

    def init_state(self, p: Tensor, group: Group) -> State:
        wanted = {"square_avg": True, "momentum_buffer": group["momentum"], "grad_avg": group["centered"]}
        return zero_state(p, *(name for name, needed in wanted.items() if needed))

    def update(self, p: Tensor, grad: Tensor, state: State, group: Group, n: Numbers) -> None:
        if group["weight_decay"]:
            grad = grad + p * n["weight_decay"]
        square = state["square_avg"]
        spread = square.copy_(square * n["keep"] + grad * grad * n["new"])
        if group["centered"]:
            mean = state["grad_avg"]
            mean.copy_(mean + (grad - mean) * n["new"])
            spread = square - mean * mean
        direction = grad / (spread.sqrt() + group["eps"])
        if group["momentum"]:
            buffer = state["momentum_buffer"]
            direction = buffer.copy_(buffer * n["momentum"] + direction)
        p.sub_(direction * n["lr"])


class Adagrad(Optimizer):
    """p -= lr * grad / (sqrt(sum of grad²) + eps); the rate falls as lr / (1 + (step - 1) * lr_decay)."""

    NUMBERS: ClassVar[Mapping[str, Number]] = {
        "rate": lambda lr, lr_decay, step: lr / (1.0 + (step - 1) * lr_decay),
    }

    @options("lr lr_decay weight_decay initial_accumulator_value eps", ignored="foreach differentiable fused")
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
        **ignored: Any,
    ) -> None: ...

    def __post_init__(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                self._state_of(p, group)

    def init_state(self, p: Tensor, group: Group) -> State:
        return {"sum": p.new_full(p.shape, group["initial_accumulator_value"])}

    def update(self, p: Tensor, grad: Tensor, state: State, group: Group, n: Numbers) -> None:
        if group["weight_decay"]:
            grad = grad + p * n["weight_decay"]
        total = state["sum"]
        total.copy_(total + grad * grad)
        p.sub_(grad * n["rate"] / (total.sqrt() + group["eps"]))


class Adadelta(Optimizer):
    """p -= lr * sqrt(average of delta² + eps) / sqrt(average of grad² + eps) * grad, delta being the steps before."""

    NUMBERS: ClassVar[Mapping[str, Number]] = {
        "keep": lambda rho: rho,
        "new": lambda rho: 1.0 - rho,
    }

    @options("lr rho eps weight_decay", ignored="capturable foreach differentiable")
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        **ignored: Any,
    ) -> None: ...

    def init_state(self, p: Tensor, group: Group) -> State:
        return zero_state(p, "square_avg", "acc_delta")

    def update(self, p: Tensor, grad: Tensor, state: State, group: Group, n: Numbers) -> None:
        if group["weight_decay"]:
            grad = grad + p * n["weight_decay"]
        square, moved = state["square_avg"], state["acc_delta"]
        square.copy_(square * n["keep"] + grad * grad * n["new"])
        delta = (moved + group["eps"]).sqrt() / (square + group["eps"]).sqrt() * grad
        moved.copy_(moved * n["keep"] + delta * delta * n["new"])
        p.sub_(delta * n["lr"])


class Adamax(Averages):
    """Adam with the largest gradient (decaying) in place of the average square."""

    NUMBERS: ClassVar[Mapping[str, Number]] = {
        "rate": lambda lr, betas, step: lr / (1.0 - betas[0] ** step),
        "new_mean": lambda betas: 1.0 - betas[0],
        "keep_largest": lambda betas: betas[1],
    }

    @options(CHECKED, ignored=IGNORED)
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        **ignored: Any,
    ) -> None: ...

    def init_state(self, p: Tensor, group: Group) -> State:
        return zero_state(p, "exp_avg", "exp_inf")

    def update(self, p: Tensor, grad: Tensor, state: State, group: Group, n: Numbers) -> None:
        if group["weight_decay"]:
            grad = grad + p * n["weight_decay"]
        mean, largest = state["exp_avg"], state["exp_inf"]
        mean.copy_(mean + (grad - mean) * n["new_mean"])
        largest.copy_((largest * n["keep_largest"]).maximum(grad.abs() + group["eps"]))
        p.sub_(mean * n["rate"] / largest)


__all__ = ["Adadelta", "Adagrad", "Adamax", "RMSprop"]
