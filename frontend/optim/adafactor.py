"""Adafactor: of a matrix's squared gradients only the means of rows and of columns are kept."""

# The hyperparameters that the tables name have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from ..promotion import finfo
from ..tensor import Tensor
from .numbers import Number, Numbers
from .optimizer import Group, Optimizer, Params, State
from .options import check_range, options


class Adafactor(Optimizer):
    """p -= rate * max(eps[1], rms(p)) * u / max(1, rms(u) / d), u being grad / sqrt(estimate of its average square).

    For parameters of two and more dimensions the estimate is row * column / mean(row), of averages over the last and
    the last but one; `beta2_decay` says how fast those forget: they keep 1 - step ** beta2_decay. The rate falls from
    `lr` as 1 / sqrt(step).
    """

    NUMBERS: ClassVar[Mapping[str, Number]] = {
        "rate": lambda lr, step: min(lr, 1.0 / math.sqrt(step)),
        "new": lambda beta2_decay, step: step**beta2_decay,
        "decay": lambda lr, weight_decay: 1.0 - lr * weight_decay,
    }

    @options("", ignored="foreach")
    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        **ignored: Any,
    ) -> None:
        if not lr >= 0.0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        for name, value in zip(("epsilon1", "epsilon2"), eps, strict=True):
            if value is not None and not value >= 0.0:
                raise ValueError(f"{name} should be >= 0 but is: {value}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        check_range("weight_decay value", weight_decay, weight_decay >= 0.0)

    def init_state(self, p: Tensor, group: Group) -> State:
        shape = p.shape
        if len(shape) < 2:
            return {"variance": p.new_zeros(shape)}
        return {
            "row_var": p.new_zeros((*shape[:-1], 1)),
            "col_var": p.new_zeros((*shape[:-2], 1, shape[-1])),
        }

    def update(self, p: Tensor, grad: Tensor, state: State, group: Group, n: Numbers) -> None:
        tiny, least = group["eps"]
        tiny = finfo(p.dtype).eps if tiny is None else tiny
        size = _rms(p).clamp(min=least)
        if group["weight_decay"]:
            p.mul_(n["decay"])
        square = grad * grad
        if "variance" in state:
            average = _averaged(state["variance"], square, n)
        else:
            row = _averaged(state["row_var"], square.mean(-1, keepdim=True), n)
            column = _averaged(state["col_var"], square.mean(-2, keepdim=True), n)
            average = row * column / row.mean(-2, keepdim=True).clamp(min=tiny)
        update = grad * average.clamp(min=tiny * tiny).rsqrt()
        p.sub_(update * (size * n["rate"] / (_rms(update) / group["d"]).clamp(min=1.0)))


def _rms(x: Tensor) -> Tensor:
    return (x * x).mean().sqrt()


def _averaged(average: Tensor, new: Tensor, n: Numbers) -> Tensor:
    return average.copy_(average + (new - average) * n["new"])


__all__ = ["Adafactor"]
