"""What random programs find around them: tensors by seed, and an object with parameters, buffers and Python values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import irtool as torch
import irtool.nn.functional as F
import numpy as np
from irtool import Tensor, nn

OPTIMIZERS = (
    "torch.optim.SGD(ps, lr=0.1)",
    "torch.optim.SGD(ps, lr=0.1, momentum=0.9, weight_decay=0.1)",
    "torch.optim.SGD(ps, lr=0.1, momentum=0.5, nesterov=True)",
    "torch.optim.Adam(ps, lr=0.1, eps=0.01)",
    "torch.optim.AdamW(ps, lr=0.1, eps=0.01, weight_decay=0.1)",
    "torch.optim.Adagrad(ps, lr=0.1, eps=0.01)",
    "torch.optim.RMSprop(ps, lr=0.1, eps=0.01, momentum=0.5)",
)


def values(shape: tuple[int, ...], seed: int) -> Tensor:
    """Floats that are quarters, from -2 to 2."""
    return torch.tensor(np.random.default_rng(seed).integers(-8, 9, shape).astype(np.float32) / 4)


def whole(shape: tuple[int, ...], seed: int) -> Tensor:
    """Whole numbers from -3 to 3."""
    return torch.tensor(np.random.default_rng(seed).integers(-3, 4, shape))


def mask(shape: tuple[int, ...], seed: int) -> Tensor:
    """Bools."""
    return torch.tensor(np.random.default_rng(seed).integers(0, 2, shape).astype(bool))


def places(shape: tuple[int, ...], extent: int, seed: int) -> Tensor:
    """Indices below an extent."""
    return torch.tensor(np.random.default_rng(seed).integers(0, extent, shape))


class State:
    """What a program keeps from call to call."""

    def __init__(self, optimizer: Callable[[list[Any]], Any]) -> None:
        self.weight = nn.Parameter(values((2, 3), 1))
        self.other = nn.Parameter(values((2, 3), 2))
        self.buffer = torch.zeros(())
        self.total = torch.zeros(1)
        self.last = values((3,), 3)
        self.pair = (torch.ones(2), torch.zeros(2))
        self.kept = [torch.ones(2), values((2, 2), 4)]
        self.table = {"k": torch.ones(3)}
        self.names = [1, 2, 3]
        self.log: list[int] = []
        self.history: list[float] = []
        self.count, self.rate, self.flag = 0, 1.0, True
        torch.manual_seed(0)
        self.linear = nn.Linear(3, 2)
        self.net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.25), nn.Tanh(), nn.Linear(4, 1))
        self.norm = nn.BatchNorm1d(3)
        self.conv = nn.Conv1d(1, 2, 3)
        layers = (self.linear, self.net, self.norm, self.conv)
        self.opt = optimizer([self.weight, self.other, *(p for layer in layers for p in layer.parameters())])


def namespace() -> dict[str, Any]:
    """The globals of a program."""
    return {
        **{"torch": torch, "F": F, "nn": nn, "State": State},
        **{f.__name__: f for f in (values, whole, mask, places)},
    }
