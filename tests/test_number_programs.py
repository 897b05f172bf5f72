"""Numbers that change from call to call, as in training code, are run-time numbers: one program for many values."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import irtool
import numpy as np
import pytest
from irtool import nn, optim
from irtool.nn import functional as F

from .questions import PLACES

LARGE = bool(os.environ.get("IRTOOL_LARGE_TESTS"))

MOST = 3
"""Programs for a dozen values: the number as a constant, and as a run-time number; one more for a special value."""

STEPS = tuple(range(1, 13))
FROM_ZERO = tuple(range(12))
RATES = tuple(0.1 * 0.7**k for k in range(12))
TEMPERATURES = tuple(5.0 - 0.35 * k for k in range(12))

Row = tuple[tuple[Any, ...], Callable[..., Any]]

ROWS: dict[str, Row] = {
    "unused int": (FROM_ZERO, lambda x, i: x * 2),
    "unused float": (RATES, lambda x, s: x * 2),
    "one over": (FROM_ZERO, lambda x, i: x * (1 / (1 + i))),
    "one over float": (RATES, lambda x, s: x * (1 / (1 + s))),
    "inverse root": (STEPS, lambda x, i: x * i**-0.5),
    "inverse root by math": (STEPS, lambda x, i: x / math.sqrt(i)),
    "root of the next": (FROM_ZERO, lambda x, i: x / math.sqrt(i + 1)),
    "power": (STEPS, lambda x, i: x * 0.9**i),
    "power in a sum": (FROM_ZERO, lambda x, i: x / (1 - 0.9 ** (i + 1))),
    "bias corrections": (STEPS, lambda x, i: x / (1 - 0.9**i) / math.sqrt(1 - 0.999**i)),
    "exponential": (FROM_ZERO, lambda x, i: x * math.exp(-0.1 * i)),
    "exponential of epsilon": (FROM_ZERO, lambda x, i: x * (0.05 + 0.9 * math.exp(-i / 200))),
    "cosine": (FROM_ZERO, lambda x, i: x * (0.5 * (1 + math.cos(math.pi * i / 100)))),
    "linear": (FROM_ZERO, lambda x, i: x * (1 - i / 100)),
    "polynomial": (FROM_ZERO, lambda x, i: x * (1 - i / 100) ** 0.9),
    "logarithm": (STEPS, lambda x, i: x * math.log(i + 1)),
    "int times tensor": (STEPS, lambda x, i: x * i),
    "int plus tensor": (STEPS, lambda x, i: x + i),
    "int under tensor": (STEPS, lambda x, i: x / i),
    "int in a divided sum": (STEPS, lambda x, i: (x * (i - 1) + x.sum()) / i),
    "learning rate": (RATES, lambda x, s: x - s * x.sum()),
    "learning rate by alpha": (RATES, lambda x, s: x.add(x, alpha=-s)),
    "temperature": (TEMPERATURES, lambda x, s: F.softmax(x / s, 0)),
    "temperature of logits": (TEMPERATURES, lambda x, s: F.cross_entropy((x / s)[None], irtool.tensor([1]))),
    "mixing": (RATES, lambda x, s: x.lerp(x * 2, s)),
    "mixing by hand": (RATES, lambda x, s: s * x + (1 - s) * x.sum()),
    "clipped": (RATES, lambda x, s: x.clamp(-s, s)),
    "noise": (RATES, lambda x, s: x + s * x.cos()),
    "weight": (RATES, lambda x, s: x.sum() + s * x.pow(2).sum()),
    "squared": (RATES, lambda x, s: x * s**2 + s),
    "square root": (RATES, lambda x, s: x * math.sqrt(s)),
    "returned": (RATES, lambda x, s: (x * s, s * 2)),
    "warmup": (FROM_ZERO, lambda x, i: x * min(1.0, (i + 1) / 5)),
    "decay with a floor": (FROM_ZERO, lambda x, i: x * max(0.1, 1 - i / 8)),
    "warmup of transformers": (STEPS, lambda x, i: x * 64**-0.5 * min(i**-0.5, i * 5**-1.5)),
    "branch at a step": (FROM_ZERO, lambda x, i: x * 2 if i < 5 else x),
    "branch every other step": (FROM_ZERO, lambda x, i: x * 2 if i % 2 == 0 else x),
    "range check": (RATES, lambda x, s: x * s if 0 <= s <= 1 else 1 / 0),
    "check of kind": (RATES, lambda x, s: x * s if isinstance(s, float) and s > 0 else x.foo),
    "check of None": (RATES, lambda x, s: x if s is None else x * s),
    "truth": (STEPS, lambda x, i: x * i if i else x),
    "default": (RATES, lambda x, s: x * (s or 0.5)),
    "numpy floats": (tuple(map(np.float64, RATES)), lambda x, s: x * s),
    "numpy ints": (tuple(map(np.int64, STEPS)), lambda x, i: x / (1 + i)),
}

PLACES_HERE = tuple(PLACES) if LARGE else ("argument", "attribute")


@pytest.mark.parametrize("place", PLACES_HERE)
@pytest.mark.parametrize("name", ROWS)
def test_few_programs(name: str, place: str) -> None:
    values, f = ROWS[name]
    made: list[Any] = []

    def wrap(f: Callable[..., Any]) -> Any:
        made.append(irtool.compile(f, target="reference"))
        return made[-1]

    compiled, eager, x = PLACES[place](f, wrap), PLACES[place](f, lambda f: f), irtool.tensor([1.5, -2.0, 3.0])
    for s in values:
        _same(compiled(x, s), eager(x, s))
    assert len(made[0]._recent) <= MOST


def _same(a: Any, b: Any) -> None:
    for left, right in zip(a if isinstance(a, tuple) else (a,), b if isinstance(b, tuple) else (b,), strict=True):
        assert type(left) is type(right)
        np.testing.assert_allclose(np.asarray(left), np.asarray(right), rtol=1e-6)


STEP_ROWS: dict[str, Callable[[Any, Any, float], None]] = {
    "rate assigned": lambda model, optimizer, s: optimizer.param_groups[0].update(lr=s),
    "momentum assigned": lambda model, optimizer, s: optimizer.param_groups[0].update(momentum=s),
    "weight decay assigned": lambda model, optimizer, s: optimizer.param_groups[0].update(weight_decay=s),
    "attribute of the model": lambda model, optimizer, s: setattr(model, "scale", s),
}


@pytest.mark.parametrize("name", STEP_ROWS)
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_numbers_of_training_steps(name: str, kind: str) -> None:
    if kind == "Adam" and "momentum" in name:
        pytest.skip("Adam has none")

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.scale, self.epoch = nn.Linear(3, 2), 1.0, 0

        def forward(self, x: Any) -> Any:
            return self.inner(x) * self.scale

    def train(wrap: Callable[..., Any]) -> tuple[list[float], Any]:
        irtool.manual_seed(0)
        model = Scaled()
        optimizer = (
            optim.SGD(model.parameters(), 0.1, momentum=0.9) if kind == "SGD" else optim.Adam(model.parameters())
        )

        @wrap
        def step(x: Any, i: int, epoch: int) -> Any:
            loss = model(x).pow(2).mean() / (1 + 0.1 * i)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.detach()

        losses: list[float] = []
        for i in range(12):
            STEP_ROWS[name](model, optimizer, 0.1 / (i + 1))
            losses.append(step(irtool.ones(4, 3) * 0.1 * i, i, i // 4).item())
        return losses, step

    expected, _ = train(lambda f: f)
    found, step = train(lambda f: irtool.compile(f, target="reference"))
    assert found == pytest.approx(expected, rel=1e-5)
    assert len(step._recent) <= MOST + 1  # the first call makes the optimizer's state


@pytest.mark.parametrize("key", ["lr", "weight_decay", "eps"])
@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW, optim.RMSprop, optim.Adadelta])
def test_hyperparameters_assigned_by_a_step(kind: Any, key: str) -> None:
    """Each call assigns another number; whether it is zero is asked, and needs a program for either answer."""

    def train(wrap: Callable[..., Any]) -> tuple[list[float], Any, Any]:
        irtool.manual_seed(0)
        model = nn.Linear(3, 2)
        optimizer = kind([{"params": [model.weight]}, {"params": [model.bias], "weight_decay": 0.3}])

        @wrap
        def step(x: Any, s: float) -> Any:
            loss = model(x).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            for group in optimizer.param_groups:
                group[key] = s
            optimizer.step()
            return loss.detach()

        losses = [step(irtool.ones(4, 3) * 0.1 * i, 0.1 / i if i % 3 else 0.0).item() for i in range(1, 9)]
        return losses, [group[key] for group in optimizer.param_groups], step

    expected, left, _ = train(lambda f: f)
    found, now, step = train(lambda f: irtool.compile(f, target="reference"))
    assert found == pytest.approx(expected, rel=1e-5) and now == left
    assert step._compilations <= MOST


def test_epochs_and_steps_of_a_loop() -> None:
    """Several numbers that change at once, some of them seldom."""
    o = SimpleNamespace(epoch=0)

    @irtool.compile(target="reference")
    def step(i: int, x: Any, s: float, epoch: int) -> Any:
        return x * (1 / (1 + i)) + s * epoch - o.epoch / 10

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for i in range(24):
            o.epoch = i // 6
            y = step(i, irtool.ones(2), 0.9**i, i // 6)
            assert y.tolist() == pytest.approx(
                [1 / (1 + i) + 0.9**i * (i // 6) - o.epoch / 10] * 2, abs=1e-6
            )  # of 1 - 1
    assert len(step._recent) <= 5


def test_compiled_code_too() -> None:
    """One program in C, not one for each value."""
    step = irtool.compile(lambda i, x, s: x * (1 / (1 + i)) * s)
    for i in range(6):
        assert step(i, irtool.ones(2), 0.9**i).tolist() == pytest.approx([0.9**i / (1 + i)] * 2, rel=1e-6)
    assert len(step._recent) <= MOST
