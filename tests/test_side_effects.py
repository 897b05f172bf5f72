"""Compiled functions do what eager ones do besides returning, call by call: the rows of `side_effects`.

`failing.txt` lists the rows that do not yet.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest

from .side_effects import ROWS, Row, compare, known

FAILING = known("failing.txt")

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # rows leave files and sockets open


@pytest.fixture(scope="module", autouse=True)
def _left_open() -> Iterator[None]:
    """Files and sockets that rows have left in circles are closed here and not in another module's test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_known_rows_are_rows() -> None:
    assert len(ROWS) >= 300 and set(FAILING) <= set(ROWS)


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_row(row: Row, request: pytest.FixtureRequest) -> None:
    if row.name in FAILING:
        request.applymarker(pytest.mark.xfail(strict=True, reason="differs from eager"))
    different = compare(row)
    assert not different, "\n".join(different)
