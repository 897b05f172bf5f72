"""What all learning-rate schedulers share.

Each scheduler says how to get from one epoch's rates to the next, so that several can act on one optimizer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from ..modes import modes
from ..tensor import Tensor
from ..tracing.trace import as_traced
from .optimizer import Group, Optimizer


def at_the_end(step: Callable[..., None]) -> Callable[..., None]:
    """A scheduler's `step`; in a compiled function, each call makes it when its program has run."""

    @wraps(step)
    def stepped(self: LRScheduler, *args: Any, **options: Any) -> None:
        if modes.trace is None or not self._last_lr:
            step(self, *args, **options)
        else:
            from ..tracing.deferred import defer

            defer(modes.trace, stepped, (self, *args), options, about=self.optimizer)

    return stepped


class LRScheduler:
    """Base: sets the rate of each group, once at the start and once for each `step()`."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "step" in vars(cls):
            setattr(cls, "step", at_the_end(cls.step))  # noqa: B010

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", number(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{index}] when resuming an optimizer"
                )
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._last_lr: list[float] = []
        self.step()

    @property
    def groups(self) -> list[Group]:
        """The optimizer's parameter groups."""
        return self.optimizer.param_groups

    @property
    def lrs(self) -> list[float]:
        """The rates now."""
        return [number(group["lr"]) for group in self.groups]

    def get_lr(self) -> list[float]:
        """The rates for `last_epoch`, from those of the epoch before."""
        raise NotImplementedError

    @at_the_end
    def step(self, epoch: int | None = None) -> None:
        """Goes on to the next epoch (or to the given one, where a closed form is known)."""
        if epoch is None:
            self.last_epoch += 1
            rates = self.get_lr()
        else:
            self.last_epoch = epoch
            closed: Callable[[], list[float]] = getattr(self, "_get_closed_form_lr", self.get_lr)
            rates = closed()
        self._set(rates)

    def _set(self, rates: Iterable[float]) -> None:
        for group, rate in zip(self.groups, rates, strict=True):
            set_rate(group, rate)
        self._last_lr = self.lrs

    def get_last_lr(self) -> list[float]:
        """The rates that were set last; in a compiled function, those that this call's optimizer uses."""
        if modes.trace is None:
            return self._last_lr
        self.optimizer.check_rate()
        return [as_traced(group)["lr"] for group in self.groups]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what `state_dict` gave."""
        self.__dict__.update(state_dict)


def number(rate: Any) -> float:
    """A rate as a float; users may keep it in a tensor."""
    return rate.item() if isinstance(rate, Tensor) else rate


def set_rate(group: Group, rate: float) -> None:
    """Sets a group's rate; a tensor stays and is filled."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


__all__ = ["LRScheduler"]
