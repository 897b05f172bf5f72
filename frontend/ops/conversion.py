"""Between tensors, numbers, arrays and element types; copies; and what PyTorch calls in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...dialects.types import DType, f32, f64, i1, i32, i64, u8
from .. import eager
from ..autograd.gradients import backward
from ..autograd.hooks import register_hook, register_post_accumulate_grad_hook, retain_grad
from ..creation import TensorType
from ..devices import CPU
from ..dispatch import needed_array
from ..eager import on_host
from ..errors import TYPE_NAMES, located, runtime_error, type_error, untraceable
from ..layout import row_major
from ..modes import modes
from ..size import Size
from ..surface.argument_names import PYTHON_TYPES
from ..tensor import Tensor, alias
from . import movement
from .copies import clone, deep_copy, reduce, shallow_copy
from .operands import cast
from .shape import axis


# Values
def _values(x: Tensor, what: str, fix: str) -> np.ndarray[Any, Any]:
    """The values of a tensor, for Python. Raises where a trace does not know them."""
    array = needed_array(x)
    if array is None:
        raise untraceable(what, fix)
    return array


def item(self: Tensor) -> Any:
    """The only element, as a Python number."""
    array = _values(
        *(self, ".item() (which float(), int(), range() and numbers in indices call)"),
        "keep the tensor and compute with it, or return it from the compiled function and call .item() outside",
    )
    if array.size != 1:
        raise runtime_error(f"a Tensor with {array.size} elements cannot be converted to Scalar")
    return array.item()


def tolist(self: Tensor) -> Any:
    """The elements as nested lists, or one number."""
    return _values(
        self, ".tolist()", "return the tensor from the compiled function and call .tolist() outside"
    ).tolist()


def numpy(self: Tensor, *, force: bool = False) -> np.ndarray[Any, Any]:
    """The values as an array over the same memory; in a trace, a copy of those that are known."""
    if self.requires_grad and not force:
        raise runtime_error("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
    where = self.device
    if where is not CPU and not force:
        raise type_error(
            f"can't convert {where} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory "
            "first."
        )
    if modes.trace is not None or where is not CPU:
        fix = "return the tensor from the compiled function and call .numpy() outside"
        return _values(self, ".numpy()", fix).copy()
    self._storage.align()
    self._storage.shared = True
    return on_host(self)


def array_protocol(self: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
    """What numpy functions get of a tensor."""
    array = numpy(self)
    if dtype is not None and array.dtype != dtype:
        return array.astype(dtype)
    return array.copy() if copy else array


def array_wrap(self: Tensor, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
    """What numpy functions of a tensor return: a tensor again."""
    from ..creation import from_array

    return from_array(np.asarray(array))


def truth(self: Tensor) -> bool:
    """The truth of the only element."""
    array = _values(
        *(self, "a Python branch (if, while, and, or, not, bool())"),
        "use torch.where to choose between values, or take the decision outside the compiled function",
    )
    if array.size != 1:
        if array.size == 0:
            raise runtime_error("Boolean value of Tensor with no values is ambiguous")
        raise runtime_error("Boolean value of Tensor with more than one value is ambiguous")
    return bool(array.item())


def _number(convert: Callable[[Any], Any]) -> Callable[[Tensor], Any]:
    def method(self: Tensor) -> Any:
        if modes.trace is None and numel(self) != 1:
            raise located(ValueError, "only one element tensors can be converted to Python scalars")
        return convert(item(self))

    return method


def index(self: Tensor) -> int:
    """An integer tensor as an index."""
    if self._spec.dtype.kind == "float":
        raise type_error("only integer tensors of a single element can be converted to an index")
    return int(item(self))


def length(self: Tensor) -> int:
    """The first extent."""
    if not self._spec.shape:
        raise type_error("len() of a 0-d tensor")
    return self._spec.shape[0]


def format_(self: Tensor, specification: str) -> str:
    """A 0-d tensor formats as its number."""
    if self._spec.shape:
        return format(str(self), specification)
    number = _values(
        self, 'f"{x}"', "print(x) shows the value in each call; or return the tensor, and format it outside"
    )
    return format(number.item(), specification)


def _caster(dtype: DType) -> Callable[..., Tensor]:
    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        return cast(self, dtype)

    return convert


def type_(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The tensor with another dtype; without one, the name of its type."""
    if dtype is None:
        place = "irtool.cuda" if self.device is not CPU else "irtool"
        return f"{place}.{TYPE_NAMES[self._spec.dtype]}Tensor"
    if isinstance(dtype, str):
        found = next((d for d, name in TYPE_NAMES.items() if f"{name}Tensor" == dtype.rpartition(".")[2]), None)
        if found is None:
            raise type_error(f"invalid type: '{dtype}'")
        dtype = found
    dtype = PYTHON_TYPES.get(dtype, dtype)
    if not isinstance(dtype, DType | TensorType):
        raise type_error("dtype must be a type, str, or dtype object")
    return cast(self, dtype.dtype if isinstance(dtype, TensorType) else dtype)


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor with the dtype of another."""
    return cast(self, other._spec.dtype)


# Copies
def detach(input: Tensor) -> Tensor:
    """The same memory without history."""
    return alias(input)


def detach_(self: Tensor) -> Tensor:
    """Forgets the history."""
    self._base = None
    self._node = None
    self._requires_grad = False
    self._detached = self._detached or 1
    self._history += 1
    return self


def contiguous(self: Tensor, *, memory_format: Any = None) -> Tensor:
    """The tensor itself where it lies row by row in memory, otherwise a copy that does."""
    return self if is_contiguous(self) else clone(self)


def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Whether the tensor lies row by row in memory."""
    return self._view is None or self._view.contiguous


