"""Ten training steps of an MLP against PyTorch's losses, eager and compiled."""

from __future__ import annotations

import irtool
import numpy as np
import pytest

from .golden import GOLDEN, cases

OPTIMIZERS = list(cases.MLP_OPTIMIZERS)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_eager_losses_are_those_of_pytorch(optimizer: str) -> None:
    losses = cases.mlp_losses(irtool, optimizer)
    np.testing.assert_allclose(losses, GOLDEN["mlp_losses"][optimizer], rtol=1e-4)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_compiled_losses_are_those_of_pytorch(optimizer: str) -> None:
    losses = cases.mlp_losses(irtool, optimizer, irtool.compile)
    np.testing.assert_allclose(losses, GOLDEN["mlp_losses"][optimizer], rtol=1e-4)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_one_program_serves_all_steps(optimizer: str) -> None:
    steps = []

    def compiled(step: object) -> object:
        steps.append(irtool.compile(step))
        return steps[0]

    cases.mlp_losses(irtool, optimizer, compiled)
    assert len(steps[0].programs()) == 1
