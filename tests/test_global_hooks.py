"""Hooks of every module."""

from __future__ import annotations

from typing import Any

import irtool
from irtool import nn
from irtool.nn.modules import module as hooks


def test_they_run_around_every_module_and_before_its_own() -> None:
    model, seen = nn.Sequential(nn.ReLU()), []
    model.register_forward_pre_hook(lambda *_: seen.append("own"))
    handles = [
        hooks.register_module_forward_pre_hook(lambda m, args: (args[0] * 2,)),
        hooks.register_module_forward_hook(lambda m, args, y: seen.append(type(m).__name__)),
        hooks.register_module_forward_pre_hook(lambda m, args: seen.append("all")),
    ]
    assert model(irtool.ones(1)).item() == 4.0
    assert seen == ["all", "own", "all", "ReLU", "Sequential"]
    for handle in handles:
        handle.remove()
    assert model(irtool.ones(1)).item() == 1.0


def test_they_see_gradients() -> None:
    seen: list[Any] = []
    with (
        hooks.register_module_full_backward_hook(lambda m, given, out: seen.append((given[0].item(), out[0].item()))),
        hooks.register_module_full_backward_pre_hook(lambda m, out: (out[0] * 2,)),
    ):
        x = irtool.ones(1, requires_grad=True)
        nn.Threshold(0.5, 0.0)(nn.ReLU()(x)).sum().backward()
    assert seen == [(2.0, 2.0), (4.0, 4.0)]


def test_compiled_functions_run_them_and_notice_changes() -> None:
    model = nn.Sequential(nn.ReLU())
    step = irtool.compile(lambda x: model(x), target="reference")
    assert step(irtool.ones(1)).item() == 1.0
    with hooks.register_module_forward_hook(lambda m, args, y: y * 3):
        assert step(irtool.ones(1)).item() == 9.0
    assert step(irtool.ones(1)).item() == 1.0
