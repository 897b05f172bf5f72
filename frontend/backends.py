"""torch.backends, and the functions that choose how PyTorch computes: programs may set what they like.

torch.backends.cudnn.benchmark = True           kept, and changes nothing: there is one way to compute
torch.backends.cuda.matmul.allow_tf32 = True    tensor cores multiply once, with 11 bits of each factor
torch.backends.mps.is_available()               False, as for everything but the CPU
torch.use_deterministic_algorithms(True)        they are: results are the same bits for any number of threads
"""

from __future__ import annotations

from contextlib import nullcontext
from types import ModuleType
from typing import Any

from ..runtime.cuda import precision
from .devices import device, place, set_default
from .errors import located
from .surface.unsupported import module_getattr

PRECISIONS = ("highest", "high", "medium")


def _absent() -> bool:
    return False


def _no_version() -> None:
    return None


def _flags(*values: Any, **named: Any) -> nullcontext[None]:
    """A context in which nothing is different."""
    return nullcontext()


def _backend(name: str, **attributes: Any) -> ModuleType:
    """A module with switches, for a library that is not used."""
    module = ModuleType(f"{__name__}.{name}")
    vars(module).update(is_available=_absent, is_built=_absent, flags=_flags, enabled=False, **attributes)
    vars(module)["__getattr__"] = module_getattr(f"irtool.backends.{name}", lambda: vars(module))
    return module


cudnn = _backend(
    "cudnn", benchmark=False, benchmark_limit=10, deterministic=False, allow_tf32=True, version=_no_version
)


class _Matmul(ModuleType):
    """torch.backends.cuda.matmul: how accurate products on a GPU have to be."""

    @property
    def allow_tf32(self) -> bool:
        return precision.allow_tf32

    @allow_tf32.setter
    def allow_tf32(self, allowed: bool) -> None:
        precision.allow_tf32 = bool(allowed)


_matmul = _Matmul(f"{__name__}.cuda.matmul")
vars(_matmul).update(vars(_backend("cuda.matmul")))
cuda = _backend("cuda", matmul=_matmul, sdp_kernel=_flags)
mps, mkl, mkldnn, openmp, opt_einsum = map(_backend, ("mps", "mkl", "mkldnn", "openmp", "opt_einsum"))


class _Switches:
    """What a program has asked for."""

    deterministic = False
    precision = "highest"


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Results are the same bits in every run, whatever `mode` says."""
    _Switches.deterministic = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """What use_deterministic_algorithms was called with."""
    return _Switches.deterministic


def set_float32_matmul_precision(precision: str) -> None:
    """Products of float32 matrices are always computed in float32, which every precision allows."""
    if precision not in PRECISIONS:
        raise located(RuntimeError, f"expected a precision among {', '.join(PRECISIONS)}, got {precision!r}")
    _Switches.precision = precision


def get_float32_matmul_precision() -> str:
    """What set_float32_matmul_precision was called with."""
    return _Switches.precision


def set_default_device(device: Any) -> None:
    """Where new tensors of this thread go that say nothing else."""
    set_default(place("cpu" if device is None else device))


def get_default_device() -> device:
    """Where new tensors go that say nothing else."""
    return place(None)


__getattr__ = module_getattr("irtool.backends", lambda: globals())

FUNCTIONS = {
    f.__name__: f
    for f in (
        are_deterministic_algorithms_enabled,
        get_default_device,
        get_float32_matmul_precision,
        set_default_device,
        set_float32_matmul_precision,
        use_deterministic_algorithms,
    )
}
"""Those that stand in the package itself."""

__all__ = ["FUNCTIONS", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum"]
