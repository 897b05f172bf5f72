"""Devices by name, and where new tensors go.

place("cuda")       the device, if tensors can live there
placed(f, …)        a call whose own numbers and masks are made where its tensors are
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..runtime.device import CPU, device
from ..runtime.device_memory import CUDA, heap, missing
from .errors import runtime_error
from .modes import modes


class _Elsewhere:
    """Whether anything of this process is, or is to be, elsewhere than on the CPU: until then nobody asks where."""

    elsewhere = False


use = _Elsewhere()


def place(where: Any) -> device:
    """The device that a user names, of those that tensors can live on; None is where new tensors go. Raises
    RuntimeError."""
    if where is None:
        return modes.device or CPU
    if where is CPU or (type(where) is str and where == "cpu"):
        return CPU
    if where is CUDA and use.elsewhere:
        return CUDA
    found = device(where)
    if found.type == "cpu":
        return CPU
    if found.type != "cuda":
        raise runtime_error(f"tensors on device '{found}' are not supported, only on 'cpu' and 'cuda'")
    why = missing()
    if why is not None:
        raise runtime_error(why)
    if found.index:
        raise runtime_error("CUDA error: invalid device ordinal")
    heap().check_process()
    use.elsewhere = True
    return CUDA


def is_available() -> bool:
    """Whether tensors can be moved to a GPU."""
    return missing() is None


def switch(where: device | None) -> device | None:
    """Says where this thread's new tensors go; returns where they went before."""
    before, modes.device = modes.device, where
    return before


def set_default(where: device | None) -> device | None:
    """The same for the user's code as well."""
    before = modes.default_device
    modes.device = modes.default_device = where
    return before


# A device as a context: `with irtool.device("cuda"):`

_entered: dict[int, list[device | None]] = {}


def _enter(self: device) -> device:
    _stack().append(set_default(place(self)))
    return self


def _leave(self: device, *raised: object) -> None:
    set_default(_stack().pop())


def _stack() -> list[device | None]:
    from threading import get_ident

    return _entered.setdefault(get_ident(), [])


device.__enter__ = _enter  # pyright: ignore[reportAttributeAccessIssue]
device.__exit__ = _leave  # pyright: ignore[reportAttributeAccessIssue]


# Operations


def placed(function: Callable[..., Any], args: Sequence[Any], options: dict[str, Any]) -> Any:
    """A call that makes its own tensors where its operands are."""
    where = device_of(args) or device_of(options.values())
    if where is None or where is modes.device:
        return function(*args, **options)
    return run_at(where, function, *args, **options)


def run_at(where: device | None, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """A call during which new tensors go to a device."""
    before = switch(where)
    try:
        return function(*args, **options)
    finally:
        switch(before)


def users_own(function: Callable[..., Any], *args: Any) -> Any:
    """Calls a function of the user's from inside of the library's."""
    return run_at(modes.default_device, function, *args) if use.elsewhere else function(*args)


def device_of(values: Any) -> device | None:
    """The device of the tensors among some values: that of one elsewhere before the CPU."""
    found: device | None = None
    for value in values:
        storage = getattr(value, "_storage", None)
        if storage is not None:
            where = storage.device
        elif type(value) in (list, tuple):
            where = device_of(value)
        else:
            continue
        if where is not None:
            if where is not CPU:
                return where
            found = where
    return found


def common_device(tensors: Sequence[Any]) -> device:
    """Where an operation runs: on the device of its operands. Numbers on the CPU may stand beside others of any device.
    Raises RuntimeError where operands are on two devices."""
    found: device | None = None
    host = False
    for t in tensors:
        where = t._storage.device
        if where is CPU:
            host = host or not is_number(t)
        else:
            found = where
    if found is None:
        return CPU if tensors else modes.device or CPU
    if host:
        raise mixed(found, CPU)
    return found


def mixed(first: device, second: device) -> RuntimeError:
    """For operands on two devices."""
    return runtime_error(
        f"Expected all tensors to be on the same device, but found at least two devices, {first} and {second}!"
    )


def is_number(t: Any) -> bool:
    """Whether a tensor has no dimensions, or is one without, broadcast; or a constant of the library's own."""
    view = t._view
    while view is not None:
        if not view.spec.shape:
            return True
        view = view.parent
    storage = t._storage
    return not storage.spec.shape or storage.is_constant()


__all__ = [
    "CPU",
    "CUDA",
    "common_device",
    "device",
    "device_of",
    "is_available",
    "mixed",
    "place",
    "placed",
    "run_at",
    "set_default",
    "switch",
    "use",
    "users_own",
]
