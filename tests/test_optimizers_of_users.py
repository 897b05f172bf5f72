"""Optimizers as users write them, in every style: a compiled step does what an eager one does, to losses, weights and
whatever else the optimizer keeps."""

from __future__ import annotations

import functools
import importlib.util
import math
from typing import Any

import irtool
import numpy as np
import pytest

from .optimizers.runner import STEPS, names, train

NAMES = names(irtool)
NATIVE = ("moments.AdamInBase", "momenta.Rprop", "momenta.Foreach", "wrappers.lookahead_of_adam")
"""What is compiled to C as well; for the others the reference target says whether the trace is right."""

EACH = ("moments.AdamInBase", "moments.RAdam", "moments.AdaBound", "moments.Adafactor", "wrappers.patched")
"""Those that need a program for each call, since Python has to know a number that is another one then."""

PROGRAMS = {
    "momenta.Averaged": 4,
    "wrappers.lookahead": 4,
    "wrappers.momentum_schedule": 5,
    **dict.fromkeys(EACH, STEPS),
}
"""At most so many, where that is more than three."""


@functools.cache
def eager(name: str) -> list[float]:
    return train(irtool, name)


def compiled_like_eager(name: str, **options: Any) -> int:
    """Compares; the number of programs."""
    made: list[Any] = []

    def wrap(function: Any) -> Any:
        made.append(irtool.compile(function, **options))
        return made[-1]

    found = train(irtool, name, wrap)
    assert all(map(math.isfinite, eager(name))) and len(eager(name)) > STEPS
    np.testing.assert_allclose(found, eager(name), rtol=2e-5, atol=1e-6)
    return len(made[0]._recent)


@pytest.mark.parametrize("name", NAMES)
def test_traced(name: str) -> None:
    assert compiled_like_eager(name, target="reference") <= PROGRAMS.get(name, 3)


@pytest.mark.parametrize("name", NATIVE)
def test_compiled(name: str) -> None:
    compiled_like_eager(name)


@pytest.mark.filterwarnings("default")  # PyTorch's own
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
@pytest.mark.parametrize("name", NAMES)
def test_eager_like_pytorch(name: str) -> None:
    torch: Any = importlib.import_module("torch")
    length = STEPS + 26
    np.testing.assert_allclose(eager(name)[:length], train(torch, name)[:length], rtol=1e-4, atol=1e-5)
