"""Random numbers of Python and numpy in compiled functions: each call draws its own."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import irtool
import numpy as np
import pytest

TARGET = os.environ.get("IRTOOL_TEST_TARGET", "reference")


def seeded() -> dict[str, Any]:
    random.seed(0)
    np.random.seed(0)
    return {"python": random.Random(0), "generator": np.random.default_rng(0), "legacy": np.random.RandomState(0)}


DRAWS: dict[str, Callable[[dict[str, Any]], float]] = {
    "random": lambda _: random.random(),
    "numpy.random": lambda _: float(np.random.rand()),
    "Random": lambda own: own["python"].random(),
    "Generator": lambda own: float(own["generator"].random()),
    "RandomState": lambda own: float(own["legacy"].rand()),
}


def three_calls(wrap: Callable[[Any], Any], draw: Callable[[dict[str, Any]], float]) -> list[float]:
    own = seeded()
    kept: list[Any] = []

    def step(x: Any):
        kept.append(x)  # found out by a first trace, which then has drawn in vain
        return x * draw(own)

    f = wrap(step)
    return [f(irtool.ones(1)).item() for _ in range(3)]


@pytest.mark.parametrize("name", DRAWS)
def test_numbers_are_those_of_eager_calls(name: str):
    eager = three_calls(lambda f: f, DRAWS[name])
    assert three_calls(lambda f: irtool.compile(f, target=TARGET), DRAWS[name]) == pytest.approx(eager)
    assert len(set(eager)) == 3


def test_a_trace_that_fails_has_drawn_nothing():
    seeded()
    before = random.getstate()

    def step(x: Any):
        return x * random.random() if x > 0 else x

    with pytest.raises(RuntimeError, match="Python branch"):
        irtool.compile(lambda x: step(x + random.random()), target=TARGET)(irtool.ones(1))
    assert random.getstate() == before


def test_the_libraries_own_numbers_need_no_new_trace():
    f = irtool.compile(lambda x: x * irtool.rand(1), target=TARGET)
    assert f(irtool.ones(1)).item() != f(irtool.ones(1)).item() and len(f.programs()) == 1
