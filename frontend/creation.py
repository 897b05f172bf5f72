"""Tensors from values: tensor, zeros, from_numpy and their kin."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np

from ..dialects.hl import shape as s
from ..dialects.types import DType, TensorSpec, dtype_of_numpy, f32, f64, i1, i32, i64, u8
from ..runtime.storage import Storage
from . import dispatch, eager
from .devices import device as Device
from .devices import place, switch
from .dispatch import apply, exact, is_symbolic, scalar
from .eager import on_host
from .errors import located, runtime_error, type_error, untraceable
from .modes import modes
from .promotion import PYTHON, check_fits, get_default_dtype, python_dtype
from .tensor import Tensor, wrap


def finished(x: Tensor, requires_grad: bool) -> Tensor:
    """A tensor that was just made, as the user wants it to be."""
    if requires_grad:
        if x._spec.dtype.kind != "float":
            raise runtime_error("Only Tensors of floating point and complex dtype can require gradients")
        x._requires_grad = True
    return x


def full_of(shape: tuple[int, ...], value: Any, dtype: DType, where: Device | None = None) -> Tensor:
    """A new tensor with one number everywhere."""
    if modes.trace is not None:
        return _constant({"value": exact(value, dtype), "shape": shape, "dtype": dtype}, where)
    spec = TensorSpec(shape, dtype)
    return wrap(eager.filled(spec, exact(value, dtype), where), spec)


def from_array(array: np.ndarray[Any, Any], where: Device | None = None) -> Tensor:
    """A new tensor that owns the array, or copies it where it is not row-major. A constant in a trace."""
    spec = TensorSpec(array.shape, dtype_of_numpy(array.dtype))
    if modes.trace is not None:
        return _constant({"value": np.array(array), "shape": spec.shape, "dtype": spec.dtype}, where)
    return wrap(eager.stored(array, spec, where), spec)


def _constant(attributes: Mapping[str, Any], where: Device | None) -> Tensor:
    if where is None:
        return apply(s.ConstantOp, (), attributes)[0]
    with made_on(where):
        return apply(s.ConstantOp, (), attributes)[0]


@contextmanager
def made_on(where: Device) -> Generator[None]:
    """Inside, tensors that say nothing else are made on this device."""
    before = switch(where)
    try:
        yield
    finally:
        switch(before)


def sizes(name: str, size: Sequence[Any], named: Mapping[str, Any] | None = None) -> tuple[int, ...]:
    """(2, 3) from f(2, 3), f((2, 3)) or f(size=(2, 3)); whatever else has been named is refused."""
    for key, value in (named or {}).items():
        if key != "size" or size:
            raise type_error(f"{name}() got an unexpected keyword argument '{key}'")
        size = (value,)
    if len(size) == 1 and isinstance(size[0], Sequence):
        size = cast(Sequence[Any], size[0])
    shape: list[int] = []
    for n in size:
        if (isinstance(n, bool) and not shape) or not hasattr(n, "__index__"):
            raise type_error(f"{name}(): argument 'size' must be tuple of ints, but found {type(n).__name__}")
        shape.append(n.__index__())
        if shape[-1] < 0:
            raise runtime_error(f"Trying to create tensor with negative dimension {n}: {list(size)}")
    return tuple(shape)


# From data


def _array_of_data(data: Any, dtype: DType | None) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any]
    if isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(cast(Any, data))
        return array if dtype is None else _converted(array, dtype)
    if isinstance(data, (list, tuple)) and _holds_tensor(data):
        data = _without_tensors(data)
    try:
        array = np.asarray(cast(Any, data))
    except ValueError:
        raise _ragged(data) from None
    large = array.dtype == object and all(isinstance(x, int) for x in array.flat)
    if large or (array.dtype == np.uint64 and _numpy_leaf(data) is None):
        raise located(ValueError, "Overflow when unpacking long long")
    if array.dtype == object or array.dtype.kind in "US":
        raise _no_number(data, array)
    if dtype is None:
        found = {"b": i1, "i": i64, "u": i64, "f": PYTHON[float]}.get(array.dtype.kind)
        if found is None:
            raise type_error(f"tensors of {array.dtype} are not supported")
        dtype = found
        if array.size == 0:
            dtype = PYTHON[float]
        elif _numpy_leaf(data) is not None:
            dtype = dtype_of_numpy(np.dtype(_numpy_leaf(data)))
    check_fits(array, dtype)
    return _converted(array, dtype)


def _no_number(data: Any, array: np.ndarray[Any, Any]) -> Exception:
    """For data with something in it that no element type holds."""
    if isinstance(data, str | bytes):
        return type_error(f"new(): invalid data type '{type(data).__name__}'")
    if array.dtype.kind in "US":
        return located(ValueError, "too many dimensions 'str'")
    wrong = next((x for x in array.flat if not isinstance(x, int | float)), None)
    return runtime_error(f"Could not infer dtype of {type(wrong).__name__}")


def _converted(array: np.ndarray[Any, Any], dtype: DType) -> np.ndarray[Any, Any]:
    with np.errstate(all="ignore"):
        return array.astype(dtype.numpy)


def _numpy_leaf(data: Any) -> Any:
    """The dtype of numpy numbers inside lists; None for Python numbers."""
    while isinstance(data, (list, tuple)) and data:
        data = cast(Any, data[0])
    return cast(Any, data).dtype if isinstance(data, (np.ndarray, np.generic)) else None


def _holds_tensor(data: Any) -> bool:
    if isinstance(data, (list, tuple)):
        items = cast(Sequence[Any], data)
        return any(isinstance(x, Tensor) for x in items) or (len(items) > 0 and _holds_tensor(items[0]))
    return isinstance(data, Tensor)


def _without_tensors(data: Any) -> Any:
    if isinstance(data, Tensor):
        if modes.trace is not None:
            raise untraceable("torch.tensor() of a list of tensors", "use torch.stack instead")
        return on_host(data)
    return [_without_tensors(x) for x in cast(Any, data)] if isinstance(data, (list, tuple)) else data


def _ragged(data: Any) -> Exception:
    lengths = [len(cast(Any, x)) for x in data if isinstance(x, (list, tuple))]
    if len(set(lengths)) > 1:
        at = next(i for i, n in enumerate(lengths) if n != lengths[0])
        return located(ValueError, f"expected sequence of length {lengths[0]} at dim 1 (got {lengths[at]})")
    return located(ValueError, "expected a rectangular nest of numbers")


def tensor(
    data: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A new tensor with a copy of the data: numbers, nested lists, an array or a tensor."""
    where = place(device)
    if isinstance(data, Tensor):
        result = data.detach().clone() if device is None else data.detach().to(where, copy=True)
        return finished(result if dtype is None else result.to(dtype), requires_grad)
    if is_symbolic(data) and (not isinstance(data, int) or -(1 << 63) <= data < 1 << 63):
        return finished(scalar(data, (), dtype or python_dtype(data) or get_default_dtype()), requires_grad)
    return finished(from_array(_array_of_data(data, dtype), where), requires_grad)


