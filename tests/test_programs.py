"""Training programs as PyTorch's users write them: nothing but the package that `torch` names is changed.

`tests/programs/make_golden.py` recorded what they give on PyTorch.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from typing import Any

import irtool
import numpy as np
import pytest

from .programs.runner import HERE, Wrap, programs, run

GOLDEN: dict[str, list[float]] = json.loads((HERE / "golden.json").read_text())
NATIVE = ("images.conditional_vae", "adversaries.gradient_penalty", "training.policy_gradient")
"""What is compiled to C as well; for the others the reference target says whether the trace is right."""

traced = functools.partial(irtool.compile, target="reference")


def check(found: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_all_programs_are_recorded() -> None:
    assert programs(irtool) == list(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_eager(name: str) -> None:
    check(run(irtool, name), GOLDEN[name])


@pytest.mark.parametrize("name", GOLDEN)
def test_traced(name: str) -> None:
    check(run(irtool, name, traced), GOLDEN[name])


@pytest.mark.parametrize("name", NATIVE)
def test_compiled(name: str) -> None:
    check(run(irtool, name, irtool.compile), GOLDEN[name])


@pytest.mark.filterwarnings("default")  # PyTorch's own
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
@pytest.mark.parametrize("name", GOLDEN)
def test_records_are_those_of_pytorch(name: str) -> None:
    torch: Any = importlib.import_module("torch")
    check(run(torch, name), GOLDEN[name])


def counting(counts: list[Any]) -> Wrap:
    """Keeps what was compiled."""

    def wrap(function: Any) -> Any:
        counts.append(traced(function))
        return counts[-1]

    return wrap


ONCE = ("images.resnet", "sequences.tagging", "attention.masked_words", "training.q_learning", "training.several_tasks")


@pytest.mark.parametrize("name", ONCE)
def test_nothing_is_compiled_twice(name: str) -> None:
    """Though rates change, modules go between training and evaluation, and batches are dictionaries or objects."""
    found: list[Any] = []
    run(irtool, name, counting(found))
    assert [len(f.programs()) for f in found] == [1] * len(found)
