"""Ops that make, move or rearrange elements without computing on them."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Self, cast

import numpy as np
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr
from xdsl.ir import Attribute
from xdsl.irdl import BaseAttr, irdl_op_definition, operand_def, prop_def, result_def, traits_def, var_operand_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure

from ..types import DYNAMIC, DType, TensorSpec, dtype_of_numpy
from .base import (
    INT_PROPERTY,
    INTS_PROPERTY,
    NUMBER_PROPERTY,
    AnyTensor,
    HLOp,
    check_axes,
    check_axis,
    check_shape,
    known,
    mismatch,
    same_extent,
    show,
)
from .codec import Array, decode, print_value
from .rules import NUMBER, check_kind


def check_scalar(value: object, dtype: DType, what: str) -> None:
    """Raises ShapeError unless a Python number can be an element of the given type."""
    if not isinstance(value, bool | int | float):
        mismatch(f"a number of {dtype.name}", value, what)
    if dtype.kind == "float":
        return
    if isinstance(value, float):
        mismatch(f"an integer, for {dtype.name}", value, what)
    low, high = (
        (0, 1) if dtype.kind == "bool" else (int(np.iinfo(dtype.numpy.name).min), int(np.iinfo(dtype.numpy.name).max))
    )
    if not low <= value <= high:
        mismatch(f"{dtype.name}, from {low} to {high}", int(value), what)


def check_length(values: tuple[int, ...], rank: int, what: str) -> None:
    """Raises ShapeError unless there is one value per dimension."""
    if len(values) != rank:
        mismatch(f"{rank} values, one per dimension", f"{len(values)}: {list(values)}", what)


@irdl_op_definition
class ConstantOp(HLOp):
    """A constant tensor: one value everywhere, or every element listed

    %0 = hl.constant 0.5 : tensor<4xf32>
    %1 = hl.constant dense [[1.0, -inf], [nan, 2.0]] : tensor<2x2xf32>
    """

    name = "hl.constant"
    value = prop_def(NUMBER_PROPERTY | BaseAttr(DenseIntOrFPElementsAttr))
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    FROM_RESULT: ClassVar = ("shape", "dtype")

    @classmethod
    def infer(cls, *, value: float | Array, shape: tuple[int, ...], dtype: DType) -> tuple[TensorSpec, ...]:
        check_shape(shape)
        if isinstance(value, np.ndarray):
            given = TensorSpec(value.shape, dtype_of_numpy(value.dtype))
            if given != (shape, dtype):
                mismatch(TensorSpec(shape, dtype), given, "type of the listed elements")
        else:
            check_scalar(value, dtype, "constant")
        return (TensorSpec(shape, dtype),)

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        value = decode(self.value)
        print_value(printer, value)
        self.print_braces(printer, {})
        if not isinstance(value, np.ndarray):
            printer.print_string(" : ")
            printer.print_attribute(self.result.type)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        value: Attribute = cls.parse_property(parser, "value")
        attributes = cls.parse_braces(parser)[1]
        if isinstance(value, DenseIntOrFPElementsAttr):
            type_ = cast(Attribute, cast(Any, value).type)
        else:
            parser.parse_punctuation(":")
            type_ = parser.parse_type()
        return cls.create(result_types=[type_], properties={"value": cast(Attribute, value)}, attributes=attributes)


@irdl_op_definition
class IotaOp(HLOp):
    """result[i...] = i[dimension]

    %0 = hl.iota along 1 : tensor<2x4xi64>
    """

    name = "hl.iota"
    dimension = prop_def(INT_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"dimension": "along"}
    FROM_RESULT: ClassVar = ("shape", "dtype")

    @classmethod
    def infer(cls, *, shape: tuple[int, ...], dtype: DType, dimension: int) -> tuple[TensorSpec, ...]:
        check_shape(shape)
        check_kind(dtype, NUMBER)
        check_axis(dimension, len(shape))
        return (TensorSpec(shape, dtype),)


@irdl_op_definition
class BroadcastOp(HLOp):
    """result[i...] = x[i[dimensions[0]], i[dimensions[1]], ...], where an extent 1 of x repeats

    %1 = hl.broadcast %0 along [1] : tensor<10xf32> -> tensor<64x10xf32>
    """

    name = "hl.broadcast"
    x = operand_def(AnyTensor)
    dimensions = prop_def(INTS_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"dimensions": "along"}
    FROM_RESULT: ClassVar = ("shape",)

    @classmethod
    def infer(cls, x: TensorSpec, *, shape: tuple[int, ...], dimensions: tuple[int, ...]) -> tuple[TensorSpec, ...]:
        check_shape(shape)
        check_length(dimensions, len(x.shape), "dimensions of the result that the operand's stand for")
        check_axes(dimensions, len(shape))
        if list(dimensions) != sorted(dimensions):
            mismatch("increasing order", list(dimensions), "dimensions")
        for extent, dimension in zip(x.shape, dimensions):
            if extent != 1 and not same_extent(extent, shape[dimension]):
                mismatch(
                    f"{show(shape)[1:-1].split(', ')[dimension]} or 1 in dimension {dimension} of {show(shape)}",
                    show(x.shape),
                    "shape",
                )
        return (TensorSpec(shape, x.dtype),)


@irdl_op_definition
class ReshapeOp(HLOp):
    """The same elements in row-major order, as another shape

    %1 = hl.reshape %0 : tensor<2x3xf32> -> tensor<6xf32>
    """

    name = "hl.reshape"
    x = operand_def(AnyTensor)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    FROM_RESULT: ClassVar = ("shape",)

    @classmethod
    def infer(cls, x: TensorSpec, *, shape: tuple[int, ...]) -> tuple[TensorSpec, ...]:
        check_shape(shape)
        static = DYNAMIC not in x.shape and DYNAMIC not in shape
        if static and math.prod(x.shape) != math.prod(shape):
            mismatch(
                f"{math.prod(x.shape)} elements as in {show(x.shape)}",
                f"{math.prod(shape)} in {show(shape)}",
                "reshape",
            )
        return (TensorSpec(shape, x.dtype),)


@irdl_op_definition
class TransposeOp(HLOp):
    """result[i...] = x[...], where result dimension d is x's dimension permutation[d]

    %1 = hl.transpose %0 [1, 0] : tensor<2x3xf32> -> tensor<3x2xf32>
    """

    name = "hl.transpose"
    x = operand_def(AnyTensor)
    permutation = prop_def(INTS_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"permutation": ""}

    @classmethod
    def infer(cls, x: TensorSpec, *, permutation: tuple[int, ...]) -> tuple[TensorSpec, ...]:
        if sorted(permutation) != list(range(len(x.shape))):
            mismatch(f"each of the {len(x.shape)} dimensions once", list(permutation), "permutation")
        return (TensorSpec(tuple(x.shape[d] for d in permutation), x.dtype),)


@irdl_op_definition
class SliceOp(HLOp):
    """result[i...] = x[start + i * step...], as far as stop, which is left out

    %1 = hl.slice %0 from [0, 1] to [4, 8] by [1, 2] : tensor<4x8xf32> -> tensor<4x4xf32>
    """

    name = "hl.slice"
    x = operand_def(AnyTensor)
    start = prop_def(INTS_PROPERTY)
    stop = prop_def(INTS_PROPERTY)
    step = prop_def(INTS_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"start": "from", "stop": "to", "step": "by"}

    @classmethod
    def infer(
        cls, x: TensorSpec, *, start: tuple[int, ...], stop: tuple[int, ...], step: tuple[int, ...]
    ) -> tuple[TensorSpec, ...]:
        for values, what in ((start, "start"), (stop, "stop"), (step, "step")):
            check_length(values, len(x.shape), what)
        shape: list[int] = []
        for d, (extent, low, high, stride) in enumerate(zip(x.shape, start, stop, step)):
            if stride < 1:
                mismatch("at least 1", stride, f"step of dimension {d}")
            if not 0 <= low <= high or (extent != DYNAMIC and high > extent):
                bound = "" if extent == DYNAMIC else f" <= {extent}"
                mismatch(f"0 <= start <= stop{bound}", f"start {low}, stop {high}", f"bounds of dimension {d}")
            shape.append(-(-(high - low) // stride))
        return (TensorSpec(tuple(shape), x.dtype),)


@irdl_op_definition
class PadOp(HLOp):
    """x with `value` around it (low, high; negative ones crop) and between its elements (interior)

    %1 = hl.pad %0 low [1, 0] high [-1, 2] interior [0, 0] with 0.0 : tensor<4x8xf32> -> tensor<4x10xf32>
    """

    name = "hl.pad"
    x = operand_def(AnyTensor)
    low = prop_def(INTS_PROPERTY)
    high = prop_def(INTS_PROPERTY)
    interior = prop_def(INTS_PROPERTY)
    value = prop_def(NUMBER_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"low": "low", "high": "high", "interior": "interior", "value": "with"}

    @classmethod
    def infer(
        cls,
        x: TensorSpec,
        *,
        low: tuple[int, ...],
        high: tuple[int, ...],
        interior: tuple[int, ...],
        value: float,
    ) -> tuple[TensorSpec, ...]:
        for values, what in ((low, "low"), (high, "high"), (interior, "interior")):
            check_length(values, len(x.shape), what)
        check_scalar(value, x.dtype, "padding value")
        shape: list[int] = []
        for d, (extent, before, after, between) in enumerate(zip(x.shape, low, high, interior)):
            if between < 0:
                mismatch("at least 0", between, f"interior of dimension {d}")
            if extent == DYNAMIC:
                shape.append(DYNAMIC)
                continue
            padded = extent + max(extent - 1, 0) * between + before + after
            if padded < 0:
                mismatch("at least 0", padded, f"padded extent of dimension {d}")
            shape.append(padded)
        return (TensorSpec(tuple(shape), x.dtype),)


@irdl_op_definition
class ConcatOp(HLOp):
    """The operands one after the other along a dimension

    %2 = hl.concat %0, %1 along 0 : tensor<2x3xf32>, tensor<1x3xf32> -> tensor<3x3xf32>
    """

    name = "hl.concat"
    xs = var_operand_def(AnyTensor)
    dimension = prop_def(INT_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"dimension": "along"}

    @classmethod
    def infer(cls, *xs: TensorSpec, dimension: int) -> tuple[TensorSpec, ...]:
        if not xs:
            mismatch("at least one", "none", "operands of concat")
        first = xs[0]
        check_axis(dimension, len(first.shape))
        shape = list(first.shape)
        for x in xs[1:]:
            if x.dtype is not first.dtype:
                mismatch(first.dtype.name, x.dtype.name, "element types must be equal")
            if len(x.shape) != len(shape):
                mismatch(f"rank {len(shape)}", f"rank {len(x.shape)}", "ranks must be equal")
            for d, extent in enumerate(x.shape):
                if d == dimension:
                    shape[d] = DYNAMIC if DYNAMIC in (shape[d], extent) else shape[d] + extent
                elif not same_extent(shape[d], extent):
                    mismatch(show(first.shape), show(x.shape), f"shapes must be equal but in dimension {dimension}")
                else:
                    shape[d] = known(shape[d], extent)
        return (TensorSpec(tuple(shape), first.dtype),)


@irdl_op_definition
class ReverseOp(HLOp):
    """The elements in opposite order along the given dimensions

    %1 = hl.reverse %0 along [0] : tensor<4xf32>
    """

    name = "hl.reverse"
    x = operand_def(AnyTensor)
    dimensions = prop_def(INTS_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"dimensions": "along"}

    @classmethod
    def infer(cls, x: TensorSpec, *, dimensions: tuple[int, ...]) -> tuple[TensorSpec, ...]:
        check_axes(dimensions, len(x.shape))
        return (x,)


@irdl_op_definition
class DiagonalOp(HLOp):
    """The elements of the last two dimensions whose second index is the first one plus `offset`

    %1 = hl.diagonal %0 offset 1 : tensor<3x4xf32> -> tensor<3xf32>
    """

    name = "hl.diagonal"
    x = operand_def(AnyTensor)
    offset = prop_def(INT_PROPERTY)
    result = result_def(AnyTensor)
    traits = traits_def(Pure())
    ASSEMBLY: ClassVar = {"offset": "offset"}

    @classmethod
    def infer(cls, x: TensorSpec, *, offset: int) -> tuple[TensorSpec, ...]:
        if len(x.shape) < 2:
            mismatch("rank 2 or more", f"rank {len(x.shape)}", "diagonal: the operand")
        *lead, rows, columns = x.shape
        if DYNAMIC in (rows, columns):
            return (TensorSpec((*lead, DYNAMIC), x.dtype),)
        count = min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns)
        return (TensorSpec((*lead, max(count, 0)), x.dtype),)