def as_tensor(data: Any, dtype: DType | None = None, device: Any = None) -> Tensor:
    """The data as a tensor, sharing memory where it is a tensor or an array of that type."""
    where = place(device)
    if isinstance(data, Tensor):
        moved = data if device is None else data.to(where)
        return moved if dtype is None else moved.to(dtype)
    if isinstance(data, np.ndarray):
        found = from_numpy(data).to(where)
        return found if dtype is None else found.to(dtype)
    return tensor(data, dtype=dtype, device=where)


def from_numpy(ndarray: Any) -> Tensor:
    """A tensor over the memory of an array; over a copy where that is not row-major or cannot be written to."""
    if not isinstance(ndarray, np.ndarray):
        raise type_error(f"expected np.ndarray (got {type(ndarray).__name__})")
    array = cast("np.ndarray[Any, Any]", ndarray)
    spec = TensorSpec(array.shape, dtype_of_numpy(array.dtype))
    if not array.flags.c_contiguous or not array.flags.writeable or not array.flags.aligned:
        array = np.array(array, order="C")
    return wrap(Storage(array, spec, shared=True), spec)


class TensorType:
    """torch.FloatTensor and its like: a constructor, and what `type` converts to and isinstance asks for."""

    def __init__(self, dtype: DType) -> None:
        self.dtype = dtype

    def __call__(self, *data: Any) -> Tensor:
        return _legacy(data, self.dtype)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, Tensor) and instance._spec.dtype is self.dtype


def _legacy(data: tuple[Any, ...], dtype: DType) -> Tensor:
    """torch.FloatTensor(2, 3) has that shape; torch.FloatTensor([2, 3]) these values."""
    from .size import Size

    if not data:
        return empty((0,), dtype=dtype)
    if len(data) == 1 and not isinstance(data[0], int | Size):
        return tensor(data[0], dtype=dtype)
    return empty(*data, dtype=dtype)


