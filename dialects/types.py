"""The one table of element types, and the (shape, dtype) pair that every shape rule speaks about."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn

import numpy as np
from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    FixedBitwidthType,
    Float32Type,
    Float64Type,
    IntegerType,
    MemRefType,
    Signedness,
    TensorType,
    VectorType,
)
from xdsl.ir import Attribute, SSAValue

if TYPE_CHECKING:
    from typing_extensions import TypeIs

Kind = Literal["float", "int", "bool"]


class UnknownExtent(ValueError):
    """Something needs an extent that is not known yet."""


class _Unknown(int):
    """The number that stands for `?`. It compares as itself, but computing with it would give nonsense, and raises."""

    def _refuse(self, *others: object) -> NoReturn:
        raise UnknownExtent("expected a static shape: nothing can be computed from the extent `?`")


for _operator in ("add", "sub", "mul", "truediv", "floordiv", "mod", "divmod", "pow", "lshift", "rshift"):
    setattr(_Unknown, f"__{_operator}__", _Unknown._refuse)
    setattr(_Unknown, f"__r{_operator}__", _Unknown._refuse)
for _operator in ("neg", "abs", "int", "float"):
    setattr(_Unknown, f"__{_operator}__", _Unknown._refuse)

DYNAMIC: int = _Unknown(DYNAMIC_INDEX)
"""An extent that is not known yet, `?` in the text form."""

MOST_BYTES = 1 << 47
"""Of one tensor: addresses reach no further. Sizes in bytes and sums of them fit into 64 bits."""


@dataclass(frozen=True, eq=False)
class DType:
    """An element type: how it is written, stored and computed with."""

    name: str
    """The short name used in the IR and in this code base: "f32", "i64", ..."""
    torch_name: str
    """The name that the frontend shows: "float32", "bool", ..."""
    kind: Kind
    bits: int
    """Bits of a value; `i1` still takes a whole byte in memory."""
    numpy: np.dtype[np.generic]
    ir: Attribute
    """The element type on tensors of the hl dialect."""
    lowered: Attribute
    """The signless element type below hl."""
    signed: bool = True

    @property
    def itemsize(self) -> int:
        """Bytes of one element in memory."""
        return self.numpy.itemsize

    @property
    def is_floating_point(self) -> bool:
        """Whether the values are floating-point numbers."""
        return self.kind == "float"

    def __repr__(self) -> str:
        return f"irtool.{self.torch_name}"

    def __reduce__(self) -> tuple[object, ...]:
        return (dtype_by_name, (self.name,))


def _dtype(name: str, torch_name: str, kind: Kind, bits: int, ir: Attribute, lowered: Attribute | None = None) -> DType:
    return DType(name, torch_name, kind, bits, np.dtype(torch_name), ir, lowered or ir, signed=name != "u8")


f32 = _dtype("f32", "float32", "float", 32, Float32Type())
f64 = _dtype("f64", "float64", "float", 64, Float64Type())
i64 = _dtype("i64", "int64", "int", 64, IntegerType(64))
i32 = _dtype("i32", "int32", "int", 32, IntegerType(32))
u8 = _dtype("u8", "uint8", "int", 8, IntegerType(8, Signedness.UNSIGNED), IntegerType(8))
i1 = _dtype("i1", "bool", "bool", 1, IntegerType(1))

DTYPES: tuple[DType, ...] = (f32, f64, i64, i32, u8, i1)
_BY_NAME = {d.name: d for d in DTYPES}
_BY_NUMPY = {d.numpy: d for d in DTYPES}
_BY_IR = {d.ir: d for d in DTYPES}


def dtype_by_name(name: str) -> DType:
    """The DType called `name` ("f32"). Raises KeyError for an unknown one."""
    return _BY_NAME[name]


def dtype_of_numpy(dtype: np.dtype[np.generic]) -> DType:
    """The DType that stores a numpy dtype. Raises TypeError where there is none."""
    found = _BY_NUMPY.get(dtype)
    if found is None:
        raise TypeError(f"arrays of {dtype} are not supported; supported: {', '.join(d.torch_name for d in DTYPES)}")
    return found


# `isinstance` leaves a checker in the dark about what a generic class is of: these functions say it.


def is_tensor(type_: object) -> TypeIs[TensorType[Attribute]]:
    """Whether this is the type of a tensor."""
    return isinstance(type_, TensorType)


def is_memref(type_: object) -> TypeIs[MemRefType[Attribute]]:
    """Whether this is the type of a buffer."""
    return isinstance(type_, MemRefType)


def is_vector(type_: object) -> TypeIs[VectorType[Attribute]]:
    """Whether this is the type of a vector."""
    return isinstance(type_, VectorType)


def is_integer(type_: object) -> TypeIs[IntegerType]:
    """Whether this is the type of an integer."""
    return isinstance(type_, IntegerType)


def tensor_of(value: SSAValue) -> TensorType[Attribute]:
    """The type of a tensor."""
    assert is_tensor(value.type)
    return value.type


def memref_of(value: SSAValue) -> MemRefType[Attribute]:
    """The type of a buffer."""
    assert is_memref(value.type)
    return value.type


def element_of(type_: Attribute) -> Attribute:
    """The type of a lane of a vector; another type itself."""
    return type_.element_type if is_vector(type_) else type_


def dtype_of_ir(element_type: Attribute) -> DType | None:
    """The DType whose hl element type this is, or None."""
    return _BY_IR.get(element_type)


class TensorSpec(NamedTuple):
    """Shape and element type of a tensor; an extent may be DYNAMIC."""

    shape: tuple[int, ...]
    dtype: DType

    def __str__(self) -> str:
        dims = "".join("?x" if n == DYNAMIC else f"{n}x" for n in self.shape)
        return f"tensor<{dims}{self.dtype.ir}>"


@cache
def tensor_type(spec: TensorSpec) -> TensorType[Attribute]:
    """The interned IR type of a spec (building one anew costs 25 µs)."""
    return TensorType(spec.dtype.ir, spec.shape)


@cache
def _spec_of(type_: Attribute) -> TensorSpec | None:
    if not is_tensor(type_):
        return None
    dtype = dtype_of_ir(type_.element_type)
    if dtype is None:
        return None
    shape = type_.get_shape()
    if _size(shape, dtype.itemsize) > MOST_BYTES:
        raise ValueError(f"expected at most 2^47 bytes, got {type_}")
    return TensorSpec(tuple(DYNAMIC if n == DYNAMIC else n for n in shape), dtype)


def _size(shape: tuple[int, ...], itemsize: int) -> int:
    """Bytes at least, where an extent is not known."""
    return math.prod(n for n in shape if n != DYNAMIC) * itemsize


def spec_of(type_: Attribute) -> TensorSpec:
    """The spec of a ranked tensor type. Raises ValueError for anything else, and for one too large for any memory."""
    spec = _spec_of(type_)
    if spec is None:
        names = ", ".join(str(d.ir) for d in DTYPES)
        raise ValueError(f"expected a ranked tensor of {names}, got {type_}")
    return spec


def bytes_of(type_: Attribute) -> int:
    """Bytes that a buffer of static shape takes. Raises ValueError for one that is not static."""
    if not is_memref(type_):
        raise ValueError(f"expected a buffer, got {type_}")
    element = type_.element_type
    size = max(1, element.bitwidth // 8) if isinstance(element, FixedBitwidthType) else 8
    shape = type_.get_shape()
    if DYNAMIC in shape:
        raise ValueError(f"expected a buffer of static shape, got {type_}")
    if (total := _size(shape, size)) > MOST_BYTES:
        raise ValueError(f"expected at most 2^47 bytes, got {type_}")
    return total
