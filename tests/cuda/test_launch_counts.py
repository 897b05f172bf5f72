"""Launches of a training step: at most as many as the longest chain of kernels that need one another's results, and a
tenth."""

from __future__ import annotations

import warnings
from typing import Any

import irtool
import pytest
from irtool.dialects.text import parse_module
from irtool.passes.target import GPUS
from irtool.runtime.cuda.backend import CUDA

from ..golden import workloads


class Planned(CUDA):
    """As for the newest of the presets."""

    def machine(self) -> Any:
        return GPUS["sm_90a"]


@pytest.mark.parametrize(("name", "chain"), [("mlp", 9), ("cnn", 28)])
def test_what_does_not_depend_on_one_another_is_one_launch(name: str, chain: int) -> None:
    steps: list[Any] = []

    def compiled(step: Any) -> Any:
        steps.append(irtool.compile(step, target="reference"))
        return steps[0]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gradients are read that the step has used up
        next(workloads.train(irtool, name, compiled, steps=1))
    plan = Planned()._lowered(parse_module(steps[0].ir("traced")))[0]
    assert len(plan["kernels"]) <= 1.1 * chain
