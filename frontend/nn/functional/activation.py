"""Activation functions, written in tensor operations with PyTorch's formulas and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....dialects.hl.composite import APPROXIMATIONS, GeluOp, SiluOp, SoftplusOp
from ...dispatch import apply
from ...errors import TYPE_NAMES, located
from ...ops.shape import axis
from ...tensor import Tensor

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)."""
    if inplace:
        return in_place(relu, input)
    return input.relu()


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)."""
    return hardtanh(input, 0.0, 6.0, inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, negative_slope * x elsewhere."""
    if inplace:
        return in_place(leaky_relu, input, negative_slope)
    return input.where(input > 0, input * negative_slope)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """leaky_relu with a learned slope, one or one per channel (dimension 1)."""
    if weight.dtype is not input.dtype:
        names = [TYPE_NAMES[x.dtype] for x in (input, weight)]
        raise located(RuntimeError, f"prelu: Type promoting not supported. Got {names[0]} and {names[1]}")
    if weight.numel() == 1:
        weight = weight.reshape(())
    elif input.ndim > 1:
        weight = weight.reshape(weight.numel(), *(1,) * (input.ndim - 2))
    return input.where(input > 0, input * weight)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, alpha * (exp(x) - 1) elsewhere."""
    if inplace:
        return in_place(elu, input, alpha)
    return (_negative_part(input).expm1() * alpha).where(input <= 0, input)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, alpha * (exp(x / alpha) - 1) elsewhere."""
    if inplace:
        return in_place(celu, input, alpha)
    return ((_negative_part(input) / alpha).expm1() * alpha).where(input <= 0, input)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """ELU with the constants that keep mean 0 and variance 1."""
    if inplace:
        return in_place(selu, input)
    return elu(input, SELU_ALPHA) * SELU_SCALE


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x kept between two bounds; the gradient is 0 at the bounds, unlike clamp's."""
    if min_val > max_val:
        raise located(ValueError, "min_val cannot be greater than max_val")
    if inplace:
        return in_place(hardtanh, input, min_val, max_val)
    dtype = input.dtype
    if dtype.kind == "bool":
        raise located(RuntimeError, "Bool inputs not supported for hardtanh")
    if dtype.kind == "int":
        if min_val < 0 and not dtype.signed:
            raise located(RuntimeError, "cannot do hardtanh on an unsigned type with negative limits")
        return input.clamp(int(min_val), int(max_val))
    outside = (input <= min_val) | (input >= max_val)
    return input.where(~outside, input.detach().clamp(min_val, max_val))


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """relu6(x + 3) / 6."""
    if inplace:
        return in_place(hardsigmoid, input)
    return relu6(input + 3.0) / 6.0


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * relu6(x + 3) / 6."""
    if inplace:
        return in_place(hardswish, input)
    return input * relu6(input + 3.0) / 6.0


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where above the threshold, `value` elsewhere."""
    result = input.masked_fill(input <= threshold, value)
    return input.copy_(result) if inplace else result


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, 0 elsewhere."""
    return input.masked_fill(input.abs() <= lambd, 0.0)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by lambd, and 0 where it would cross."""
    if lambd < 0:
        raise located(RuntimeError, f"lambda must be at least 0, but found {lambd}")
    within = input.masked_fill(input.abs() <= lambd, 0.0)  # NaN stays, and passes its gradient on
    return (input - lambd).where(input > lambd, (input + lambd).where(input < -lambd, within))


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - input.tanh()


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return input / (input.abs() + 1.0)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x > threshold."""
    scaled = input if beta == 1.0 else input * beta
    soft = apply(SoftplusOp, (scaled,), {})[0]
    soft = soft if beta == 1.0 else soft / beta
    # Beyond 20 the two are equal to the last bit in float32, so that the default needs no comparison.
    return soft if threshold >= 20.0 else input.where(scaled > threshold, soft)


def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(x)) without underflow."""
    return -softplus(-input)


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    return input.sigmoid()


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return input.tanh()


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x times the normal distribution function of x; `approximate="tanh"` takes the usual approximation."""
    if approximate not in APPROXIMATIONS:
        raise located(RuntimeError, "approximate argument must be either none or tanh.")
    return apply(GeluOp, (input,), {"approximate": approximate})[0]


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x)."""
    if inplace:
        return in_place(silu, input)
    return apply(SiluOp, (input,), {})[0]


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x))."""
    if inplace:
        return in_place(mish, input)
    return input * softplus(input).tanh()


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a * sigmoid(b), where a and b are the halves along `dim`."""
    if input.ndim == 0:
        raise located(RuntimeError, "glu does not support 0-dimensional tensors")
    if input.shape[axis(dim, input.ndim)] % 2:
        raise located(RuntimeError, f"Halving dimension must be even, but dimension {dim} is size {input.shape[dim]}")
    half, gate = input.chunk(2, dim)
    return half * gate.sigmoid()


def softmax(input: Tensor, dim: int | None = None, dtype: object = None) -> Tensor:
    """exp(x) normalized to sum 1 along `dim`."""
    return _cast(input, dtype).softmax(default_dim(input, dim))


def log_softmax(input: Tensor, dim: int | None = None, dtype: object = None) -> Tensor:
    """log(softmax(x)), computed stably."""
    return _cast(input, dtype).log_softmax(default_dim(input, dim))


def softmin(input: Tensor, dim: int | None = None, dtype: object = None) -> Tensor:
    """softmax(-x)."""
    return softmax(-input, default_dim(input, dim), dtype)


def default_dim(input: Tensor, dim: int | None) -> int:
    """The dimension that softmax took in old PyTorch when none was given: 0 for ranks 0, 1 and 3, else 1."""
    return dim if dim is not None else (0 if input.ndim in (0, 1, 3) else 1)


def in_place(function: Callable[..., Tensor], input: Tensor, *arguments: Any) -> Tensor:
    """Writes function(input) into `input`. A copy goes in, since its gradient may ask for the values of before."""
    return input.copy_(function(input.clone(), *arguments))


def _negative_part(input: Tensor) -> Tensor:
    """x where not positive, else 0, so that exp cannot overflow where its result is not used."""
    return input.where(input <= 0, 0.0)


def _cast(input: Tensor, dtype: object) -> Tensor:
    return input if dtype is None else input.to(dtype)


__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
]
