"""torch.special: functions of numbers, under the names that this module has for them."""

from __future__ import annotations

from typing import Any

from .ops import elementwise, reductions, signs, special_functions
from .surface.argument_names import adapted
from .surface.argument_types import checked
from .surface.unsupported import module_getattr

_TORCH: dict[str, Any] = {**elementwise.FUNCTIONS, **reductions.FUNCTIONS, **signs.FUNCTIONS}
_SAME = ("exp2", "expm1", "log1p", "log_softmax", "logit", "logsumexp", "round", "sinc", "softmax", "xlogy", "erf")
FUNCTIONS: dict[str, Any] = {
    **{name: _TORCH[name] for name in _SAME},
    "expit": _TORCH["sigmoid"],
    "xlog1py": signs.xlog1py,
    **special_functions.SPECIAL,
}

globals().update({name: checked(name, adapted(function, out=True)) for name, function in FUNCTIONS.items()})

__all__ = [*FUNCTIONS]  # pyright: ignore[reportUnsupportedDunderAll]

__getattr__ = module_getattr("irtool.special", lambda: __all__)
