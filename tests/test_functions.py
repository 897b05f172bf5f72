"""Activations and losses against PyTorch's values and gradients."""

from __future__ import annotations

from typing import Any

import irtool
import irtool.nn.functional as F
import numpy as np
import pytest

from .golden import GOLDEN, cases

RELATIVE, ABSOLUTE = 1e-5, 5e-6


def check(found: dict[str, Any], expected: dict[str, Any]) -> None:
    np.testing.assert_allclose(found["value"], expected["value"], RELATIVE, ABSOLUTE)
    assert set(found["grads"]) == set(expected["grads"])
    for name, gradient in expected["grads"].items():
        np.testing.assert_allclose(found["grads"][name], gradient, RELATIVE, ABSOLUTE, err_msg=f"gradient of {name}")


@pytest.mark.parametrize("name", list(cases.FUNCTIONS))
def test_values_and_gradients_are_those_of_pytorch(name: str) -> None:
    check(cases.function(irtool, name), GOLDEN["functions"][name])


def test_every_function_has_golden_numbers() -> None:
    tested = {constant for call in cases.FUNCTIONS.values() for constant in call.__code__.co_names}
    random = {
        "dropout",
        "dropout1d",
        "dropout2d",
        "dropout3d",
        "alpha_dropout",
        "gumbel_softmax",
        "feature_alpha_dropout",
    }
    elsewhere = {"sigmoid", "tanh", "bilinear", "one_hot", "pdist", "multilabel_margin_loss"}
    layers = {"attention", "convolution", "normalization", "padding", "pooling", "resize", "sparse", "windows"}
    layers |= {"adaptive_pooling", "ctc", "grids", "unpooling"}
    elsewhere |= {name for name in F.__all__ if name.endswith(("_", "_with_indices")) or name.startswith("upsample_")}
    in_layers = {n for n in F.__all__ if getattr(F, n).__module__.rpartition(".")[2] in layers}
    assert set(F.__all__) - tested <= random | elsewhere | in_layers


@pytest.mark.parametrize("name", ["relu", "elu", "hardtanh", "silu", "leaky_relu"])
def test_inplace_writes_into_the_input(name: str) -> None:
    x = irtool.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    plain = getattr(F, name)(x)
    y = x * 1.0
    result = getattr(F, name)(y, inplace=True)
    assert result is y
    assert y.tolist() == plain.tolist()
    (gradient,) = irtool.autograd.grad(plain.sum(), x)
    y.sum().backward()
    assert x.grad.tolist() == gradient.tolist()


def test_activations_have_names_that_write_into_the_input() -> None:
    for name in (name for name in F.__all__ if name.endswith("_")):
        arguments = (0.1, 2.0) if name == "threshold_" else ()
        y = irtool.tensor([-1.0, 0.05, 2.0])
        expected = getattr(F, name[:-1])(y, *arguments)
        assert getattr(F, name)(y, *arguments) is y
        assert y.tolist() == expected.tolist()


def test_probabilities_are_between_0_and_1() -> None:
    with pytest.raises(RuntimeError, match="all elements of input should be between 0 and 1"):
        F.binary_cross_entropy(irtool.tensor([1.5]), irtool.tensor([1.0]))


def test_cross_entropy_refuses_wrong_targets() -> None:
    x = irtool.zeros(3, 4)
    with pytest.raises(ValueError, match=r"Expected input batch_size \(3\) to match target batch_size \(2\)"):
        F.cross_entropy(x, irtool.tensor([0, 1]))
    with pytest.raises(IndexError, match=r"Target 4 is out of bounds"):
        F.cross_entropy(x, irtool.tensor([0, 4, 1]))
    with pytest.raises(RuntimeError, match=r"Expected target size \[3\], got \[3, 1\]"):
        F.cross_entropy(x, irtool.tensor([[0], [1], [2]]))
    with pytest.raises(ValueError, match="median is not a valid value for reduction"):
        F.cross_entropy(x, irtool.tensor([0, 1, 2]), reduction="median")


