"""What a function may take and return: tensors of our element types, and marks that say which result is state.

    func.func @step(%w: tensor<4xf32> {irtool.result = 1 : i64}, %x: tensor<4xf32>) -> (tensor<f32>, tensor<4xf32>)

Result 1 is the new value of %w: it has the same type, and is no other argument's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from xdsl.dialects.builtin import IntegerAttr, MemRefType, ModuleOp, NoneAttr, TensorType, i8
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, SSAValue

from ..dialects.hl.check import RECORD
from ..dialects.marks import (
    ERRORS_ATTRIBUTE,
    KERNEL_ATTRIBUTE,
    NUMBERED,
    OUT_ATTRIBUTE,
    PREFIX,
    RESULT_ATTRIBUTE,
    SCRATCH_ATTRIBUTES,
    TIED_ATTRIBUTE,
)
from ..dialects.types import DTYPES, DYNAMIC, bytes_of, spec_of, tensor_type
from .pass_base import PassError, fail, functions

ELEMENTS = tuple(dtype.lowered for dtype in DTYPES)
"""What buffers hold."""


def argument_marks(function: FuncOp) -> list[Mapping[str, Attribute]]:
    """The attributes of each argument of a function."""
    if function.arg_attrs is None:
        return [{} for _ in function.function_type.inputs]
    return [attributes.data for attributes in function.arg_attrs]


def state_arguments(function: FuncOp) -> dict[int, SSAValue]:
    """Result index -> the state argument that the result is the new value of."""
    found: dict[int, SSAValue] = {}
    if function.arg_attrs is None:
        return found
    for argument, attributes in zip(function.args, function.arg_attrs):
        result = attributes.data.get(RESULT_ATTRIBUTE)
        if result is not None:
            found[result.value.data] = argument  # pyright: ignore
    return found


def check_marks(function: FuncOp) -> None:
    """Raises PassError where a mark is none of ours, or does not fit its argument and the results.

    Functions on buffers, which return nothing, have the results' numbers checked by `check_buffers`, where they are
    called with pointers.
    """
    taken: set[tuple[str, int]] = set()
    for position, marks in enumerate(argument_marks(function)):
        for name, mark in marks.items():
            if name.startswith(PREFIX):
                _check_mark(function, position, name, mark, taken)


def _check_mark(function: FuncOp, position: int, name: str, mark: Attribute, taken: set[tuple[str, int]]) -> None:
    given, results = function.function_type.inputs.data[position], function.function_type.outputs.data
    what = f"argument {position} of @{function.sym_name.data}: {name}"
    if name in SCRATCH_ATTRIBUTES:
        buffer = cast("MemRefType", given)
        if not isinstance(given, MemRefType) or buffer.element_type != i8 or len(buffer.get_shape()) != 1:
            fail(function, f"{what}: expected scratch memory as a buffer of bytes, got {given}")
        return
    if name == ERRORS_ATTRIBUTE:
        _check_record(function, position, what)
        return
    if name not in NUMBERED:
        fail(function, f"{what}: expected one of {', '.join((*NUMBERED, *SCRATCH_ATTRIBUTES, ERRORS_ATTRIBUTE))}")
    if not isinstance(mark, IntegerAttr):
        fail(function, f"{what}: expected the number of a result, got {mark}")
    if name == TIED_ATTRIBUTE and KERNEL_ATTRIBUTE not in function.attributes:
        fail(function, f"{what}: expected a kernel; arguments of other functions have {RESULT_ATTRIBUTE}")
    index: int = mark.value.data
    if (name, index) in taken:
        fail(function, f"{what}: result {index} is another argument's new value already")
    taken.add((name, index))
    if index < 0 or (results and index >= len(results)):
        fail(function, f"{what}: expected one of {len(results)} results, got {index}")
    if results and given != results[index]:
        fail(function, f"{what}: result {index} should have the argument's type {given}, got {results[index]}")


def _check_record(function: FuncOp, position: int, what: str) -> None:
    """Raises PassError where the argument that is marked as the record of errors cannot be one."""
    given, expected = function.function_type.inputs.data[position], tensor_type(RECORD)
    marks = argument_marks(function)
    if isinstance(given, TensorType) and given != expected:
        fail(function, f"{what}: expected {expected}, got {given}")
    if isinstance(given, TensorType) and RESULT_ATTRIBUTE not in marks[position]:
        fail(function, f"{what}: expected {RESULT_ATTRIBUTE} beside it, the number of the result that is the record")
    if sum(ERRORS_ATTRIBUTE in entry for entry in marks) > 1:
        fail(function, f"{what}: another argument is the record of errors already")


def check_tensors(function: FuncOp, static: bool) -> None:
    """Raises PassError where an argument or result is no tensor of ours, or if `static` has an unknown extent."""
    for kind, types in (("argument", function.function_type.inputs), ("result", function.function_type.outputs)):
        for position, type_ in enumerate(types):
            check_tensor(type_, static, f"{kind} {position} of @{function.sym_name.data}", function.location)


def check_tensor(type_: Attribute, static: bool, what: str, location: Attribute) -> None:
    """The same for one type."""
    try:
        shape = spec_of(type_).shape
    except ValueError as error:
        raise PassError(f"{what}: {error}", location) from None
    if static and DYNAMIC in shape:
        raise PassError(f"{what}: expected a static shape, got {type_}", location)


def check_static(module: ModuleOp) -> None:
    """Raises PassError at the first function that is not on tensors, and at the first tensor of an unknown extent."""
    for function in functions(module):
        for type_ in function.function_type.inputs:
            if isinstance(type_, MemRefType):
                fail(function, f"@{function.sym_name.data}: expected a function on tensors, got {type_}")
        for op in function.walk():
            for type_ in function.function_type.inputs if op is function else op.result_types:
                if isinstance(type_, TensorType) and DYNAMIC in type_.get_shape():
                    fail(op, f"{op.name}: expected static shapes, got {type_}")


def check_on_buffers(module: ModuleOp) -> None:
    """Raises PassError at the first function that is still on tensors."""
    for function in functions(module):
        for type_ in function.function_type.inputs:
            if isinstance(type_, TensorType):
                fail(function, f"@{function.sym_name.data}: expected a function on buffers, got {type_}; run bufferize")


def check_buffers(function: FuncOp) -> None:
    """Raises PassError where a host function on buffers, its marks checked, cannot be called with pointers alone.

        func.func @step(%w: memref<4xf32> {irtool.result = 1 : i64}, %out: memref<f32> {irtool.out = 0 : i64},
                        %arena: memref<1024xi8> {irtool.arena}, %workspace: memref<64xi8> {irtool.workspace})

    Every buffer is a static, row-major one of our element types; results 0, 1 … each have one place; scratch is bytes.
    """
    places: list[int] = []
    for position, (type_, marks) in enumerate(
        zip(function.function_type.inputs, argument_marks(function), strict=True)
    ):
        what = f"argument {position} of @{function.sym_name.data}"
        buffer = cast("MemRefType", type_)
        plain = isinstance(type_, MemRefType) and isinstance(buffer.layout, NoneAttr)
        if not plain or buffer.element_type not in ELEMENTS:
            fail(function, f"{what}: expected a row-major buffer of {', '.join(map(str, ELEMENTS))}, got {type_}")
        try:
            bytes_of(buffer)
        except ValueError as error:
            fail(function, f"{what}: {error}")
        if any(mark in marks for mark in SCRATCH_ATTRIBUTES):
            continue
        for name in (OUT_ATTRIBUTE, RESULT_ATTRIBUTE):
            if name in marks:
                places.append(cast("IntegerAttr", marks[name]).value.data)
    if sorted(places) != list(range(len(places))):
        fail(function, f"@{function.sym_name.data}: expected one place for each result from 0 on, got {sorted(places)}")
