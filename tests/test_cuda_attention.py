"""Attention on the CUDA target keeps no scores: not in a training step, not in the memory of its kernels."""

from __future__ import annotations

from typing import Any

import irtool
import irtool.nn.functional as F
import pytest
from irtool import nn
from irtool.dialects.text import parse_module
from irtool.dialects.types import is_memref
from irtool.runtime.backend import find_backend
from irtool.runtime.plan import host_of, memory_report
from xdsl.dialects.builtin import ModuleOp

TIME = 256


def traced(masked: bool) -> str:
    """A training step of a layer of self-attention, in two heads."""
    irtool.manual_seed(0)
    qkv = nn.Linear(32, 96)
    mask = irtool.ones(TIME, dtype=irtool.bool) if masked else None

    @irtool.compile(target="reference")
    def step(x: Any) -> Any:
        q, k, v = (t.reshape(1, TIME, 2, 16).transpose(1, 2) for t in qkv(x).split(32, 2))
        loss = F.scaled_dot_product_attention(q, k, v, mask, is_causal=not masked).square().sum()
        loss.backward()
        return loss

    step(irtool.randn(1, TIME, 32))
    return step.ir("traced")


def squares(module: ModuleOp) -> list[str]:
    """The buffers that have a number for each pair of places."""
    types = {value.type for op in module.walk() for value in (*op.operands, *op.results)}
    return [str(t) for t in types if is_memref(t) and list(t.get_shape()).count(TIME) > 1]


@pytest.mark.parametrize("masked", [False, True], ids=["causal", "masked"])
def test_a_step_keeps_no_scores(masked: bool) -> None:
    module = parse_module(traced(masked))
    find_backend("cuda-emulated").lower(module, "memref")
    assert not squares(module)
    kept = memory_report(host_of(module))
    assert kept
    assert all(buffer["bytes"] < TIME * TIME * 4 for buffer in kept)
    find_backend("cuda-emulated").lower(module)
    assert not squares(module)


def test_a_target_without_kernels_keeps_them() -> None:
    module = parse_module(traced(masked=False))
    find_backend("cpu").lower(module, "memref")
    assert squares(module)
