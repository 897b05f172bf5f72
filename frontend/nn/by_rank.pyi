"""Layers over one to three dimensions. Written by `python -m irtool.tools.stubs` (`make stubs`)."""

from . import batchnorm, conv, dropout, lazy, padding, pooling
from .module import Module

CLASSES: dict[str, type[Module]]

class ConstantPad1d(padding._ConstantPad):
    """A number around the last dimension."""

class ConstantPad2d(padding._ConstantPad):
    """A number around the last two dimensions."""

class ConstantPad3d(padding._ConstantPad):
    """A number around the last three dimensions."""

class ZeroPad1d(padding._Pad):
    """Zeros around the last dimension."""

class ZeroPad2d(padding._Pad):
    """Zeros around the last two dimensions."""

class ZeroPad3d(padding._Pad):
    """Zeros around the last three dimensions."""

class ReflectionPad1d(padding._Pad):
    """The last dimension mirrored at its ends."""

class ReflectionPad2d(padding._Pad):
    """The last two dimensions mirrored at their ends."""

class ReflectionPad3d(padding._Pad):
    """The last three dimensions mirrored at their ends."""

class ReplicationPad1d(padding._Pad):
    """The last dimension with its ends repeated."""

class ReplicationPad2d(padding._Pad):
    """The last two dimensions with their ends repeated."""

class ReplicationPad3d(padding._Pad):
    """The last three dimensions with their ends repeated."""

class CircularPad1d(padding._Pad):
    """The last dimension wrapped around."""

class CircularPad2d(padding._Pad):
    """The last two dimensions wrapped around."""

class CircularPad3d(padding._Pad):
    """The last three dimensions wrapped around."""

class Conv1d(conv._Conv):
    """Convolution of (N, C, L)."""

class LazyConv1d(lazy._LazyConv, Conv1d):
    """Conv1d of as many channels as the first input has."""

class Conv2d(conv._Conv):
    """Convolution of (N, C, H, W)."""

class LazyConv2d(lazy._LazyConv, Conv2d):
    """Conv2d of as many channels as the first input has."""

class Conv3d(conv._Conv):
    """Convolution of (N, C, D, H, W)."""

class LazyConv3d(lazy._LazyConv, Conv3d):
    """Conv3d of as many channels as the first input has."""

class ConvTranspose1d(conv._ConvTranspose):
    """Transposed convolution of (N, C, L)."""

class LazyConvTranspose1d(lazy._LazyConv, ConvTranspose1d):
    """ConvTranspose1d of as many channels as the first input has."""

class ConvTranspose2d(conv._ConvTranspose):
    """Transposed convolution of (N, C, H, W)."""

class LazyConvTranspose2d(lazy._LazyConv, ConvTranspose2d):
    """ConvTranspose2d of as many channels as the first input has."""

class ConvTranspose3d(conv._ConvTranspose):
    """Transposed convolution of (N, C, D, H, W)."""

class LazyConvTranspose3d(lazy._LazyConv, ConvTranspose3d):
    """ConvTranspose3d of as many channels as the first input has."""

class BatchNorm1d(batchnorm._BatchNorm):
    """Normalizes channels of (N, C) or (N, C, L) over the batch."""

class LazyBatchNorm1d(lazy._Lazy, BatchNorm1d):
    """BatchNorm1d of as many channels as the first input has."""

class BatchNorm2d(batchnorm._BatchNorm):
    """Normalizes channels of (N, C, H, W) over the batch."""

class LazyBatchNorm2d(lazy._Lazy, BatchNorm2d):
    """BatchNorm2d of as many channels as the first input has."""

class BatchNorm3d(batchnorm._BatchNorm):
    """Normalizes channels of (N, C, D, H, W) over the batch."""

class LazyBatchNorm3d(lazy._Lazy, BatchNorm3d):
    """BatchNorm3d of as many channels as the first input has."""

class InstanceNorm1d(batchnorm._InstanceNorm):
    """Normalizes each channel of each sample of (N, C, L)."""

