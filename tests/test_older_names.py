"""Names and arguments that PyTorch has kept from its older versions."""

from __future__ import annotations

import copy
import importlib
from typing import Any

import irtool
import pytest
from irtool import nn
from irtool.nn import functional as F

x, y = irtool.tensor([[0.2, 0.5], [0.4, 0.9]]), irtool.tensor([[1.0, 0.0], [0.0, 1.0]])
k, w = irtool.tensor([0, 1]), irtool.tensor([1.0, 3.0])


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (lambda: F.mse_loss(x, y, size_average=False), lambda: F.mse_loss(x, y, reduction="sum")),
        (lambda: F.mse_loss(x, y, None, None, "none"), lambda: F.mse_loss(x, y, reduction="none")),
        (lambda: F.binary_cross_entropy(x, y, None, False), lambda: F.binary_cross_entropy(x, y, reduction="sum")),
        (lambda: F.nll_loss(x, k, w, None, 0), lambda: F.nll_loss(x, k, w, ignore_index=0)),
        (lambda: F.cross_entropy(x, k, reduce=False), lambda: F.cross_entropy(x, k, reduction="none")),
        (lambda: F.kl_div(x, y, size_average=True), lambda: F.kl_div(x, y)),
        (lambda: nn.L1Loss(False)(x, y), lambda: nn.L1Loss(reduction="sum")(x, y)),
        (lambda: nn.NLLLoss2d()(x, k), lambda: nn.NLLLoss()(x, k)),
    ],
)
@pytest.mark.filterwarnings("ignore:reduction")
def test_size_average_and_reduce(older: Any, newer: Any) -> None:
    assert irtool.equal(older(), newer())


def test_a_reduction_in_the_place_of_size_average_is_refused() -> None:
    with pytest.raises(TypeError, match="give the reduction by its name"):
        F.mse_loss(x, y, "sum")
    with pytest.raises(TypeError, match="at most 6 arguments, got 7"):
        F.mse_loss(x, y, None, None, "sum", None, 1)


def test_names_without_an_underscore() -> None:
    with pytest.warns(FutureWarning, match=r"nn.init.constant_"):
        assert nn.init.constant(irtool.zeros(2), 3.0).tolist() == [3, 3]
    layer = nn.utils.skip_init(nn.Linear, 1, 1)
    layer.weight.grad = irtool.full((1, 1), 4.0)
    with pytest.warns(FutureWarning, match="clip_grad_norm_"):
        assert nn.utils.clip_grad_norm(layer.parameters(), 1.0).item() == 4.0
    assert abs(layer.weight.grad.item() - 1.0) < 1e-5


def test_layers_are_found_where_pytorch_keeps_them() -> None:
    assert nn.modules.conv.Conv2d is nn.modules.Conv2d is nn.Conv2d
    assert importlib.import_module("irtool.nn.modules.batchnorm").BatchNorm2d is nn.BatchNorm2d


def test_mixed_precision_changes_nothing() -> None:
    layer = nn.Linear(2, 1)
    optimizer, scaler = irtool.optim.SGD(layer.parameters(), lr=1.0), irtool.cuda.amp.GradScaler()
    before = layer.weight.detach().clone()

    @irtool.autocast("cuda")
    def forward(x: Any) -> Any:
        assert not irtool.is_autocast_enabled()
        return layer(x).sum()

    with irtool.amp.autocast("cpu", dtype=irtool.float32):
        loss = forward(irtool.ones(1, 2))
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert irtool.equal(layer.weight, before - 1) and scaler.get_scale() == 1.0
    scaler.load_state_dict(scaler.state_dict())


@pytest.mark.parametrize("name", ["max_pool1d", "max_pool2d", "adaptive_max_pool2d"])
def test_pooling_with_positions(name: str) -> None:
    image = irtool.arange(32.0).reshape(1, 2, 4, 4)[0 if name == "max_pool1d" else slice(None)]
    values, places = getattr(F, f"{name}_with_indices")(image, 2)
    assert irtool.equal(values, getattr(F, name)(image, 2)) and places.shape == values.shape


def test_older_names_of_interpolate() -> None:
    image = irtool.arange(4.0).reshape(1, 1, 2, 2)
    assert irtool.equal(F.upsample_nearest(image, scale_factor=2), F.interpolate(image, scale_factor=2))
    assert F.upsample_bilinear(image, (3, 3))[0, 0, 1].tolist() == [1.0, 1.5, 2.0]


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (lambda: irtool.conv2d(x[None, None], x[None, None], None), lambda: F.conv2d(x[None, None], x[None, None])),
        (lambda: irtool.embedding(x, k, -1), lambda: F.embedding(k, x)),
        (lambda: irtool.layer_norm(x, (2,), w, w, 1e-3, True), lambda: F.layer_norm(x, (2,), w, w, 1e-3)),
        (lambda: irtool.group_norm(x, 1, eps=1e-3), lambda: F.group_norm(x, 1, eps=1e-3)),
        (lambda: irtool.selu(x), lambda: F.selu(x)),
        (
            lambda: irtool.batch_norm(x, w, None, x[0], x[1], False, 0.1, 1e-5, False),
            lambda: F.batch_norm(x, x[0], x[1], w),
        ),
    ],
)
def test_functions_of_nn_in_the_package_itself(ours: Any, expected: Any) -> None:
    assert irtool.equal(ours(), expected())


def test_a_module_compiles_its_calls() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    expected = model(x)
    model.compile(target="reference")
    found = model(x)
    assert irtool.allclose(found, expected) and found.grad_fn.name() == "CompiledBackward"
    assert copy.deepcopy(model)(x).grad_fn.name() == "ReluBackward0"
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
