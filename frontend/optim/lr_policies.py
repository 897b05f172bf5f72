"""Schedulers with policies of their own: one cycle, on a plateau, and several together."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, SupportsFloat

from .lr_base import LRScheduler, number, set_rate
from .optimizer import Group, Optimizer


class Phase(NamedTuple):
    """A stretch of the cycle: until which step, between which of a group's rates and momenta."""

    end: float
    rates: tuple[str, str]
    momenta: tuple[str, str]


def _cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)


def _linear(start: float, end: float, part: float) -> float:
    return (end - start) * part + start


ANNEAL: dict[str, Callable[[float, float, float], float]] = {"cos": _cosine, "linear": _linear}


class OneCycleLR(LRScheduler):
    """Up to max_lr and far down again, once, step by step; momentum goes the other way."""

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
            total_steps = epochs * steps_per_epoch
        if total_steps <= 0:
            raise ValueError(f"Expected positive integer total_steps, but got {total_steps}")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ANNEAL:
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self.total_steps = total_steps
        self.anneal_strategy = anneal_strategy
        up, down = ("max_momentum", "base_momentum"), ("base_momentum", "max_momentum")
        peak, last = pct_start * total_steps, total_steps - 1
        self._phases = [Phase(peak - 1, ("initial_lr", "max_lr"), up)]
        if three_phase:
            self._phases.append(Phase(2 * peak - 2, ("max_lr", "initial_lr"), down))
            self._phases.append(Phase(last, ("initial_lr", "min_lr"), ("max_momentum", "max_momentum")))
        else:
            self._phases.append(Phase(last, ("max_lr", "min_lr"), down))
        self.momentum_key = momentum_key(optimizer) if cycle_momentum else None
        if last_epoch == -1:
            groups = optimizer.param_groups
            for group, peak_rate in zip(groups, each("max_lr", max_lr, optimizer), strict=True):
                group["initial_lr"] = peak_rate / div_factor
                group["max_lr"] = peak_rate
                group["min_lr"] = group["initial_lr"] / final_div_factor
            if self.momentum_key is not None:
                # From now on a number that changes: compiled programs must not take it for a constant.
                optimizer.runtime_keys |= {self.momentum_key}
                for key, values in (("max_momentum", max_momentum), ("base_momentum", base_momentum)):
                    for group, value in zip(groups, each(key, values, optimizer), strict=True):
                        group[key] = value
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"Tried to step {self.last_epoch} times. The specified number of total steps is {self.total_steps}"
            )
        anneal = ANNEAL[self.anneal_strategy]
        start = 0.0
        phase = self._phases[-1]
        for candidate in self._phases:
            phase = candidate
            if self.last_epoch <= candidate.end or candidate is self._phases[-1]:
                break
            start = candidate.end
        part = (self.last_epoch - start) / (phase.end - start)
        for group in self.groups:
            if self.momentum_key is not None:
                momentum = anneal(group[phase.momenta[0]], group[phase.momenta[1]], part)
                set_momentum(group, self.momentum_key, momentum)
        return [anneal(group[phase.rates[0]], group[phase.rates[1]], part) for group in self.groups]


def momentum_key(optimizer: Optimizer) -> str:
    """The option that is the momentum of an optimizer: the first of `betas`, or `momentum`."""
    for key in ("betas", "momentum"):
        if key in optimizer.defaults:
            return key
    raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")


def set_momentum(group: Group, key: str, momentum: float) -> None:
    """Sets what `momentum_key` named."""
    group[key] = (momentum, *group["betas"][1:]) if key == "betas" else momentum


def each(name: str, value: float | Sequence[float], optimizer: Optimizer) -> Sequence[float]:
    """One value a group."""
    count = len(optimizer.param_groups)
    if not isinstance(value, Sequence):
        return [value] * count
    if len(value) != count:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups: expected {count}, got {len(value)}"
        )
    return value