def test_a_loss_warns_of_shapes_that_broadcast() -> None:
    with pytest.warns(UserWarning, match=r"Using a target size .* that is different to the input size"):
        F.mse_loss(irtool.zeros(3, 1), irtool.zeros(3))


def test_dropout_keeps_the_mean_and_its_mask_in_backward() -> None:
    irtool.manual_seed(0)
    x = irtool.ones(200, 50, requires_grad=True)
    y = F.dropout(x, 0.25)
    values = y.detach().numpy()
    assert set(np.unique(values)) == {0.0, np.float32(1 / 0.75)}
    assert abs(values.mean() - 1) < 0.02
    y.sum().backward()
    assert (x.grad == y).all().item()
    assert not (F.dropout(x, 0.25) == y).all().item()
    assert F.dropout(x, 0.25, training=False) is x
    assert F.dropout(x, 1.0).sum().item() == 0


def test_dropout2d_drops_whole_channels() -> None:
    irtool.manual_seed(0)
    y = F.dropout2d(irtool.ones(8, 16, 3, 3), 0.5).numpy()
    assert set(y.reshape(-1, 9).sum(1).tolist()) == {0.0, 18.0}


def test_alpha_dropout_keeps_mean_and_deviation() -> None:
    irtool.manual_seed(0)
    y = F.alpha_dropout(irtool.randn(400, 100), 0.3, training=True).numpy()
    assert abs(y.mean()) < 0.03
    assert abs(y.std() - 1) < 0.03


def test_gumbel_softmax_samples_the_distribution() -> None:
    irtool.manual_seed(0)
    logits = irtool.tensor([0.1, 0.2, 0.7]).log().repeat(4000, 1).requires_grad_()
    hard = F.gumbel_softmax(logits, hard=True)
    np.testing.assert_allclose(hard.detach().numpy().mean(0), [0.1, 0.2, 0.7], atol=0.03)
    np.testing.assert_allclose(hard.detach().numpy().max(1), 1.0, atol=1e-6)
    hard[:, 0].sum().backward()
    assert np.isfinite(logits.grad.numpy()).all()
    assert logits.grad.abs().sum().item() > 0


def test_functions_of_lists() -> None:
    x, y = [irtool.tensor([1.0, 4.0]), irtool.tensor(9.0)], [irtool.tensor([2.0, 3.0]), irtool.tensor(5.0)]

    def numbers(found: Any) -> list[Any]:
        return [t.tolist() for t in found]

    assert numbers(irtool._foreach_add(x, y, alpha=2)) == [[5.0, 10.0], 19.0]
    assert numbers(irtool._foreach_mul(x, [2.0, 3.0])) == [[2.0, 8.0], 27.0]
    assert numbers(irtool._foreach_addcdiv(x, y, x, irtool.tensor([1.0, 9.0]))) == [[3.0, 4.75], 14.0]
    assert numbers(irtool._foreach_maximum(x, 2.0)) == [[2.0, 4.0], 9.0]
    assert numbers(irtool._foreach_minimum(x, y)) == [[1.0, 3.0], 5.0]
    assert numbers(irtool._foreach_pow(2.0, x)) == [[2.0, 16.0], 512.0]
    assert numbers(irtool._foreach_norm(x, 1)) == [5.0, 9.0] and numbers(irtool._foreach_max(x)) == [4.0, 9.0]
    assert irtool._foreach_sqrt_(x) is x and numbers(x) == [[1.0, 2.0], 3.0]
    irtool._foreach_copy_(x, y)
    irtool._foreach_zero_(y)
    assert numbers(x) == [[2.0, 3.0], 5.0] and numbers(y) == [[0.0, 0.0], 0.0]
    with pytest.raises(RuntimeError, match="same number of tensors, got 2 and 1"):
        irtool._foreach_sub(x, x[:1])
    with pytest.raises(RuntimeError, match="same number of elements as scalar list"):
        irtool._foreach_lerp_(x, y, [0.5])
