"""Stochastic gradient descent."""

# The hyperparameters that the tables name have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..tensor import Tensor
from .numbers import Number, Numbers
from .optimizer import Group, Optimizer, Params, State, zero_state
from .options import options


class SGD(Optimizer):
    """p -= lr * grad, with momentum and weight decay.

    With momentum m: buffer = m * buffer + (1 - dampening) * grad, the first one being grad itself; p -= lr * buffer,
    or lr * (grad + m * buffer) with nesterov.
    """

    NUMBERS: ClassVar[Mapping[str, Number]] = {
        "new": lambda dampening, step: 1.0 if step == 1 else 1.0 - dampening,
    }

    @options("lr momentum weight_decay", ignored="foreach differentiable fused")
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        **ignored: Any,
    ) -> None:
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")

    def init_state(self, p: Tensor, group: Group) -> State:
        return zero_state(p, "momentum_buffer") if group["momentum"] else {}

    def counts(self, group: Group) -> bool:
        return bool(group["momentum"] and group["dampening"])

    def update(self, p: Tensor, grad: Tensor, state: State, group: Group, n: Numbers) -> None:
        if group["weight_decay"]:
            grad = grad + p * n["weight_decay"]
        if group["momentum"]:
            buffer = state["momentum_buffer"]
            new = grad * n["new"] if self.counts(group) else grad
            buffer.copy_(buffer * n["momentum"] + new)
            grad = grad + buffer * n["momentum"] if group["nesterov"] else buffer
        p.sub_(grad * n["lr"])


__all__ = ["SGD"]
