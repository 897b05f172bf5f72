"""Training on the CUDA target, run by the emulator in every order of blocks and threads, is training on the CPU."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import nn

from .programs.runner import run
from .test_programs import GOLDEN, check
from .test_workloads import WORKLOADS, workloads

F = nn.functional
STEPS = 10
LARGE = pytest.mark.skipif("IRTOOL_LARGE_TESTS" not in os.environ, reason="takes long; set IRTOOL_LARGE_TESTS=1")

emulated = functools.partial(irtool.compile, target="cuda-emulated")


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.out = nn.LSTM(8, 16, batch_first=True), nn.Linear(16, 10)

    def forward(self, x: Any) -> Any:
        return self.out(self.lstm(x)[0][:, -1])


class Block(nn.Module):
    """A layer of a transformer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Any) -> Any:
        batch, time, width = x.shape
        parts = self.qkv(self.norm1(x)).split(width, 2)
        q, k, v = (t.reshape(batch, time, self.heads, width // self.heads).transpose(1, 2) for t in parts)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
        x = x + self.out(seen.reshape(batch, time, width))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(30, 32), nn.Embedding(16, 32)
        self.blocks, self.out = nn.Sequential(Block(32, 4), Block(32, 4)), nn.Linear(32, 30)

    def forward(self, x: Any) -> Any:
        return self.out(self.blocks(self.words(x) + self.places(irtool.arange(x.shape[1])))).reshape(-1, 30)


def mlp() -> tuple[Any, Any, Any]:
    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 10))
    return model, irtool.randn(16, 20), irtool.arange(16) % 10


def cnn() -> tuple[Any, Any, Any]:
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(64, 10)),
    )
    return model, irtool.randn(8, 1, 12, 12), irtool.arange(8) % 10


def lstm() -> tuple[Any, Any, Any]:
    return Recurrent(), irtool.randn(8, 10, 8), irtool.arange(8) % 10


def gpt() -> tuple[Any, Any, Any]:
    words = (irtool.arange(4 * 16) * 7 % 30).reshape(4, 16)
    return GPT(), words, (words.reshape(-1) * 3 + 1) % 30


def losses(make: Callable[[], tuple[Any, Any, Any]], target: str) -> list[float]:
    irtool.manual_seed(0)
    model, x, y = make()
    optimizer = irtool.optim.Adam(model.parameters(), lr=0.01)

    @irtool.compile(target=target)
    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return [step(x, y).item() for _ in range(STEPS)]


@pytest.mark.parametrize("make", [mlp, cnn, lstm, gpt], ids=lambda make: make.__name__)
def test_training_is_that_on_the_cpu(make: Callable[[], tuple[Any, Any, Any]]) -> None:
    np.testing.assert_allclose(losses(make, "cuda-emulated"), losses(make, "cpu"), 1e-4)


@LARGE
@pytest.mark.parametrize("name", GOLDEN)
def test_programs_are_those_of_pytorch(name: str) -> None:
    check(run(irtool, name, emulated), GOLDEN[name])


@LARGE
@pytest.mark.parametrize("name", ["mlp", "text", "cnn"])
def test_workloads_are_those_of_pytorch(name: str) -> None:
    found = [
        loss for loss, _ in workloads.train(irtool, name, functools.partial(emulated, keep_gradients=True), steps=3)
    ]
    np.testing.assert_allclose(found, WORKLOADS[name]["losses"][:3], 1e-3)
