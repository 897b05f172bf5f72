"""Layers that are run on PyTorch once, to make layers.json, and on irtool in every test run.

Every layer is made by a function of the package's `nn`; its parameters and inputs come from numpy. A training step is
taken twice, so that running statistics move, then the layer is evaluated.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Torch = Any
Array = np.ndarray[Any, Any]


class Case(NamedTuple):
    """How to make a layer and what to call it with: shapes of float inputs, or arrays."""

    make: Callable[[Any], Any]
    inputs: tuple[tuple[int, ...] | Array, ...]
    call: Callable[..., Any] = lambda layer, *inputs: layer(*inputs)
    compiled: bool = True
    """False where the compiler sees nothing that it does not see in other cases."""


IDS = np.array([[1, 0, 4], [2, 4, 4]])
CAUSAL = np.triu(np.ones((5, 5), bool), 1)
PADDING = np.array([[False, False, False, True, True], [False, False, True, False, False]])
OFFSETS = np.array([0, 2, 2, 5])
IMAGE, SIGNAL, SEQUENCE, VOLUME = (2, 4, 5, 6), (2, 4, 7), (5, 3, 4), (1, 2, 3, 4, 5)


def _packed(module: Any, x: Any) -> tuple[Any, ...]:
    """Through sequences of different lengths."""
    rnn = importlib.import_module(f"{type(x).__module__.partition('.')[0]}.nn.utils.rnn")
    packed = rnn.pack_padded_sequence(x, [2, 5, 3], enforce_sorted=False)
    output, states = module(packed)
    return (*rnn.pad_packed_sequence(output), states)


LAYERS: dict[str, Case] = {
    "conv1d": Case(lambda nn: nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2), (SIGNAL,)),
    "conv2d": Case(lambda nn: nn.Conv2d(4, 3, 3), (IMAGE,)),
    "conv2d_general": Case(
        lambda nn: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2, bias=False),
        (IMAGE,),
    ),
    "conv2d_depthwise": Case(lambda nn: nn.Conv2d(4, 8, 3, padding="same", groups=4), (IMAGE,)),
    "conv2d_pointwise": Case(lambda nn: nn.Conv2d(4, 3, 1, stride=2), (IMAGE,)),
    "conv2d_reflect": Case(lambda nn: nn.Conv2d(4, 2, 3, padding=2, padding_mode="reflect"), (IMAGE,)),
    "conv2d_circular": Case(lambda nn: nn.Conv2d(4, 2, 2, padding="same", padding_mode="circular"), (IMAGE,)),
    "conv2d_unbatched": Case(lambda nn: nn.Conv2d(4, 2, 3, padding=1), (IMAGE[1:],)),
    "conv_transpose1d": Case(lambda nn: nn.ConvTranspose1d(4, 3, 3, stride=2, padding=1), (SIGNAL,)),
    "conv_transpose2d": Case(lambda nn: nn.ConvTranspose2d(4, 3, 3, 2, padding=1, output_padding=1), (IMAGE,)),
    "conv_transpose2d_general": Case(
        lambda nn: nn.ConvTranspose2d(4, 6, (3, 2), stride=(1, 3), padding=(2, 0), groups=2, bias=False, dilation=2),
        (IMAGE,),
    ),
    "conv_transpose2d_size": Case(
        lambda nn: nn.ConvTranspose2d(4, 2, 3, stride=2), (IMAGE,), lambda m, x: m(x, output_size=(12, 13))
    ),
    "conv_transpose3d": Case(lambda nn: nn.ConvTranspose3d(2, 3, 2, stride=2, output_padding=1), ((1, 2, 2, 3, 2),)),
    "max_pool1d": Case(lambda nn: nn.MaxPool1d(3, 2, padding=1), (SIGNAL,)),
    "max_pool2d": Case(lambda nn: nn.MaxPool2d(2), (IMAGE,)),
    "max_pool2d_ceil": Case(lambda nn: nn.MaxPool2d((3, 2), (2, 2), (1, 0), ceil_mode=True), (IMAGE,)),
    "max_pool2d_dilated": Case(lambda nn: nn.MaxPool2d(2, 1, dilation=2, return_indices=True), (IMAGE,)),
    "max_unpool2d": Case(
        lambda nn: nn.ModuleList([nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)]),
        ((2, 3, 4, 6),),
        lambda m, x: m[1](*m[0](x)),
    ),
    "max_unpool1d_overlapping": Case(
        lambda nn: nn.ModuleList([nn.MaxPool1d(3, 2, return_indices=True), nn.MaxUnpool1d(3, 2)]),
        (SIGNAL,),
        lambda m, x: m[1](*m[0](x), output_size=(7,)),
        compiled=False,
    ),
    "max_pool3d": Case(lambda nn: nn.MaxPool3d(2, return_indices=True), (VOLUME,)),
    "avg_pool3d": Case(lambda nn: nn.AvgPool3d((3, 2, 2), padding=(1, 0, 1)), (VOLUME,), compiled=False),
    "adaptive_avg_pool3d": Case(lambda nn: nn.AdaptiveAvgPool3d((None, 2, 3)), (VOLUME,), compiled=False),
    "lp_pool1d": Case(lambda nn: nn.LPPool1d(1, 3, stride=2), (SIGNAL,), compiled=False),
    "avg_pool1d": Case(lambda nn: nn.AvgPool1d(3, 2, padding=1), (SIGNAL,)),
    "avg_pool2d": Case(lambda nn: nn.AvgPool2d(2), (IMAGE,)),
    "avg_pool2d_ceil": Case(
        lambda nn: nn.AvgPool2d(3, 2, padding=1, ceil_mode=True, count_include_pad=False), (IMAGE,)
    ),
    "avg_pool2d_divisor": Case(lambda nn: nn.AvgPool2d(3, 1, divisor_override=5), (IMAGE,)),
    "adaptive_avg_pool1d": Case(lambda nn: nn.AdaptiveAvgPool1d(3), (SIGNAL,)),
    "adaptive_avg_pool2d": Case(lambda nn: nn.AdaptiveAvgPool2d((1, 1)), (IMAGE,)),
    "adaptive_avg_pool2d_parts": Case(lambda nn: nn.AdaptiveAvgPool2d((5, 3)), (IMAGE,)),
    "adaptive_avg_pool2d_uneven": Case(lambda nn: nn.AdaptiveAvgPool2d((None, 4)), (IMAGE,)),
    "adaptive_max_pool2d": Case(lambda nn: nn.AdaptiveMaxPool2d((2, 3), return_indices=True), (IMAGE,)),
    "batch_norm1d": Case(lambda nn: nn.BatchNorm1d(4), ((6, 4),)),
    "batch_norm1d_sequence": Case(lambda nn: nn.BatchNorm1d(4, eps=1e-3, momentum=0.3), (SIGNAL,)),
    "batch_norm2d": Case(lambda nn: nn.BatchNorm2d(4), (IMAGE,)),
    "batch_norm2d_cumulative": Case(lambda nn: nn.BatchNorm2d(4, momentum=None, affine=False), (IMAGE,)),
    "batch_norm2d_untracked": Case(lambda nn: nn.BatchNorm2d(4, track_running_stats=False), (IMAGE,)),
    "instance_norm2d": Case(lambda nn: nn.InstanceNorm2d(4), (IMAGE,)),
    "instance_norm2d_tracked": Case(lambda nn: nn.InstanceNorm2d(4, affine=True, track_running_stats=True), (IMAGE,)),
    "layer_norm": Case(lambda nn: nn.LayerNorm(6), ((3, 6),)),
    "layer_norm_shape": Case(lambda nn: nn.LayerNorm((5, 6), eps=1e-3, bias=False), (IMAGE,)),
    "rms_norm": Case(lambda nn: nn.RMSNorm(6), ((3, 6),)),
    "rms_norm_shape": Case(lambda nn: nn.RMSNorm([5, 6], eps=1e-3, elementwise_affine=False), (IMAGE,)),
    "weight_norm": Case(lambda nn: nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 2, 3)), (SIGNAL,)),
    "weight_norm_older": Case(lambda nn: nn.utils.weight_norm(nn.Linear(7, 3), dim=1), (SIGNAL,), compiled=False),
    "spectral_norm": Case(lambda nn: nn.utils.parametrizations.spectral_norm(nn.Conv1d(4, 2, 3)), (SIGNAL,)),
    "spectral_norm_older": Case(
        lambda nn: nn.utils.spectral_norm(nn.ConvTranspose1d(4, 2, 3)), (SIGNAL,), compiled=False
    ),
    "group_norm": Case(lambda nn: nn.GroupNorm(2, 4), (IMAGE,)),
    "group_norm_plain": Case(lambda nn: nn.GroupNorm(1, 4, affine=False), ((3, 4),)),
    "local_response_norm": Case(lambda nn: nn.LocalResponseNorm(3, alpha=0.5), (IMAGE,)),
    "embedding": Case(lambda nn: nn.Embedding(5, 3), (IDS,)),
    "embedding_padding": Case(lambda nn: nn.Embedding(5, 3, padding_idx=4), (IDS,)),
    "embedding_max_norm": Case(lambda nn: nn.Embedding(5, 3, max_norm=0.5), (IDS,)),
    "embedding_by_frequency": Case(
        lambda nn: nn.Embedding(5, 3, scale_grad_by_freq=True, padding_idx=0), (IDS,), compiled=False
    ),
    "embedding_bag": Case(lambda nn: nn.EmbeddingBag(5, 3), (IDS.ravel(), OFFSETS)),
    "embedding_bag_sum": Case(
        lambda nn: nn.EmbeddingBag(5, 3, mode="sum", include_last_offset=True),
        (IDS.ravel(), np.array([0, 4, 4, 6]), (6,)),
        compiled=False,
    ),
    "embedding_bag_max": Case(lambda nn: nn.EmbeddingBag(5, 3, mode="max", padding_idx=4), (IDS,)),
    "rnn": Case(lambda nn: nn.RNN(4, 3), (SEQUENCE,)),
    "rnn_relu": Case(lambda nn: nn.RNN(4, 3, nonlinearity="relu", bias=False), (SEQUENCE, (1, 3, 3))),
    "lstm": Case(lambda nn: nn.LSTM(4, 3, batch_first=True), (SEQUENCE,)),
    "lstm_deep": Case(
        lambda nn: nn.LSTM(4, 3, num_layers=2, bidirectional=True),
        (SEQUENCE, (4, 3, 3), (4, 3, 3)),
        lambda m, x, h, c: m(x, (h, c)),
    ),
    "lstm_projected": Case(lambda nn: nn.LSTM(4, 3, proj_size=2, bias=False), (SEQUENCE,)),
    "lstm_unbatched": Case(lambda nn: nn.LSTM(4, 3), ((5, 4), (1, 3), (1, 3)), lambda m, x, h, c: m(x, (h, c))),
    "gru": Case(lambda nn: nn.GRU(4, 3, 2, batch_first=True), (SEQUENCE,)),
    "gru_bidirectional": Case(lambda nn: nn.GRU(4, 3, bidirectional=True), (SEQUENCE, (2, 3, 3))),
    "rnn_cell": Case(lambda nn: nn.RNNCell(4, 3, nonlinearity="relu"), ((2, 4), (2, 3))),
    "lstm_cell": Case(lambda nn: nn.LSTMCell(4, 3), ((2, 4), (2, 3), (2, 3)), lambda m, x, h, c: m(x, (h, c))),
    "gru_cell": Case(lambda nn: nn.GRUCell(4, 3), ((2, 4),)),
    "lstm_packed": Case(
        lambda nn: nn.LSTM(4, 3, bidirectional=True),
        (SEQUENCE,),
        lambda m, x: _packed(m, x),
    ),
    "upsample_nearest": Case(lambda nn: nn.Upsample(scale_factor=2), ((2, 3, 3, 2),)),
    "upsample_nearest1d": Case(lambda nn: nn.Upsample(size=5), ((2, 3, 7),)),
    "upsample_nearest_exact": Case(lambda nn: nn.Upsample(size=(7, 3), mode="nearest-exact"), ((2, 3, 3, 5),)),
    "upsample_linear": Case(lambda nn: nn.Upsample(scale_factor=1.7, mode="linear"), ((2, 3, 5),)),
    "upsample_bilinear": Case(lambda nn: nn.Upsample(scale_factor=2, mode="bilinear"), ((2, 3, 3, 4),)),
    "upsample_bilinear_corners": Case(lambda nn: nn.UpsamplingBilinear2d(size=(5, 3)), ((2, 3, 3, 4),)),
    "upsample_bicubic": Case(lambda nn: nn.Upsample(size=(5, 7), mode="bicubic"), ((2, 3, 3, 4),)),
    "upsample_area": Case(lambda nn: nn.Upsample(size=(2, 3), mode="area"), ((2, 3, 4, 5),)),
    "interpolate_antialias": Case(
        lambda nn: nn.functional.interpolate,
        ((2, 2, 6, 7),),
        lambda f, x: f(x, size=(3, 4), mode="bilinear", antialias=True),
    ),
    "pixel_shuffle": Case(lambda nn: nn.PixelShuffle(2), ((2, 8, 2, 3),)),
    "pixel_unshuffle": Case(lambda nn: nn.PixelUnshuffle(2), ((2, 2, 4, 6),)),
    "channel_shuffle": Case(lambda nn: nn.ChannelShuffle(2), (IMAGE,)),
    "unfold": Case(lambda nn: nn.Unfold((2, 3), dilation=(1, 2), padding=1, stride=(2, 1)), (IMAGE,)),
    "fold": Case(lambda nn: nn.Fold((4, 5), 2, padding=1, stride=2), ((2, 8, 9),)),
    "zero_pad2d": Case(lambda nn: nn.ZeroPad2d((1, 2, 0, -1)), (IMAGE,)),
    "constant_pad1d": Case(lambda nn: nn.ConstantPad1d(2, 0.5), (SIGNAL,)),
    "reflection_pad2d": Case(lambda nn: nn.ReflectionPad2d((1, 2, 3, 0)), (IMAGE,)),
    "replication_pad2d": Case(lambda nn: nn.ReplicationPad2d(2), (IMAGE,)),
    "circular_pad2d": Case(lambda nn: nn.CircularPad2d((1, 0, 2, 3)), (IMAGE,)),
    "reflection_pad3d": Case(lambda nn: nn.ReflectionPad3d(1), (VOLUME,), compiled=False),
    "attention": Case(lambda nn: nn.MultiheadAttention(4, 2), (SEQUENCE,), lambda m, x: m(x, x, x)),
    "attention_masked": Case(
        lambda nn: nn.MultiheadAttention(4, 2, bias=False, batch_first=True),
        ((2, 3, 4), (2, 5, 4), CAUSAL[:3, :5], PADDING),
        lambda m, q, k, mask, padding: m(q, k, k, key_padding_mask=padding, attn_mask=mask, need_weights=False),
    ),
    "attention_widths": Case(
        lambda nn: nn.MultiheadAttention(4, 2, kdim=3, vdim=5, add_bias_kv=True, add_zero_attn=True),
        ((3, 2, 4), (5, 2, 3), (5, 2, 5)),
        lambda m, q, k, v: m(q, k, v, average_attn_weights=False),
    ),
    "attention_unbatched": Case(lambda nn: nn.MultiheadAttention(4, 1), ((3, 4), (5, 4)), lambda m, q, k: m(q, k, k)),
    "sdpa": Case(
        lambda nn: nn.functional.scaled_dot_product_attention,
        ((2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 2)),
        lambda f, q, k, v: f(q, k, v, scale=0.3),
    ),
    "sdpa_causal": Case(
        lambda nn: nn.functional.scaled_dot_product_attention,
        ((2, 5, 4), (2, 5, 4), (2, 5, 4)),
        lambda f, q, k, v: f(q, k, v, is_causal=True),
    ),
    "sdpa_masked": Case(
        lambda nn: nn.functional.scaled_dot_product_attention,
        ((2, 5, 4), (2, 5, 4), (2, 5, 4), ~CAUSAL & (np.arange(5) != 0)),
        lambda f, q, k, v, mask: f(q, k, v, attn_mask=mask),
    ),
    "sdpa_bias": Case(
        lambda nn: nn.functional.scaled_dot_product_attention,
        ((2, 4, 3, 4), (2, 2, 3, 4), (2, 2, 3, 4), (3, 3)),
        lambda f, q, k, v, mask: f(q, k, v, mask, enable_gqa=True),
    ),
    **{
        f"grid_sample_{mode}_{padding}": Case(
            lambda nn: nn.functional.grid_sample,
            ((2, 2, 4, 3), (2, 3, 2, 2)),
            lambda f, x, grid, options=(mode, padding, corners): f(x, grid, *options),
            compiled=padding == "reflection",
        )
        for mode, padding, corners in (
            ("bilinear", "zeros", False),
            ("bilinear", "reflection", True),
            ("nearest", "border", True),
            ("bicubic", "reflection", False),
        )
    },
    "affine_grid": Case(
        lambda nn: nn.functional.affine_grid,
        ((2, 2, 3),),
        lambda f, t: f(t, (2, 1, 3, 2), align_corners=False),
        compiled=False,
    ),
    "ctc": Case(
        lambda nn: nn.CTCLoss(reduction="none"),
        ((6, 2, 4), np.array([[1, 2, 2], [3, 1, 0]])),
        lambda m, x, labels: m(x.log_softmax(2), labels, (6, 5), (3, 2)),
    ),
    "ctc_impossible": Case(
        lambda nn: nn.CTCLoss(blank=3, zero_infinity=True),
        ((6, 2, 4), np.array([1, 2, 2, 0, 1])),
        lambda m, x, labels: m(x.log_softmax(2), labels, (6, 1), (3, 2)),
        compiled=False,
    ),
    "adaptive_softmax": Case(
        lambda nn: nn.AdaptiveLogSoftmaxWithLoss(6, 9, [3, 6], div_value=2.0, head_bias=True),
        ((4, 6), np.array([0, 4, 8, 2])),
    ),
    "multilabel_margin": Case(
        lambda nn: nn.MultiLabelMarginLoss(reduction="none"),
        ((2, 4), np.array([[3, 0, -1, 1], [1, -1, 0, 2]])),
        compiled=False,
    ),
    "interpolate_same_extent": Case(
        lambda nn: nn.functional.interpolate,
        ((1, 2, 4, 3),),
        lambda f, x: f(x, scale_factor=(2.0, 1.3), mode="bilinear"),
        compiled=False,
    ),
    "encoder_layer": Case(lambda nn: nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0), (SEQUENCE,)),
    "encoder": Case(
        lambda nn: nn.TransformerEncoder(
            nn.TransformerEncoderLayer(4, 2, 6, 0.0, "gelu", batch_first=True, norm_first=True),
            2,
            norm=nn.LayerNorm(4),
            enable_nested_tensor=False,
        ),
        ((2, 5, 4), PADDING),
        lambda m, x, padding: m(x, src_key_padding_mask=padding),
    ),
    "decoder": Case(
        lambda nn: nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 6, dropout=0.0, bias=False), 1),
        ((5, 2, 4), (3, 2, 4), CAUSAL),
        lambda m, x, memory, mask: m(x, memory, tgt_mask=mask, tgt_is_causal=True),
    ),
    "transformer": Case(
        lambda nn: nn.Transformer(4, 2, 1, 1, 6, dropout=0.0, batch_first=True),
        ((2, 3, 4), (2, 5, 4)),
        lambda m, x, y: m(x, y, tgt_mask=m.generate_square_subsequent_mask(5)),
    ),
}


def layer(torch: Torch, name: str, wrap: Callable[[Any], Any] = lambda f: f) -> dict[str, Any]:
    """Everything there is to compare about a layer; gradients are those of a weighted sum of its float outputs."""
    case = LAYERS[name]
    rng = np.random.default_rng(3)
    module = case.make(torch.nn)
    if not isinstance(module, torch.nn.Module):
        module = as_module(torch, module)
    with torch.no_grad():
        for key, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                values = rng.standard_normal(tuple(tensor.shape)).astype(np.float32) * 0.5
                tensor.copy_(torch.from_numpy(np.abs(values) + 0.5 if key.endswith("running_var") else values))
    inputs: list[Any] = []
    for given in case.inputs:
        values = given if isinstance(given, np.ndarray) else rng.standard_normal(given).astype(np.float32)
        inputs.append(torch.from_numpy(values.copy()).requires_grad_(values.dtype == np.float32))

    def step() -> list[Any]:
        outputs = flat(case.call(module, *inputs))
        loss = sum((y * seed(torch, y)).sum() for y in outputs if y.is_floating_point())
        if loss.requires_grad:
            loss.backward()
        return outputs

    compiled = wrap(step)
    compiled()
    found = {"outputs": [y.tolist() for y in compiled()]}
    leaves = {**{f"input {k}": x for k, x in enumerate(inputs)}, **dict(module.named_parameters())}
    found["grads"] = {key: x.grad.tolist() for key, x in leaves.items() if x.requires_grad}
    found["buffers"] = {key: x.tolist() for key, x in module.named_buffers()}
    module.eval()
    with torch.no_grad():
        if list(module.buffers()):
            found["evaluated"] = [y.tolist() for y in flat(wrap(lambda: case.call(module, *inputs))())]
    found["keys"] = {key: list(x.shape) for key, x in module.state_dict().items()}
    found["repr"] = repr(module)
    return found


def as_module(torch: Torch, function: Callable[..., Any]) -> Any:
    """A function as a module without parameters."""
    module = torch.nn.Identity()
    module.forward = function
    return module


def flat(outputs: Any) -> list[Any]:
    """The tensors of a nested tuple."""
    if isinstance(outputs, tuple):
        return [y for part in outputs for y in flat(part)]
    return [] if outputs is None else [outputs]


def seed(torch: Torch, y: Any) -> Any:
    """Different weights, so that nothing cancels."""
    size = int(np.prod(tuple(y.shape)))
    return torch.from_numpy(np.cos(np.arange(size, dtype=np.float32)).reshape(tuple(y.shape)))
