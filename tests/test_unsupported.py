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
        (lambda: irtool.instance_norm, r"the nearest there is: irtool\.nn\.functional\.instance_norm \(at"),
        (lambda: irtool.nn.xavier_uniform_, r"the nearest there is: irtool\.nn\.init\.xavier_uniform_ \(at"),
        (lambda: irtool.embeding, "the nearest there is: embedding"),
        (lambda: irtool.cuda.ipc_collect, r"ask cuda.is_available\(\) first"),
        (lambda: irtool.random.fork_rngs, "module 'irtool.random'.*the nearest there is: fork_rng"),
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


def test_switches_of_backends_change_nothing():
    irtool.backends.cudnn.benchmark = True
    assert irtool.backends.cudnn.benchmark and not irtool.backends.mps.is_available()
    assert importlib.import_module("irtool.backends.cudnn") is irtool.backends.cudnn
    irtool.use_deterministic_algorithms(True)
    irtool.set_float32_matmul_precision("high")
    assert irtool.are_deterministic_algorithms_enabled() and irtool.get_float32_matmul_precision() == "high"
    assert irtool.get_default_device() == irtool.device("cpu")
    with pytest.raises(RuntimeError, match="CUDA needs"):
        irtool.set_default_device("cuda")
    with pytest.raises(AttributeError, match=r"irtool.backends.cudnn.*'benchmarks'.*benchmark"):
        irtool.backends.cudnn.benchmarks  # noqa: B018


def test_a_forked_generator_leaves_the_other_alone():
    irtool.manual_seed(1)
    expected = irtool.rand(2).tolist()
    irtool.manual_seed(1)
    with irtool.random.fork_rng():
        irtool.rand(5)
    assert irtool.rand(2).tolist() == expected
