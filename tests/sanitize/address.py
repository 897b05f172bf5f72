"""No program reads or writes outside its buffers, or does what C leaves undefined, whatever the values are."""

from __future__ import annotations

import pytest
from irtool.dialects.hl import HLOp

from ..running import generate
from ..samples.hostile import HOSTILE
from ..test_programs import GOLDEN
from . import cases
from .harness import ADDRESS, check


def names(op: type[HLOp]) -> str:
    return op.name.removeprefix("hl.")


@pytest.mark.parametrize("op", cases.OPS, ids=names)
def test_ops(op: type[HLOp]) -> None:
    check(ADDRESS, *cases.samples(op), threads=3)


@pytest.mark.parametrize("op", cases.OPS, ids=names)
def test_hostile_operands(op: type[HLOp]) -> None:
    check(ADDRESS, *cases.hostile_samples(op), threads=3)


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_values(name: str) -> None:
    for module, arrays in cases.refused(name):
        check(ADDRESS, module, arrays, threads=3)


@pytest.mark.parametrize("op", cases.DIFFERENTIABLE, ids=names)
def test_gradients(op: type[HLOp]) -> None:
    check(ADDRESS, *cases.gradients(op), threads=3)


@pytest.mark.parametrize("number", range(cases.GRAPHS))
def test_random_graphs(number: int) -> None:
    check(ADDRESS, *cases.random_graphs()[number], threads=3)


@pytest.mark.parametrize("name", GOLDEN)
def test_programs(name: str) -> None:
    for module in cases.compiled(name):
        check(ADDRESS, module, generate(module), threads=3)
