"""Pooling layers: what those of all ranks share (`by_rank.py` has them); AvgPool1d, which has options of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from ..tensor import Tensor
from . import functional as F
from .functional.adaptive_pooling import Sizes
from .functional.extents import Extents, spread
from .layer import layer
from .module import Module


@layer(
    prints="kernel_size={kernel_size}, stride={stride}, padding={padding}, dilation={dilation}, ceil_mode={ceil_mode}"
)
class _MaxPool(Module):
    kernel_size: Extents
    stride: Extents | None = None
    padding: Extents = 0
    dilation: Extents = 1
    return_indices: bool = False
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        if self.stride is None:
            self.stride = self.kernel_size


@layer()
class _MaxUnpool(Module):
    FUNCTION: ClassVar[Callable[..., Tensor]]
    RANK: ClassVar[int]

    kernel_size: Extents
    stride: Extents | None = None
    padding: Extents = 0

    def __post_init__(self) -> None:
        self.stride = spread(self.kernel_size if self.stride is None else self.stride, self.RANK)
        self.kernel_size, self.padding = spread(self.kernel_size, self.RANK), spread(self.padding, self.RANK)

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return type(self).FUNCTION(input, indices, self.kernel_size, self.stride, self.padding, output_size)


@layer(F.avg_pool1d, prints="kernel_size={kernel_size}, stride={stride}, padding={padding}")
class AvgPool1d(Module):
    """The mean of windows of (N, C, L)."""

    kernel_size: Extents
    stride: Extents | None = None
    padding: Extents = 0
    ceil_mode: bool = False
    count_include_pad: bool = True

    def __post_init__(self) -> None:
        self.stride = spread(self.kernel_size if self.stride is None else self.stride, 1)
        self.kernel_size, self.padding = spread(self.kernel_size, 1), spread(self.padding, 1)


@layer(prints="kernel_size={kernel_size}, stride={stride}, padding={padding}")
class _AvgPool(Module):
    kernel_size: Extents
    stride: Extents | None = None
    padding: Extents = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None

    def __post_init__(self) -> None:
        if self.stride is None:
            self.stride = self.kernel_size


@layer()
class _LPPool(Module):
    FUNCTION: ClassVar[Callable[..., Tensor]]

    norm_type: float
    kernel_size: Extents
    stride: Extents | None = None
    ceil_mode: bool = False

    def forward(self, input: Tensor) -> Tensor:
        return type(self).FUNCTION(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


@layer()
class _AdaptiveAvgPool(Module):
    output_size: Sizes


@layer(prints="output_size={output_size}")
class _AdaptiveMaxPool(Module):
    output_size: Sizes
    return_indices: bool = False


__all__ = ["AvgPool1d"]
