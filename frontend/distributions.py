"""Probability distributions that programs draw from and take gradients through."""

from __future__ import annotations

import sys

from .probability import composed, continuous, discrete, gamma, transforms
from .probability.base import Distribution, kl_divergence, register_kl
from .probability.composed import *  # noqa: F403
from .probability.continuous import *  # noqa: F403
from .probability.discrete import *  # noqa: F403
from .probability.gamma import *  # noqa: F403
from .probability.transforms import *  # noqa: F403
from .surface.unsupported import module_getattr

kl = sys.modules[__name__]
"""PyTorch's module of divergences: they are in this one."""

__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    "Distribution",
    "kl",
    "kl_divergence",
    "register_kl",
    "transforms",
    *composed.__all__,
    *continuous.__all__,
    *discrete.__all__,
    *gamma.__all__,
    *transforms.__all__,
]

__getattr__ = module_getattr("irtool.distributions", lambda: __all__)
