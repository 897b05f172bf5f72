"""What every op of the hl dialect shares: one shape rule, plain attributes, and a text form.

An op class states its operands, results and properties, and one rule:

    @classmethod
    def infer(cls, x: TensorSpec, *, permutation: tuple[int, ...]) -> tuple[TensorSpec, ...]

which raises ShapeError. The verifier, the IR builder, the tracer and eager execution all ask that same rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn, cast

from typing_extensions import Self
from xdsl.dialects.builtin import Attribute, TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.irdl import IRDLOperation
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from ..types import DYNAMIC, DType, TensorSpec, spec_of, tensor_type
from .codec import AttributeValue, decode, encode, parse_value, print_value

Attributes = Mapping[str, Any]
"""Attributes by name: AttributeValue, and `shape: tuple[int, ...]`, `dtype: DType` where the op takes these."""


class ShapeError(ValueError):
    """Operands or attributes break an op's rule. The message says which, what was expected and what was given."""


def mismatch(expected: object, given: object, rule: str) -> NoReturn:
    """Raises the ShapeError that all rules share the wording of."""
    raise ShapeError(f"{rule}: expected {expected}, got {given}")


def same_extent(a: int, b: int) -> bool:
    """Whether two extents can be equal; `?` can be anything."""
    return a == b or a == DYNAMIC or b == DYNAMIC


def same_shape(a: Sequence[int], b: Sequence[int]) -> bool:
    """Whether two shapes can be equal."""
    return len(a) == len(b) and all(map(same_extent, a, b))


def known(a: int, b: int) -> int:
    """The more definite of two extents that can be equal."""
    return b if a == DYNAMIC else a


def show(shape: Sequence[int]) -> str:
    """A shape for messages: [2, ?, 3]."""
    return "[" + ", ".join("?" if n == DYNAMIC else str(n) for n in shape) + "]"


