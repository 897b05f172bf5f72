"""irtool.testing: what is close, and what the message says where it is not."""

from __future__ import annotations

from typing import Any

import irtool
import numpy as np
import pytest
from irtool.testing import assert_allclose, assert_close

nan = float("nan")
x = irtool.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("actual", "expected", "options"),
    [
        (x, x + 1e-6, {}),
        (x, x + 1e-3, {"rtol": 0, "atol": 1e-2}),
        (x, x.double(), {"check_dtype": False}),
        ([x, 1.0, {"a": (x, 2)}], [x, 1.0 + 1e-9, {"a": (x, 2)}], {}),
        (irtool.tensor([nan, 1.0]), irtool.tensor([nan, 1.0]), {"equal_nan": True}),
        (np.ones(2), np.ones(2), {}),
        (None, None, {}),
        (x.requires_grad_(), x, {}),
    ],
)
def test_what_is_close(actual: Any, expected: Any, options: dict[str, Any]) -> None:
    assert_close(actual, expected, **options)


@pytest.mark.parametrize(
    ("actual", "expected", "options", "error", "message"),
    [
        (x, x + 1, {}, AssertionError, r"Mismatched elements: 6 / 6 \(100.0%\)\nGreatest absolute difference: 1.0 at"),
        (x, x + 1, {"msg": "no"}, AssertionError, "^no$"),
        (x, x + 1, {"msg": lambda text: f"<{text}>"}, AssertionError, "^<Tensor-likes are not close!"),
        (x, x.double(), {}, AssertionError, "attribute 'dtype' do not match: irtool.float32 != irtool.float64"),
        (x, x[0], {}, AssertionError, "attribute 'shape' do not match"),
        (irtool.tensor([1, 2]), irtool.tensor([1, 3]), {}, AssertionError, r"are not equal!\n\nMismatched elements: 1"),
        (irtool.tensor(nan), irtool.tensor(nan), {}, AssertionError, "Expected nan but got nan"),
        ([x, {"k": 1.0}], [x, {"k": 2.0}], {}, AssertionError, r"for item \[1\]\['k'\]"),
        (1, 1.0, {}, AssertionError, r"The \(d\)types do not match"),
        ([1, 2], [1], {}, AssertionError, "length of the sequences"),
        ({"a": 1}, {"b": 1}, {}, AssertionError, "keys of the mappings"),
        (x, 1.0, {}, TypeError, "are not compared"),
        (x, x, {"rtol": 1.0}, ValueError, "no atol"),
    ],
)
def test_what_is_not(actual: Any, expected: Any, options: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        assert_close(actual, expected, **options)


def test_the_older_form_compares_values_alone() -> None:
    assert_allclose(x, x.double())
    assert_allclose([nan], np.array([nan]))
    with pytest.raises(AssertionError, match="Greatest relative difference"):
        assert_allclose(x, x + 1)
