"""Containers used as Python's own, and what modules can do with the modules below them."""

from __future__ import annotations

import copy

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


def test_lists_and_dictionaries_of_parameters_hold_anything() -> None:
    values = nn.ParameterList([irtool.ones(2), 3.0])
    values.append(nn.ParameterList([irtool.zeros(1), irtool.zeros(3)])).append("x")
    assert list(values.state_dict()) == ["0", "2.0", "2.1"] and len(values) == 4 and values[-1] == "x"
    assert [type(v).__name__ for v in values] == ["Parameter", "float", "ParameterList", "str"]
    assert "(1): Object of type: float" in repr(values) and "(2): ParameterList(" in repr(values)
    assert len(copy.deepcopy(values)[2]) == 2 and values[1:3][0] == 3.0
    with pytest.raises(IndexError, match="index 4 is out of range"):
        values[4]
    named = nn.ParameterDict({"w": irtool.ones(2), "deep": values, "rate": 0.5})
    assert list(named) == ["deep", "rate", "w"] and named.get("none") is None and "w" in named
    assert list(named.state_dict()) == ["w", "deep.0", "deep.2.0", "deep.2.1"]
    del named["rate"]
    assert list(named.fromkeys(["a"], 1).items()) == [("a", 1)] and named.popitem()[0] == "w" and len(named) == 1


def test_compiled_functions_notice_other_values_in_them() -> None:
    values = nn.ParameterList([irtool.ones(2), 3.0])
    step = irtool.compile(lambda x: (x * values[0] * values[1]).sum() * len(values))
    assert step(irtool.ones(2)).item() == 12
    values[1] = 4.0
    assert step(irtool.ones(2)).item() == 16
    values.append(0)
    assert step(irtool.ones(2)).item() == 24
