"""No two threads of a program touch the same bytes at once, but to read them."""

from __future__ import annotations

import pytest
from irtool.dialects.hl import HLOp

from ..running import generate
from ..test_programs import GOLDEN
from . import cases
from .harness import THREADS, check


def names(op: type[HLOp]) -> str:
    return op.name.removeprefix("hl.")


@pytest.mark.parametrize("op", cases.OPS, ids=names)
def test_ops(op: type[HLOp]) -> None:
    check(THREADS, *cases.samples(op), threads=3)


@pytest.mark.parametrize("op", cases.OPS, ids=names)
def test_hostile_operands(op: type[HLOp]) -> None:
    check(THREADS, *cases.hostile_samples(op), threads=3)


@pytest.mark.parametrize("op", cases.DIFFERENTIABLE, ids=names)
def test_gradients(op: type[HLOp]) -> None:
    check(THREADS, *cases.gradients(op), threads=3)


@pytest.mark.parametrize("number", range(cases.GRAPHS))
def test_random_graphs(number: int) -> None:
    check(THREADS, *cases.random_graphs()[number], threads=3)


@pytest.mark.parametrize("name", GOLDEN)
def test_programs(name: str) -> None:
    for module in cases.compiled(name):
        check(THREADS, module, generate(module), threads=3)
