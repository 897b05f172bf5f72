"""Optimizers that average, or step by signs alone: ASGD and Rprop."""

# The hyperparameters that the tables name have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..creation import tensor
from ..tensor import Tensor
from .numbers import Number, Numbers, plain
from .optimizer import Group, Optimizer, Params, State, zero_state
from .options import check_range, options


class ASGD(Optimizer):
    """p -= eta * grad after p shrinks by lambd * eta, where eta falls; `ax` in the state is the mean of p since t0."""

    NUMBERS: ClassVar[Mapping[str, Number]] = {
        "next_eta": lambda lr, lambd, alpha, step: lr / (1.0 + lambd * lr * step) ** alpha,
        "next_mu": lambda t0, step: 1.0 / max(1.0, step - t0),
    }

    @options("lr weight_decay", ignored="foreach differentiable capturable")
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        **ignored: Any,
    ) -> None: ...

    def init_state(self, p: Tensor, group: Group) -> State:
        return {
            "eta": tensor(float(plain(group["lr"])), dtype=p.dtype),
            "mu": tensor(1.0, dtype=p.dtype),
            **zero_state(p, "ax"),
        }

    def update(self, p: Tensor, grad: Tensor, state: State, group: Group, n: Numbers) -> None:
        eta, mu, mean = state["eta"], state["mu"], state["ax"]
        if group["weight_decay"]:
            grad = grad + p * n["weight_decay"]
        p.copy_(p - p * (eta * n["lambd"]) - grad * eta)
        mean.copy_(mean + (p - mean) * mu)
        eta.fill_(n["next_eta"])
        mu.fill_(n["next_mu"])


class Rprop(Optimizer):
    """p -= step_size * sign(grad); an element's step size grows while its gradient keeps its sign, else it shrinks."""

    NUMBERS: ClassVar[Mapping[str, Number]] = {
        "shrink": lambda etas: etas[0],
        "grow": lambda etas: etas[1],
        "least": lambda step_sizes: step_sizes[0],
        "most": lambda step_sizes: step_sizes[1],
    }

    @options("lr", ignored="foreach capturable differentiable")
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        maximize: bool = False,
        **ignored: Any,
    ) -> None:
        check_range("eta values", f"{etas[0]}, {etas[1]}", 0.0 < etas[0] < 1.0 < etas[1])

    def init_state(self, p: Tensor, group: Group) -> State:
        return {**zero_state(p, "prev"), "step_size": p.detach().clone().fill_(plain(group["lr"]))}

    def update(self, p: Tensor, grad: Tensor, state: State, group: Group, n: Numbers) -> None:
        before, size = state["prev"], state["step_size"]
        agreement = grad * before
        scaled = (size * n["grow"]).where(agreement > 0, (size * n["shrink"]).where(agreement < 0, size))
        size.copy_(scaled.clamp(n["least"], n["most"]))
        grad = grad.masked_fill(agreement < 0, 0.0)
        p.sub_(grad.sign() * size)
        before.copy_(grad)


__all__ = ["ASGD", "Rprop"]