class ReduceLROnPlateau(LRScheduler):
    """The rate times `factor` when a metric has not improved for more than `patience` epochs."""

    def __init__(
        self,
        optimizer: Optimizer,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1.0:
            raise ValueError("Factor should be < 1.0.")
        if mode not in ("min", "max"):
            raise ValueError(f"mode {mode} is unknown!")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold mode {threshold_mode} is unknown!")
        self.optimizer = optimizer
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.min_lrs = list(each("min_lr", min_lr, optimizer))
        self.eps = eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        self.last_epoch = 0
        self._last_lr = self.lrs

    @property
    def in_cooldown(self) -> bool:
        """Whether a reduction is recent."""
        return self.cooldown_counter > 0

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Takes note of an epoch's metric."""
        current = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, low in zip(self.groups, self.min_lrs, strict=True):
                before = number(group["lr"])
                after = max(before * self.factor, low)
                if before - after > self.eps:
                    set_rate(group, after)
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = self.lrs

    def _is_better(self, value: float) -> bool:
        sign = 1.0 if self.mode == "min" else -1.0
        relative = self.threshold_mode == "rel"
        bound = self.best * (1.0 - sign * self.threshold) if relative else self.best - sign * self.threshold
        return sign * value < sign * bound


class SequentialLR(LRScheduler):
    """One scheduler after the other, changing at the milestones."""

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        _check_same_optimizer(self, schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of "
                f"milestone points, but got number of schedulers {len(schedulers)} and the number of milestones to be "
                f"equal to {len(milestones)}"
            )
        self.optimizer = optimizer
        self._schedulers = list(schedulers)
        self._milestones = list(milestones)
        self.last_epoch = last_epoch + 1
        for group in self.groups:
            set_rate(group, group["initial_lr"])
        # Each scheduler has set its first rate already; that is taken back, and done once by the one that begins.
        for scheduler in self._schedulers:
            _undo(scheduler)
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first.step()
        self._last_lr = first.get_last_lr()

    def step(self, epoch: int | None = None) -> None:
        """Goes on to the next epoch."""
        self.last_epoch += 1
        index = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[index]
        if index > 0 and self._milestones[index - 1] == self.last_epoch:
            scheduler.step(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        return _nested_state(self)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        _load_nested(self, state_dict)


class ChainedScheduler(LRScheduler):
    """Several schedulers at once, each going on from the rates of the one before."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self._schedulers = list(schedulers)
        if not self._schedulers:
            raise ValueError("ChainedScheduler expects at least one scheduler to be chained, but got no scheduler.")
        self.optimizer = optimizer or self._schedulers[0].optimizer
        _check_same_optimizer(self, self._schedulers, self.optimizer)
        self._last_lr = self.lrs

    def step(self, epoch: int | None = None) -> None:
        """Goes on to the next epoch."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self.lrs

    def state_dict(self) -> dict[str, Any]:
        return _nested_state(self)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        _load_nested(self, state_dict)


def _undo(scheduler: Any) -> None:
    for inner in getattr(scheduler, "_schedulers", ()):
        _undo(inner)
    if not hasattr(scheduler, "_schedulers"):
        scheduler.last_epoch -= 1


def _check_same_optimizer(outer: LRScheduler, schedulers: Sequence[LRScheduler], optimizer: Optimizer) -> None:
    name = type(outer).__name__
    if not schedulers:
        raise ValueError(f"{name} expects at least one scheduler, but got no scheduler.")
    for index, scheduler in enumerate(schedulers):
        if isinstance(scheduler, ReduceLROnPlateau):
            raise ValueError(
                f"{name} does not support `ReduceLROnPlateau` scheduler as it requires additional kwargs to be "
                f"specified when calling `step`, but got one at index {index} in the given schedulers sequence."
            )
        if scheduler.optimizer is not optimizer:
            raise ValueError(
                f"{name} expects all schedulers to belong to the same optimizer, but got scheduler "
                f"{type(scheduler).__name__} at index {index}, whose optimizer is another one."
            )


def _nested_state(outer: Any) -> dict[str, Any]:
    state = {key: value for key, value in outer.__dict__.items() if key not in ("optimizer", "_schedulers")}
    return {**state, "_schedulers": [scheduler.state_dict() for scheduler in outer._schedulers]}


def _load_nested(outer: Any, state: dict[str, Any]) -> None:
    outer.__dict__.update({key: value for key, value in state.items() if key != "_schedulers"})
    for scheduler, inner in zip(outer._schedulers, state["_schedulers"], strict=True):
        scheduler.load_state_dict(inner)


__all__ = ["ChainedScheduler", "OneCycleLR", "ReduceLROnPlateau", "SequentialLR"]