class HLOp(IRDLOperation):
    """Base of all hl ops but those with a syntax of their own."""

    ASSEMBLY: ClassVar[Mapping[str, str]] = {}
    """Attributes printed after the operands as `keyword value` (keyword may be empty), in this order; others in braces."""
    FROM_RESULT: ClassVar[tuple[str, ...]] = ()
    """Attributes that live in the result type: "shape", "dtype" or both."""

    @classmethod
    def infer(cls, *operands: Any, **attributes: Any) -> tuple[TensorSpec, ...]:
        """The result specs for operand specs and attributes. Raises ShapeError where the op's rule is broken."""
        raise NotImplementedError(cls.name)

    @classmethod
    def build_op(
        cls, operands: Sequence[SSAValue], attributes: Attributes, specs: Sequence[TensorSpec] | None = None
    ) -> Self:
        """A new op. `specs` are its results', when the caller has inferred them already."""
        if specs is None:
            specs = cls.infer(*(spec_of(v.type) for v in operands), **attributes)
        return cls.create(
            operands=operands,
            result_types=[tensor_type(spec) for spec in specs],
            properties={k: encode(v) for k, v in attributes.items() if k not in cls.FROM_RESULT and v is not None},
        )

    def attributes_dict(self) -> dict[str, Any]:
        """Attributes as Python values, `shape` and `dtype` of the result included where the op takes these."""
        values: dict[str, Any] = {name: decode(value) for name, value in self.properties.items()}
        if self.FROM_RESULT:
            spec = spec_of(self.results[0].type)
            values.update((name, getattr(spec, name)) for name in self.FROM_RESULT)
        return values

    def verify_(self) -> None:
        try:
            expected = self.infer(*(spec_of(v.type) for v in self.operands), **self.attributes_dict())
            given = [spec_of(r.type) for r in self.results]
        except (ValueError, TypeError) as error:
            raise VerifyException(f"{self.name}: {error}") from error
        for want, have in zip(expected, given, strict=True):
            if want.dtype is not have.dtype or not same_shape(want.shape, have.shape):
                raise VerifyException(f"{self.name}: expected result type {want}, got {have}")

    # Text form

    def print(self, printer: Printer) -> None:
        if self.operands:
            printer.print_string(" ")
            printer.print_list(self.operands, printer.print_ssa_value)
        values = {name: decode(value) for name, value in self.properties.items()}
        for name, keyword in self.ASSEMBLY.items():
            if name in values:
                printer.print_string(f" {keyword} " if keyword else " ")
                print_value(printer, values.pop(name))
        if values or self.attributes:
            self._print_braces(printer, values)
        printer.print_string(" : ")
        types = [*self.operand_types, *self.result_types]
        if self._all_alike(types):
            printer.print_attribute(types[0])
            return
        printer.print_list(self.operand_types, printer.print_attribute)
        printer.print_string(" -> ")
        printer.print_list(self.result_types, printer.print_attribute)

    def _all_alike(self, types: Sequence[Attribute]) -> bool:
        return len(self.results) == 1 and all(t == types[0] for t in types)

    def _print_braces(self, printer: Printer, values: Mapping[str, AttributeValue]) -> None:
        printer.print_string(" {")
        first = True
        for name, value in values.items():
            printer.print_string(("" if first else ", ") + f"{name} = ")
            print_value(printer, value)
            first = False
        for name, attribute in self.attributes.items():
            printer.print_string("" if first else ", ")
            printer.print_identifier_or_string_literal(name)
            printer.print_string(" = ")
            printer.print_attribute(attribute)
            first = False
        printer.print_string("}")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        start = parser.pos
        operands = []
        first = parser.parse_optional_unresolved_operand()
        if first is not None:
            operands = [first]
            while parser.parse_optional_punctuation(","):
                operands.append(parser.parse_unresolved_operand())
        definition = cls.get_irdl_definition()
        properties: dict[str, Attribute] = {}
        attributes: dict[str, Attribute] = {}
        for name, keyword in cls.ASSEMBLY.items():
            if keyword:
                if parser.parse_optional_keyword(keyword):
                    properties[name] = encode(parse_value(parser))
            else:
                properties[name] = encode(parse_value(parser))
        if parser.parse_optional_punctuation("{"):
            while not parser.parse_optional_punctuation("}"):
                name = parser.parse_identifier_or_str_literal()
                parser.parse_punctuation("=")
                if name in definition.properties:
                    properties[name] = encode(parse_value(parser))
                else:
                    attributes[name] = parser.parse_attribute()
                if not parser.parse_optional_punctuation(","):
                    parser.parse_punctuation("}")
                    break
        parser.parse_punctuation(":")
        types = [parser.parse_type()]
        while parser.parse_optional_punctuation(","):
            types.append(parser.parse_type())
        if parser.parse_optional_punctuation("->"):
            result_types = [parser.parse_type()]
            while parser.parse_optional_punctuation(","):
                result_types.append(parser.parse_type())
        elif len(types) == 1:
            types, result_types = types * len(operands), types
        else:
            parser.raise_error(f"expected '->' and the result type of {cls.name}")
        if len(types) != len(operands):
            parser.raise_error(f"{cls.name} has {len(operands)} operands but {len(types)} operand types", start, parser.pos)
        resolved = parser.resolve_operands(operands, types, start)
        return cls.create(operands=resolved, result_types=result_types, properties=properties, attributes=attributes)


def attributes_of(op: Operation) -> dict[str, Any]:
    """`op.attributes_dict()` for an op known to be of the hl dialect."""
    return cast(HLOp, op).attributes_dict()


AnyTensor = TensorType[Attribute]

__all__ = [
    "AnyTensor",
    "Attributes",
    "DType",
    "HLOp",
    "ShapeError",
    "TensorSpec",
    "attributes_of",
    "known",
    "mismatch",
    "same_extent",
    "same_shape",
    "show",
]
