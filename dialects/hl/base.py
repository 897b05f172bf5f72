"""What every op of the hl dialect shares: one shape rule, plain attributes, and a text form.

An op class states its operands, results and properties, and one rule:

    @classmethod
    def infer(cls, x: TensorSpec, *, permutation: tuple[int, ...]) -> tuple[TensorSpec, ...]

which raises ShapeError. The verifier, the IR builder, the tracer and eager execution all ask that same rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn, Self, cast

from xdsl.dialects.builtin import DenseArrayBase, FloatAttr, IntegerAttr, TensorType, UnitAttr, f64, i1, i64
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import AnyAttr, EqAttrConstraint, IRDLOperation, ParamAttrConstraint, VerificationContext
from xdsl.parser import Parser, UnresolvedOperand
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
    return a == b or DYNAMIC in (a, b)


def same_shape(a: Sequence[int], b: Sequence[int]) -> bool:
    """Whether two shapes can be equal."""
    return len(a) == len(b) and all(map(same_extent, a, b))


def known(a: int, b: int) -> int:
    """The more definite of two extents that can be equal."""
    return b if a == DYNAMIC else a


def show(shape: Sequence[int]) -> str:
    """A shape for messages: [2, ?, 3]."""
    return "[" + ", ".join("?" if n == DYNAMIC else str(n) for n in shape) + "]"


def check_axis(axis: int, rank: int, what: str = "dimension") -> None:
    """Raises ShapeError unless there is a dimension of that number."""
    if not 0 <= axis < rank:
        mismatch(f"from 0 to {rank - 1}" if rank else "a tensor of rank 1 or more", axis, what)


def check_axes(axes: Sequence[int], rank: int, what: str = "dimensions") -> None:
    """Raises ShapeError unless all are dimensions, none of them twice."""
    for axis in axes:
        check_axis(axis, rank, what)
    if len(set(axes)) != len(axes):
        mismatch("each at most once", list(axes), what)


def check_shape(shape: Sequence[int]) -> None:
    """Raises ShapeError where an extent is negative."""
    if any(n < 0 and n != DYNAMIC for n in shape):
        mismatch("extents of at least 0", list(shape), "shape")


class HLOp(IRDLOperation):
    """Base of all hl ops but those with a syntax of their own."""

    ASSEMBLY: ClassVar[Mapping[str, str]] = {}
    """Attributes printed after the operands as `keyword value` (keyword may be empty), in order; others in braces."""
    DEFAULTS: ClassVar[Mapping[str, AttributeValue]] = {}
    """Attributes that are left out of the text where they have this value."""
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
        except ValueError as error:
            raise VerifyException(f"{self.name}: {error}") from error
        if len(expected) != len(given):
            raise VerifyException(f"{self.name}: expected {len(expected)} results, got {len(given)}")
        for want, have in zip(expected, given):
            if want.dtype is not have.dtype or not same_shape(want.shape, have.shape):
                raise VerifyException(f"{self.name}: expected result type {want}, got {have}")

    # Text form

    def print(self, printer: Printer) -> None:
        if self.operands:
            printer.print_string(" ")
            printer.print_list(self.operands, printer.print_ssa_value)
        values = {name: decode(value) for name, value in self.properties.items()}
        for name, default in self.DEFAULTS.items():
            if values.get(name) == default:
                del values[name]
        for name, keyword in self.ASSEMBLY.items():
            if name in values:
                printer.print_string(f" {keyword} " if keyword else " ")
                print_value(printer, values.pop(name))
        self.print_braces(printer, values)
        printer.print_string(" : ")
        types = [*self.operand_types, *self.result_types]
        if len(self.results) == 1 and all(t == types[0] for t in types):
            printer.print_attribute(types[0])
            return
        printer.print_list(self.operand_types, printer.print_attribute)
        printer.print_string(" -> ")
        printer.print_list(self.result_types, printer.print_attribute)

    def print_braces(self, printer: Printer, values: Mapping[str, AttributeValue]) -> None:
        """Writes ` {name = value, ...}` with the given properties and all other attributes, or nothing."""
        if not values and not self.attributes:
            return
        separator = " {"
        for name, value in values.items():
            printer.print_string(f"{separator}{name} = ")
            print_value(printer, value)
            separator = ", "
        for name, attribute in self.attributes.items():
            printer.print_string(separator)
            printer.print_identifier_or_string_literal(name)
            printer.print_string(" = ")
            printer.print_attribute(attribute)
            separator = ", "
        printer.print_string("}")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        start = parser.pos
        operands: list[UnresolvedOperand] = []
        first = parser.parse_optional_unresolved_operand()
        if first is not None:
            operands = [first]
            while parser.parse_optional_punctuation(","):
                operands.append(parser.parse_unresolved_operand())
        properties: dict[str, Attribute] = {}
        for name, keyword in cls.ASSEMBLY.items():
            if not keyword or parser.parse_optional_keyword(keyword):
                properties[name] = cls.parse_property(parser, name)
        in_braces, attributes = cls.parse_braces(parser)
        properties |= in_braces
        for name, default in cls.DEFAULTS.items():
            properties.setdefault(name, encode(default))
        clauses = "".join(f", or '{word}'" for name, word in cls.ASSEMBLY.items() if word and name not in properties)
        parser.parse_punctuation(":", f" and the types of {cls.name}{clauses}")
        types = cls.parse_types(parser)
        if parser.parse_optional_punctuation("->"):
            result_types = cls.parse_types(parser)
        elif len(types) == 1:
            types, result_types = types * len(operands), types
        else:
            parser.raise_error(f"expected '->' and the result type of {cls.name}", start, parser.pos)
        if len(types) != len(operands):
            parser.raise_error(
                f"{cls.name} has {len(operands)} operands but {len(types)} operand types", start, parser.pos
            )
        resolved = parser.resolve_operands(operands, types, start)
        return cls.create(operands=resolved, result_types=result_types, properties=properties, attributes=attributes)

    @classmethod
    def parse_braces(cls, parser: Parser) -> tuple[dict[str, Attribute], dict[str, Attribute]]:
        """Reads what `print_braces` writes: properties, and other attributes."""
        known_properties = cls.get_irdl_definition().properties
        properties: dict[str, Attribute] = {}
        attributes: dict[str, Attribute] = {}
        if not parser.parse_optional_punctuation("{") or parser.parse_optional_punctuation("}"):
            return properties, attributes
        while True:
            name = parser.parse_identifier_or_str_literal()
            if name in known_properties:
                parser.parse_punctuation("=")
                properties[name] = cls.parse_property(parser, name)
            elif parser.parse_optional_punctuation("="):
                attributes[name] = parser.parse_attribute()
            else:
                attributes[name] = UnitAttr()
            if not parser.parse_optional_punctuation(","):
                parser.parse_punctuation("}")
                return properties, attributes

    @classmethod
    def parse_property(cls, parser: Parser, name: str) -> Attribute:
        """Reads the value of one property, which must be of its kind."""
        start = parser.pos
        value = parse_value(parser)
        try:
            attribute = encode(value)
            cls.get_irdl_definition().properties[name].constr.verify(attribute, VerificationContext())
        except (ValueError, VerifyException):
            parser.raise_error(f"{cls.name}: {value!r} cannot be its {name}", start, parser.pos)
        return attribute

    @staticmethod
    def parse_types(parser: Parser) -> list[Attribute]:
        """Reads one type, or several with commas between."""
        types: list[Attribute] = [parser.parse_type()]
        while parser.parse_optional_punctuation(","):
            types.append(parser.parse_type())
        return types


def check_types(op: Operation, what: str, expected: Sequence[Attribute], given: Sequence[Attribute]) -> None:
    """Fails where one of an op's lists of types is not the one that the others ask for."""
    if list(expected) != list(given):
        wanted, got = (", ".join(map(str, types)) or "none" for types in (expected, given))
        raise VerifyException(f"{op.name}: {what}: expected {wanted}, got {got}")


def attributes_of(op: Operation) -> dict[str, Any]:
    """`op.attributes_dict()` for an op known to be of the hl dialect."""
    return cast(HLOp, op).attributes_dict()


AnyTensor = TensorType[Attribute]
INT_PROPERTY = IntegerAttr.constr(i64)
"""Constraint of a property that holds an integer."""
INTS_PROPERTY = ParamAttrConstraint(DenseArrayBase, (EqAttrConstraint(i64), AnyAttr()))
"""Constraint of a property that holds a tuple of integers."""
NUMBER_PROPERTY = IntegerAttr.constr(i64) | IntegerAttr.constr(i1) | FloatAttr.constr(f64)
"""Constraint of a property that holds a value of the element type."""

__all__ = [
    "INTS_PROPERTY",
    "INT_PROPERTY",
    "NUMBER_PROPERTY",
    "AnyTensor",
    "Attributes",
    "DType",
    "HLOp",
    "ShapeError",
    "TensorSpec",
    "attributes_of",
    "check_axes",
    "check_axis",
    "check_shape",
    "check_types",
    "known",
    "mismatch",
    "same_extent",
    "same_shape",
    "show",
]