def _legacy_like(self: Tensor, *data: Any, device: Any = None) -> Tensor:
    """x.new(2, 3) is a tensor of that shape, x.new([2, 3]) of these values, in the type of x."""
    with made_on(self.device if device is None else place(device)):
        return _legacy(data, self._spec.dtype)


@classmethod
def _from_data(cls: type[Any], *data: Any, **options: Any) -> Any:
    """What calling the class Tensor, or a subclass of it, makes."""
    new = _legacy(data, get_default_dtype())
    if cls is Tensor:
        return new
    result = wrap(new._storage, new._spec, cls=cls)
    result._requires_grad = bool(options.get("requires_grad", False))
    return result


Tensor._from_data = _from_data


# One number everywhere


def full(
    size: Any, fill_value: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of one number."""
    where = place(device)
    shape = sizes("full", (size,))
    if isinstance(fill_value, Tensor):
        if modes.trace is not None and not fill_value._spec.shape:
            kind = fill_value._spec.dtype
            cast_to = dtype or (get_default_dtype() if kind.kind == "float" else kind)
            value = dispatch.builder.broadcast(fill_value.detach().to(cast_to), shape, ())
            return finished(value, requires_grad)
        fill_value = fill_value.item()
    dtype = dtype or python_dtype(fill_value) or get_default_dtype()
    if is_symbolic(fill_value) and dtype.kind == "float":
        return finished(scalar(fill_value, shape, dtype), requires_grad)
    check_fits(fill_value, dtype)
    return finished(full_of(shape, fill_value, dtype, where), requires_grad)


def _filled(name: str, value: int) -> Callable[..., Tensor]:
    def create(
        *size: Any, dtype: DType | None = None, device: Any = None, requires_grad: bool = False, **named: Any
    ) -> Tensor:
        where = place(device)
        return finished(full_of(sizes(name, size, named), value, dtype or get_default_dtype(), where), requires_grad)

    create.__name__ = name
    return create


def _filled_like(name: str, value: int) -> Callable[..., Tensor]:
    def create(input: Tensor, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        where = input.device if device is None else place(device)
        return finished(full_of(input._spec.shape, value, dtype or input._spec.dtype, where), requires_grad)

    create.__name__ = f"{name}_like"
    return create


zeros = _filled("zeros", 0)
ones = _filled("ones", 1)
zeros_like = _filled_like("zeros", 0)
ones_like = _filled_like("ones", 1)
# Zeros rather than whatever was in memory: repeatable, and the same in compiled code.
empty = _filled("empty", 0)
empty_like = _filled_like("empty", 0)


def full_like(
    input: Tensor, fill_value: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of one number with the shape of another tensor."""
    dtype = dtype or input._spec.dtype
    device = input.device if device is None else device
    return full(input._spec.shape, fill_value, dtype=dtype, device=device, requires_grad=requires_grad)


def scalar_tensor(s: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A 0-d tensor of the default dtype."""
    return tensor(s, dtype=dtype or get_default_dtype(), device=device, requires_grad=requires_grad)


def is_tensor(obj: Any) -> bool:
    """Whether this is a Tensor."""
    return isinstance(obj, Tensor)


def _new(create: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def method(self: Tensor, *args: Any, dtype: DType | None = None, device: Any = None, **options: Any) -> Tensor:
        device = self.device if device is None else device
        return create(*args, dtype=dtype or self._spec.dtype, device=device, **options)

    return method


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{
        f.__name__: f
        for f in (
            as_tensor,
            empty,
            empty_like,
            from_numpy,
            full,
            full_like,
            is_tensor,
            ones,
            ones_like,
            tensor,
            zeros,
            zeros_like,
        )
    },
    "asarray": as_tensor,
    "scalar_tensor": scalar_tensor,
    "FloatTensor": TensorType(f32),
    "DoubleTensor": TensorType(f64),
    "LongTensor": TensorType(i64),
    "IntTensor": TensorType(i32),
    "ByteTensor": TensorType(u8),
    "BoolTensor": TensorType(i1),
}
METHODS: dict[str, Callable[..., Any]] = {
    "new": _legacy_like,
    "new_zeros": _new(zeros),
    "new_ones": _new(ones),
    "new_empty": _new(empty),
    "new_full": _new(full),
    "new_tensor": _new(tensor),
}

__all__ = ["FUNCTIONS", "METHODS"]
