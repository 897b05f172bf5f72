"""Layers against PyTorch's: outputs, gradients, buffers, state_dict keys and printed forms, eager and compiled."""

from __future__ import annotations

from typing import Any

import irtool
import numpy as np
import pytest
from irtool import nn

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


@pytest.mark.parametrize("name", [name for name, case in layers.LAYERS.items() if case.compiled])
def test_compiled_layers_are_those_of_pytorch(name: str) -> None:
    check(layers.layer(irtool, name, irtool.compile), LAYERS[name])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: nn.Conv2d(4, 2, 3)(x), RuntimeError, r"Given groups=1, weight of size \[2, 4, 3, 3\], expected inp"),
        (lambda x: nn.Conv2d(3, 2, 9)(x), RuntimeError, r"Calculated padded input size per channel: \(5 x 6\)"),
        (lambda x: nn.Conv1d(3, 2, 3)(x), RuntimeError, r"Expected 2D \(unbatched\) or 3D \(batched\) input to conv1d"),
        (lambda x: nn.Conv2d(3, 2, 3, groups=2), ValueError, "in_channels must be divisible by groups"),
        (lambda x: nn.Conv2d(3, 2, 3, stride=2, padding="same"), ValueError, "padding='same' is not supported for str"),
        (lambda x: nn.ConvTranspose2d(3, 2, 3, output_padding=1)(x), RuntimeError, "output padding must be smaller"),
        (lambda x: nn.MaxPool2d(2, padding=2)(x), RuntimeError, "pad should be at most half of effective kernel size"),
        (lambda x: nn.MaxPool2d(7)(x), RuntimeError, "Output size is too small"),
        (lambda x: nn.BatchNorm1d(3)(x), ValueError, r"expected 2D or 3D input \(got 4D input\)"),
        (
            lambda x: nn.BatchNorm1d(3)(x[:1, :, 0, 0]),
            ValueError,
            "Expected more than 1 value per channel when",
        ),
        (
            lambda x: nn.LayerNorm(5)(x),
            RuntimeError,
            r"Given normalized_shape=\[5\], expected input with shape \[",
        ),
        (lambda x: nn.GroupNorm(2, 3), ValueError, r"num_channels \(3\) must be divisible by num_groups \(2\)"),
        (
            lambda x: nn.LSTM(5, 2)(x[0]),
            RuntimeError,
            r"input.size\(-1\) must be equal to input_size. Expected 5, got",
        ),
        (lambda x: nn.GRU(6, 2)(x), ValueError, "GRU: Expected input to be 2D or 3D, got 4D instead"),
        (
            lambda x: nn.RNN(6, 2)(x[0], irtool.zeros(1, 4, 2)),
            RuntimeError,
            r"Expected hidden size \(1, 5, 2\), got",
        ),
        (lambda x: nn.Embedding(3, 2)(irtool.tensor([3])), IndexError, "index out of range in self"),
        (lambda x: nn.Upsample(size=3, scale_factor=2)(x), ValueError, "only one of size or scale_factor should be"),
        (lambda x: nn.PixelShuffle(2)(x), RuntimeError, r"input.size\(-3\)=3 is not divisible by 4"),
        (lambda x: nn.ReflectionPad2d(6)(x), RuntimeError, "Padding size should be less than the corresponding input"),
        (lambda x: nn.MultiheadAttention(6, 4), AssertionError, "embed_dim must be divisible by num_heads"),
        (
            lambda x: nn.MultiheadAttention(6, 2)(x[0], x[0], x[0], attn_mask=irtool.ones(3, 2)),
            RuntimeError,
            r"The shape of the 2D attn_mask is \(3, 2\), but should be \(3, 3\)",
        ),
        (
            lambda x: nn.MultiheadAttention(6, 2)(x[0], x[0], x[0], key_padding_mask=irtool.ones(5, 2).bool()),
            AssertionError,
            r"`key_padding_mask` of shape \(5, 3\), but got \(5, 2\)",
        ),
        (lambda x: nn.BatchNorm2d(4)(x), RuntimeError, "running_mean should contain 3 elements not 4"),
        (lambda x: nn.Unfold(9)(x), RuntimeError, "sliding blocks as .*must be at least one"),
        (lambda x: nn.Bilinear(6, 5, 2)(x, x), RuntimeError, r"bilinear\(\): input2 size does not match weight size"),
        (lambda x: nn.utils.rnn.pad_sequence([]), RuntimeError, "received an empty list of sequences"),
        (lambda x: nn.functional.layer_norm(x, 6), TypeError, "must be tuple of ints, not int"),
    ],
)
def test_wrong_uses_are_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(irtool.randn(2, 3, 5, 6))


def test_dropout_between_recurrent_layers() -> None:
    irtool.manual_seed(0)
    module, x = nn.LSTM(4, 8, num_layers=2, dropout=0.5), irtool.randn(5, 3, 4)
    assert not irtool.allclose(module(x)[0], module(x)[0])
    module.eval()
    assert irtool.allclose(module(x)[0], module(x)[0])


def test_length_leaves_a_recurrent_program_alone() -> None:
    module = nn.LSTM(4, 8)
    step = irtool.compile(lambda x: module(x)[0].sum())
    texts = []
    for length in (20, 2000):
        step(irtool.randn(length, 2, 4))
        texts.append(step.ir("kernels").replace(str(length), "LENGTH"))
    assert texts[0].count("\n") == texts[1].count("\n")
