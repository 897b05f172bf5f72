"""Layers against PyTorch's: outputs, gradients, buffers, state_dict keys and printed forms, eager and compiled."""

from __future__ import annotations

from typing import Any

import irtool
import numpy as np
import pytest

from .golden import LAYERS, layers

RELATIVE, ABSOLUTE = 1e-4, 2e-5


def check(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found["repr"] == expected["repr"]
    assert found["keys"] == expected["keys"]
    assert list(found["keys"]) == list(expected["keys"])
    for part in ("outputs", "evaluated"):
        assert len(found.get(part, [])) == len(expected.get(part, []))
        for y, z in zip(found.get(part, []), expected.get(part, []), strict=True):
            np.testing.assert_allclose(y, z, RELATIVE, ABSOLUTE, err_msg=part)
    for part in ("grads", "buffers"):
        assert set(found[part]) == set(expected[part])
        for name, values in expected[part].items():
            np.testing.assert_allclose(found[part][name], values, RELATIVE, ABSOLUTE, err_msg=f"{part}: {name}")


@pytest.mark.parametrize("name", list(layers.LAYERS))
def test_eager_layers_are_those_of_pytorch(name: str) -> None:
    check(layers.layer(irtool, name), LAYERS[name])


@pytest.mark.parametrize("name", list(layers.LAYERS))
def test_compiled_layers_are_those_of_pytorch(name: str) -> None:
    check(layers.layer(irtool, name, irtool.compile), LAYERS[name])
