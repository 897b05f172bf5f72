"""Between devices: to, cuda, cpu, and pinned memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...dialects.types import DType
from .. import dispatch, eager, tape
from ..devices import CPU, CUDA, device, place
from ..errors import runtime_error, type_error
from ..modes import modes
from ..node import TRACED
from ..surface.argument_names import PYTHON_TYPES
from ..tensor import Tensor, wrap
from .copies import clone
from .operands import cast

TO = ("dtype", "device", "other", "copy", "non_blocking", "memory_format")
"""The names of what `to` takes."""


def to(self: Tensor, *args: Any, **options: Any) -> Tensor:
    """The tensor with another dtype or on another device; itself where nothing changes."""
    for name in options:
        if name not in TO:
            raise type_error(f"to() got an unexpected keyword argument '{name}'")
    dtype, where, copy = requested(args, options)
    if dtype in PYTHON_TYPES:
        dtype = PYTHON_TYPES[dtype]
    result = self
    if where is CPU or self.device is not CPU:  # converted where that is for nothing, or less to send
        result = moved(cast_to(result, dtype), where)
    else:
        result = cast_to(moved(result, where), dtype)
    return clone(self) if copy and result is self else result


def requested(args: Any, options: dict[str, Any]) -> tuple[Any, device | None, bool]:
    """What `to` was asked for: to(dtype), to(device, dtype), to(other), each with non_blocking and copy behind."""
    dtype: Any = options.get("dtype")
    where: Any = options.get("device")
    flags = [options.get("non_blocking"), options.get("copy")]
    given: list[bool] = []
    for value in (*args, options.get("other")):
        if isinstance(value, bool):
            given.append(value)
        elif isinstance(value, DType | type):
            dtype = value
        elif isinstance(value, Tensor):
            dtype, where = value._spec.dtype, value.device
        elif isinstance(value, str | device | int):
            where = value
    flags[: len(given)] = given[:2]
    return dtype, None if where is None else place(where), bool(flags[1])


def cast_to(x: Tensor, dtype: Any) -> Tensor:
    """The tensor in an element type, where one is asked for."""
    return x if dtype is None else cast(x, dtype)


def moved(x: Tensor, where: device | None) -> Tensor:
    """The tensor on a device; itself where it is there. Gradients come back to where it was."""
    if where is None or where is x.device:
        return x
    trace = modes.trace
    if trace is not None:
        value = dispatch.value_of(trace, x)
        flows = modes.grad and x.requires_grad
        copy = dispatch.traced(trace.copied(value) if flows else value, x._spec, where)
        if where is not CPU:
            trace.device = where
        if flows:
            tape.attach(TRACED, (copy,))
        return copy
    copy: Tensor = wrap(eager.moved(x, where), x._spec)
    if modes.grad and x.requires_grad:
        home = x.device

        def backward(gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
            return [None if g is None else moved(g, home) for g in gradients]

        tape.CustomNode("ToCopyBackward0", (x,), (copy,), backward, keeps_values=False)
    return copy


def cuda(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
    """The tensor on a GPU."""
    where = place("cuda" if device is None else device)
    if where.type != "cuda":
        raise runtime_error(f"Invalid device, must be cuda device: {where}")
    return moved(self, where)


def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor on the CPU."""
    return moved(self, CPU)


def get_device(self: Tensor) -> int:
    """The number of the GPU that the tensor is on; -1 for the CPU."""
    return -1 if self.device is CPU else self.device.index or 0


def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """A tensor on the CPU that can be sent at once; all can, once what is sent has been copied by the driver."""
    if self.device is not CPU:
        raise runtime_error("cannot pin 'irtool.cuda.Tensor': only dense CPU tensors can be pinned")
    place(CUDA)  # raises where there is no GPU
    copy = clone(self.detach())
    copy.__dict__["_pinned"] = True
    return copy


def is_pinned(self: Tensor, device: Any = None) -> bool:
    """Whether the tensor was pinned."""
    return "_pinned" in self.__dict__


METHODS: dict[str, Callable[..., Any]] = {f.__name__: f for f in (cpu, cuda, get_device, is_pinned, pin_memory, to)}

__all__ = ["METHODS", "moved", "requested", "to"]