class LazyInstanceNorm1d(lazy._Lazy, InstanceNorm1d):
    """InstanceNorm1d of as many channels as the first input has."""

class InstanceNorm2d(batchnorm._InstanceNorm):
    """Normalizes each channel of each sample of (N, C, H, W)."""

class LazyInstanceNorm2d(lazy._Lazy, InstanceNorm2d):
    """InstanceNorm2d of as many channels as the first input has."""

class InstanceNorm3d(batchnorm._InstanceNorm):
    """Normalizes each channel of each sample of (N, C, D, H, W)."""

class LazyInstanceNorm3d(lazy._Lazy, InstanceNorm3d):
    """InstanceNorm3d of as many channels as the first input has."""

class MaxPool1d(pooling._MaxPool):
    """The largest value of windows of (N, C, L)."""

class MaxPool2d(pooling._MaxPool):
    """The largest value of windows of (N, C, H, W)."""

class MaxPool3d(pooling._MaxPool):
    """The largest value of windows of (N, C, D, H, W)."""

class MaxUnpool1d(pooling._MaxUnpool):
    """The inverse of MaxPool1d, zeros where nothing was largest."""

class MaxUnpool2d(pooling._MaxUnpool):
    """The inverse of MaxPool2d, zeros where nothing was largest."""

class MaxUnpool3d(pooling._MaxUnpool):
    """The inverse of MaxPool3d, zeros where nothing was largest."""

class AvgPool2d(pooling._AvgPool):
    """The mean of windows of (N, C, H, W)."""

class AvgPool3d(pooling._AvgPool):
    """The mean of windows of (N, C, D, H, W)."""

class LPPool1d(pooling._LPPool):
    """The p-norm of windows of (N, C, L)."""

class LPPool2d(pooling._LPPool):
    """The p-norm of windows of (N, C, H, W)."""

class LPPool3d(pooling._LPPool):
    """The p-norm of windows of (N, C, D, H, W)."""

class AdaptiveAvgPool1d(pooling._AdaptiveAvgPool):
    """The mean of windows that cut (N, C, L) into so many parts."""

class AdaptiveAvgPool2d(pooling._AdaptiveAvgPool):
    """The mean of windows that cut (N, C, H, W) into so many parts."""

class AdaptiveAvgPool3d(pooling._AdaptiveAvgPool):
    """The mean of windows that cut (N, C, D, H, W) into so many parts."""

class AdaptiveMaxPool1d(pooling._AdaptiveMaxPool):
    """The largest value of windows that cut (N, C, L) into so many parts."""

class AdaptiveMaxPool2d(pooling._AdaptiveMaxPool):
    """The largest value of windows that cut (N, C, H, W) into so many parts."""

class AdaptiveMaxPool3d(pooling._AdaptiveMaxPool):
    """The largest value of windows that cut (N, C, D, H, W) into so many parts."""

class Dropout1d(dropout._Dropout):
    """Zeroes whole channels of (N, C, L)."""

class Dropout2d(dropout._Dropout):
    """Zeroes whole channels of (N, C, H, W)."""

class Dropout3d(dropout._Dropout):
    """Zeroes whole channels of (N, C, D, H, W)."""

__all__ = [
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "Conv1d",
    "LazyConv1d",
    "Conv2d",
    "LazyConv2d",
    "Conv3d",
    "LazyConv3d",
    "ConvTranspose1d",
    "LazyConvTranspose1d",
    "ConvTranspose2d",
    "LazyConvTranspose2d",
    "ConvTranspose3d",
    "LazyConvTranspose3d",
    "BatchNorm1d",
    "LazyBatchNorm1d",
    "BatchNorm2d",
    "LazyBatchNorm2d",
    "BatchNorm3d",
    "LazyBatchNorm3d",
    "InstanceNorm1d",
    "LazyInstanceNorm1d",
    "InstanceNorm2d",
    "LazyInstanceNorm2d",
    "InstanceNorm3d",
    "LazyInstanceNorm3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
    "AvgPool2d",
    "AvgPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
]
