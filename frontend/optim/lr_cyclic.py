"""Rates that go up and down between two bounds again and again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

from .lr_base import LRScheduler, set_rate
from .lr_policies import each, momentum_key, set_momentum
from .optimizer import Optimizer

SCALES: dict[str, tuple[str, Callable[[float, float], float]]] = {
    "triangular": ("cycle", lambda gamma, cycle: 1.0),
    "triangular2": ("cycle", lambda gamma, cycle: 1.0 / 2.0 ** (cycle - 1)),
    "exp_range": ("iterations", lambda gamma, step: gamma**step),
}
"""By mode: what the height of a cycle depends on, and how."""


class CyclicLR(LRScheduler):
    """From base_lr up to max_lr in step_size_up steps and down again; momentum goes the other way."""

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | Sequence[float],
        max_lr: float | Sequence[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8,
        max_momentum: float | Sequence[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        if scale_fn is None and mode not in SCALES:
            raise ValueError("mode is invalid and scale_fn is None")
        groups = optimizer.param_groups
        if last_epoch == -1:
            for group, rate in zip(groups, each("base_lr", base_lr, optimizer), strict=True):
                set_rate(group, rate)
        self.max_lrs = list(each("max_lr", max_lr, optimizer))
        down = step_size_up if step_size_down is None else step_size_down
        self.total_size = float(step_size_up + down)
        self.step_ratio = step_size_up / self.total_size
        self.mode, self.gamma, self.scale_fn = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else SCALES[mode][0]
        self.momentum_key = momentum_key(optimizer) if cycle_momentum else None
        if self.momentum_key is not None:
            optimizer.runtime_keys |= {self.momentum_key}
            self.base_momentums = list(each("base_momentum", base_momentum, optimizer))
            self.max_momentums = list(each("max_momentum", max_momentum, optimizer))
            for group, low, high in zip(groups, self.base_momentums, self.max_momentums, strict=True):
                group["base_momentum"], group["max_momentum"] = low, high
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        part = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        at = cycle if self.scale_mode == "cycle" else self.last_epoch
        part *= self.scale_fn(at) if self.scale_fn is not None else SCALES[self.mode][1](self.gamma, at)
        if self.momentum_key is not None:
            for group, low, high in zip(self.groups, self.base_momentums, self.max_momentums, strict=True):
                set_momentum(group, self.momentum_key, high - (high - low) * part)
        return [low + (high - low) * part for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and `scale_fn`, which a new scheduler is given again."""
        return {key: value for key, value in super().state_dict().items() if key != "scale_fn"}


__all__ = ["CyclicLR"]
