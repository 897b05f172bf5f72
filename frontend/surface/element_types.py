"""Element types that functions have no kernel for in PyTorch.

F.elu(torch.tensor([1]))       NotImplementedError: "elu_cpu" not implemented for 'Long' (at train.py:7)
"""

from __future__ import annotations

from ..errors import TYPE_NAMES, located
from ..tensor import Tensor

_FLOATS = ("float",)
_NUMBERS = ("float", "int")
KINDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("frac", "lerp", "logcumsumexp"), _FLOATS),
    **dict.fromkeys(("cross", "kthvalue", "median", "nanmedian"), _NUMBERS),
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


def no_kernel(name: str, x: Tensor) -> NotImplementedError:
    """What is raised for an element type that a function does not take."""
    return located(NotImplementedError, f"\"{name}_cpu\" not implemented for '{TYPE_NAMES[x._spec.dtype]}'")


__all__ = ["KINDS", "LAYERS", "no_kernel"]
