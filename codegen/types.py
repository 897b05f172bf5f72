"""C types of IR types, and how a memref is declared and subscripted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    UNKNOWN_LOC,
    Float32Type,
    Float64Type,
    IndexType,
    IntegerType,
    MemRefType,
    NoneAttr,
    StridedLayoutAttr,
)
from xdsl.ir import Attribute

from ..dialects.locations import describe
from ..dialects.types import element_of, is_vector
from .expr import ADD, MULTIPLY, TEXT, UNARY, CExpr


class CodegenError(ValueError):
    """Something has no C form. `message` says what, `location` where it comes from; the text has both."""

    def __init__(self, message: str, location: Attribute = UNKNOWN_LOC):
        where = describe(location)
        super().__init__(f"{message}, at {where}" if where else message)
        self.message = message
        self.location = location


INTEGERS = {1: "bool", 8: "u8", 16: "short", 32: "int", 64: "long"}
UNSIGNED = {"u8": "u8", "short": "u16", "int": "u32", "long": "u64", "bool": "bool"}
SIGNED = {"u8": "i8"}
"""Types whose signed form has another name."""

VECTOR_LETTERS = {"float": "f", "double": "d", "bool": "i", "u8": "b", "short": "s", "int": "i", "long": "l"}
"""`v16f` is 16 floats. Masks (lanes of i1) are ints, 0 or -1."""

MOST_LANES = 1024
"""Longer vectors are no machine's; functions on them would be as long as they are."""


def scalar_type(type_: Attribute) -> str:
    """The C type of a number."""
    kind = type(type_)
    if kind is IndexType:
        return "long"
    if kind is Float32Type:
        return "float"
    if kind is Float64Type:
        return "double"
    if isinstance(type_, IntegerType) and type_.bitwidth in INTEGERS:
        return INTEGERS[type_.bitwidth]
    raise CodegenError(f"no C type for {type_}")


def c_type(type_: Attribute) -> str:
    """The C type of a number or a vector of numbers."""
    if is_vector(type_):
        shape = type_.get_shape()
        if len(shape) != 1:
            raise CodegenError(f"no C type for {type_}: vectors are 1-D")
        if not 0 < shape[0] <= MOST_LANES or shape[0] & (shape[0] - 1):
            raise CodegenError(f"no C type for {type_}: expected a power of two of lanes, at most {MOST_LANES}")
        return f"v{shape[0]}{VECTOR_LETTERS[scalar_type(type_.element_type)]}"
    return scalar_type(type_)


def is_mask(type_: Attribute) -> bool:
    """Whether the type is i1 or a vector of i1."""
    scalar = element_of(type_)
    return isinstance(scalar, IntegerType) and scalar.bitwidth == 1


VECTOR_OF = {"i8": "c", "u8": "b", "u16": "t", "u32": "u", "u64": "m"}


def vector_of(type_: Attribute, scalar: str) -> str:
    """The C type like `type_`, a number or a vector, with this type of number in it."""
    return f"v{type_.get_shape()[0]}{VECTOR_OF[scalar]}" if is_vector(type_) else scalar


def as_mask(compared: CExpr, type_: Attribute) -> CExpr:
    """Comparing vectors gives lanes as wide as theirs; masks have lanes of int."""
    if not is_vector(type_) or scalar_type(type_.element_type) in ("int", "float", "bool"):
        return compared
    return CExpr(f"__builtin_convertvector({compared.text}, v{type_.get_shape()[0]}i)", reads=compared.reads)


@dataclass(slots=True)
class Array:
    """A memref in C: `x[i][j]` if its strides nest, `x[i * 7 + j]` if not; a local of rank 0 is a plain variable."""

    name: str
    element: str
    rows: tuple[int, ...] | None
    """Extents behind the first index (the C type is `element x[][rows…]`); None where strides do not nest."""
    strides: tuple[int, ...]
    variable: bool = False

    def subscript(self, indices: Sequence[CExpr]) -> CExpr:
        """The element at these indices, an lvalue."""
        if not self.strides:
            return CExpr(self.name) if self.variable else CExpr(f"*{self.name}", UNARY)
        reads = any(i.reads for i in indices)
        if self.rows is not None:
            return CExpr(self.name + "".join(f"[{i.text}]" for i in indices), TEXT, reads)
        return CExpr(f"{self.name}[{self.offset(indices).text}]", TEXT, reads)

    def offset(self, indices: Sequence[CExpr]) -> CExpr:
        """How many elements lie before the one at these indices, where there may be none."""
        pairs = [(i, s) for i, s in zip(indices, self.strides, strict=True) if i.text != "0"]
        terms = [f"{i.within(MULTIPLY)} * {s}" if s != 1 else i.text for i, s in pairs]
        level = ADD if len(terms) > 1 or (terms and pairs[0][1] == 1) else MULTIPLY
        return CExpr(" + ".join(terms) or "0", level, any(i.reads for i in indices))

    def address(self, indices: Sequence[CExpr]) -> CExpr:
        """The address of the element at these indices."""
        if not self.strides:
            return CExpr(f"&{self.name}", UNARY) if self.variable else CExpr(self.name)
        target = self.subscript(indices)
        return CExpr(f"&{target.text}", UNARY, target.reads)

    @property
    def pointer_text(self) -> str:
        """The array as an argument of a call."""
        return f"&{self.name}" if self.variable else self.name

    def pointer(self, name: str, const: bool = False) -> str:
        """A declaration of a pointer of this kind: `float (*x)[784]`."""
        qualifier = "const " if const else ""
        if not self.rows:
            return f"{qualifier}{self.element} *{name}"
        return f"{qualifier}{self.element} (*{name}){''.join(f'[{r}]' for r in self.rows)}"


def strides_of(type_: MemRefType) -> tuple[int, ...]:
    """Strides of a memref in elements; those of a dynamic leading extent are still known."""
    shape = type_.get_shape()
    if isinstance(type_.layout, StridedLayoutAttr):
        strides = tuple(DYNAMIC_INDEX if isinstance(s, NoneAttr) else s.data for s in type_.layout.strides)
    elif isinstance(type_.layout, NoneAttr):
        suffixes: list[int] = []
        stride = 1
        for extent in reversed(shape):
            suffixes.append(stride)
            stride *= extent
        strides = tuple(reversed(suffixes))
        if DYNAMIC_INDEX in shape[1:]:
            raise CodegenError(f"no C type for {type_}: only the first extent may be dynamic")
    else:
        raise CodegenError(f"no C type for {type_}: layout {type_.layout}")
    if DYNAMIC_INDEX in strides:
        raise CodegenError(f"no C type for {type_}: dynamic strides")
    return strides


def array(name: str, type_: MemRefType, variable: bool = False) -> Array:
    """How a memref of this type is declared and subscripted in C."""
    strides = strides_of(type_)
    rows: tuple[int, ...] | None = ()
    if isinstance(type_.layout, NoneAttr):
        rows = tuple(type_.get_shape()[1:])
    elif strides:
        nests = strides[-1] == 1 and all(b > 0 and a % b == 0 for a, b in pairwise(strides))
        rows = tuple(a // b for a, b in pairwise(strides)) if nests else None
    return Array(name, c_type(type_.element_type), rows, strides, variable)
