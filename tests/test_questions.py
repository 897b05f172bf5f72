"""Compiled functions that ask Python about numbers answer as eager ones do: the rows of `questions`.

`failing.txt` lists the rows that do not yet, and `refused.txt` those that are refused at their line.
"""

from __future__ import annotations

import os

import pytest

from .questions import ROWS, Row, compare, known
from .questions.generated import variants

LARGE = bool(os.environ.get("IRTOOL_LARGE_TESTS"))

VARIANTS = 4
"""How many variants of each row are run; with IRTOOL_LARGE_TESTS, all."""

FAILING, REFUSED = known("failing.txt"), known("refused.txt")


def test_known_rows_are_rows() -> None:
    assert len(ROWS) >= 250
    assert {*FAILING, *REFUSED} <= set(ROWS) and not {*FAILING} & {*REFUSED}


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_row(row: Row, request: pytest.FixtureRequest) -> None:
    if row.name in FAILING:
        request.applymarker(pytest.mark.xfail(strict=not LARGE, reason="differs from eager"))
    different: list[str] = []
    refused: list[str] = []
    for variant in row.variants() if LARGE else row.sample(VARIANTS):
        found = compare(variant)
        different += found[0]
        refused += found[1]
    assert not different, "\n".join(different)
    assert bool(refused) == (row.name in REFUSED), "\n".join(["refused:", *refused])


@pytest.mark.parametrize("seed", range(2000 if LARGE else 120))
def test_generated_function(seed: int) -> None:
    found = [compare(variant) for variant in variants(seed)]
    assert not any(different for different, _ in found), "\n".join(line for different, _ in found for line in different)
