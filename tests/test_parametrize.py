"""Parameters computed from others: what the golden numbers of layers do not show."""

from __future__ import annotations

import copy
from typing import Any

import irtool
import pytest
from irtool import nn
from irtool.nn.utils import parametrizations, parametrize


class Symmetric(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.triu() + x.triu(1).t()

    def right_inverse(self, x: Any) -> Any:
        return x.triu()


def test_assigning_goes_through_the_inverse() -> None:
    layer = nn.Linear(3, 3)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert (layer.weight == layer.weight.t()).all()
    layer.weight = irtool.full((3, 3), 2.0)
    assert layer.parametrizations.weight.original.tolist() == [[2, 2, 2], [0, 2, 2], [0, 0, 2]]
    assert layer.weight.tolist() == [[2, 2, 2]] * 3
    with parametrize.cached():
        assert layer.weight is layer.weight
    assert layer.weight is not layer.weight


@pytest.mark.parametrize("norm", [parametrizations.weight_norm, nn.utils.weight_norm, parametrizations.spectral_norm])
def test_copies_stand_alone(norm: Any) -> None:
    layer = norm(nn.Linear(4, 3)).eval()
    copied = copy.deepcopy(layer)
    assert isinstance(copied, nn.Linear) and copied.weight.tolist() == layer.weight.tolist()
    before = layer.weight.tolist()
    with irtool.no_grad():
        for parameter in copied.parameters():
            parameter.fill_(1.0)
    assert layer.weight.tolist() == before != copied.weight.tolist()
    copied.load_state_dict(layer.state_dict())
    assert copied.weight.tolist() == before


def test_removing_leaves_an_ordinary_layer() -> None:
    for layer, remove in (
        (parametrizations.weight_norm(nn.Linear(2, 2)), parametrize.remove_parametrizations),
        (nn.utils.weight_norm(nn.Linear(2, 2)), lambda m, _: nn.utils.remove_weight_norm(m)),
        (nn.utils.spectral_norm(nn.Linear(2, 2)), lambda m, _: nn.utils.remove_spectral_norm(m)),
    ):
        before = layer.eval().weight.tolist()
        remove(layer, "weight")
        assert type(layer) is nn.Linear and list(layer.state_dict()) == ["bias", "weight"]
        assert isinstance(layer.weight, nn.Parameter) and layer.weight.tolist() == before


def test_compiled_steps_share_a_program() -> None:
    model = nn.Sequential(parametrizations.spectral_norm(nn.Linear(4, 3)), nn.utils.weight_norm(nn.Linear(3, 1)))
    optimizer = irtool.optim.SGD(model.parameters(), lr=0.1)
    x = irtool.randn(8, 4)

    @irtool.compile
    def step() -> Any:
        optimizer.zero_grad()
        loss = (model(x) - 1).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss

    losses = [step().item() for _ in range(10)]
    assert losses[-1] < losses[0] and len(step.programs()) == 1


def test_wrong_uses_are_refused() -> None:
    with pytest.raises(ValueError, match="does not have a parameter"):
        parametrize.register_parametrization(nn.ReLU(), "weight", Symmetric())
    with pytest.raises(ValueError, match="may not change the shape"):
        parametrize.register_parametrization(nn.Linear(2, 3), "weight", nn.Flatten(0))
    with pytest.raises(ValueError, match="does not have a parametrization"):
        parametrize.remove_parametrizations(nn.Linear(2, 3), "weight")
    with pytest.raises(AttributeError, match="weight_norm"):
        nn.utils.wieght_norm  # noqa: B018
