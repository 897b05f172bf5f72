"""Convolution layers; those over one to three dimensions are rows of `by_rank.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, cast

from ..tensor import Tensor
from . import functional as F
from . import init
from .functional.convolution import CONVOLUTIONS, TRANSPOSED, same_padding
from .functional.extents import Extents, spread
from .layer import layer
from .module import Module
from .parameter import empty_parameter

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolution layers keep; `RANK` is the number of spatial dimensions."""

    RANK: ClassVar[int]
    transposed: ClassVar[bool] = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Extents,
        stride: Extents,
        padding: Extents | str,
        dilation: Extents,
        output_padding: Extents,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: object,
        dtype: object,
    ) -> None:
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups:
            raise ValueError("out_channels must be divisible by groups")
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"padding_mode must be one of {set(PADDING_MODES)}, but got padding_mode='{padding_mode}'")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = spread(kernel_size, self.RANK, "kernel_size")
        self.stride = spread(stride, self.RANK, "stride")
        self.dilation = spread(dilation, self.RANK, "dilation")
        self.output_padding = spread(output_padding, self.RANK, "output_padding")
        self.groups, self.padding_mode = groups, padding_mode
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string '{padding}', should be one of {{'valid', 'same'}}")
            if padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
            self.padding: tuple[int, ...] | str = padding
        else:
            self.padding = spread(padding, self.RANK, "padding")
        outer, inner = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = empty_parameter((outer, inner // groups, *self.kernel_size), device, dtype)
        self.register_parameter("bias", empty_parameter((out_channels,), device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight and bias uniform within 1 / sqrt(inputs of an output)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            if fan_in:
                init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        none, ones = (0,) * self.RANK, (1,) * self.RANK
        if self.padding != none:
            text += f", padding={self.padding}"
        if self.dilation != ones:
            text += f", dilation={self.dilation}"
        if self.output_padding != none:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_ConvNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Extents,
        stride: Extents = 1,
        padding: Extents | str = 0,
        dilation: Extents = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: object = None,
        dtype: object = None,
    ) -> None:
        super().__init__(
            *(in_channels, out_channels, kernel_size, stride, padding, dilation),
            *(0, groups, bias, padding_mode, device, dtype),
        )

    def forward(self, input: Tensor) -> Tensor:
        function = CONVOLUTIONS[self.RANK - 1]
        if self.padding_mode == "zeros":
            return function(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        if isinstance(self.padding, str):
            none = (0,) * self.RANK
            low, high = same_padding(self.kernel_size, self.dilation) if self.padding == "same" else (none, none)
        else:
            low = high = self.padding
        around = tuple(n for pair in zip(reversed(low), reversed(high)) for n in pair)
        padded = F.pad(input, around, self.padding_mode)
        return function(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class _ConvTranspose(_ConvNd):
    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Extents,
        stride: Extents = 1,
        padding: Extents = 0,
        output_padding: Extents = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Extents = 1,
        padding_mode: str = "zeros",
        device: object = None,
        dtype: object = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(
            *(in_channels, out_channels, kernel_size, stride, padding, dilation),
            *(output_padding, groups, bias, padding_mode, device, dtype),
        )

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        padding: Any = self.padding
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        return TRANSPOSED[self.RANK - 1](
            input, self.weight, self.bias, self.stride, padding, extra, self.groups, self.dilation
        )

    def _extra(self, input: Tensor, output_size: Sequence[Any]) -> tuple[int, ...]:
        """The output padding that leads to an output size."""
        spatial: tuple[int, ...] = tuple(input.shape)[-self.RANK :]
        padding = cast(tuple[int, ...], self.padding)
        wanted = tuple(int(n) for n in output_size)[-self.RANK :]
        if len(output_size) not in (self.RANK, input.ndim):
            raise ValueError(
                f"{type(self).__name__}: for {input.ndim}D input, output_size must have {self.RANK} or {input.ndim} "
                f"elements (got {len(output_size)})"
            )
        least = tuple(
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(spatial, self.stride, padding, self.dilation, self.kernel_size)
        )
        most = tuple(n + s - 1 for n, s in zip(least, self.stride))
        if any(not a <= n <= b for a, n, b in zip(least, wanted, most)):
            raise ValueError(
                f"requested an output size of {list(wanted)}, but valid sizes range from {list(least)} to {list(most)} "
                f"(for an input of {list(spatial)})"
            )
        return tuple(n - a for n, a in zip(wanted, least))


@layer(F.unfold)
class Unfold(Module):
    """The windows of (N, C, H, W) as columns."""

    kernel_size: Extents
    dilation: Extents = 1
    padding: Extents = 0
    stride: Extents = 1


@layer(F.fold)
class Fold(Module):
    """Columns of windows added up to (N, C, H, W)."""

    output_size: Extents
    kernel_size: Extents
    dilation: Extents = 1
    padding: Extents = 0
    stride: Extents = 1


__all__ = ["Fold", "Unfold"]
