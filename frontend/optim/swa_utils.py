"""Averages of a model's weights over training: torch.optim.swa_utils."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any, Literal, cast

from ..creation import tensor
from ..grad_mode import no_grad
from ..nn.by_rank import BatchNorm1d, BatchNorm2d, BatchNorm3d
from ..nn.module import Module
from ..tensor import Tensor
from .lr_base import LRScheduler, number
from .lr_policies import each
from .optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

Average = Callable[[Tensor, Tensor, Tensor], Tensor]
Averages = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor], None]


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """The average moves by 1 - decay towards the new value."""
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")
    return lambda average, new, count: average * decay + new * (1.0 - decay)


def get_swa_avg_fn() -> Average:
    """The mean of all values so far."""
    return lambda average, new, count: average + (new - average) / (count + 1)


def _multi(one: Average) -> Averages:
    @no_grad()
    def update(averages: Sequence[Tensor], news: Sequence[Tensor], count: Tensor) -> None:
        for average, new in zip(averages, news):
            average.copy_(one(average, new, count))

    return update


def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """get_ema_avg_fn for lists of tensors, in place."""
    return _multi(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> Averages:
    """get_swa_avg_fn for lists of tensors, in place."""
    return _multi(get_swa_avg_fn())


class AveragedModel(Module):
    """A copy of a model whose parameters (with `use_buffers`, buffers too) are averages of those that it is shown."""

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Averages | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module.to(device)
        self.register_buffer("n_averaged", tensor(0))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def _tensors(self, model: Module) -> list[Tensor]:
        return [*model.parameters(), *(model.buffers() if self.use_buffers else ())]

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Takes the model's weights into the average; the first ones are the average."""
        averages = self._tensors(self.module)
        news = [tensor.detach() for tensor in self._tensors(model)]
        count = self.n_averaged
        update = self.multi_avg_fn or _multi(self.avg_fn or get_swa_avg_fn())
        floats = [k for k, average in enumerate(averages) if average.is_floating_point()]
        update([averages[k] for k in floats], [news[k] for k in floats], count)
        for average, new in zip(averages, news):
            average.copy_(new.where(count.eq(0), average) if average.is_floating_point() else new)
        if not self.use_buffers:
            for kept, buffer in zip(self.module.buffers(), model.buffers()):
                kept.copy_(buffer.detach())
        count.add_(1)


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Takes the running statistics of all batch norms anew, from one pass over the inputs of a loader."""
    norms = [m for m in model.modules() if isinstance(m, (BatchNorm1d, BatchNorm2d, BatchNorm3d))]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    training = model.training
    model.train()
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
    for batch in loader:
        inputs = cast(Sequence[Any], batch)[0] if isinstance(batch, (list, tuple)) else batch
        model(inputs if device is None else inputs.to(device))
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    model.train(training)


def _cosine(t: float) -> float:
    return (1 - math.cos(math.pi * t)) / 2


ANNEAL: dict[str, Callable[[float], float]] = {"cos": _cosine, "linear": lambda t: t}


class SWALR(LRScheduler):
    """From the rates now to swa_lr within anneal_epochs, and then stays."""

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        if anneal_strategy not in ANNEAL:
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        for group, rate in zip(optimizer.param_groups, each("swa_lr", swa_lr, optimizer), strict=True):
            group["swa_lr"] = rate
        self.anneal_epochs, self.anneal_strategy = anneal_epochs, anneal_strategy
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        anneal = ANNEAL[self.anneal_strategy]
        before, now = (
            anneal(max(0.0, min(1.0, epoch / max(1, self.anneal_epochs))))
            for epoch in (self.last_epoch - 1, self.last_epoch)
        )
        rates: list[float] = []
        for group in self.groups:
            rate, last = number(group["lr"]), group["swa_lr"]
            first = rate if before == 1 else (rate - last * before) / (1 - before)
            rates.append(last * now + first * (1 - now))
        return rates
