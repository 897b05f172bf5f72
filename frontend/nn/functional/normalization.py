"""Normalization by means and variances: over the batch, over features, over groups of channels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...errors import located, runtime_error
from ...grad_mode import no_grad
from ...promotion import finfo
from ...tensor import Tensor


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Every channel (dimension 1) normalized by its mean and variance over the batch, or by running ones."""
    if input.ndim < 2:
        raise located(ValueError, f"expected at least 2D input (got {input.ndim}D input)")
    for name, given in (
        ("running_mean", running_mean),
        ("running_var", running_var),
        ("weight", weight),
        ("bias", bias),
    ):
        if given is not None and given.numel() != input.shape[1]:
            raise runtime_error(f"{name} should contain {input.shape[1]} elements not {given.numel()}")
    channels = (input.shape[1], *(1,) * (input.ndim - 2))
    if training:
        over = (0, *range(2, input.ndim))
        count = math.prod(input.shape) // max(input.shape[1], 1)
        if count == 1:
            raise located(
                ValueError, f"Expected more than 1 value per channel when training, got input size {input.shape}"
            )
        centred, mean, variance = _moments(input, over)
        if running_mean is not None:
            _update(running_mean, mean, momentum, 1.0)
        if running_var is not None:
            _update(running_var, variance, momentum, count / (count - 1))
    else:
        if running_mean is None or running_var is None:
            raise runtime_error("Expected running_mean and running_var to be defined when training=False")
        centred, variance = input - running_mean.reshape(channels), running_var.reshape(channels)
    scale = (variance + eps).rsqrt()
    if weight is not None:
        scale = scale * weight.reshape(channels)
    y = centred * scale
    return y if bias is None else y + bias.reshape(channels)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Every channel of every sample normalized by its own mean and variance over the spatial dimensions."""
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    count = math.prod(input.shape[2:])
    if count == 1:
        raise located(ValueError, f"Expected more than 1 spatial element when training, got input size {input.shape}")
    channels = (input.shape[1], *(1,) * (input.ndim - 2))
    centred, mean, variance = _moments(input, tuple(range(2, input.ndim)))
    if running_mean is not None:
        _update(running_mean, mean.mean(0), momentum, 1.0)
    if running_var is not None:
        _update(running_var, variance.mean(0), momentum, count / (count - 1))
    return _affine(centred * (variance + eps).rsqrt(), weight, bias, channels)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalized by mean and variance over the last dimensions, of the given shape."""
    shape = _check_last(input, normalized_shape, weight, bias)
    centred, _, variance = _moments(input, tuple(range(-len(shape), 0)))
    return _affine(centred * (variance + eps).rsqrt(), weight, bias, shape)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Divided by the root of the mean square over the last dimensions, of the given shape."""
    shape = _check_last(input, normalized_shape, weight, None)
    small = finfo(input.dtype).eps if eps is None else eps
    y = input * ((input * input).mean(tuple(range(-len(shape), 0)), keepdim=True) + small).rsqrt()
    return y if weight is None else y * weight


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Normalized by mean and variance over groups of channels (dimension 1) and all that follows."""
    if input.ndim < 2:
        raise runtime_error(f"Expected at least 2 dimensions for input tensor but received {input.ndim}")
    if num_groups < 1:
        raise runtime_error(f"Expected num groups to be greater than 0, got {num_groups}")
    if input.shape[1] % num_groups:
        raise runtime_error(
            f"Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(input.shape)} and num_groups={num_groups}"
        )
    size = math.prod(input.shape[1:]) // num_groups
    if input.shape[0] * size == 1:
        raise located(
            ValueError, f"Expected more than 1 value per channel when training, got input size {list(input.shape)}"
        )
    grouped = input.reshape(input.shape[0], num_groups, size)
    centred, _, variance = _moments(grouped, (2,))
    y = (centred * (variance + eps).rsqrt()).reshape(input.shape)
    return _affine(y, weight, bias, (input.shape[1], *(1,) * (input.ndim - 2)))


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Divided by a power of the mean square over neighbouring channels."""
    from .padding import pad
    from .pooling import avg_pool1d

    if input.ndim < 3:
        raise located(ValueError, f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)")
    if not input.numel():
        return input * 1.0
    flat = (input * input).flatten(2).transpose(1, 2)
    means = avg_pool1d(pad(flat, (size // 2, (size - 1) // 2)), size, 1)
    return input / (means.transpose(1, 2).reshape(input.shape) * alpha + k).pow(beta)


def _moments(x: Tensor, over: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """x less its mean, the mean, and the (biased) variance, over dimensions that are kept."""
    mean = x.mean(over, keepdim=True)
    centred = x - mean
    return centred, mean, (centred * centred).mean(over, keepdim=True)


def _affine(y: Tensor, weight: Tensor | None, bias: Tensor | None, shape: tuple[int, ...]) -> Tensor:
    if weight is not None:
        y = y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


@no_grad()
def _update(running: Tensor, value: Tensor, momentum: float | Tensor, scale: float) -> None:
    new = value.detach().reshape(running.shape)
    running.copy_(running * (1.0 - momentum) + (new if scale == 1.0 else new * scale) * momentum)


def _check_last(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, bias: Tensor | None
) -> tuple[int, ...]:
    if isinstance(normalized_shape, int):
        raise located(TypeError, "argument 'normalized_shape' must be tuple of ints, not int")
    shape = tuple(int(n) for n in normalized_shape)
    if not shape:
        raise runtime_error(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, "
            "but got normalized_shape = []"
        )
    for name, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and tuple(parameter.shape) != shape:
            raise runtime_error(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(parameter.shape)} and normalized_shape = {list(shape)}"
            )
    if tuple(input.shape[-len(shape) :]) != shape:
        raise runtime_error(
            f"Given normalized_shape={list(shape)}, expected input with shape [*, {', '.join(map(str, shape))}], "
            f"but got input of size{list(input.shape)}"
        )
    return shape


__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm"]
