"""What patterns ask about values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy as np
from xdsl.ir import OpResult, SSAValue

from ....dialects.hl.base import HLOp
from ....dialects.hl.codec import decode
from ....dialects.hl.shape import ConstantOp
from ....dialects.types import TensorSpec, spec_of
from ...pass_base import RecordingBuilder

Op = TypeVar("Op", bound=HLOp)

Pattern: TypeAlias = Callable[[RecordingBuilder, Any], SSAValue | None]
"""Builds and returns what takes the place of an op's only result; None, before building anything, leaves it alone."""
PatternTable: TypeAlias = dict[type[HLOp], tuple[Pattern, ...]]


def made_by(value: SSAValue, op: type[Op]) -> Op | None:
    """The op of the given class that makes a value, or None."""
    return value.op if isinstance(value, OpResult) and type(value.op) is op else None


def constant(value: SSAValue) -> float | np.ndarray[Any, Any] | None:
    """What a constant holds: a number where it is the same everywhere; None for other values."""
    op = made_by(value, ConstantOp)
    return None if op is None else decode(op.value)  # pyright: ignore[reportReturnType]


def number(value: SSAValue) -> float | None:
    """The number that a value is everywhere, or None."""
    found = constant(value)
    return None if isinstance(found, np.ndarray) else found


def is_number(value: SSAValue, wanted: float) -> bool:
    """Whether a value is the wanted number everywhere."""
    return number(value) == wanted


def spec(value: SSAValue) -> TensorSpec:
    """Shape and element type of a value."""
    return spec_of(value.type)


def is_float(value: SSAValue) -> bool:
    """Whether a value may be infinite or NaN."""
    return spec(value).dtype.kind == "float"
