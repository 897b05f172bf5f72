"""torch.cuda: the GPU at hand, or the emulated one where IRTOOL_CUDA=emulated says so."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..runtime import device_memory
from ..runtime.device_memory import Heap
from . import amp
from .devices import CUDA, is_available, place
from .errors import runtime_error
from .generator import generator_at, manual_seed_elsewhere, new_seed
from .surface.unsupported import module_getattr
from .tensor import Tensor


class DeviceProperties(NamedTuple):
    """What is known of a GPU."""

    name: str
    major: int
    minor: int
    total_memory: int


def device_count() -> int:
    """The number of GPUs that tensors can be moved to."""
    return int(is_available())


def is_initialized() -> bool:
    """Whether the GPU is in use."""
    return device_memory.is_open()


def init() -> None:
    """Opens the GPU, which otherwise whoever needs it first does."""
    _heap(None)


def current_device() -> int:
    """The number of the GPU that tensors are moved to."""
    _heap(None)
    return CUDA.index or 0


def set_device(device: Any) -> None:
    """Chooses the GPU that tensors are moved to: there is one."""
    _heap(device)


def synchronize(device: Any = None) -> None:
    """Waits for the GPU, and raises what has gone wrong on it."""
    _heap(device).synchronize()


def empty_cache() -> None:
    """Gives memory that no tensor uses back to the GPU."""
    if is_initialized():
        _heap(None).empty_cache()


def memory_allocated(device: Any = None) -> int:
    """The bytes that tensors use."""
    return _heap(device).allocated if is_initialized() else 0


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that tensors have used."""
    return _heap(device).most_allocated if is_initialized() else 0


def memory_reserved(device: Any = None) -> int:
    """The bytes that are taken from the GPU, in use or not."""
    return _heap(device).reserved if is_initialized() else 0


def reset_peak_memory_stats(device: Any = None) -> None:
    """Counts the most that tensors have used anew."""
    if is_initialized():
        _heap(device).reset_peak()


def get_device_name(device: Any = None) -> str:
    """What the GPU calls itself."""
    return _heap(device).driver.name


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """Its compute capability."""
    return _heap(device).driver.capability


def get_device_properties(device: Any = None) -> DeviceProperties:
    """What is known of it."""
    driver = _heap(device).driver
    return DeviceProperties(driver.name, *driver.capability, driver.total_memory)


def manual_seed(seed: int) -> None:
    """Makes random numbers of the GPU repeatable."""
    manual_seed_elsewhere(seed)


manual_seed_all = manual_seed


def seed() -> None:
    """Makes random numbers of the GPU unpredictable."""
    manual_seed_elsewhere(new_seed())


def initial_seed() -> int:
    """The seed of the GPU's random numbers."""
    _heap(None)
    return generator_at(CUDA).initial_seed()


def get_rng_state(device: Any = "cuda") -> Tensor:
    """The state of the GPU's random numbers."""
    _heap(device)
    return generator_at(CUDA).get_state()


def set_rng_state(new_state: Tensor, device: Any = "cuda") -> None:
    """Sets the state of the GPU's random numbers."""
    _heap(device)
    generator_at(CUDA).set_state(new_state)


def _heap(device: Any) -> Heap:
    """The memory of the GPU that a user names, the one there is where none is named."""
    found = place("cuda" if device is None else device)
    if found is not CUDA:
        raise runtime_error(f"Expected a cuda device, but got: {found}")
    return device_memory.heap()


__all__ = [
    "DeviceProperties",
    "amp",
    "current_device",
    "device_count",
    "empty_cache",
    "get_device_capability",
    "get_device_name",
    "get_device_properties",
    "get_rng_state",
    "init",
    "initial_seed",
    "is_available",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "memory_allocated",
    "memory_reserved",
    "reset_peak_memory_stats",
    "seed",
    "set_device",
    "set_rng_state",
    "synchronize",
]

__getattr__ = module_getattr("irtool.cuda", lambda: __all__)
