"""Convolutions over one to three dimensions, transposed ones included: all are `hl.conv`."""

from __future__ import annotations

from ...dispatch import builder
from ...errors import located, runtime_error
from ...tensor import Tensor
from .by_rank import by_rank
from .extents import Extents, Ints, batched, spread

Padding = Extents | str


def same_padding(kernel: Ints, dilation: Ints) -> tuple[Ints, Ints]:
    """Before and after each dimension, so that a convolution of stride 1 keeps the extents."""
    total = tuple(d * (k - 1) for k, d in zip(kernel, dilation))
    low = tuple(n // 2 for n in total)
    return low, tuple(n - before for n, before in zip(total, low))


def _conv(
    rank: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Extents = 1,
    padding: Padding = 0,
    dilation: Extents = 1,
    groups: int = 1,
) -> Tensor:
    x, has_batch = batched(input, rank, f"conv{rank}d")
    _check_weight(weight, rank)
    _check_channels(x, weight, weight.shape[1] * groups, groups, input)
    if weight.shape[0] % groups:
        raise runtime_error(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size [{_sizes(weight)}] instead"
        )
    strides, dilations = spread(stride, rank, "stride"), spread(dilation, rank, "dilation")
    kernel = tuple(weight.shape[2:])
    if padding == "same":
        if any(s != 1 for s in strides):
            raise runtime_error("padding='same' is not supported for strided convolutions")
        low, high = same_padding(kernel, dilations)
    elif isinstance(padding, str):
        if padding != "valid":
            raise runtime_error(f"Invalid padding string: '{padding}'")
        low = high = (0,) * rank
    else:
        low = high = spread(padding, rank, "padding")
    if any(n < 0 for n in low):
        raise runtime_error("negative padding is not supported")
    if any(s < 1 for s in strides):
        raise runtime_error("non-positive stride is not supported")
    padded = tuple(n + a + b for n, a, b in zip(x.shape[2:], low, high))
    if any(n < d * (k - 1) + 1 for n, k, d in zip(padded, kernel, dilations)):
        raise runtime_error(
            f"Calculated padded input size per channel: ({_by(padded)}). Kernel size: ({_by(kernel)}). "
            "Kernel size can't be greater than actual input size"
        )
    y = builder.conv(x, weight, strides, low, high, dilations, (1,) * rank, groups)
    return _finished(y, bias, rank, has_batch)


def _conv_transpose(
    rank: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Extents = 1,
    padding: Extents = 0,
    output_padding: Extents = 0,
    groups: int = 1,
    dilation: Extents = 1,
) -> Tensor:
    x, has_batch = batched(input, rank, f"conv_transpose{rank}d")
    _check_weight(weight, rank)
    _check_channels(x, weight, weight.shape[0], groups, input, transposed=True)
    strides, dilations = spread(stride, rank, "stride"), spread(dilation, rank, "dilation")
    paddings, extra = spread(padding, rank, "padding"), spread(output_padding, rank, "output_padding")
    if any(e >= s and e >= d for e, s, d in zip(extra, strides, dilations)):
        raise runtime_error(
            "output padding must be smaller than either stride or dilation, but got "
            f"output_padding: {list(extra)}, stride: {list(strides)}, dilation: {list(dilations)}"
        )
    # Inputs spread `stride` apart, by the filters reversed, with inputs and outputs exchanged within each group.
    kernel = tuple(weight.shape[2:])
    turned = weight.flip(tuple(range(2, rank + 2)))
    if groups == 1:
        turned = turned.transpose(0, 1)
    else:
        inputs, outputs = weight.shape[0] // groups, weight.shape[1]
        turned = turned.reshape(groups, inputs, outputs, *kernel).transpose(1, 2)
        turned = turned.reshape(groups * outputs, inputs, *kernel)
    low = tuple(d * (k - 1) - p for k, d, p in zip(kernel, dilations, paddings))
    high = tuple(n + e for n, e in zip(low, extra))
    y = builder.conv(x, turned, (1,) * rank, low, high, dilations, strides, groups)
    return _finished(y, bias, rank, has_batch)


def _finished(y: Tensor, bias: Tensor | None, rank: int, has_batch: bool) -> Tensor:
    if bias is not None:
        if bias.ndim != 1 or bias.shape[0] != y.shape[1]:
            raise runtime_error(
                f"expected bias to be 1-dimensional with {y.shape[1]} elements, but got bias of size "
                f"[{_sizes(bias)}] instead"
            )
        y = y + bias.reshape(-1, *(1,) * rank)
    return y if has_batch else y.squeeze(0)


def _check_weight(weight: Tensor, rank: int) -> None:
    if weight.ndim != rank + 2:
        raise runtime_error(
            f"expected a weight of {rank + 2} dimensions for convolution over {rank}, but got one of size "
            f"[{_sizes(weight)}]"
        )


def _check_channels(
    x: Tensor, weight: Tensor, expected: int, groups: int, input: Tensor, transposed: bool = False
) -> None:
    if groups < 1:
        raise runtime_error("non-positive groups is not supported")
    if x.shape[1] != expected:
        raise runtime_error(
            f"Given {'transposed=1' if transposed else f'groups={groups}'}, weight of size [{_sizes(weight)}], "
            f"expected input[{_sizes(input)}] to have {expected} channels, but got {x.shape[1]} channels instead"
        )
    if x.dtype is not weight.dtype:
        names = tuple(f"{t.dtype}".removeprefix("torch.").removeprefix("irtool.") for t in (x, weight))
        raise located(RuntimeError, f"Input type ({names[0]}) and weight type ({names[1]}) should be the same")


def _sizes(x: Tensor) -> str:
    return ", ".join(str(n) for n in x.shape)


def _by(extents: Ints) -> str:
    return " x ".join(str(n) for n in extents)


conv1d, conv2d, conv3d = CONVOLUTIONS = by_rank(
    _conv, "conv{}d", "Cross-correlation of {input} by (O, C / groups, {kernel})."
)
conv_transpose1d, conv_transpose2d, conv_transpose3d = TRANSPOSED = by_rank(
    _conv_transpose, "conv_transpose{}d", "The transpose of conv{rank}d, by weights (C, O / groups, {kernel})."
)
"""By the number of spatial dimensions."""


__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]
