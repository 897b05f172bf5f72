"""What PyTorch's functions do not take: element types without a kernel, and numbers in the place of tensors.

F.elu(torch.tensor([1]))       NotImplementedError: "elu_cpu" not implemented for 'Long' (at train.py:7)
torch.maximum(x, 2.0)          TypeError: maximum(): argument 'other' must be Tensor, not float (at train.py:8)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ..errors import TYPE_NAMES, located, type_error
from ..tensor import Tensor

_FLOATS = ("float",)
_NUMBERS = ("float", "int")
KINDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("frac", "lerp", "logcumsumexp"), _FLOATS),
    **dict.fromkeys(("addcmul", "cross", "index_reduce", "kthvalue", "median", "nanmedian"), _NUMBERS),
    **dict.fromkeys(("round", "searchsorted", "trace"), _NUMBERS),
}
"""The element types that functions of the package and methods take, where these are not all."""
LAYERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("celu", "elu", "glu", "hardshrink", "hardsigmoid", "hardswish", "leaky_relu", "prelu"), _FLOATS),
    **dict.fromkeys(("rrelu", "selu", "softplus", "softshrink", "grid_sample", "fold", "unfold"), _FLOATS),
    **dict.fromkeys(("batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm"), _FLOATS),
    **dict.fromkeys(("local_response_norm", "multi_margin_loss", "multilabel_margin_loss", "nll_loss"), _FLOATS),
    **dict.fromkeys([f"{kind}_pool{rank}d" for kind in ("adaptive_avg", "lp") for rank in (1, 2, 3)], _FLOATS),
    **dict.fromkeys([f"adaptive_max_pool{r}d{e}" for r in (1, 2, 3) for e in ("", "_with_indices")], _FLOATS),
    **dict.fromkeys([f"max_unpool{rank}d" for rank in (1, 2, 3)], _FLOATS),
    **dict.fromkeys(("logsigmoid", "threshold"), _NUMBERS),
}
"""The same of functions of nn.functional."""

BOTH = ("input", "other")
TENSORS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("atan2", "arctan2", "fmax", "fmin", "gcd", "hypot", "lcm", "logaddexp", "logaddexp2"), BOTH),
    **dict.fromkeys(("dist", "logical_and", "logical_or", "logical_xor", "maximum", "minimum", "nextafter"), BOTH),
    **dict.fromkeys(("clamp", "clamp_max", "clamp_min", "clip", "fmod"), ("input",)),
    **dict.fromkeys(("eq", "ge", "gt", "le", "lt", "ne"), ("input",)),
    **dict.fromkeys(("greater", "greater_equal", "less", "less_equal", "not_equal"), ("input",)),
    "lerp": ("input", "end"),
}
"""Arguments that may be no numbers, although the function is written in terms of some that take numbers."""


def checked(
    name: str, function: Callable[..., Any], of: dict[str, tuple[str, ...]] = KINDS, method: bool = False
) -> Callable[..., Any]:
    """The function with these errors, by one of the tables; a method's first argument is a tensor anyhow."""
    names = TENSORS.get(name, ())
    needed = [(k, n) for k, n in enumerate(names) if k or not method]
    kinds = of.get(name)
    if not needed and kinds is None:
        return function

    @wraps(function)
    def checking(*args: Any, **options: Any) -> Any:
        for k, argument in needed:
            value = args[k] if k < len(args) else options.get(argument)
            if isinstance(value, (bool, int, float)) or (isinstance(value, Tensor) and value._is_number):
                raise type_error(f"{name}(): argument '{argument}' must be Tensor, not {type(value).__name__}")
        if kinds is not None:
            x = args[0] if args else options.get("input")
            if isinstance(x, Tensor) and x._spec.dtype.kind not in kinds:
                raise no_kernel(name, x)
        return function(*args, **options)

    return checking


def no_kernel(name: str, x: Tensor) -> NotImplementedError:
    """What is raised for an element type that a function does not take."""
    return located(NotImplementedError, f"\"{name}_cpu\" not implemented for '{TYPE_NAMES[x._spec.dtype]}'")


__all__ = ["LAYERS", "checked", "no_kernel"]
