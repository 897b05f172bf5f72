"""Compiled functions do what eager ones do besides returning, call by call: the rows of `side_effects`.

`failing.txt` lists the rows that do not yet.
"""

from __future__ import annotations

import pytest

from .side_effects import ROWS, Row, compare, known

FAILING = known("failing.txt")


def test_known_rows_are_rows() -> None:
    assert len(ROWS) >= 300 and set(FAILING) <= set(ROWS)


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_row(row: Row, request: pytest.FixtureRequest) -> None:
    if row.name in FAILING:
        request.applymarker(pytest.mark.xfail(strict=True, reason="differs from eager"))
    different = compare(row)
    assert not different, "\n".join(different)
