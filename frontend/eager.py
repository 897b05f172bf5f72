"""The eager backend: all that eager code computes on the bytes of tensors, and the one way to have these on the host.

run(op, tensors)                    new memory with the results of an op: its reference meaning, in numpy
filled, stored, copied              new memory: of a number, of the host's numbers, of another tensor's
assign, add, increment              into memory that is there
on_host                             the values for Python: item(), numpy(), print, save, comparisons, numpy's functions

Above this, nothing touches the bytes of a tensor in eager code. On the CPU they are numpy's; on a device an op is a
program of its own (`on_device/`), and the rest is copies there, or between there and the host. Operands on two devices
are refused in `run`, where all operations pass.
"""

from __future__ import annotations

import contextvars
import math
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..dialects.hl import HLOp
from ..dialects.hl.elementwise import AddOp
from ..dialects.hl.indexing import GatherOp
from ..dialects.hl.shape import ConstantOp, SliceOp
from ..dialects.reference import REFERENCE
from ..dialects.types import TensorSpec, i64
from ..runtime.device import device
from ..runtime.device_memory import DeviceStorage, heap
from ..runtime.storage import Storage, aligned_empty
from .devices import CPU, common_device, use
from .layout import view_of
from .modes import modes
from .source import user_frame
from .tensor import Tensor, wrap

Array = np.ndarray[Any, Any]

# numpy without its warnings


class _Quiet(threading.local):
    """Runs functions without numpy's warnings. A context of its own makes that cheaper than np.errstate does."""

    def __init__(self) -> None:
        context = contextvars.copy_context()
        context.run(np.seterr, all="ignore")
        self.run = context.run


class _QuietGlobally:
    """The same for numpy before 2.0, which keeps the setting by thread instead of by context."""

    @staticmethod
    def run(function: Callable[..., Any], *arrays: Any, **attributes: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arrays, **attributes)


_quiet = _QuietGlobally() if np.lib.NumpyVersion(np.__version__) < "2.0.0" else _Quiet()

# On the host


def on_host(t: Tensor) -> Array:
    """The values of an eager tensor, for whoever reads them in Python. Not to be written to: where the tensor is on the
    host the memory is its own, elsewhere this is a copy."""
    if use.elsewhere and t._storage.device is not CPU:
        return _memory().read(_memory().buffer(t._storage, t._view))
    array = t._storage.array
    return array if t._view is None else t._view.array(array)


_bytes = on_host
"""The bytes themselves, to compute on and to write to, of a tensor on the host."""


def address(t: Tensor) -> int:
    """Where the first element lies."""
    if t._storage.device is not CPU:
        return t._storage.address + (0 if t._view is None else t._view.layout[1] * t._spec.dtype.itemsize)
    return int(_bytes(t).__array_interface__["data"][0])


# Elsewhere

_warned: set[str] = set()


def mirrored(name: str, *tensors: Tensor) -> list[Array]:
    """The values of tensors on the host, where a function has no kernel."""
    if use.elsewhere and name not in _warned and any(t._storage.device is not CPU for t in tensors):
        _warned.add(name)
        filename, line = user_frame()
        message = f"{name}() has no kernel for a GPU: it is computed on the host, and its results are sent back"
        warnings.warn_explicit(message, UserWarning, filename, line)
    return [on_host(t) for t in tensors]


def _memory() -> Any:
    from .on_device.memory import MEMORY

    return MEMORY


def _is_elsewhere(t: Tensor) -> bool:
    return use.elsewhere and t._storage.device is not CPU


def on_device(spec: TensorSpec) -> DeviceStorage:
    """New memory there, contents undefined."""
    return DeviceStorage(heap().block(math.prod(spec.shape) * spec.dtype.itemsize), spec)


def moved(t: Tensor, where: device) -> Storage:
    """The values of a tensor in new memory on a device."""
    if where is CPU and t._storage.device is CPU:
        return stored(_bytes(t), t._spec, CPU)
    memory, source = _memory(), _memory().buffer(t._storage, t._view)
    storage = Storage(aligned_empty(t._spec), t._spec) if where is CPU else on_device(t._spec)
    memory.copy(memory.buffer(storage), source)
    return storage


# Results in new memory


def run(
    op: type[HLOp], tensors: Sequence[Tensor], attributes: Mapping[str, Any], specs: Sequence[TensorSpec]
) -> tuple[Tensor, ...]:
    """The results of an op, whose specs the caller knows."""
    if use.elsewhere and common_device(tensors) is not CPU:
        return _run_on_device(op, tensors, attributes, specs)
    arrays = [t._storage.array if t._view is None else t._view.array(t._storage.array) for t in tensors]
    out: Any = _quiet.run(REFERENCE[op], *arrays, **attributes)
    if len(specs) != 1:
        return tuple([wrap(Storage(_own(o, arrays), spec), spec) for o, spec in zip(out, specs)])
    spec = specs[0]
    if type(out) is not np.ndarray or out.base is not None or not out.flags.c_contiguous:
        out = _own(out, arrays)
    else:
        for array in arrays:
            if array is out:
                out = out.copy()
                break
    return (wrap(Storage(out, spec), spec),)


def _run_on_device(
    op: type[HLOp], tensors: Sequence[Tensor], attributes: Mapping[str, Any], specs: Sequence[TensorSpec]
) -> tuple[Tensor, ...]:
    from .on_device import programs

    if op is ConstantOp:
        value, spec = attributes["value"], specs[0]
        storage = stored(value, spec) if type(value) is np.ndarray else filled(spec, value)
        return (wrap(storage, spec),)
    results = programs.run(heap(), op, tensors, attributes, specs)
    return tuple([wrap(storage, storage.spec) for storage in results])