def stride(self: Tensor, dim: int | None = None) -> Any:
    """How many elements apart neighbours along each dimension are."""
    strides = row_major(self._spec.shape) if self._view is None else self._view.layout[0]
    return strides if dim is None else strides[axis(dim, len(strides))]


def data_ptr(self: Tensor) -> int:
    """The address of the first element."""
    if modes.trace is not None and self._storage.symbolic:
        raise untraceable("data_ptr()", "each call has memory of its own; ask outside")
    return eager.address(self)


def storage_offset(self: Tensor) -> int:
    """Where the tensor begins in its memory, in elements."""
    trace = modes.trace
    if trace is not None:
        leaf, whole = trace.argument_of(self._storage)
        if leaf is not None and not whole:
            raise untraceable("storage_offset()", "each call may pass another part of some memory; ask outside")
    return 0 if self._view is None else self._view.layout[1]


def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both are the same elements in memory, in the same order."""
    return self._storage is tensor._storage and self._view is tensor._view


def is_same_size(self: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape."""
    return self._spec.shape == other._spec.shape


def is_signed(self: Tensor) -> bool:
    """Whether the element type has negative numbers."""
    return self._spec.dtype.signed and self._spec.dtype is not i1


def requires_grad_(self: Tensor, requires_grad: bool = True) -> Tensor:
    """Sets requires_grad and returns the tensor."""
    self.requires_grad = requires_grad
    return self


def backward_(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Adds the gradient of this tensor to `grad` of the leaves that it was computed from."""
    backward(self, gradient, retain_graph, create_graph, inputs)


def numel(input: Tensor) -> int:
    """The number of elements."""
    count = 1
    for extent in input._spec.shape:
        count *= extent
    return count


def size(self: Tensor, dim: int | None = None) -> Any:
    """The shape, or one extent."""
    if dim is None:
        return Size(self._spec.shape)
    return self._spec.shape[axis(dim, len(self._spec.shape))]


_QUESTIONS: dict[str, Callable[[Tensor], Any]] = {
    "dim": lambda self: len(self._spec.shape),
    "ndimension": lambda self: len(self._spec.shape),
    "element_size": lambda self: self._spec.dtype.itemsize,
    "data_ptr": data_ptr,
    "storage_offset": storage_offset,
    "is_floating_point": lambda input: input._spec.dtype.kind == "float",
    "is_complex": lambda input: False,
    "is_conj": lambda input: False,
    "is_signed": lambda input: input._spec.dtype.signed,
    "is_nonzero": lambda input: bool(item(input)),
    "is_inference": lambda input: False,
    "is_shared": lambda input: False,
    "dense_dim": lambda input: len(input._spec.shape),
    "sparse_dim": lambda input: 0,
}
METHODS: dict[str, Callable[..., Any]] = {
    **_QUESTIONS,
    **{
        f.__name__: f
        for f in (
            clone,
            contiguous,
            detach,
            detach_,
            is_contiguous,
            item,
            numel,
            numpy,
            register_hook,
            register_post_accumulate_grad_hook,
            requires_grad_,
            retain_grad,
            size,
            stride,
            tolist,
            type_as,
        )
    },
    "type": type_,
    "backward": backward_,
    "nelement": numel,
    **movement.METHODS,
    "float": _caster(f32),
    "double": _caster(f64),
    "long": _caster(i64),
    "int": _caster(i32),
    "bool": _caster(i1),
    "byte": _caster(u8),
    **{f.__name__: f for f in (is_same_size, is_set_to, is_signed)},
    "__bool__": truth,
    "__float__": _number(float),
    "__int__": _number(int),
    "__index__": index,
    "__len__": length,
    "__format__": format_,
    "__array__": array_protocol,
    "__array_wrap__": array_wrap,
    "__copy__": shallow_copy,
    "__deepcopy__": deep_copy,
    "__reduce_ex__": reduce,
}


PROPERTIES: dict[str, Callable[[Tensor], Any]] = {
    "is_cuda": lambda self: self.device.type == "cuda",
    "is_sparse": lambda self: False,
    "is_quantized": lambda self: False,
    "is_mkldnn": lambda self: False,
    "is_meta": lambda self: False,
    "layout": lambda self: "strided",
    "real": lambda self: self,
    "is_cpu": lambda self: self.device == CPU,
    "itemsize": lambda self: self._spec.dtype.itemsize,
    "nbytes": lambda self: self._spec.dtype.itemsize * numel(self),
    "retains_grad": lambda self: bool(self.grad_fn and self.grad_fn.retained and self._index in self.grad_fn.retained),
}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "clone": clone,
    "detach": detach,
    "numel": numel,
    "is_floating_point": METHODS["is_floating_point"],
    "is_complex": METHODS["is_complex"],
    "is_conj": METHODS["is_conj"],
    "is_nonzero": METHODS["is_nonzero"],
    "is_signed": METHODS["is_signed"],
}


__all__ = ["FUNCTIONS", "METHODS", "PROPERTIES"]
