"""Attributes of hl ops: plain Python values, one encoding as IR properties, one text form.

    1            <->  1 : i64            1
    0.5          <->  0.5 : f64          0.5        (inf, nan as written: inf, -inf, nan)
    True         <->  true               true
    "mean"       <->  "mean"             "mean"
    (1, 0)       <->  array<i64: 1, 0>   [1, 0]
    np.ndarray   <->  dense<...>         dense [[1.0, inf], [0.0, 2.0]] : tensor<2x2xf32>

The text form is our own because the upstream one reads an infinity in a dense constant back as a finite number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import numpy as np
from xdsl.dialects.builtin import (
    BytesAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    StringAttr,
    f64,
    i1,
    i64,
)
from xdsl.ir import Attribute
from xdsl.parser import Parser
from xdsl.printer import Printer

from ..types import TensorSpec, dtype_of_numpy, spec_of, tensor_type

Array: TypeAlias = "np.ndarray[Any, Any]"
AttributeValue: TypeAlias = "bool | int | float | str | tuple[int, ...] | np.ndarray[Any, Any]"
"""What an attribute of an hl op may be, beside the shape and dtype that live in its result type."""


def encode(value: object) -> Attribute:
    """The property that stores a Python value. Raises ValueError for one that has none."""
    match value:
        case bool() | np.bool_():
            return IntegerAttr(int(value), i1)
        case int() | np.integer():
            if not -(2**63) <= value < 2**63:
                raise ValueError(f"attribute: expected an integer of 64 bits, got {value}")
            return IntegerAttr(int(value), i64)
        case float() | np.floating():
            return FloatAttr(float(value), f64)
        case str():
            return StringAttr(value)
        case tuple() | list():
            integers = [int(v) for v in cast("Sequence[int]", value)]
            if not all(-(2**63) <= v < 2**63 for v in integers):
                raise ValueError(f"attribute: expected integers of 64 bits, got {integers}")
            return DenseArrayBase.from_list(i64, integers)
        case np.ndarray():
            return encode_array(cast(Array, value))
        case _:
            raise ValueError(f"attribute: expected a number, a string, a tuple of integers or an array, got {value!r}")


def encode_array(array: np.ndarray[Any, Any]) -> Attribute:
    """A dense constant holding the bytes of an array."""
    spec = TensorSpec(array.shape, dtype_of_numpy(array.dtype))
    little_endian = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return DenseIntOrFPElementsAttr(cast(Any, tensor_type(spec)), BytesAttr(little_endian.tobytes()))


def decode(attribute: Attribute) -> AttributeValue:
    """The Python value that a property stores."""
    match attribute:
        case IntegerAttr():
            integer_type = attribute.type
            if isinstance(integer_type, IntegerType) and integer_type.width.data == 1:
                return bool(attribute.value.data)
            return attribute.value.data
        case FloatAttr():
            return attribute.value.data
        case StringAttr():
            return attribute.data
        case DenseArrayBase():
            return tuple(map(int, cast(Any, attribute).get_values()))
        case DenseIntOrFPElementsAttr():
            spec = spec_of(cast(Attribute, attribute.type))
            stored = np.frombuffer(attribute.data.data, spec.dtype.numpy.newbyteorder("<"))
            if stored.size != math.prod(spec.shape):
                raise ValueError(f"dense values: expected {math.prod(spec.shape)} for {spec}, got {stored.size}")
            return stored.astype(spec.dtype.numpy, copy=False).reshape(spec.shape)
        case _:
            raise ValueError(f"an hl attribute cannot be {attribute}")


def print_value(printer: Printer, value: AttributeValue) -> None:
    """Writes the text form of an attribute."""
    match value:
        case bool():
            printer.print_string("true" if value else "false")
        case int():
            printer.print_string(str(value))
        case float():
            printer.print_string(float_text(value))
        case str():
            printer.print_string_literal(value)
        case tuple():
            printer.print_string("[" + ", ".join(map(str, value)) + "]")
        case np.ndarray():
            printer.print_string("dense " + _nested_text(value) + " : ")
            printer.print_attribute(tensor_type(TensorSpec(value.shape, dtype_of_numpy(value.dtype))))


def float_text(value: float) -> str:
    """Round-trip decimal text with a point or an exponent, `inf`, `-inf` or `nan`."""
    text = repr(value)
    if math.isfinite(value) and "e" in text and "." not in text:
        text = text.replace("e", ".0e")
    return text


def _nested_text(array: np.ndarray[Any, Any]) -> str:
    if array.ndim:
        return "[" + ", ".join(_nested_text(part) for part in array) + "]"
    value = array.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    short = float(str(array[()]))
    return float_text(short if array.dtype.type(short) == array else value)


def parse_value(parser: Parser) -> AttributeValue:
    """Reads what `print_value` writes."""
    if parser.parse_optional_keyword("dense"):
        nested = _parse_nested(parser)
        parser.parse_punctuation(":")
        pos = parser.pos
        type_ = parser.parse_type()
        try:
            spec = spec_of(type_)
        except ValueError as error:
            parser.raise_error(str(error), pos, parser.pos)
        return _as_array(parser, nested, spec, pos)
    text = parser.parse_optional_str_literal()
    if text is not None:
        return text
    if parser.parse_optional_punctuation("["):
        items: list[int] = []
        if not parser.parse_optional_punctuation("]"):
            items.append(parser.parse_integer(allow_boolean=False))
            while parser.parse_optional_punctuation(","):
                items.append(parser.parse_integer(allow_boolean=False))
            parser.parse_punctuation("]")
        return tuple(items)
    return _parse_scalar(parser)


def _as_array(parser: Parser, nested: Any, spec: TensorSpec, pos: int) -> np.ndarray[Any, Any]:
    """Nested lists as an array of exactly this spec; no value may change on the way but by rounding."""
    try:
        values = np.array(nested, dtype=np.float64 if spec.dtype.kind == "float" else object)
        if values.shape != spec.shape and (values.size or math.prod(spec.shape)):
            raise ValueError(f"their shape is {list(values.shape)}")
        with np.errstate(over="ignore"):
            array = values.astype(spec.dtype.numpy).reshape(spec.shape)
        if spec.dtype.kind != "float" and not all(a == v for a, v in zip(array.flat, values.flat)):
            raise ValueError("they change value")
    except (ValueError, TypeError, OverflowError) as error:
        parser.raise_error(f"dense values do not fit {spec}: {error}", pos, parser.pos)
    return array


def _parse_scalar(parser: Parser) -> bool | int | float:
    boolean = parser.parse_optional_boolean()
    if boolean is not None:
        return boolean
    if parser.parse_optional_keyword("inf"):
        return math.inf
    if parser.parse_optional_keyword("nan"):
        return math.nan
    if parser.parse_optional_punctuation("-"):
        if parser.parse_optional_keyword("inf"):
            return -math.inf
        return -parser.parse_number(allow_boolean=False)
    return parser.parse_number(allow_boolean=False)


def _parse_nested(parser: Parser) -> Any:
    if not parser.parse_optional_punctuation("["):
        return _parse_scalar(parser)
    items: list[Any] = []
    if parser.parse_optional_punctuation("]"):
        return items
    items.append(_parse_nested(parser))
    while parser.parse_optional_punctuation(","):
        items.append(_parse_nested(parser))
    parser.parse_punctuation("]")
    return items
