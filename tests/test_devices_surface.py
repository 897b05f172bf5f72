"""Everything that the surface computes, on a device as on the CPU. Programs are evaluated by the reference meanings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest

from .device_cases import CASES, LAYERS, differences, evaluate, trained

HERE = ("T.FloatTensor([1, 2])", "T.LongTensor([1])")
"""Types of tensors on the CPU."""


pytestmark = pytest.mark.usefixtures("emulated_gpu")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("group", CASES.EXPRESSIONS)
def test_expressions(group: str) -> None:
    wrong: list[str] = []
    name, given = next(CASES.inputs(group))
    for expression in CASES.EXPRESSIONS[group]:
        if expression in HERE:
            continue
        try:
            expected = evaluate(expression, given, "cpu")
        except Exception as error:
            with pytest.raises(type(error)):
                evaluate(expression, given, "cuda")
            continue
        difference = differences(evaluate(expression, given, "cuda"), expected)
        if difference:
            wrong.append(f"{expression} ({name}): {difference}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, compiled: bool) -> None:
    assert not differences(trained(name, "cuda", compiled), trained(name, "cpu"))
