"""What a function may take and return: tensors of our element types, and marks that say which result is state.

    func.func @step(%w: tensor<4xf32> {irtool.result = 1 : i64}, %x: tensor<4xf32>) -> (tensor<f32>, tensor<4xf32>)

Result 1 is the new value of %w: it has the same type, and is no other argument's.
"""

from __future__ import annotations

from xdsl.dialects.builtin import IntegerAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute

from ..dialects.types import DYNAMIC, spec_of
from .pass_base import PassError, fail

RESULT_ATTRIBUTE = "irtool.result"


def check_marks(function: FuncOp) -> None:
    """Raises PassError where a mark of state does not fit; functions on buffers, which return nothing, pass."""
    types = function.function_type
    taken: set[int] = set()
    for position, attributes in enumerate(function.arg_attrs or ()):
        mark = attributes.data.get(RESULT_ATTRIBUTE)
        if mark is None:
            continue
        what = f"argument {position}: {RESULT_ATTRIBUTE}"
        if not isinstance(mark, IntegerAttr):
            fail(function, f"{what}: expected the number of a result, got {mark}")
        index: int = mark.value.data
        if index in taken:
            fail(function, f"{what}: result {index} is another argument's new value already")
        taken.add(index)
        if not types.outputs.data:
            continue
        if not 0 <= index < len(types.outputs.data):
            fail(function, f"{what}: expected one of {len(types.outputs.data)} results, got {index}")
        given, expected = types.outputs.data[index], types.inputs.data[position]
        if given != expected:
            fail(function, f"{what}: result {index} should have the argument's type {expected}, got {given}")


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
