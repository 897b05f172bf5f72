"""Destination-passing operations that linalg lacks.

    %r = linalgx.scatter_add axis 0 batch_dims 0
           ins(%indices, %updates : tensor<5xi64>, tensor<5x8xf32>) outs(%base : tensor<10x8xf32>) -> tensor<10x8xf32>

adds row `i` of the updates onto row `indices[i]` of the base: the transpose of a gather. On memrefs the base is
updated in place and there is no result. All operations read so: their attributes, what is read, what is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self, TypeAlias, cast

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    FloatAttr,
    IntegerAttr,
    IntegerType,
    MemRefType,
    StringAttr,
    TensorType,
    f64,
    i1,
    i64,
)
from xdsl.ir import Attribute, Dialect, Operation, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    prop_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from .effects import DestinationEffects
from .hl.codec import float_text

__all__ = [
    "CUMULATIONS", "LINALGX", "AttentionBase", "AttentionKeyGradientOp", "AttentionOp", "AttentionQueryGradientOp",
    "CumulateOp", "DestinationOp", "RecordOp", "ScatterAddOp", "ScatterOp", "SortOp",
]  # fmt: skip

Shaped: TypeAlias = "MemRefType[Attribute] | TensorType[Attribute]"


class DestinationOp(IRDLOperation):
    """An operation on `inputs` and `outputs`; on tensors it has a result for each output."""

    arguments = var_operand_def(MemRefType | TensorType)
    res = var_result_def(TensorType)
    traits = traits_def(DestinationEffects())
    ATTRIBUTES: ClassVar[dict[str, type[int] | type[bool] | type[str] | type[float]]] = {}
    """Name -> kind of the properties; those that are true or false are written by their name alone."""
    OUTPUTS: ClassVar[int] = 1

    @classmethod
    def of(
        cls, inputs: Sequence[SSAValue], outputs: Sequence[SSAValue], **attributes: int | bool | str | float
    ) -> Self:
        """A new operation."""
        return cls.create(
            operands=[*inputs, *outputs],
            result_types=_result_types(outputs),
            properties={name: _encoded(value) for name, value in attributes.items()},
        )

    @property
    def inputs(self) -> Sequence[SSAValue]:
        """The operands that are only read, as linalg calls them."""
        return self.operands[: -self.OUTPUTS]

    @property
    def outputs(self) -> Sequence[SSAValue]:
        """The destinations, as linalg calls them."""
        return self.operands[-self.OUTPUTS :]

    def integer(self, name: str) -> int:
        """The value of a property that is an integer or a truth value."""
        return cast("IntegerAttr", self.properties[name]).value.data

    def shaped(self) -> list[Shaped]:
        """The types of the operands."""
        return [cast("Shaped", operand.type) for operand in self.operands]

    def verify_(self) -> None:
        types = self.shaped()
        if len({type(t) for t in types}) != 1:
            raise VerifyException("expected operands that are all tensors or all memrefs")
        results = [t for t in types[-self.OUTPUTS :] if isinstance(t, TensorType)]
        if len(self.results) != len(results):
            raise VerifyException("expected one result per output on tensors and none on memrefs")
        for result, output in zip(self.results, results, strict=True):
            if result.type != output:
                raise VerifyException(f"expected a result of the output's type {output}, given {result.type}")
        self.verify_shapes(types)

    def verify_shapes(self, types: Sequence[Shaped]) -> None:
        """Raises VerifyException where shapes and element types do not fit."""

    def print(self, printer: Printer) -> None:
        for name, kind in self.ATTRIBUTES.items():
            value = self.properties[name]
            if kind is bool:
                printer.print_string(f" {name}" if self.integer(name) else "")
            elif isinstance(value, StringAttr):
                printer.print_string(f" {value.data}")
            elif isinstance(value, FloatAttr):
                printer.print_string(f" {name} {float_text(value.value.data)}")
            else:
                printer.print_string(f" {name} {self.integer(name)}")
        for keyword, values in (("ins", self.inputs), ("outs", self.outputs)):
            printer.print_string(f" {keyword}(")
            printer.print_list(values, printer.print_ssa_value)
            printer.print_string(" : ")
            printer.print_list((value.type for value in values), printer.print_attribute)
            printer.print_string(")")
        printer.print_op_attributes(self.attributes)
        if self.results:
            printer.print_string(" -> ")
            printer.print_list(self.result_types, printer.print_attribute)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        properties: dict[str, Attribute] = {}
        for name, kind in cls.ATTRIBUTES.items():
            if kind is bool:
                properties[name] = _encoded(parser.parse_optional_keyword(name) is not None)
            elif kind is str:
                properties[name] = _encoded(parser.parse_identifier(f" for the {name} of {cls.name}"))
            elif kind is float:
                parser.parse_keyword(name)
                properties[name] = _encoded(float(parser.parse_number()))
            else:
                parser.parse_keyword(name)
                properties[name] = _encoded(parser.parse_integer())
        inputs = _parse_operands(parser, "ins")
        outputs = _parse_operands(parser, "outs")
        if len(outputs) != cls.OUTPUTS:
            parser.raise_error(f"expected {cls.OUTPUTS} in outs of {cls.name}")
        attributes = parser.parse_optional_attr_dict()
        results: list[Attribute] = []
        if parser.parse_optional_punctuation("->"):
            results = parser.parse_comma_separated_list(Parser.Delimiter.NONE, parser.parse_type)
        return cls.create(
            operands=[*inputs, *outputs], result_types=results, properties=properties, attributes=attributes
        )


class ScatterBase(DestinationOp):
    """Updates go where a gather along `axis` would read them.

    Shapes follow gather's: updates = base[:axis] + indices[batch_dims:] + base[axis+1:], where the first `batch_dims`
    dimensions of base and indices are shared. Indices out of range are dropped.
    """

    axis = prop_def(IntegerAttr)
    batch_dims = prop_def(IntegerAttr)
    ATTRIBUTES: ClassVar = {"axis": int, "batch_dims": int}

    def __init__(
        self,
        indices: SSAValue | Operation,
        updates: SSAValue | Operation,
        base: SSAValue | Operation,
        axis: int,
        batch_dims: int = 0,
    ) -> None:
        base = SSAValue.get(base)
        super().__init__(
            operands=[[indices, updates, base]],
            result_types=[_result_types([base])],
            properties={"axis": _encoded(axis), "batch_dims": _encoded(batch_dims)},
        )

    @property
    def indices(self) -> SSAValue:
        """Where each update goes."""
        return self.operands[0]

    @property
    def updates(self) -> SSAValue:
        """What goes there."""
        return self.operands[1]

    @property
    def base(self) -> SSAValue:
        """What is updated."""
        return self.operands[2]

    def verify_shapes(self, types: Sequence[Shaped]) -> None:
        if len(types) != 3:
            raise VerifyException("expected ins(indices, updates) and outs(base)")
        indices, updates, base = types
        axis, batch = self.integer("axis"), self.integer("batch_dims")
        if not isinstance(indices.get_element_type(), IntegerType):
            raise VerifyException(f"expected integer indices, given {indices}")
        if updates.get_element_type() != base.get_element_type():
            raise VerifyException(f"expected updates of the base's element type, given {updates} and {base}")
        base_shape, index_shape = base.get_shape(), indices.get_shape()
        if not 0 <= batch <= axis < len(base_shape) or batch > len(index_shape):
            raise VerifyException(
                f"expected 0 <= batch_dims <= axis < {len(base_shape)}, given batch_dims {batch}, axis {axis}"
            )
        expected = (*base_shape[:axis], *index_shape[batch:], *base_shape[axis + 1 :])
        if not _same_shape(expected, updates.get_shape()) or not _same_shape(base_shape[:batch], index_shape[:batch]):
            raise VerifyException(
                f"expected updates of shape {list(expected)} for base {list(base_shape)}, indices {list(index_shape)}, "
                f"axis {axis}, batch_dims {batch}; given {list(updates.get_shape())}"
            )


@irdl_op_definition
class ScatterAddOp(ScatterBase):
    """`base[..., indices[...], ...] += updates`: duplicates add up"""

    name = "linalgx.scatter_add"


@irdl_op_definition
class ScatterOp(ScatterBase):
    """`base[..., indices[...], ...] = updates`: of duplicates the last one stays"""

    name = "linalgx.scatter"


def _check_dimension(op: DestinationOp, shape: Sequence[int]) -> None:
    if not 0 <= op.integer("dimension") < len(shape):
        raise VerifyException(f"expected a dimension below {len(shape)}, given {op.integer('dimension')}")


CUMULATIONS: dict[str, int] = {"sum": 1, "product": 1, "recurrence": 2}
"""Kind of cumulation -> number of inputs."""


@irdl_op_definition
class CumulateOp(DestinationOp):
    """What has come together along a dimension, up to each of its elements; from the last one back where `reverse`

    %y = linalgx.cumulate sum dimension 1 ins(%x : tensor<4x9xf32>) outs(%e : tensor<4x9xf32>) -> tensor<4x9xf32>

    sum         y[i] = y[i - 1] + x[i]
    product     y[i] = y[i - 1] * x[i]
    recurrence  y[i] = a[i] * y[i - 1] + x[i]        where a comes first; y starts with x[0]
    """

    name = "linalgx.cumulate"
    kind = prop_def(StringAttr)
    dimension = prop_def(IntegerAttr)
    reverse = prop_def(IntegerAttr)
    ATTRIBUTES: ClassVar = {"kind": str, "dimension": int, "reverse": bool}

    def verify_shapes(self, types: Sequence[Shaped]) -> None:
        count = CUMULATIONS.get(self.kind.data)
        if count is None:
            raise VerifyException(f"expected a kind of {', '.join(CUMULATIONS)}, given {self.kind.data}")
        if len(types) != count + 1 or any(t != types[0] for t in types):
            raise VerifyException(f"expected {count} inputs of the output's type, given {', '.join(map(str, types))}")
        _check_dimension(self, types[0].get_shape())


@irdl_op_definition
class SortOp(DestinationOp):
    """The elements in order along a dimension, and where each was; equal ones keep their order

    %v, %i = linalgx.sort dimension 0 descending
               ins(%x : tensor<9xf32>) outs(%e, %f : tensor<9xf32>, tensor<9xi64>) -> tensor<9xf32>, tensor<9xi64>

    NaN counts as the largest.
    """

    name = "linalgx.sort"
    dimension = prop_def(IntegerAttr)
    descending = prop_def(IntegerAttr)
    ATTRIBUTES: ClassVar = {"dimension": int, "descending": bool}
    OUTPUTS: ClassVar = 2

    def verify_shapes(self, types: Sequence[Shaped]) -> None:
        if len(types) != 3 or types[0] != types[1]:
            raise VerifyException("expected ins(x) and outs(values, indices), where values has the type of x")
        if types[2].get_element_type() != i64 or not _same_shape(types[0].get_shape(), types[2].get_shape()):
            raise VerifyException(f"expected i64 indices of the shape of x, given {types[2]} for {types[0]}")
        _check_dimension(self, types[0].get_shape())


REFUSED = ("outside", "outside_but", "zero")
"""What a check refuses: elements outside a range, the same unless they are one that is allowed, zeros."""


@irdl_op_definition
class RecordOp(DestinationOp):
    """The first element of x that a check refuses goes into the record of errors (dialects/hl/check.py)

    %r = linalgx.record outside low 0 high 10 allowed 0 number 3
           ins(%signs, %x : tensor<i64>, tensor<8xi64>) outs(%record : tensor<3xi64>) -> tensor<3xi64>

    `signs` is negative where there is one. The record stays what it is otherwise, and where it holds an error already.
    """

    name = "linalgx.record"
    kind = prop_def(StringAttr)
    low = prop_def(IntegerAttr)
    high = prop_def(IntegerAttr)
    allowed = prop_def(IntegerAttr)
    number = prop_def(IntegerAttr)
    unsigned = prop_def(IntegerAttr)
    ATTRIBUTES: ClassVar = {
        "kind": str,
        "low": int,
        "high": int,
        "allowed": int,
        "number": int,
        "unsigned": bool,
    }

    def verify_shapes(self, types: Sequence[Shaped]) -> None:
        if self.kind.data not in REFUSED:
            raise VerifyException(f"expected a kind of {', '.join(REFUSED)}, given {self.kind.data}")
        if len(types) != 3:
            raise VerifyException("expected ins(signs, x) and outs(record)")
        signs, x, record = types
        for what, type_, shape in (("signs", signs, ()), ("a record", record, (3,))):
            if type_.get_element_type() != i64 or not _same_shape(type_.get_shape(), shape):
                raise VerifyException(f"expected {what} of {list(shape)} and i64, given {type_}")
        if not isinstance(x.get_element_type(), IntegerType):
            raise VerifyException(f"expected an x of integers, given {x}")


class AttentionBase(DestinationOp):
    """Attention and its gradients, as dialects/hl/attention.py says them; a mask comes last of what is read."""

    causal = prop_def(IntegerAttr)
    scale = prop_def(FloatAttr)
    ATTRIBUTES: ClassVar = {"causal": bool, "scale": float}
    READS: ClassVar[int]
    """How many inputs there are, a mask aside."""
    EXPECTED: ClassVar[str]
    """Shapes of what follows query, key and value: like a query, key, value or result, or a number a query."""

    @property
    def mask(self) -> SSAValue | None:
        """What says which keys take part, or is added."""
        return self.operands[self.READS] if len(self.inputs) > self.READS else None

    @property
    def factor(self) -> float:
        """What products of queries and keys are multiplied by."""
        return self.scale.value.data

    def verify_shapes(self, types: Sequence[Shaped]) -> None:
        if len(types) - self.OUTPUTS not in (self.READS, self.READS + 1):
            raise VerifyException(f"expected {self.READS} inputs and perhaps a mask, given {len(self.inputs)}")
        query, key, value = (type_.get_shape() for type_ in types[:3])
        if len(query) < 2 or not _same_shape((*query[:-2], key[-2], query[-1]), key):
            raise VerifyException(f"expected queries and keys of one width, given {types[0]} and {types[1]}")
        if not _same_shape((*key[:-1], value[-1]), value):
            raise VerifyException(f"expected a value for each key, given {types[1]} and {types[2]}")
        rows = query[:-1]
        shapes = {"q": query, "k": key, "v": value, "r": (*rows, value[-1]), "l": rows}
        given = [*types[3 : self.READS], *types[-self.OUTPUTS :]]
        for letter, type_ in zip(self.EXPECTED, given, strict=True):
            if not _same_shape(shapes[letter], type_.get_shape()):
                raise VerifyException(f"expected an operand of shape {list(shapes[letter])}, given {type_}")
        if len(types) - self.OUTPUTS > self.READS:
            mask, scores = types[self.READS].get_shape(), (*rows, key[-2])
            repeats = all(m in (1, n, DYNAMIC_INDEX) for m, n in zip(reversed(mask), reversed(scores)))
            if len(mask) > len(scores) or not repeats:
                raise VerifyException(f"expected a mask that repeats to {list(scores)}, given {types[self.READS]}")


@irdl_op_definition
class AttentionOp(AttentionBase):
    """softmax(query key^T scale + mask) value, and the logarithms of its sums

    linalgx.attention causal scale 0.25 ins(%q, %k, %v : …) outs(%y, %l : …)
    """

    name = "linalgx.attention"
    READS: ClassVar = 3
    OUTPUTS: ClassVar = 2
    EXPECTED: ClassVar = "rl"


@irdl_op_definition
class AttentionQueryGradientOp(AttentionBase):
    """The cotangent of the queries, from the logarithms, each query's sum of result times cotangent, and the cotangent

    linalgx.attention_query_gradient scale 0.25 ins(%q, %k, %v, %l, %delta, %dy : …) outs(%dq : …)
    """

    name = "linalgx.attention_query_gradient"
    READS: ClassVar = 6
    EXPECTED: ClassVar = "llrq"


@irdl_op_definition
class AttentionKeyGradientOp(AttentionBase):
    """The cotangents of keys and values, from the same"""

    name = "linalgx.attention_key_gradient"
    READS: ClassVar = 6
    OUTPUTS: ClassVar = 2
    EXPECTED: ClassVar = "llrkv"


def _result_types(outputs: Sequence[SSAValue]) -> list[Attribute]:
    types: list[Attribute] = [value.type for value in outputs]
    return [t for t in types if type(t) is TensorType]


def _encoded(value: int | bool | str | float) -> Attribute:
    if isinstance(value, str):
        return StringAttr(value)
    if isinstance(value, float):
        return FloatAttr(value, f64)
    return IntegerAttr(int(value), i1 if isinstance(value, bool) else i64)


def _same_shape(a: Sequence[int], b: Sequence[int]) -> bool:
    """Equal, where an unknown size equals any."""
    return len(a) == len(b) and all(x == y or DYNAMIC_INDEX in (x, y) for x, y in zip(a, b, strict=True))


def _parse_operands(parser: Parser, keyword: str) -> Sequence[SSAValue]:
    """`keyword(%a, %b : type, type)`"""
    parser.parse_keyword(keyword)
    parser.parse_punctuation("(")
    pos = parser.pos
    operands = parser.parse_comma_separated_list(Parser.Delimiter.NONE, parser.parse_unresolved_operand)
    parser.parse_punctuation(":")
    types = parser.parse_comma_separated_list(Parser.Delimiter.NONE, parser.parse_type)
    parser.parse_punctuation(")")
    return parser.resolve_operands(operands, types, pos)


LINALGX = Dialect(
    "linalgx",
    [
        *(ScatterAddOp, ScatterOp, CumulateOp, SortOp, RecordOp),
        *(AttentionOp, AttentionQueryGradientOp, AttentionKeyGradientOp),
    ],
    [],
)
