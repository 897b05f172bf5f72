"""Activation layers: the functions of their names."""

from __future__ import annotations

from ..tensor import Tensor
from . import functional as F
from . import init as nn_init
from .layer import layer
from .module import Module
from .parameter import empty_parameter


@layer(F.relu)
class ReLU(Module):
    """max(x, 0)."""

    inplace: bool = False


@layer(F.relu6)
class ReLU6(Module):
    """min(max(x, 0), 6)."""

    inplace: bool = False


@layer(F.leaky_relu)
class LeakyReLU(Module):
    """x where positive, negative_slope * x elsewhere."""

    negative_slope: float = 1e-2
    inplace: bool = False


class PReLU(Module):
    """leaky_relu with a learned slope, one or one per channel."""

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: object = None, dtype: object = None
    ) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = empty_parameter((num_parameters,), device, dtype)
        nn_init.constant_(self.weight, init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


@layer(F.elu)
class ELU(Module):
    """x where positive, alpha * (exp(x) - 1) elsewhere."""

    alpha: float = 1.0
    inplace: bool = False


@layer(F.celu)
class CELU(Module):
    """x where positive, alpha * (exp(x / alpha) - 1) elsewhere."""

    alpha: float = 1.0
    inplace: bool = False


@layer(F.selu)
class SELU(Module):
    """ELU with the constants that keep mean 0 and variance 1."""

    inplace: bool = False


@layer(F.gelu)
class GELU(Module):
    """x times the normal distribution function of x."""

    approximate: str = "none"


@layer(F.silu)
class SiLU(Module):
    """x * sigmoid(x)."""

    inplace: bool = False


@layer(F.mish)
class Mish(Module):
    """x * tanh(softplus(x))."""

    inplace: bool = False


@layer(F.softplus)
class Softplus(Module):
    """log(1 + exp(beta * x)) / beta."""

    beta: float = 1.0
    threshold: float = 20.0


@layer(F.hardtanh)
class Hardtanh(Module):
    """x kept between min_val and max_val."""

    min_val: float = -1.0
    max_val: float = 1.0
    inplace: bool = False

    def __post_init__(self) -> None:
        if self.max_val <= self.min_val:
            raise AssertionError(f"max_val ({self.max_val}) must be greater than min_val ({self.min_val})")


@layer(F.hardsigmoid, prints="")
class Hardsigmoid(Module):
    """relu6(x + 3) / 6."""

    inplace: bool = False


@layer(F.hardswish, prints="")
class Hardswish(Module):
    """x * relu6(x + 3) / 6."""

    inplace: bool = False


@layer(F.threshold)
class Threshold(Module):
    """x where above the threshold, `value` elsewhere."""

    threshold: float
    value: float
    inplace: bool = False


@layer(F.hardshrink, prints="{lambd}")
class Hardshrink(Module):
    """x where |x| > lambd, 0 elsewhere."""

    lambd: float = 0.5


@layer(F.softshrink, prints="{lambd}")
class Softshrink(Module):
    """x moved towards 0 by lambd."""

    lambd: float = 0.5


@layer(F.tanhshrink)
class Tanhshrink(Module):
    """x - tanh(x)."""


@layer(F.softsign)
class Softsign(Module):
    """x / (1 + |x|)."""


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, input: Tensor) -> Tensor:
        return input.tanh()


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, input: Tensor) -> Tensor:
        return input.sigmoid()


@layer(F.logsigmoid)
class LogSigmoid(Module):
    """log(sigmoid(x))."""


@layer(F.glu)
class GLU(Module):
    """a * sigmoid(b), where a and b are the halves along `dim`."""

    dim: int = -1


@layer(F.softmax)
class Softmax(Module):
    """exp(x) normalized to sum 1 along `dim`."""

    dim: int | None = None


@layer(F.log_softmax)
class LogSoftmax(Module):
    """log(softmax(x))."""

    dim: int | None = None


@layer(F.softmin)
class Softmin(Module):
    """softmax(-x)."""

    dim: int | None = None


class Softmax2d(Module):
    """softmax over the channels of (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead")
        return F.softmax(input, -3)


@layer(F.rrelu)
class RReLU(Module):
    """leaky_relu with random slopes while training."""

    lower: float = 1.0 / 8
    upper: float = 1.0 / 3
    inplace: bool = False


__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]
