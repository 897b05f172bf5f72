"""Schedulers that step inside compiled functions: the rate of the next call, and one program for all."""

from __future__ import annotations

import functools
import os

import irtool
import numpy as np
import pytest
from irtool import nn, optim
from irtool.optim import lr_scheduler as s

compiled = functools.partial(irtool.compile, target=os.environ.get("IRTOOL_TEST_TARGET", "reference"))


class Halving(s.LRScheduler):
    def get_lr(self):
        return [rate / 2 ** (self.last_epoch // 2) for rate in self.base_lrs]


SCHEDULERS = {
    "step": lambda o: s.StepLR(o, 2, 0.5),
    "one cycle, momentum too": lambda o: s.OneCycleLR(o, max_lr=0.2, total_steps=10),
    "plateau": lambda o: s.ReduceLROnPlateau(o, patience=0, threshold=0.9),
    "one after the other": lambda o: s.SequentialLR(o, [s.LinearLR(o, 0.5), s.ExponentialLR(o, 0.9)], [2]),
    "of the user": Halving,
}


def losses(make, compiling):
    irtool.manual_seed(0)
    model, x = nn.Linear(3, 2), irtool.arange(12.0).reshape(4, 3) / 6
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = make(optimizer)

    @compiling
    def step(x):
        loss = (model(x) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate = scheduler.get_last_lr()[0]
        scheduler.step(*[loss] * isinstance(scheduler, s.ReduceLROnPlateau))
        return loss, rate

    found = [(loss.item(), rate) for loss, rate in (step(x) for _ in range(5))]
    assert compiling is not compiled or len(step.programs()) == 1
    return [*found, (scheduler.last_epoch, scheduler.get_last_lr()[0])]


@pytest.mark.parametrize("make", SCHEDULERS.values(), ids=SCHEDULERS)
def test_schedulers_step_in_every_call(make):
    np.testing.assert_allclose(losses(make, compiled), losses(make, lambda f: f), rtol=1e-5)


def test_a_scheduler_steps_after_the_optimizer():
    w = irtool.ones(2, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1)
    scheduler = s.ExponentialLR(optimizer, 0.5)

    @compiled
    def step():
        w.sum().backward()
        scheduler.step()
        optimizer.step()

    with pytest.raises(RuntimeError, match=r"call it after the optimizer's step\(\).*test_schedulers_compiled.py"):
        step()
    assert scheduler.last_epoch == 0 and optimizer.param_groups[0]["lr"] == 0.1 and w.tolist() == [1.0, 1.0]
