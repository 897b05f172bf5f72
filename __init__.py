"""Trains PyTorch-style models through a stack of readable intermediate representations.

Names, arguments and results follow PyTorch: `irtool.tensor`, `irtool.nn`, `irtool.optim`, `irtool.utils.data`.
`irtool.compile` turns a function of tensors, a whole training step included, into one compiled program.
"""

from __future__ import annotations

import math as _math
import sys as _sys
from typing import TYPE_CHECKING, Any

from .dialects.types import DType as dtype
from .dialects.types import f32 as float32
from .dialects.types import f64 as float64
from .dialects.types import i1 as bool
from .dialects.types import i32 as int32
from .dialects.types import i64 as int64
from .dialects.types import u8 as uint8
from .frontend import (
    amp,
    autograd,
    backends,
    compiler,
    cuda,
    distributions,
    func,
    linalg,
    nn,
    optim,
    random,
    special,
    testing,
    utils,
)
from .frontend.amp import autocast, is_autocast_enabled
from .frontend.backends import FUNCTIONS as _SWITCHES
from .frontend.devices import device
from .frontend.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .frontend.ops.lists import FUNCTIONS as _FOR_LISTS
from .frontend.ops.reductions import RETURN_TYPES as _RETURN_TYPES
from .frontend.printing import set_printoptions
from .frontend.promotion import can_cast, finfo, get_default_dtype, iinfo, promote_types, set_default_dtype
from .frontend.random import Generator, default_generator
from .frontend.size import Size
from .frontend.surface.functional_names import FUNCTIONS as _FUNCTIONAL
from .frontend.surface.imports import install as _install
from .frontend.surface.names import FUNCTIONS as _FUNCTIONS
from .frontend.surface.names import Tensor, result_type
from .frontend.surface.unsupported import module_getattr as _module_getattr
from .frontend.vmap import vmap

if TYPE_CHECKING:
    from .frontend.compiling.compile import compile
    from .frontend.serialization import load, save
    from .runtime.denormals import set_flush_denormal
    from .runtime.threads import get_num_threads, set_num_threads

globals().update({**_FUNCTIONS, **_FUNCTIONAL, **_SWITCHES, **_FOR_LISTS})

float, double, long, int = float32, float64, int64, int32
inf, nan, pi, e = _math.inf, _math.nan, _math.pi, _math.e
strided = "strided"
contiguous_format, preserve_format, channels_last = "contiguous_format", "preserve_format", "channels_last"
__version__ = "0.1.0"

_LAZY = {
    "compile": "frontend.compiling.compile",
    "load": "frontend.serialization",
    "save": "frontend.serialization",
    "set_flush_denormal": "runtime.denormals",
    "set_num_threads": "runtime.threads",
    "get_num_threads": "runtime.threads",
}
"""Names that are imported when first used: a program that does not compile does not pay for the compiler."""

_install(_sys.modules[__name__])


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        found = globals()[name] = getattr(import_module(f".{_LAZY[name]}", __name__), name)
        return found
    if name == "return_types":
        from types import SimpleNamespace

        return SimpleNamespace(**_RETURN_TYPES)
    return _missing(name)


_missing = _module_getattr(__name__, lambda: __all__)

__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    *_FUNCTIONS,
    *_FUNCTIONAL,
    *_SWITCHES,
    "Generator",
    "Size",
    "Tensor",
    "amp",
    "autocast",
    "autograd",
    "backends",
    "bool",
    "can_cast",
    "compile",
    "compiler",
    "cuda",
    "default_generator",
    "device",
    "distributions",
    "dtype",
    "enable_grad",
    "finfo",
    "float32",
    "float64",
    "func",
    "get_default_dtype",
    "get_num_threads",
    "iinfo",
    "inference_mode",
    "int32",
    "int64",
    "is_autocast_enabled",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "linalg",
    "load",
    "nn",
    "no_grad",
    "optim",
    "promote_types",
    "random",
    "result_type",
    "save",
    "set_default_dtype",
    "set_flush_denormal",
    "set_grad_enabled",
    "set_num_threads",
    "set_printoptions",
    "special",
    "testing",
    "uint8",
    "utils",
    "vmap",
]
