"""What is not there is named, with the line and what to use instead."""

from __future__ import annotations

import importlib

import irtool
import pytest
from irtool.frontend.surface.unsupported import INSTEAD
from irtool.nn import functional as F


@pytest.mark.parametrize(
    "ask, message",
    [
        (lambda: irtool.bfloat16, r"module 'irtool' has no attribute 'bfloat16'.*use float32.*at test_unsupported.py:"),
        (lambda: irtool.logsumexpp, "nearest there is: logsumexp"),
        (lambda: irtool.nn.SyncBatchNorm, "module 'irtool.nn' has no attribute 'SyncBatchNorm'.*use BatchNorm1d"),
        (lambda: F.cross_entropyy, "cross_entropy"),
        (lambda: irtool.optim.SparseAdam, "use Adam"),
        (lambda: irtool.optim.lr_scheduler.CosineLR, "CosineAnnealingLR"),
        (lambda: irtool.ones(2).to_sparse(), "'Tensor' object has no attribute 'to_sparse'.*dense tensors.*at test_"),
        (lambda: irtool.ones(2).masked_filll(), "masked_fill"),
        (lambda: irtool.utils.tensorboard, "irtool.utils"),
        (lambda: irtool.zzzzqqq, "write it with the operations there are"),
    ],
)
def test_missing_names(ask, message):
    with pytest.raises(AttributeError, match=message):
        ask()


def test_asking_is_cheap_and_quiet():
    assert not hasattr(irtool.ones(2), "state_dict") and not hasattr(irtool, "bfloat16")
    with pytest.raises(ImportError):
        from irtool.nn import SyncBatchNorm  # noqa: F401
    assert importlib.import_module("irtool.nn").Linear


def test_hints_are_for_names_that_are_missing():
    found = [
        name
        for name in INSTEAD
        for owner in (irtool, irtool.nn, F, irtool.optim, irtool.Tensor)
        if hasattr(owner, name)
    ]
    assert not found, "these exist now: drop their rows in frontend/surface/unsupported.py"
