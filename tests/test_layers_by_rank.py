"""Layers and functions over one to three dimensions, which tables make, are like those that are written out."""

from __future__ import annotations

import copy
import inspect
import pickle

import irtool
import pytest
from irtool import nn
from irtool.nn import functional as F


def test_a_class_is_one_of_its_module() -> None:
    layer = nn.Conv2d
    assert (layer.__module__, layer.__qualname__) == ("irtool.frontend.nn.conv", "Conv2d")
    assert layer.__doc__ == "Convolution of (N, C, H, W)."
    assert list(inspect.signature(layer).parameters)[:4] == ["in_channels", "out_channels", "kernel_size", "stride"]
    assert nn.LazyConv2d.__bases__ == (nn.modules.lazy._LazyConv, nn.Conv2d)


@pytest.mark.parametrize("make", [lambda: nn.Conv1d(2, 4, 3), lambda: nn.MaxPool3d(2), lambda: nn.LazyBatchNorm2d()])
def test_layers_are_copied_and_pickled(make: type[nn.Module]) -> None:
    layer = make()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert type(other) is type(layer) and repr(other) == repr(layer)


def test_a_subclass() -> None:
    class Quiet(nn.Dropout2d):
        def extra_repr(self) -> str:
            return ""

    assert repr(Quiet()) == "Quiet()" and isinstance(Quiet(0.1), nn.Dropout2d) and Quiet(0.1).p == 0.1


def test_a_function_has_its_own_name_and_arguments() -> None:
    assert (F.conv3d.__name__, F.conv3d.__module__) == ("conv3d", "irtool.frontend.nn.functional.convolution")
    assert str(inspect.signature(F.lp_pool1d)) == (
        "(input: 'Tensor', norm_type: 'float', kernel_size: 'Extents', stride: 'Extents | None' = None, "
        "ceil_mode: 'bool' = False) -> 'Tensor'"
    )
    with pytest.raises(TypeError, match=r"conv1d\(\) missing 1 required positional argument: 'weight'"):
        F.conv1d(irtool.ones(1, 1, 3))
    assert "return _conv(1, input, weight" in inspect.getsource(F.conv1d)
