"""Layers that learn their number of inputs from the first one."""

from __future__ import annotations

from typing import Any

import irtool
import pytest
from irtool import nn


def model() -> Any:
    layers = (nn.LazyConv2d(6, 3, padding=1), nn.LazyBatchNorm2d(), nn.LazyConvTranspose2d(2, 1))
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(3))


def test_the_first_input_makes_ordinary_layers() -> None:
    net = model().eval()
    assert repr(net[0]) == "LazyConv2d(0, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))"
    assert repr(net[4]) == "LazyLinear(in_features=0, out_features=3, bias=True)"
    assert repr(net[4].weight) == "<UninitializedParameter>"
    parameters = list(net.parameters())
    assert net(irtool.ones(2, 3, 4, 4)).shape == (2, 3)
    assert [type(layer) for layer in net] == [nn.Conv2d, nn.BatchNorm2d, nn.ConvTranspose2d, nn.Flatten, nn.Linear]
    assert (net[0].in_channels, net[1].num_features, net[2].in_channels, net[4].in_features) == (3, 6, 6, 32)
    assert all(a is b and type(a) is nn.Parameter for a, b in zip(parameters, net.parameters(), strict=True))
    assert not net[1].training


def test_drawing_starts_with_the_first_input() -> None:
    irtool.manual_seed(0)
    lazy = nn.LazyLinear(3)
    lazy(irtool.ones(2, 4))
    irtool.manual_seed(0)
    assert lazy.weight.tolist() == nn.Linear(4, 3).weight.tolist()


def test_an_optimizer_made_before_trains_them() -> None:
    net = nn.LazyLinear(1)
    optimizer = irtool.optim.SGD(net.parameters(), lr=0.1)

    @irtool.compile
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (net(x) - 1).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(irtool.ones(2, 4)).item() for _ in range(5)]
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0]


def test_a_state_makes_ordinary_layers_too() -> None:
    first, second, x = model(), model(), irtool.randn(2, 3, 4, 4)
    first(x)
    second.load_state_dict(first.state_dict())
    assert irtool.equal(first.eval()(x), second.eval()(x))


def test_inputs_of_a_wrong_rank_are_refused() -> None:
    with pytest.raises(RuntimeError, match=r"Expected 3D \(unbatched\) or 4D \(batched\) input to LazyConv2d"):
        nn.LazyConv2d(2, 3)(irtool.ones(4, 4))
