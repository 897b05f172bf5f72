"""Containers used as Python's own, and what modules can do with the modules below them."""

from __future__ import annotations

import irtool
import pytest
from irtool import nn


def test_sequentials_are_added_and_repeated() -> None:
    a, b = nn.Sequential(nn.ReLU()), nn.Sequential(nn.Tanh())
    names = lambda m: [type(child).__name__ for child in m]  # noqa: E731
    assert names(a + b) == ["ReLU", "Tanh"] and names(2 * a) == names(a * 2) == ["ReLU", "ReLU"]
    a += b
    a *= 2
    assert names(a) == ["ReLU", "Tanh", "ReLU", "Tanh"]
    with pytest.raises(ValueError, match="only objects of Sequential class"):
        a + nn.ModuleList([nn.ReLU()])
    with pytest.raises(ValueError, match="Non-positive multiplication factor 0"):
        a * 0


def test_parameter_dictionaries_as_dictionaries() -> None:
    table = nn.ParameterDict({"a": nn.Parameter(irtool.ones(1)), "b": nn.Parameter(irtool.ones(2))})
    assert list(table | nn.ParameterDict({"c": irtool.ones(3)})) == ["a", "b", "c"]
    assert table.copy()["a"] is table["a"] and list(reversed(table)) == ["b", "a"]
    assert table.setdefault("d", irtool.ones(4)).shape == (4,) and table.popitem()[0] == "d"


def test_modules_are_replaced_by_path_and_converted() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU()))
    model.set_submodule("1.0", nn.Tanh())
    assert isinstance(model[1][0], nn.Tanh)
    with pytest.raises(AttributeError, match="has no attribute `7`"):
        model.set_submodule("1.7", nn.Tanh(), strict=True)
    assert model.type(irtool.float64)[0].weight.dtype is irtool.float64
    assert model.to_empty(device="cpu")[0].weight.shape == (2, 2)
    with pytest.raises(AttributeError, match=r"'Sequential' object has no attribute 'half'.*use float"):
        model.half()
