"""Pooling layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from ..tensor import Tensor
from . import functional as F
from .functional.adaptive_pooling import Sizes
from .functional.extents import Extents, spread
from .module import Module


class _MaxPool(Module):
    FUNCTION: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        kernel_size: Extents,
        stride: Extents | None = None,
        padding: Extents = 0,
        dilation: Extents = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        return type(self).FUNCTION(
            *(input, self.kernel_size, self.stride, self.padding, self.dilation),
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest value of windows of (N, C, L)."""

    FUNCTION = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """The largest value of windows of (N, C, H, W)."""

    FUNCTION = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """The largest value of windows of (N, C, D, H, W)."""

    FUNCTION = staticmethod(F.max_pool3d)


class _MaxUnpool(Module):
    FUNCTION: ClassVar[Callable[..., Tensor]]
    RANK: ClassVar[int]

    def __init__(self, kernel_size: Extents, stride: Extents | None = None, padding: Extents = 0) -> None:
        super().__init__()
        self.kernel_size = spread(kernel_size, self.RANK)
        self.stride = self.kernel_size if stride is None else spread(stride, self.RANK)
        self.padding = spread(padding, self.RANK)

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return type(self).FUNCTION(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """The inverse of MaxPool1d, zeros where nothing was largest."""

    FUNCTION, RANK = staticmethod(F.max_unpool1d), 1


class MaxUnpool2d(_MaxUnpool):
    """The inverse of MaxPool2d, zeros where nothing was largest."""

    FUNCTION, RANK = staticmethod(F.max_unpool2d), 2


class MaxUnpool3d(_MaxUnpool):
    """The inverse of MaxPool3d, zeros where nothing was largest."""

    FUNCTION, RANK = staticmethod(F.max_unpool3d), 3


class _AvgPool(Module):
    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """The mean of windows of (N, C, L)."""

    def __init__(
        self,
        kernel_size: Extents,
        stride: Extents | None = None,
        padding: Extents = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = spread(kernel_size, 1)
        self.stride = spread(kernel_size if stride is None else stride, 1)
        self.padding = spread(padding, 1)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class _AvgPoolOverArea(_AvgPool):
    FUNCTION: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        kernel_size: Extents,
        stride: Extents | None = None,
        padding: Extents = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return type(self).FUNCTION(
            *(input, self.kernel_size, self.stride, self.padding),
            *(self.ceil_mode, self.count_include_pad, self.divisor_override),
        )


class AvgPool2d(_AvgPoolOverArea):
    """The mean of windows of (N, C, H, W)."""

    FUNCTION = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPoolOverArea):
    """The mean of windows of (N, C, D, H, W)."""

    FUNCTION = staticmethod(F.avg_pool3d)


class _LPPool(Module):
    FUNCTION: ClassVar[Callable[..., Tensor]]

    def __init__(
        self, norm_type: float, kernel_size: Extents, stride: Extents | None = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return type(self).FUNCTION(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """The p-norm of windows of (N, C, L)."""

    FUNCTION = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    """The p-norm of windows of (N, C, H, W)."""

    FUNCTION = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    """The p-norm of windows of (N, C, D, H, W)."""

    FUNCTION = staticmethod(F.lp_pool3d)


class _AdaptiveAvgPool(Module):
    FUNCTION: ClassVar[Callable[..., Tensor]]

    def __init__(self, output_size: Sizes) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return type(self).FUNCTION(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The mean of windows that cut (N, C, L) into so many parts."""

    FUNCTION = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The mean of windows that cut (N, C, H, W) into so many parts."""

    FUNCTION = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The mean of windows that cut (N, C, D, H, W) into so many parts."""

    FUNCTION = staticmethod(F.adaptive_avg_pool3d)


class _AdaptiveMaxPool(Module):
    FUNCTION: ClassVar[Callable[..., Any]]

    def __init__(self, output_size: Sizes, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:
        return type(self).FUNCTION(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest value of windows that cut (N, C, L) into so many parts."""

    FUNCTION = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest value of windows that cut (N, C, H, W) into so many parts."""

    FUNCTION = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The largest value of windows that cut (N, C, D, H, W) into so many parts."""

    FUNCTION = staticmethod(F.adaptive_max_pool3d)