def _own(out: Any, arrays: Sequence[Any]) -> Array:
    """A result as a row-major array that shares no memory with the operands."""
    array = np.asarray(out, order="C")
    if any(array is x or (array.base is not None and np.may_share_memory(array, x)) for x in arrays):
        return array.copy()
    return array


def filled(spec: TensorSpec, number: Any, where: device | None = None) -> Storage:
    """One number everywhere."""
    if use.elsewhere and (where or modes.device or CPU) is not CPU:
        storage = on_device(spec)
        _memory().fill(_memory().buffer(storage), number)
        return storage
    array = aligned_empty(spec)
    _quiet.run(array.fill, number)
    return Storage(array, spec)


def stored(array: Array, spec: TensorSpec, where: device | None = None) -> Storage:
    """Numbers from the host."""
    if use.elsewhere and (where or modes.device or CPU) is not CPU:
        storage = on_device(spec)
        heap().write(storage.address, np.broadcast_to(array, spec.shape).astype(spec.dtype.numpy, copy=False))
        return storage
    target = aligned_empty(spec)
    np.copyto(target, array)
    return Storage(target, spec)


def taken(source: Tensor, rows: Array, spec: TensorSpec) -> Storage:
    """Some rows of a tensor."""
    if _is_elsewhere(source):
        index = wrap(stored(rows, TensorSpec(rows.shape, i64), source.device), TensorSpec(rows.shape, i64))
        return run(GatherOp, (source, index), {"axis": 0, "batch_dims": 0}, (spec,))[0]._storage
    target = aligned_empty(spec)
    np.take(_bytes(source), rows, axis=0, out=target)
    return Storage(target, spec)


def copied(x: Tensor) -> Storage:
    """The values of a tensor, row by row."""
    if _is_elsewhere(x):
        return moved(x, x.device)
    return stored(_bytes(x), x._spec, CPU)


def placed(spec: TensorSpec, at: tuple[Any, ...], part: Tensor) -> Storage:
    """Zeros, but for one part."""
    if _is_elsewhere(part):
        storage = filled(spec, 0, part.device)
        assign(_part(wrap(storage, spec), at), part)
        return storage
    array = np.zeros(spec.shape, spec.dtype.numpy)
    array[at] = _bytes(part)
    return Storage(array, spec)


def constant(number: Any, spec: TensorSpec) -> Storage:
    """A number that everybody shares who computes with it: not to be written to."""
    array = _quiet.run(np.asarray, number, spec.dtype.numpy)
    array.flags.writeable = False
    storage = Storage(array, spec, shared=True)
    if use.elsewhere and (modes.device or CPU) is not CPU:
        from .on_device.constants import number_at

        return number_at(heap(), storage)
    return storage


# Into memory that is there


def assign(t: Tensor, new: Tensor) -> None:
    """Overwrites the values of a tensor. That it has another version is the caller's to say, here and below."""
    if use.elsewhere and (t._storage.device is not CPU or new._storage.device is not CPU):
        memory = _memory()
        memory.copy(memory.buffer(t._storage, t._view), memory.buffer(new._storage, new._view))
        return
    np.copyto(_bytes(t), _bytes(new))


def add(t: Tensor, more: Tensor, at: tuple[Any, ...] | None = None) -> None:
    """Adds to a tensor, or to one part of it."""
    if _is_elsewhere(t):
        whole = t if at is None else _part(t, at)
        assign(whole, run(AddOp, (whole, more), {}, (whole._spec,))[0])
        return
    part = _bytes(t) if at is None else _bytes(t)[at]
    _quiet.run(np.add, part, _bytes(more), out=part)


def increment(t: Tensor, by: int, at: int | None = None) -> None:
    """Adds a number to all elements, or to one of them."""
    if _is_elsewhere(t):
        number = np.zeros(t._spec.shape, t._spec.dtype.numpy)
        number[... if at is None else at] = by
        more: Tensor = wrap(stored(number, t._spec, t.device), t._spec)
        assign(t, run(AddOp, (t, more), {}, (t._spec,))[0])
        return
    array = _bytes(t)
    if not array.shape:  # a count: at a tenth of the time of a ufunc
        array[()] = array.item() + by
    elif at is None:
        array += by
    else:
        array[at] += by


def _part(t: Tensor, at: tuple[Any, ...]) -> Tensor:
    """Those elements of a tensor that slices say, in memory that is the tensor's."""
    ranges = [part.indices(n) for part, n in zip(at, t._spec.shape) if isinstance(part, slice)]
    start, stop, step = (tuple(numbers) for numbers in zip(*ranges)) if ranges else ((), (), ())
    view = view_of(t._storage.spec, t._view, SliceOp, {"start": start, "stop": stop, "step": step})
    assert view is not None
    return wrap(t._storage, view.spec, view)


def put(t: Tensor, at: tuple[int, ...], number: Any) -> None:
    """Overwrites one element."""
    if _is_elsewhere(t):
        array = on_host(t).copy()
        array[at] = number
        assign(t, wrap(Storage(array, t._spec), t._spec))
        return
    _bytes(t)[at] = number


__all__ = [
    "add",
    "address",
    "assign",
    "constant",
    "copied",
    "filled",
    "increment",
    "mirrored",
    "moved",
    "on_host",
    "placed",
    "put",
    "run",
    "stored",
    "taken",
]
